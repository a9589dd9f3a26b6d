//! `/v1/principals/{name}/roles`

use std::time::Duration;

use axum::extract::State;
use holm_core::access::Role;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_engine::access::role;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::Api;
use crate::auth::Signed;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Body, NoParams, Params, PrincipalPath};
use crate::refusal;
use crate::view::ListView;
use crate::view::access::{GrantRole, RevokedRoleView, RoleView};

/// Which role is taken back, and where it was held.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RoleParams {
    /// The role.
    #[param(example = "operator")]
    role: Option<String>,
    /// The only environment that it was given for; all of them when absent.
    environment: Option<String>,
}

/// Lists the roles that a principal was given, ended ones too
#[utoipa::path(
    get,
    path = "/v1/principals/{name}/roles",
    operation_id = "list_roles",
    tag = "access",
    params(("name" = String, Path, description = "The principal's name")),
    responses(
        (status = 200, description = "All of them", body = Envelope<ListView<RoleView>>),
        (status = 404, description = "No such principal", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Params(NoParams {}): Params<NoParams>,
    PrincipalPath(name): PrincipalPath,
) -> Answer<ListView<RoleView>> {
    let roles = role::list(&api.control, &name).await?;
    Ok(Data(ListView { items: roles.into_iter().map(|grant| RoleView::of(&name, grant)).collect(), next: None }))
}

/// Gives a role, or gives it anew with another end
#[utoipa::path(
    post,
    path = "/v1/principals/{name}/roles",
    operation_id = "grant_role",
    tag = "access",
    params(("name" = String, Path, description = "The principal's name")),
    request_body = GrantRole,
    responses(
        (status = 200, description = "It is held", body = Envelope<RoleView>),
        (status = 404, description = "No such principal or environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn grant(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    PrincipalPath(name): PrincipalPath,
    Body(wanted): Body<GrantRole>,
) -> Answer<RoleView> {
    let role: Role = refusal::value("role", &wanted.role)?;
    let environment = environment(wanted.environment.as_deref())?;
    let lifetime = hours(wanted.hours)?;
    let given = role::grant(&api.control, &caller.actor, &name, role, environment.as_ref(), lifetime).await?;
    Ok(Data(RoleView::of(&name, given)))
}

/// Takes a role back, from the next request on
#[utoipa::path(
    delete,
    path = "/v1/principals/{name}/roles",
    operation_id = "revoke_role",
    tag = "access",
    params(("name" = String, Path, description = "The principal's name"), RoleParams),
    responses(
        (status = 200, description = "It is held no more", body = Envelope<RevokedRoleView>),
        (status = 404, description = "No such principal, or it was not given that role there", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn revoke(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(params): Params<RoleParams>,
    PrincipalPath(principal): PrincipalPath,
) -> Answer<RevokedRoleView> {
    let role: Role = refusal::value("role", params.role.as_deref().unwrap_or_default())?;
    let environment = environment(params.environment.as_deref())?;
    role::revoke(&api.control, &caller.actor, &principal, role, environment.as_ref()).await?;
    Ok(Data(RevokedRoleView { principal, role, environment }))
}

/// The environment that is named, if one is.
pub(super) fn environment(name: Option<&str>) -> Result<Option<EnvironmentName>, Problem> {
    name.map(refusal::environment).transpose()
}

/// Ten years: what is meant to last longer has no end.
const HOURS_MAX: u32 = 10 * 365 * 24;

/// How long something is held, if there is an end.
pub(super) fn hours(hours: Option<u32>) -> Result<Option<Duration>, Problem> {
    match hours {
        None => Ok(None),
        Some(hours) if (1..=HOURS_MAX).contains(&hours) => Ok(Some(Duration::from_secs(u64::from(hours) * 3600))),
        Some(hours) => Err(Problem::new(holm_core::error::ErrorCode::InvalidValue, format!("`hours` cannot be {hours}"))
            .because(format_args!("it is 1 to {HOURS_MAX}"))
            .next("leave it out for something without an end")),
    }
}
