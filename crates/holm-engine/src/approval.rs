//! Approvals: asked for by one, decided by another, required by what may not be done by one alone (R23).
//!
//! Promises: what needs an approval uses it up ([`spend`]) in its own transaction, so that one agreement lets one thing be
//! done; a request is decided once; nobody decides their own. Every step is told in the audit log.

pub mod rule;

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::approval::guarded::ApprovalContent;
use holm_core::approval::{ApprovalKind, ContentHash, NotStanding, Verdict};
use holm_core::audit::{AuditAction, Detail, NewEntry, Reason, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ApprovalId, OperationId, PrincipalId};
use holm_store::approval::{self, Approval, NewApproval};
use holm_store::audit::record;
use holm_store::page::Page;
use holm_store::tx::Tx;
use uuid::Uuid;

use crate::control::Control;
use crate::environment;

/// A month: what was agreed to longer ago should be agreed to again.
pub const LIFETIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// A request.
#[derive(Clone, Debug)]
pub struct Request {
    /// What is to be done.
    pub kind: ApprovalKind,
    /// To exactly what.
    pub hash: ContentHash,
    /// The words that it is the hash of, for whoever decides to read.
    pub content: Option<ApprovalContent>,
    /// Where, if in one environment.
    pub environment: Option<EnvironmentName>,
    /// Why.
    pub reason: Reason,
    /// How long it may be decided and used.
    pub lifetime: Duration,
}

/// Asks for an approval.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] for a time outside of an hour to 30 days, for words that the hash is not of, or for Holm itself,
/// which asks nobody; no such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn request(control: &Control, by: &Actor, request: Request) -> Result<Approval, Problem> {
    if !(Duration::from_secs(3600)..=LIFETIME_MAX).contains(&request.lifetime) {
        let what = format!("an approval cannot be asked for {} hours", request.lifetime.as_secs() / 3600);
        return Err(Problem::new(ErrorCode::InvalidValue, what).next("give it 1 hour to 30 days (720 hours)"));
    }
    let Request { kind, hash, content, environment, reason, lifetime } = request;
    if content.as_ref().is_some_and(|content| content.hash() != hash) {
        return Err(Problem::new(ErrorCode::InvalidValue, "the hash is not of what is to be approved")
            .next("take both from the refusal (HOLM-1301), as they stand there"));
    }
    let requested_by = principal(by)?;
    let new = NewApproval { id: ApprovalId::from_uuid(Uuid::now_v7()), kind, hash, content, environment, requested_by, reason, lifetime };
    control.tasks().finish("ask for an approval", insert(control.clone(), by.clone(), new)).await
}

async fn insert(control: Control, by: Actor, new: NewApproval) -> Result<Approval, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let Some(asked) = approval::insert(&mut tx, &new).await? else {
        return Err(new.environment.as_ref().map_or_else(|| unreachable!("all of them exist"), environment::not_found));
    };
    record(&mut tx, entry(&by, AuditAction::ApprovalRequest, &asked).because(&new.reason));
    tx.commit().await?;
    Ok(asked)
}

/// Agrees to a request of somebody else.
///
/// # Errors
/// [`ErrorCode::ApprovalNotFound`], [`ErrorCode::OwnApproval`], [`ErrorCode::ApprovalDecided`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn approve(control: &Control, by: &Actor, id: ApprovalId) -> Result<Approval, Problem> {
    decide(control, by, id, Verdict::Approved).await
}

/// Refuses a request of somebody else.
///
/// # Errors
/// As with [`approve`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn reject(control: &Control, by: &Actor, id: ApprovalId) -> Result<Approval, Problem> {
    decide(control, by, id, Verdict::Rejected).await
}

async fn decide(control: &Control, by: &Actor, id: ApprovalId, verdict: Verdict) -> Result<Approval, Problem> {
    let decider = principal(by)?;
    let asked = show(control, id).await?;
    if asked.requested_by.0 == decider {
        let what = format!("`{by}` asked for this and cannot decide it");
        return Err(Problem::new(ErrorCode::OwnApproval, what).next("let somebody else decide: `holm approval list`"));
    }
    let (control, by) = (control.clone(), by.clone());
    let tasks = control.tasks().clone();
    tasks
        .finish("decide an approval", async move {
            let mut tx = control.catalog().transaction().await?;
            let Some(decided) = approval::decide(&mut tx, id, decider, verdict).await? else {
                drop(tx);
                return Err(decided_already(&show(&control, id).await?));
            };
            let action = match verdict {
                Verdict::Approved => AuditAction::ApprovalApprove,
                Verdict::Rejected => AuditAction::ApprovalReject,
            };
            record(&mut tx, entry(&by, action, &decided));
            tx.commit().await?;
            Ok(decided)
        })
        .await
}

