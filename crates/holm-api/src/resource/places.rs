//! `/v1/environments/{environment}/places`

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::residency::places::{self, Words};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{EnvironmentPath, Params};
use crate::page::{self, Mark, PageParams};
use crate::view::places::PlacesView;

/// By what, and where.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PlacesParams {
    /// A profile in force; the environment's own when absent.
    profile: Option<String>,
    /// Where the database must be: a provider, or a provider and a region of it.
    #[param(example = "scalingo/osc-fr1")]
    database: Option<String>,
    /// Where the bucket must be.
    #[param(example = "ovh")]
    bucket: Option<String>,
    /// Where the database's provider is told to put backups; where it puts them by itself when absent.
    backup: Option<String>,
    /// Who holds the keys of the bucket; the provider when absent.
    #[param(example = "client_side")]
    key_holder: Option<String>,
    /// On which plans one is, several separated by `;`.
    #[param(example = "railway=pro;scalingo=business")]
    plan: Option<String>,
    /// Whether pairs are told, too, that are far from each other although their database has something nearer.
    #[serde(default)]
    all: bool,
    /// How many pairs, and how many refused places, at the most: 1 to 1000, 100 when absent. The counts are of all.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

/// Says where a database and a bucket could lie that are not there yet, how near each other, and what is needed for it
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/places",
    operation_id = "find_places",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment whose papers count"), PlacesParams),
    responses(
        (status = 200, description = "What is allowed, nearest first, and what is not and why", body = Envelope<PlacesView>),
        (status = 404, description = "No such environment, or no such profile in force", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn find(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(asked): Params<PlacesParams>,
) -> Answer<PlacesView> {
    auth::require_in(&api, &caller, Permission::ReadTenants, &environment).await?;
    let PlacesParams { profile, database, bucket, backup, key_holder, plan, all, limit, cursor } = asked;
    let plans = plan.iter().flat_map(|plans| plans.split(';')).map(str::trim).filter(|text| !text.is_empty());
    let plans = plans.map(str::to_owned).collect();
    let words = Words { database, bucket, backup, key_holder, plans, all };
    let part = PageParams::new(limit, cursor);
    part.limit()?;
    let found = places::places(&api.control, &environment, profile.as_deref(), words).await?;
    let whole = found.fingerprint();
    let range = Mark::range(&part, &whole)?;
    let all = PlacesView::from(found);
    let more = all.pairs.len().max(all.refused.len()) > range.end;
    Ok(Data(PlacesView {
        pairs: page::slice(all.pairs, &range),
        refused: page::slice(all.refused, &range),
        next: more.then(|| Mark::next(&range, &whole)),
        ..all
    }))
}
