//! `/v1/audit`

use axum::extract::State;
use holm_core::access::Permission;
use holm_core::audit::AuditAction;
use holm_core::error::{ErrorCode, Problem};
use holm_engine::audit;
use holm_store::audit::Filter;
use holm_store::page::Page;
use jiff::Timestamp;
use serde::Deserialize;
use utoipa::IntoParams;

use super::roles::environment;
use crate::Api;
use crate::auth::{self, Signed};
use crate::description::Refusals;
use crate::envelope::{Answer, Data, Envelope};
use crate::extract::{NoParams, Params};
use crate::page::{self, PageParams};
use crate::refusal;
use crate::view::ListView;
use crate::view::audit::{AuditEntryView, AuditVerdictView, CheckpointView};

/// What is looked for; all of it must fit.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct SearchParams {
    /// By whom: a principal's name, or a part of Holm.
    actor: Option<String>,
    /// What: a noun and a verb.
    #[param(example = "tenant.suspend")]
    action: Option<String>,
    /// Where. Without it, the caller must be allowed to read the log of the whole installation.
    environment: Option<String>,
    /// To what: an id.
    subject: Option<String>,
    /// Not before this time (RFC 3339).
    since: Option<String>,
    /// Before this time (RFC 3339).
    until: Option<String>,
    /// How many at the most: 1 to 1000, 100 when absent.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// The `next` of the part before.
    cursor: Option<String>,
}

/// From where on.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ExportParams {
    /// The `next` of the part before.
    cursor: Option<String>,
}

/// Looks for entries, newest first
#[utoipa::path(
    get,
    path = "/v1/audit",
    operation_id = "search_audit",
    tag = "audit",
    params(SearchParams),
    responses((status = 200, description = "Some of them", body = Envelope<ListView<AuditEntryView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn search(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(params): Params<SearchParams>,
) -> Answer<ListView<AuditEntryView>> {
    let SearchParams { actor, action, environment: place, subject, since, until, limit, cursor } = params;
    let part = PageParams::new(limit, cursor);
    let page = Page { after: part.after::<i64>()?, limit: part.limit()? };
    let action: Option<AuditAction> = action.as_deref().map(|action| refusal::value("action", action)).transpose()?;
    let filter = Filter {
        actor,
        action,
        environment: environment(place.as_deref())?,
        subject,
        since: time("since", since)?,
        until: time("until", until)?,
    };
    auth::require_at(&api, &caller, Permission::ReadAudit, filter.environment.as_ref()).await?;
    let entries = audit::search(&api.control, &filter, &page).await?;
    let next = page::next(page.limit, entries.len(), entries.last().map(|entry| entry.seq));
    Ok(Data(ListView { items: entries.into_iter().map(Into::into).collect(), next }))
}

/// Gives a copy of the whole log, oldest first, part by part; that it was taken is told in the log
#[utoipa::path(
    get,
    path = "/v1/audit/export",
    operation_id = "export_audit",
    tag = "audit",
    params(ExportParams),
    responses((status = 200, description = "A part of it", body = Envelope<ListView<AuditEntryView>>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn export(
    State(api): State<Api>,
    Signed(caller): Signed,
    Params(ExportParams { cursor }): Params<ExportParams>,
) -> Answer<ListView<AuditEntryView>> {
    let after = PageParams::new(None, cursor).after::<i64>()?.unwrap_or(0).max(0);
    let entries = audit::export(&api.control, &caller.actor, after).await?;
    // A part that is not full may still be followed by what was written meanwhile: the last part is the empty one.
    let next = entries.last().map(|entry| page::cursor(entry.seq));
    Ok(Data(ListView { items: entries.into_iter().map(Into::into).collect(), next }))
}

/// Walks the whole chain, compares every checkpoint, and says what is wrong first
#[utoipa::path(
    get,
    path = "/v1/audit/verify",
    operation_id = "verify_audit",
    tag = "audit",
    responses((status = 200, description = "What was found, intact or not", body = Envelope<AuditVerdictView>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn verify(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<AuditVerdictView> {
    Ok(Data(audit::verify(&api.control).await?.into()))
}

/// Notes where the log ends, signed, in the file of checkpoints outside of the catalog
#[utoipa::path(
    post,
    path = "/v1/audit/checkpoints",
    operation_id = "checkpoint_audit",
    tag = "audit",
    responses((status = 200, description = "It is noted; also if it was before", body = Envelope<CheckpointView>), Refusals),
    security(("token" = [])),
)]
pub(crate) async fn checkpoint(State(api): State<Api>, Params(NoParams {}): Params<NoParams>) -> Answer<CheckpointView> {
    let noted = audit::checkpoint(&api.control).await?;
    let noted = noted.ok_or_else(|| Problem::new(ErrorCode::InvalidConfig, "no file of checkpoints is kept").next("configure one"))?;
    Ok(Data(noted.into()))
}

fn time(what: &str, text: Option<String>) -> Result<Option<Timestamp>, Problem> {
    text.map(|text| refusal::value(what, &text)).transpose()
}
