//! `POST /v1/operations/{id}/…`: what people say to an operation.
//!
//! Promises: answered 202 always, since a word is heeded at the next safe point and not before the answer.

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::id::OperationId;
use holm_engine::access::Caller;
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;

use crate::auth::Signed;
use crate::description::{Begun, Refusals};
use crate::envelope::{Accepted, Failure, Refusal};
use crate::etag::IfMatch;
use crate::extract::{Body, MaybeBody, NoParams, OperationPath, Params};
use crate::view::operation::{AbandonOperation, CancelOperation};
use crate::{Api, auth, refusal};

macro_rules! word {
    ($(#[doc = $doc:literal])* $name:ident, $path:literal, $id:literal, $word:expr) => {
        $(#[doc = $doc])*
        #[utoipa::path(
            post,
            path = $path,
            operation_id = $id,
            tag = "operations",
            params(("id" = String, Path, description = "The operation's id")),
            responses(
                Begun,
                (status = 404, description = "No such operation", body = Failure, content_type = "application/problem+json"),
                (status = 409, description = "That has no meaning where it stands", body = Failure, content_type = "application/problem+json"),
                (status = 412, description = "It went on since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
                Refusals,
            ),
            security(("token" = [])),
        )]
        pub(crate) async fn $name(
            State(api): State<Api>,
            Signed(caller): Signed,
            OperationPath(id): OperationPath,
            Params(NoParams {}): Params<NoParams>,
            IfMatch(seen): IfMatch<u64>,
        ) -> Result<Accepted, Refusal> {
            say(&api, &caller, id, $word, seen).await
        }
    };
}

word!(
    /// Begins nothing more after the step that is under way
    pause, "/v1/operations/{id}/pause", "pause_operation", Word::Pause
);
word!(
    /// Goes on
    resume, "/v1/operations/{id}/resume", "resume_operation", Word::Resume
);
word!(
    /// Tries what failed again now
    retry, "/v1/operations/{id}/retry", "retry_operation", Word::Retry
);
word!(
    /// Does not wait any longer
    proceed, "/v1/operations/{id}/proceed", "proceed_operation", Word::Proceed
);

/// Undoes what was done
#[utoipa::path(
    post,
    path = "/v1/operations/{id}/cancel",
    operation_id = "cancel_operation",
    tag = "operations",
    params(("id" = String, Path, description = "The operation's id")),
    request_body(content = CancelOperation, description = "May be left out"),
    responses(
        Begun,
        (status = 404, description = "No such operation", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is over, or past its point of no return", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It went on since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn cancel(
    State(api): State<Api>,
    Signed(caller): Signed,
    OperationPath(id): OperationPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<u64>,
    MaybeBody(CancelOperation { reason }): MaybeBody<CancelOperation>,
) -> Result<Accepted, Refusal> {
    let reason = reason.as_deref().map(refusal::reason).transpose()?;
    say(&api, &caller, id, Word::Cancel { reason }, seen).await
}

/// Leaves it as it is, for good: what is half done stays half done
#[utoipa::path(
    post,
    path = "/v1/operations/{id}/abandon",
    operation_id = "abandon_operation",
    tag = "operations",
    params(("id" = String, Path, description = "The operation's id")),
    request_body = AbandonOperation,
    responses(
        Begun,
        (status = 404, description = "No such operation", body = Failure, content_type = "application/problem+json"),
        (status = 409, description = "It is over", body = Failure, content_type = "application/problem+json"),
        (status = 412, description = "It went on since the answer whose tag is in `If-Match`", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn abandon(
    State(api): State<Api>,
    Signed(caller): Signed,
    OperationPath(id): OperationPath,
    Params(NoParams {}): Params<NoParams>,
    IfMatch(seen): IfMatch<u64>,
    Body(AbandonOperation { reason }): Body<AbandonOperation>,
) -> Result<Accepted, Refusal> {
    let reason = refusal::reason(&reason)?;
    say(&api, &caller, id, Word::Abandon { reason }, seen).await
}

async fn say(api: &Api, caller: &Caller, id: OperationId, word: Word, seen: Option<u64>) -> Result<Accepted, Refusal> {
    let environment = show::show(&api.control, id).await?.environment;
    auth::require_at(api, caller, Permission::OperateOperations, environment.as_ref()).await?;
    Ok(people::tell_at(&api.control, &caller.actor, id, word, seen).await?.into())
}
