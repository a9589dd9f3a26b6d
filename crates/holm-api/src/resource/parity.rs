//! `/v1/environments/{environment}/parity` and `/v1/parity/waivers`: how two environments differ, and what is accepted of it

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_engine::access::Caller;
use holm_engine::environment::parity;
use holm_engine::environment::parity::waiver::{self, Wanted};
use holm_store::parity::Waiver;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use super::roles::environment;
use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, EnvironmentPath, IdPath, NoParams, Params};
use crate::refusal;
use crate::view::ListView;
use crate::view::parity::{GrantWaiver, ParityView, WaiverView};

/// With which.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ParityParams {
    /// The environment to compare with.
    #[param(example = "production")]
    with: String,
}

/// Asks the servers of two environments, and tells what differs that could make something work in one and fail in the other
#[utoipa::path(
    get,
    path = "/v1/environments/{environment}/parity",
    operation_id = "show_parity",
    tag = "environments",
    params(("environment" = String, Path, description = "The environment's name"), ParityParams),
    responses(
        (status = 200, description = "What differs, and what nobody can say", body = Envelope<ParityView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(ParityParams { with }): Params<ParityParams>,
) -> Answer<ParityView> {
    let with = refusal::environment(&with)?;
    auth::require_in(&api, &caller, Permission::ReadClusters, &with).await?;
    Ok(Data(parity::report(&api.control, &environment, &with).await?.into()))
}

/// Of where.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaiverParams {
    /// Only those of this environment, with whichever other.
    environment: Option<String>,
}

/// Lists the waivers between environments that the caller may both see, ended ones too, all at once
#[utoipa::path(
    get,
    path = "/v1/parity/waivers",
    operation_id = "list_parity_waivers",
    tag = "environments",
    params(WaiverParams),
    responses(
        (status = 200, description = "The waivers", body = Envelope<ListView<WaiverView>>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(params): Params<WaiverParams>,
) -> Answer<ListView<WaiverView>> {
    let only = environment(params.environment.as_deref())?;
    if let Some(name) = &only {
        auth::require_in(&api, &caller, Permission::ReadClusters, name).await?;
        holm_engine::environment::show(&api.control, name).await?;
    }
    let mut listed = waiver::list(&api.control).await?;
    listed.retain(|one| sees(&api, &caller, one) && only.as_ref().is_none_or(|only| *only == one.environment || *only == one.with));
    Ok(Data(ListView { items: listed.into_iter().map(Into::into).collect(), next: None }))
}

fn sees(api: &Api, caller: &Caller, waiver: &Waiver) -> bool {
    [&waiver.environment, &waiver.with].iter().all(|name| auth::may_see(api, caller, Permission::ReadClusters, Some(name)))
}

/// Goes on if the caller may say what counts, in both.
async fn may_waive(api: &Api, caller: &Caller, both: [&EnvironmentName; 2]) -> Result<(), Problem> {
    for name in both {
        auth::require_in(api, caller, Permission::ManageEnvironments, name).await?;
    }
    Ok(())
}

/// Waives a difference, as it is now, until a day; it is shown and does not count
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/parity/waivers",
    operation_id = "waive_difference",
    tag = "environments",
    params(("environment" = String, Path, description = "The environment's name")),
    request_body = GrantWaiver,
    responses(
        (status = 201, description = "It does not count until then", body = Envelope<WaiverView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn waive(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<GrantWaiver>,
) -> Result<Created<WaiverView>, Refusal> {
    let GrantWaiver { with, difference, owner, reason, until } = wanted;
    let with = refusal::environment(&with)?;
    may_waive(&api, &caller, [&environment, &with]).await?;
    let wanted = Wanted { difference, owner, reason, until };
    let granted = waiver::grant(&api.control, &caller.actor, &environment, &with, wanted).await?;
    Ok(Created { location: format!("/v1/parity/waivers/{}", granted.id), data: granted.into() })
}

/// Revokes a waiver; the difference counts again
#[utoipa::path(
    delete,
    path = "/v1/parity/waivers/{id}",
    operation_id = "revoke_parity_waiver",
    tag = "environments",
    params(("id" = String, Path, description = "The waiver's id")),
    responses(
        (status = 200, description = "The difference counts again", body = Envelope<WaiverView>),
        (status = 404, description = "None that the caller may see", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<Uuid>,
) -> Answer<WaiverView> {
    let found = waiver::show(&api.control, id).await?;
    if !sees(&api, &caller, &found) {
        return Err(waiver::not_found(id).into());
    }
    may_waive(&api, &caller, [&found.environment, &found.with]).await?;
    Ok(Data(waiver::revoke(&api.control, &caller.actor, id).await?.into()))
}
