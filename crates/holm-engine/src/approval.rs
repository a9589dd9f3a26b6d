//! Approvals: asked for by one, decided by another, required by what may not be done by one alone (R23).
//!
//! Promises: what needs an approval asks [`require`] in its own transaction, so that nothing happens between the look and
//! the act; a request is decided once; nobody decides their own. Every step is told in the audit log.

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::approval::{ApprovalKind, ContentHash, NotStanding, Verdict};
use holm_core::audit::{AuditAction, Detail, NewEntry, Reason, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ApprovalId, PrincipalId};
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
/// [`ErrorCode::InvalidValue`] for a time outside of an hour to 30 days, or for Holm itself, which asks nobody; no such
/// environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn request(control: &Control, by: &Actor, request: Request) -> Result<Approval, Problem> {
    if !(Duration::from_secs(3600)..=LIFETIME_MAX).contains(&request.lifetime) {
        let what = format!("an approval cannot be asked for {} hours", request.lifetime.as_secs() / 3600);
        return Err(Problem::new(ErrorCode::InvalidValue, what).next("give it 1 hour to 30 days (720 hours)"));
    }
    let Request { kind, hash, environment, reason, lifetime } = request;
    let requested_by = principal(by)?;
    let new = NewApproval { id: ApprovalId::from_uuid(Uuid::now_v7()), kind, hash, environment, requested_by, reason, lifetime };
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

/// Goes on if somebody else has agreed to exactly this. To be asked in the transaction of the act itself: the approval stays
/// as it is until that commits. The content should name what makes it this one act, such as an id, since an agreement lets
/// the same be done again until it ends.
///
/// # Errors
/// [`ErrorCode::ApprovalMissing`] when nobody has agreed, or not in time; [`ErrorCode::ApprovalMismatch`] when something else
/// was agreed to; [`ErrorCode::OwnApproval`] for a row that the catalog should have refused; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn require(
    tx: &mut Tx,
    kind: &ApprovalKind,
    environment: Option<&EnvironmentName>,
    hash: &ContentHash,
) -> Result<ApprovalId, Problem> {
    let place = environment.map(|name| format!(" --env {name}")).unwrap_or_default();
    let ask = format!("ask for one: `holm approval request {kind} --hash {hash}{place} --reason \"…\"`");
    let missing = |why: &str| Problem::new(ErrorCode::ApprovalMissing, format!("`{kind}` needs an approval")).because(why).next(&ask);
    let Some(found) = approval::find(tx, kind, environment, hash).await? else { return Err(missing("nobody was asked")) };
    let why = match found.standing().lets(hash, found.read_at) {
        Ok(_) => return Ok(found.id),
        Err(why) => why,
    };
    Err(match why {
        NotStanding::Undecided => missing("nobody has decided").next(format!("let somebody decide: `holm approval approve {}`", found.id)),
        NotStanding::Rejected => missing("it was rejected"),
        NotStanding::Expired => missing("the agreement has ended"),
        NotStanding::OtherContent => Problem::new(ErrorCode::ApprovalMismatch, format!("the approval of `{kind}` is for something else"))
            .because("it is for content with another hash")
            .next(ask),
        NotStanding::Own => Problem::new(ErrorCode::OwnApproval, format!("the approval of `{kind}` was decided by who asked")).next(ask),
    })
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
