//! `/v1/environments`, and which operations need an approval there

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::approval::guarded::Guarded;
use holm_engine::approval::rule;
use holm_engine::environment;

use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure};
use crate::extract::{Body, EnvironmentPath, NoParams, Params};
use crate::refusal;
use crate::view::access::RequireApproval;
use crate::view::{EnvironmentView, ListView};

/// Lists the environments that the caller may see, all at once
#[utoipa::path(
    get,
    path = "/v1/environments",
    operation_id = "list_environments",
    tag = "environments",
    responses((status = 200, description = "The environments", body = Envelope<ListView<EnvironmentView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(NoParams {}): Params<NoParams>,
) -> Answer<ListView<EnvironmentView>> {
    let environments = environment::list(&api.control).await?;
    let seen = environments.into_iter().filter(|known| auth::may_see(&api, &caller, Permission::ReadEnvironments, Some(&known.name)));
    Ok(Data(ListView { items: seen.map(Into::into).collect(), next: None }))
}

/// Has an operation done only when somebody else has agreed, from now on; or, when somebody else agrees to that, not any more
#[utoipa::path(
    post,
    path = "/v1/environments/{environment}/require-approval",
    operation_id = "require_approval",
    tag = "environments",
    params(("environment" = String, Path, description = "The environment's name")),
    request_body = RequireApproval,
    responses(
        (status = 200, description = "It is so", body = Envelope<EnvironmentView>),
        (status = 404, description = "No such environment", body = Failure, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = Failure, content_type = "application/problem+json"),
        (status = 415, description = "The body is not declared as JSON", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn require_approval(
    State(api): State<Api>,
    Signed(caller): Signed,
    EnvironmentPath(environment): EnvironmentPath,
    Params(NoParams {}): Params<NoParams>,
    Body(wanted): Body<RequireApproval>,
) -> Answer<EnvironmentView> {
    let operation: Guarded = refusal::value("operation", &wanted.operation)?;
    let set = if wanted.required {
        rule::demand(&api.control, &caller.actor, &environment, operation).await?
    } else {
        rule::waive(&api.control, &caller.actor, &environment, operation).await?
    };
    Ok(Data(set.into()))
}
