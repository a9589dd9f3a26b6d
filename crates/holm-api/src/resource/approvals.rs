//! `/v1/approvals`

use std::time::Duration;

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::error::Problem;
use holm_core::id::ApprovalId;
use holm_engine::access::Caller;
use holm_engine::approval::{self, Request};
use holm_store::approval::Approval;
use holm_store::page::Page;

use super::roles::{environment, hours};
use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Created, Data, Envelope, Failure, Refusal};
use crate::extract::{Body, IdPath, NoParams, Params};
use crate::page::PageParams;
use crate::view::ListView;
use crate::view::access::{ApprovalView, RequestApproval};
use crate::{page, refusal};

/// Time to sleep on it.
const LIFETIME_DEFAULT: Duration = Duration::from_secs(24 * 3600);

/// Lists the approvals that the caller may see, newest first; a part may have fewer than were asked for
#[utoipa::path(
    get,
    path = "/v1/approvals",
    operation_id = "list_approvals",
    tag = "access",
    params(PageParams),
    responses((status = 200, description = "Some of them", body = Envelope<ListView<ApprovalView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(params): Params<PageParams>,
) -> Answer<ListView<ApprovalView>> {
    let page = Page { after: params.after::<ApprovalId>()?, limit: params.limit()? };
    let approvals = approval::list(&api.control, &page).await?;
    let next = page::next(page.limit, approvals.len(), approvals.last().map(|approval| approval.id));
    let seen = approvals.into_iter().filter(|approval| is_seen(&api, &caller, approval));
    Ok(Data(ListView { items: seen.map(Into::into).collect(), next }))
}

/// Asks for an approval
#[utoipa::path(
    post,
    path = "/v1/approvals",
    operation_id = "request_approval",
    tag = "access",
    request_body = RequestApproval,
    responses(
        (status = 201, description = "Somebody else may decide", body = Envelope<ApprovalView>, headers(("Location" = String, description = "Its path"))),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn request(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<RequestApproval>,
) -> Result<Created<ApprovalView>, Refusal> {
    let environment = environment(wanted.environment.as_deref())?;
    auth::require_at(&api, &caller, Permission::RequestApprovals, environment.as_ref()).await?;
    let request = Request {
        kind: refusal::value("kind of approval", &wanted.kind)?,
        hash: refusal::value("hash", &wanted.hash)?,
        content: wanted.content.as_deref().map(|words| refusal::value("content", words)).transpose()?,
        environment,
        reason: refusal::value("reason", &wanted.reason)?,
        lifetime: hours(wanted.hours)?.unwrap_or(LIFETIME_DEFAULT),
    };
    let asked = approval::request(&api.control, &caller.actor, request).await?;
    Ok(Created { location: format!("/v1/approvals/{}", asked.id), data: asked.into() })
}

/// Shows an approval
#[utoipa::path(
    get,
    path = "/v1/approvals/{id}",
    operation_id = "show_approval",
    tag = "access",
    params(("id" = String, Path, description = "The approval's id")),
    responses(
        (status = 200, description = "The approval", body = Envelope<ApprovalView>),
        (status = 404, description = "None that the caller may see", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<ApprovalId>,
) -> Answer<ApprovalView> {
    Ok(Data(seen(&api, &caller, id).await?.into()))
}

/// Agrees to a request of somebody else
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/approve",
    operation_id = "approve",
    tag = "access",
    params(("id" = String, Path, description = "The approval's id")),
    responses(
        (status = 200, description = "It may be done", body = Envelope<ApprovalView>),
        (status = 404, description = "None that the caller may see", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It was decided already, or has ended", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn approve(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<ApprovalId>,
) -> Answer<ApprovalView> {
    may_decide(&api, &caller, id).await?;
    Ok(Data(approval::approve(&api.control, &caller.actor, id).await?.into()))
}

/// Refuses a request of somebody else
#[utoipa::path(
    post,
    path = "/v1/approvals/{id}/reject",
    operation_id = "reject",
    tag = "access",
    params(("id" = String, Path, description = "The approval's id")),
    responses(
        (status = 200, description = "It may not be done", body = Envelope<ApprovalView>),
        (status = 404, description = "None that the caller may see", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It was decided already, or has ended", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn reject(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
    IdPath(id): IdPath<ApprovalId>,
) -> Answer<ApprovalView> {
    may_decide(&api, &caller, id).await?;
    Ok(Data(approval::reject(&api.control, &caller.actor, id).await?.into()))
}

async fn may_decide(api: &Api, caller: &Caller, id: ApprovalId) -> Result<(), Problem> {
    let asked = seen(api, caller, id).await?;
    auth::require_at(api, caller, Permission::Approve, asked.environment.as_ref()).await
}

/// One of an environment in which the caller sees none is as good as none.
async fn seen(api: &Api, caller: &Caller, id: ApprovalId) -> Result<Approval, Problem> {
    let found = approval::show(&api.control, id).await?;
    if is_seen(api, caller, &found) { Ok(found) } else { Err(approval::not_found(id)) }
}

fn is_seen(api: &Api, caller: &Caller, approval: &Approval) -> bool {
    auth::may_see(api, caller, Permission::RequestApprovals, approval.environment.as_ref())
}
