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
    Params(MatrixParams { profile, environment }): Params<MatrixParams>,
) -> Answer<MatrixView> {
    let environment = environment.as_deref().map(refusal::environment).transpose()?;
    if let Some(name) = &environment {
        auth::require_in(&api, &caller, Permission::ReadTenants, name).await?;
    }
    Ok(Data(matrix::matrix(&api.control, profile.as_deref(), environment.as_ref()).await?.into()))
}
