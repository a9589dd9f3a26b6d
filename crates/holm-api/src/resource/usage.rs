//! `/v1/environments/{environment}/usage`

use axum::extract::State;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::environment;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{EnvironmentPath, Params};
use crate::view::usage::UsageView;

/// As many as a person looks at.
const LIMIT_DEFAULT: u32 = 20;

/// About 40 KiB.
const LIMIT_MAX: u32 = 200;

/// How many tenants.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsageParams {
    /// How many tenants at the most: 1 to 200, 20 when absent.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

/// Shows who uses this process now, the busiest tenants first
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/usage",
    operation_id = "show_usage",
    tag = "health",
    params(("environment" = String, Path, description = "The environment's name"), UsageParams),
    responses(
        (status = 200, description = "What the process that answers carries, and no other", body = Envelope<UsageView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    EnvironmentPath(environment): EnvironmentPath,
    Params(UsageParams { limit }): Params<UsageParams>,
) -> Answer<UsageView> {
    let limit = limit.unwrap_or(LIMIT_DEFAULT);
    if !(1..=LIMIT_MAX).contains(&limit) {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("`limit={limit}` is not 1 to {LIMIT_MAX}")).into());
    }
    let environment = environment::show(&api.control, &environment).await?.name;
    let carried = (api.config.usage)(environment.clone(), usize::try_from(limit).unwrap_or(usize::MAX)).await;
    Ok(Data(UsageView { environment, at: Timestamp::now(), carried }))
}
