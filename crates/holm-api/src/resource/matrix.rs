//! `/v1/residency/matrix`

use axum::extract::State;
use holm_core::access::Permission;
use holm_engine::residency::matrix;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::Params;
use crate::refusal;
use crate::resource::as_of;
use crate::view::surveys::MatrixView;

/// Of what.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct MatrixParams {
    /// A profile in force; every one when absent.
    profile: Option<String>,
    /// The environment whose papers count, and what it is for; as for production, and papers for every environment, when absent.
    environment: Option<String>,
    /// What was in force then: a day, of which the end is meant in UTC, or a time; now when absent.
    #[param(example = "2026-03-03")]
    as_of: Option<String>,
    /// What Holm had been told by then: a day or a time; now when absent. Only with `as_of`.
    #[param(example = "2026-03-03")]
    known_at: Option<String>,
}

/// Judges every place that is known by every profile in force
#[utoipa::path(
    get,
    path = "/v1/residency/matrix",
    operation_id = "show_matrix",
    tag = "residency",
    params(MatrixParams),
    responses(
        (status = 200, description = "A row for each profile and place", body = Envelope<MatrixView>),
        (status = 404, description = "No such environment, or no such profile in force", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(MatrixParams { profile, environment, as_of, known_at }): Params<MatrixParams>,
) -> Answer<MatrixView> {
    let environment = environment.as_deref().map(refusal::environment).transpose()?;
    if let Some(name) = &environment {
        auth::require_in(&api, &caller, Permission::ReadTenants, name).await?;
    }
    let asked = as_of::read(as_of.as_deref(), known_at.as_deref())?;
    Ok(Data(matrix::matrix_as_of(&api.control, profile.as_deref(), environment.as_ref(), asked).await?.into()))
}
