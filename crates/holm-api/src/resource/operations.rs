//! `/v1/operations`

use std::time::Duration;

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_engine::{operation, tenant};
use holm_store::operation::{Filter, Operation};
use holm_store::page::Page;
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::Api;
use crate::auth::{self, Signed};
use crate::deadline::WAIT_MAX;
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope, Failure, Refusal};
use crate::etag::{self, Tagged};
use crate::extract::{OperationPath, Params};
use crate::page::PageParams;
use crate::shown::operation::{detail, names};
use crate::view::ListView;
use crate::view::operation::{OperationDetailView, OperationView};
use crate::{page, refusal, suggest};

/// The last rows of a journal, among which is when the step under way was begun; failures are rows too.
const LAST_ROWS: u64 = 50;

/// Which operations.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListParams {
    /// Of this environment.
    environment: Option<String>,
    /// In one of these states, with commas between them; `unfinished` stands for all that are not over.
    #[param(example = "active,paused")]
    state: Option<String>,
    /// About the tenant of this name; wants `environment` too.
    tenant: Option<String>,
    /// About what has this id, of whatever sort.
    #[param(example = "ten_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    subject: Option<String>,
    /// How many at the most: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

/// Lists operations, the newest first
#[utoipa::path(
    get,
    path = "/v1/operations",
    operation_id = "list_operations",
    tag = "operations",
    params(ListParams),
    responses(
        (status = 200, description = "Some of them", body = Envelope<ListView<OperationView>>),
        (status = 404, description = "No such environment or tenant", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn list(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(params): Params<ListParams>,
) -> Answer<ListView<OperationView>> {
    let part = PageParams::new(params.limit, params.cursor);
    let page = Page { after: part.after::<OperationId>()?, limit: part.limit()? };
    let environment = params.environment.as_deref().map(refusal::environment).transpose()?;
    if let Some(environment) = &environment {
        auth::require_in(&api, &caller, Permission::ReadOperations, environment).await?;
    }
    let states = params.state.as_deref().map(states).transpose()?;
    let subject = subject(&api, environment.as_ref(), params.tenant.as_deref(), params.subject.as_deref()).await?;
    let filter = Filter { environment, states, subject };
    let operations = operation::show::list(&api.control, &filter, &page).await?;
    let next = page::next(page.limit, operations.len(), operations.last().map(|operation| operation.id));
    let seen =
        operations.into_iter().filter(|operation| auth::may_see(&api, &caller, Permission::ReadOperations, operation.environment.as_ref()));
    Ok(Data(ListView { items: seen.map(Into::into).collect(), next }))
}

/// How long to wait for news.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ShowParams {
    /// Seconds to wait until there is news or it is over: 1 to 60; answered at once when absent.
    #[param(minimum = 1, maximum = 60)]
    wait: Option<u64>,
    /// The `last_seq` that was seen: news is a longer journal. Without it only the end is news.
    seen: Option<u64>,
}

/// Shows an operation with its steps, at once or when there is news
#[utoipa::path(
    get,
    path = "/v1/operations/{id}",
    operation_id = "show_operation",
    tag = "operations",
    params(("id" = String, Path, description = "The operation's id"), ShowParams),
    responses(
        (status = 200, description = "The operation", body = Envelope<OperationDetailView>, headers(("ETag" = String, description = "For `If-Match`"))),
        (status = 304, description = "It is still what `If-None-Match` says"),
        (status = 404, description = "No such operation", body = Failure, content_type = "application/problem+json"),
        Refusals,
    ),
    security(("token" = [])),
)]
pub(crate) async fn show(
    State(api): State<Api>,
    Signed(caller): Signed,
    OperationPath(id): OperationPath,
    Params(ShowParams { wait, seen }): Params<ShowParams>,
) -> Result<Tagged<OperationDetailView>, Refusal> {
    let now = operation::show::show(&api.control, id).await?;
    auth::require_at(&api, &caller, Permission::ReadOperations, now.environment.as_ref()).await?;
    let operation = match wait.map(patience).transpose()? {
        Some(patience) => operation::show::wait(&api.control, id, seen, patience).await?,
        None => now,
    };
    let version = operation.last_seq.to_string();
    let data = with_parts(&api, operation).await?;
    Ok(Tagged { tag: etag::tag(&version, &data), data })
}

/// Adds what is not in the operation's own row.
async fn with_parts(api: &Api, operation: Operation) -> Result<OperationDetailView, Problem> {
    let id = operation.id;
    let first = operation::show::journal(&api.control, id, &Page { after: None, limit: 1 }).await?;
    let after = operation.last_seq.saturating_sub(LAST_ROWS);
    let last = operation::show::journal(&api.control, id, &Page { after: Some(after), limit: 100 }).await?;
    let children = holm_store::operation::children(api.control.catalog(), id).await?;
    Ok(detail(operation, names(first.first()), children, &last))
}

fn states(text: &str) -> Result<Vec<OperationState>, Problem> {
    if text == "unfinished" {
        return Ok(OperationState::ALL.into_iter().filter(|state| !state.is_over()).collect());
    }
    let known = OperationState::ALL.map(OperationState::as_str).join(", ");
    text.split(',')
        .map(|word| refusal::value("state", word.trim()))
        .collect::<Result<_, _>>()
        .map_err(|problem: Problem| problem.next(format!("the states are {known}; `unfinished` stands for those that are not over")))
}

async fn subject(
    api: &Api,
    environment: Option<&EnvironmentName>,
    tenant: Option<&str>,
    subject: Option<&str>,
) -> Result<Option<Uuid>, Problem> {
    match (tenant, environment, subject) {
        (None, _, None) => Ok(None),
        (None, _, Some(id)) => any_id(id).map(Some),
        (Some(slug), Some(environment), None) => {
            let slug = refusal::slug(slug)?;
            let found = tenant::show(&api.control, environment, &slug).await;
            let tenant = found.map_err(|problem| suggest::add(problem, &api.control.publisher().table(), environment, Some(&slug)))?;
            Ok(Some(tenant.id.as_uuid()))
        }
        (Some(_), None, _) => Err(Problem::new(ErrorCode::InvalidValue, "`tenant` without `environment` names nobody")
            .next("add `environment`, or give the tenant's id as `subject`")),
        (Some(_), _, Some(_)) => Err(Problem::new(ErrorCode::InvalidValue, "`tenant` and `subject` say the same twice")),
    }
}

/// An id of any sort: letters, `_`, and 32 hexadecimal digits.
fn any_id(text: &str) -> Result<Uuid, Problem> {
    let digits = text.split_once('_').map_or("", |(_, digits)| digits);
    let id = if digits.len() == 32 { Uuid::try_parse(digits).ok() } else { None };
    id.ok_or_else(|| {
        Problem::new(ErrorCode::InvalidValue, "`subject` is not an id").next("ids look like `ten_018f3e5c2d7a7b3c9d4e5f60718293a4`")
    })
}

fn patience(wait: u64) -> Result<Duration, Problem> {
    let patience = Duration::from_secs(wait);
    if (Duration::from_secs(1)..=WAIT_MAX).contains(&patience) {
        return Ok(patience);
    }
    Err(Problem::new(ErrorCode::InvalidValue, format!("`wait={wait}` is not 1 to {} seconds", WAIT_MAX.as_secs())))
}
