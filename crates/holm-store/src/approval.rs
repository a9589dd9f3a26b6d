//! Approvals: who asked for what by its hash, and who else agreed or refused (R23).
//!
//! Promises: the catalog itself refuses a decision by who asked, and words that are not what the hash is of; of two decisions
//! one is first, and of two uses.

pub mod rule;

use std::time::Duration;

use holm_core::actor::PrincipalName;
use holm_core::approval::guarded::ApprovalContent;
use holm_core::approval::{ApprovalKind, ContentHash, Decided, Standing, Verdict};
use holm_core::audit::Reason;
use holm_core::environment::EnvironmentName;
use holm_core::id::{ApprovalId, OperationId, PrincipalId};
use jiff::Timestamp;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::page::Page;
use crate::row::{Corrupt, column};
use crate::tx::Tx;

/// A request.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// Its identity.
    pub id: ApprovalId,
    /// What is to be done.
    pub kind: ApprovalKind,
    /// To exactly what.
    pub hash: ContentHash,
    /// The words that it is the hash of, if they are known.
    pub content: Option<ApprovalContent>,
    /// Where, if in one environment.
    pub environment: Option<EnvironmentName>,
    /// Who asks.
    pub requested_by: PrincipalId,
    /// Why.
    pub reason: Reason,
    /// How long it may be decided and used, from now by the catalog's clock.
    pub lifetime: Duration,
}

/// A request and its decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approval {
    /// Its identity.
    pub id: ApprovalId,
    /// What is to be done.
    pub kind: ApprovalKind,
    /// To exactly what.
    pub hash: ContentHash,
    /// The words that it is the hash of, if they are known.
    pub content: Option<String>,
    /// Where, if in one environment.
    pub environment: Option<EnvironmentName>,
    /// Who asked.
    pub requested_by: (PrincipalId, PrincipalName),
    /// When.
    pub requested_at: Timestamp,
    /// Why.
    pub reason: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Who decided, when and how.
    pub decided: Option<Decision>,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// The catalog's time when it was read.
    pub read_at: Timestamp,
}

/// A decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// By whom.
    pub by: (PrincipalId, PrincipalName),
    /// When.
    pub at: Timestamp,
    /// How.
    pub verdict: Verdict,
}

impl Approval {
    /// As far as it matters whether it stands.
    pub fn standing(&self) -> Standing<'_> {
        let decided = self.decided.as_ref().map(|decision| Decided { by: decision.by.0, verdict: decision.verdict });
        Standing { hash: &self.hash, requested_by: self.requested_by.0, decided, expires_at: self.expires_at, used: self.used_at.is_some() }
    }
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT a.id, a.kind, a.hash, e.name AS environment, a.requested_by, r.name AS requester, a.requested_at, a.reason,\n",
            "    a.expires_at, a.decided_by, d.name AS decider, a.decided_at, a.verdict, a.content, a.used_at, now() AS read_at\n",
            "FROM approval a\n",
            "JOIN principal r ON r.id = a.requested_by\n",
            "LEFT JOIN principal d ON d.id = a.decided_by\n",
            "LEFT JOIN environment e ON e.id = a.environment_id\n",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE a.id = $1");
/// Ids are of version 7: the newest is the last.
const LIST: &str = select!("WHERE $1::uuid IS NULL OR a.id < $1\nORDER BY a.id DESC\nLIMIT $2");
/// Those of exactly this content first, of these the approved, of these one that was not used, of these the one that lasts
/// longest. Locked, so that of two who find it one uses it.
const FIND: &str = select!(
    "WHERE a.kind = $1 AND e.name IS NOT DISTINCT FROM $2\n\
     ORDER BY a.hash = $3 DESC, a.verdict IS NOT DISTINCT FROM 'approved' DESC, a.used_at IS NULL DESC, a.expires_at DESC\n\
     LIMIT 1\n\
     FOR UPDATE OF a"
);
const INSERT: &str = "\
INSERT INTO approval (id, kind, hash, environment_id, requested_by, reason, expires_at, content)
SELECT $1, $2, $3, e.id, $5, $6, now() + make_interval(secs => $7), $8
FROM (VALUES ($4::text)) AS asked (environment)
LEFT JOIN environment e ON e.name = asked.environment
WHERE asked.environment IS NULL OR e.id IS NOT NULL";
const DECIDE: &str = "\
UPDATE approval
SET decided_by = $2, decided_at = now(), verdict = $3
WHERE id = $1 AND decided_by IS NULL AND requested_by <> $2 AND expires_at > now()";
const SPEND: &str = "UPDATE approval SET used_at = now(), used_by = $2, used_for = $3 WHERE id = $1 AND used_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BY_ID, LIST, FIND, INSERT, DECIDE, SPEND];