/// What is to be done with an approval.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// What is to be done.
    pub kind: &'a ApprovalKind,
    /// Where, if in one environment.
    pub environment: Option<&'a EnvironmentName>,
    /// To exactly what. It should name what makes it this one act, such as an id.
    pub content: &'a ApprovalContent,
    /// The operation that does it.
    pub operation: Option<OperationId>,
}

/// Uses up what somebody else has agreed to, if it is exactly this. To be asked in the transaction of the act itself: it is
/// used when that commits.
///
/// # Errors
/// [`ErrorCode::ApprovalMissing`] when nobody has agreed, not in time, or it was used; [`ErrorCode::ApprovalMismatch`] when
/// something else was agreed to; [`ErrorCode::OwnApproval`] for a row that the catalog should have refused; the catalog does
/// not answer.
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn spend(tx: &mut Tx, by: &Actor, wanted: &Wanted<'_>) -> Result<ApprovalId, Problem> {
    let hash = wanted.content.hash();
    let found = approval::find(tx, wanted.kind, wanted.environment, &hash).await?;
    let found = found.ok_or_else(|| missing(wanted, "nobody was asked"))?;
    found.standing().lets(&hash, found.read_at).map_err(|why| refused(wanted, &found, why))?;
    // The row is locked since it was found; this is for the case that it was not.
    if !approval::spend(tx, found.id, by.principal(), wanted.operation).await? {
        return Err(refused(wanted, &found, NotStanding::Used));
    }
    record(tx, entry(by, AuditAction::ApprovalUse, &found));
    Ok(found.id)
}

fn refused(wanted: &Wanted<'_>, found: &Approval, why: NotStanding) -> Problem {
    let kind = wanted.kind;
    match why {
        NotStanding::Undecided => Problem::new(ErrorCode::ApprovalMissing, format!("`{kind}` needs an approval"))
            .because("nobody has decided")
            .next(format!("let somebody else decide: `holm approval approve {}`", found.id)),
        NotStanding::Rejected => missing(wanted, "it was rejected"),
        NotStanding::Expired => missing(wanted, "the agreement has ended"),
        NotStanding::Used => missing(wanted, "the agreement was for one time, and was used"),
        NotStanding::OtherContent => Problem::new(ErrorCode::ApprovalMismatch, format!("the approval of `{kind}` is for something else"))
            .because(format_args!("what is to be done now is: {}", wanted.content.as_str()))
            .next(ask(wanted)),
        NotStanding::Own => {
            Problem::new(ErrorCode::OwnApproval, format!("the approval of `{kind}` was decided by who asked")).next(ask(wanted))
        }
    }
}

fn missing(wanted: &Wanted<'_>, why: &str) -> Problem {
    Problem::new(ErrorCode::ApprovalMissing, format!("`{}` needs an approval", wanted.kind))
        .because(why)
        .next(ask(wanted))
        .next("when somebody else has agreed, say the same once more")
}

/// The command as it can be given to a shell; only the reason is left to say.
fn ask(wanted: &Wanted<'_>) -> String {
    let Wanted { kind, environment, content, .. } = wanted;
    let place = environment.map(|name| format!(" --env {name}")).unwrap_or_default();
    let (hash, words) = (content.hash(), content.as_str());
    format!("ask for one: `holm approval request {kind} --hash {hash} --content '{words}'{place} --reason \"…\"`")
}

/// A page of them, newest first.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control, page: &Page<ApprovalId>) -> Result<Vec<Approval>, Problem> {
    Ok(approval::list(control.catalog(), page).await?)
}

/// The one of an id.
///
/// # Errors
/// [`ErrorCode::ApprovalNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, id: ApprovalId) -> Result<Approval, Problem> {
    approval::by_id(control.catalog(), id).await?.ok_or_else(|| not_found(id))
}

/// There is none of that id, or none that whoever asks may see.
pub fn not_found(id: ApprovalId) -> Problem {
    Problem::new(ErrorCode::ApprovalNotFound, format!("there is no approval `{id}`")).next("see which there are: `holm approval list`")
}

fn entry(by: &Actor, action: AuditAction, approval: &Approval) -> NewEntry {
    let detail = Detail::Approval { approval: approval.kind.clone(), hash: approval.hash };
    NewEntry::new(by, action, approval.environment.as_ref(), Subject::Approval(approval.id)).with(detail)
}

fn principal(by: &Actor) -> Result<PrincipalId, Problem> {
    by.principal().ok_or_else(|| Problem::new(ErrorCode::InvalidValue, format!("{by} neither asks for approvals nor decides them")))
}

fn decided_already(approval: &Approval) -> Problem {
    let how =
        approval.decided.as_ref().map_or_else(|| "has ended undecided".to_owned(), |decided| format!("was {} already", decided.verdict));
    Problem::new(ErrorCode::ApprovalDecided, format!("approval `{}` {how}", approval.id)).next("ask for it again: `holm approval request`")
}
