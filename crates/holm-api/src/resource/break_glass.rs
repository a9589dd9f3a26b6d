//! `/v1/break-glass`

use std::time::Duration;

use axum::extract::State;
use holm_core::access::{Permission, Role};
use holm_core::audit::Reason;
use holm_core::id::BreakGlassId;
use holm_engine::access::break_glass;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Body, IdPath, NoParams, Params};
use crate::refusal;
use crate::view::ListView;
use crate::view::access::{BreakGlassView, BreakTheGlass};

/// Lists the hundred newest, open or not
#[utoipa::path(
    get,
    path = "/v1/break-glass",
    operation_id = "list_break_glass",
    tag = "access",
    responses((status = 200, description = "The newest first", body = Envelope<ListView<BreakGlassView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<ListView<BreakGlassView>> {
    let glasses = break_glass::list(&api.control).await?;
    Ok(Data(ListView { items: glasses.into_iter().map(Into::into).collect(), next: None }))
}

/// Takes a role in an environment for a time, loudly
#[utoipa::path(
    post,
    path = "/v1/break-glass",
    operation_id = "break_glass",
    tag = "access",
    request_body = BreakTheGlass,
    responses(
        (status = 200, description = "The role is held until then", body = Envelope<BreakGlassView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn open(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<BreakTheGlass>,
) -> Answer<BreakGlassView> {
    let environment = refusal::environment(&wanted.environment)?;
    auth::require_in(&api, &caller, Permission::BreakGlass, &environment).await?;
    let role: Role = refusal::value("role", &wanted.role)?;
    let reason: Reason = refusal::value("reason", &wanted.reason)?;
    let lifetime = Duration::from_secs(u64::from(wanted.minutes) * 60);
    Ok(Data(break_glass::open(&api.control, &caller.actor, &environment, role, &reason, lifetime).await?.into()))
}

/// Gives it back before its time
#[utoipa::path(
    delete,
    path = "/v1/break-glass/{id}",
    operation_id = "close_break_glass",
    tag = "access",
    params(("id" = String, Path, description = "Its id")),
    responses(
        (status = 200, description = "The role is held no more", body = Envelope<BreakGlassView>),
        (status = 404, description = "The caller has none of that id that is open", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn close(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<BreakGlassId>,
) -> Answer<BreakGlassView> {
    Ok(Data(break_glass::close(&api.control, &caller.actor, id).await?.into()))
}