/// Keeps a request. Returns `None` if there is no such environment.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewApproval) -> Result<Option<Approval>, StoreError> {
    let environment = new.environment.as_ref().map(EnvironmentName::as_str);
    let inserted = tx
        .execute(
            INSERT,
            &[
                &new.id.as_uuid(),
                &new.kind.as_str(),
                &new.hash.as_bytes().as_slice(),
                &environment,
                &new.requested_by.as_uuid(),
                &new.reason.as_str(),
                &new.lifetime.as_secs_f64(),
                &new.content.as_ref().map(ApprovalContent::as_str),
            ],
        )
        .await?;
    if inserted == 0 {
        return Ok(None);
    }
    read(&tx.query_one(BY_ID, &[&new.id.as_uuid()]).await?).map(Some)
}

/// Decides a request, if nobody has, its time is not over and it is not the decider's own. Returns `None` otherwise.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn decide(tx: &mut Tx, id: ApprovalId, by: PrincipalId, verdict: Verdict) -> Result<Option<Approval>, StoreError> {
    if tx.execute(DECIDE, &[&id.as_uuid(), &by.as_uuid(), &verdict.as_str()]).await? == 0 {
        return Ok(None);
    }
    read(&tx.query_one(BY_ID, &[&id.as_uuid()]).await?).map(Some)
}

/// The approval that comes nearest to letting this content be done: whether it does is [`Standing::lets`]'s to say.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn find(
    tx: &mut Tx,
    kind: &ApprovalKind,
    environment: Option<&EnvironmentName>,
    hash: &ContentHash,
) -> Result<Option<Approval>, StoreError> {
    let environment = environment.map(EnvironmentName::as_str);
    let row = tx.query_opt(FIND, &[&kind.as_str(), &environment, &hash.as_bytes().as_slice()]).await?;
    row.as_ref().map(read).transpose()
}

/// Uses an approval that was [found](find) to stand. Returns whether nobody had.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn spend(tx: &mut Tx, id: ApprovalId, by: Option<PrincipalId>, operation: Option<OperationId>) -> Result<bool, StoreError> {
    let (by, operation) = (by.map(|id| id.as_uuid()), operation.map(|id| id.as_uuid()));
    Ok(tx.execute(SPEND, &[&id.as_uuid(), &by, &operation]).await? > 0)
}

/// The one of an id.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_id(catalog: &Catalog, id: ApprovalId) -> Result<Option<Approval>, StoreError> {
    catalog.session().await?.query_opt(BY_ID, &[&id.as_uuid()]).await?.as_ref().map(read).transpose()
}

/// A page of them, newest first.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, page: &Page<ApprovalId>) -> Result<Vec<Approval>, StoreError> {
    let after: Option<Uuid> = page.after.map(|id| id.as_uuid());
    catalog.session().await?.query(LIST, &[&after, &page.rows_max()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Approval, StoreError> {
    let hash: &[u8] = column::get(row, "hash")?;
    let decided = match column::get::<Option<Uuid>>(row, "decided_by")? {
        None => None,
        Some(by) => Some(Decision {
            by: (PrincipalId::from_uuid(by), column::parsed(row, "decider")?),
            at: column::get(row, "decided_at")?,
            verdict: column::parsed(row, "verdict")?,
        }),
    };
    Ok(Approval {
        id: ApprovalId::from_uuid(column::uuid(row, "id")?),
        kind: column::parsed(row, "kind")?,
        hash: ContentHash::from_bytes(hash.try_into().corrupt("hash")?),
        content: column::get(row, "content")?,
        environment: column::parsed_opt(row, "environment")?,
        requested_by: (PrincipalId::from_uuid(column::uuid(row, "requested_by")?), column::parsed(row, "requester")?),
        requested_at: column::get(row, "requested_at")?,
        reason: column::get(row, "reason")?,
        expires_at: column::get(row, "expires_at")?,
        decided,
        used_at: column::get(row, "used_at")?,
        read_at: column::get(row, "read_at")?,
    })
}
