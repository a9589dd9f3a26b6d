//! `/v1/residency/what-if`

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::environment;
use holm_engine::residency::what_if;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::Params;
use crate::page::{self, Mark, PageParams};
use crate::refusal;
use crate::view::surveys::WhatIfView;

/// What, and of whom.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WhatIfParams {
    /// What is supposed, several separated by `;`: a mechanism, a law or a fact's id, and what it would be.
    #[param(example = "eu-us-dpf=annulled;adequacy:GB=expired")]
    suppose: String,
    /// The environment whose tenants are meant; every one that the caller may see when absent.
    environment: Option<String>,
    /// How many changed copies, and how many steps of the plan, at the most: 1 to 1000, 100 when absent. The counts are of all.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

/// Says which copies would come to something else if facts were otherwise, and what to do then; changes nothing
#[utoipa::path(
    get,
    path = "/v1/residency/what-if",
    operation_id = "ask_what_if",
    tag = "residency",
    params(WhatIfParams),
    responses(
        (status = 200, description = "What would come of it", body = Envelope<WhatIfView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn ask(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(WhatIfParams { suppose, environment, limit, cursor }): Params<WhatIfParams>,
) -> Answer<WhatIfView> {
    let wanted = environment.as_deref().map(refusal::environment).transpose()?;
    if let Some(name) = &wanted {
        environment::show(&api.control, name).await?;
        auth::require_in(&api, &caller, Permission::ReadTenants, name).await?;
    }
    let supposed: Vec<String> = suppose.split(';').map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned).collect();
    let counts = |name: &holm_core::environment::EnvironmentName| match &wanted {
        Some(wanted) => wanted == name,
        None => auth::may_see(&api, &caller, Permission::ReadTenants, Some(name)),
    };
    let part = PageParams::new(limit, cursor);
    part.limit()?;
    let found = what_if::what_if(&api.control, &supposed, counts).await?;
    let whole = found.fingerprint();
    let range = Mark::range(&part, &whole)?;
    let all = WhatIfView::from(found);
    let more = all.changes.len().max(all.plan.len()) > range.end;
    Ok(Data(WhatIfView {
        changes: page::slice(all.changes, &range),
        plan: page::slice(all.plan, &range),
        next: more.then(|| Mark::next(&range, &whole)),
        ..all
    }))
}
