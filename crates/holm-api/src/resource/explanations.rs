//! `/v1/environments/{environment}/tenants/{slug}/explanation`, and the decision that was made when it was placed

use axum::extract::State;
use holm_engine::residency::{answer, decision_record};

use crate::Api;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{NoParams, Params, TenantPath};
use crate::resource::as_of::AsOfParams;
use crate::view::answers::{DecisionView, ExplanationView};

/// Says why a tenant's data is here, why not there, and what would break that
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}/explanation",
    operation_id = "explain_residency",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name"), AsOfParams),
    responses(
        (status = 200, description = "Judged now, by what is in force now; or as of another day", body = Envelope<ExplanationView>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(State(api): State<Api>, path: TenantPath, Params(asked): Params<AsOfParams>) -> Answer<ExplanationView> {
    Ok(Data(answer::explain_as_of(&api.control, &path.environment, &path.slug, asked.read()?).await?.into()))
}

/// Shows the decision on where a tenant's data lies, as it was made
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/tenants/{slug}/decision",
    operation_id = "show_decision",
    tag = "residency",
    params(("environment" = String, Path, description = "The environment's name"), ("slug" = String, Path, description = "The tenant's name")),
    responses(
        (status = 200, description = "The decision, and a record of it in Markdown", body = Envelope<DecisionView>),
        (status = 404, description = "No such environment or tenant, or it was made without a profile", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn decision(State(api): State<Api>, path: TenantPath, Params(NoParams {}): Params<NoParams>) -> Answer<DecisionView> {
    Ok(Data(decision_record::record(&api.control, &path.environment, &path.slug).await?.into()))
}
