//! The audit log: written with the act itself, in one statement, under the lock of the chain's end.
//!
//! Promises: an entry is there if and only if what it tells of was committed; numbers have no gaps; the hashes that
//! PostgreSQL computes here are those that [`holm_core::audit::chain`] checks. Refuses to change an entry.

use holm_core::audit::chain::{Entry, Head};
use holm_core::audit::{AuditAction, Content, NewEntry, VERSION};
use holm_core::environment::EnvironmentName;
use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::page::Page;
use crate::row::{Corrupt, column};
use crate::tx::Tx;

/// An entry of every column is half a kilobyte: half a megabyte at once.
const WALK_ROWS: i64 = 1000;

/// Links any number of entries to the chain: the recursion makes one hash after the other, from the content's digests ($2)
/// and what only the catalog knows. `chain::link` says the same in Rust. Without the end of the chain nothing can be added to
/// it, and what cannot be told of is not done: the division by none fails, and with it the transaction, whose commit is
/// already on its way.
pub(crate) const APPEND: &str = "\
WITH RECURSIVE head AS MATERIALIZED (
    SELECT seq, hash
    FROM audit_head
    FOR UPDATE
), link (place, seq, at, previous_hash, hash) AS (
    SELECT 0, seq, clock_timestamp(), NULL::bytea, hash
    FROM head
    UNION ALL
    SELECT place + 1, seq + 1, at, hash,
        sha256(int2send($1::smallint) || hash || int8send(seq + 1) || timestamptz_send(at) || ($2::bytea[])[place + 1])
    FROM link
    WHERE place < cardinality($2::bytea[])
), written AS (
    INSERT INTO audit_entry (seq, at, version, actor_kind, actor_id, actor_name, action, environment, subject_kind, subject_id,
        reason, detail, previous_hash, hash)
    SELECT seq, at, $1, actor_kind, actor_id, actor_name, action, environment, subject_kind, subject_id, reason, detail, previous_hash, hash
    FROM link
    JOIN unnest($3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[], $10::text[], $11::text[]) WITH ORDINALITY
        AS content (actor_kind, actor_id, actor_name, action, environment, subject_kind, subject_id, reason, detail, place) USING (place)
), ended AS (
    UPDATE audit_head h
    SET seq = l.seq, hash = l.hash
    FROM link l
    WHERE l.place = cardinality($2::bytea[])
    RETURNING h.seq
)
SELECT 1 / count(*) AS told
FROM ended";

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT seq, timestamptz_send(at) AS at, version, actor_kind, actor_id, actor_name, action, environment, subject_kind,\n",
            "    subject_id, reason, detail, previous_hash, hash\n",
            "FROM audit_entry\n",
            $rest
        )
    };
}

const HEAD: &str = "SELECT seq, hash FROM audit_head";
pub(crate) const WALK: &str = select!("WHERE seq > $1\nORDER BY seq\nLIMIT $2");
const BY_SEQ: &str = select!("WHERE seq = $1");
/// Only when something is wrong: it reads the whole table.
const FOLLOWING: &str = select!("WHERE previous_hash = $1\nORDER BY seq\nLIMIT 10");
const SEARCH: &str = select!(
    "WHERE ($1::bigint IS NULL OR seq < $1)\n\
     \x20   AND ($2::text IS NULL OR actor_name = $2)\n\
     \x20   AND ($3::text IS NULL OR action = $3)\n\
     \x20   AND ($4::text IS NULL OR environment = $4)\n\
     \x20   AND ($5::text IS NULL OR subject_id = $5)\n\
     \x20   AND ($6::timestamptz IS NULL OR at >= $6)\n\
     \x20   AND ($7::timestamptz IS NULL OR at < $7)\n\
     ORDER BY seq DESC\n\
     LIMIT $8"
);

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[APPEND, HEAD, WALK, BY_SEQ, FOLLOWING, SEARCH];

/// What is looked for; `None` is anything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// By whom: a principal's name, or a part of Holm.
    pub actor: Option<String>,
    /// What.
    pub action: Option<AuditAction>,
    /// In which environment.
    pub environment: Option<EnvironmentName>,
    /// To what: an id.
    pub subject: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// Keeps an entry for the commit: it is written as the transaction's last act but one, since from then on every other writer
/// waits. A transaction that is rolled back leaves none.
pub fn record(tx: &mut Tx, entry: NewEntry) {
    tx.queue(entry);
}

/// Entries as [`APPEND`] takes them; their digests are made before anything is locked.
pub(crate) struct Columns {
    digests: Vec<Vec<u8>>,
    actor_kinds: Vec<String>,
    actor_ids: Vec<Option<Uuid>>,
    actor_names: Vec<String>,
    actions: Vec<String>,
    environments: Vec<Option<String>>,
    subject_kinds: Vec<String>,
    subject_ids: Vec<String>,
    reasons: Vec<Option<String>>,
    details: Vec<String>,
}

impl Columns {
    pub(crate) fn of(entries: &[NewEntry]) -> Self {
        let contents: Vec<Content> = entries.iter().map(Content::from).collect();
        fn column<T>(contents: &[Content], of: impl Fn(&Content) -> T) -> Vec<T> {
            contents.iter().map(of).collect()
        }
        Self {
            digests: column(&contents, |content| content.digest().to_vec()),
            actor_kinds: column(&contents, |content| content.actor_kind.clone()),
            actor_ids: column(&contents, |content| content.actor_id),
            actor_names: column(&contents, |content| content.actor_name.clone()),
            actions: column(&contents, |content| content.action.clone()),
            environments: column(&contents, |content| content.environment.clone()),
            subject_kinds: column(&contents, |content| content.subject_kind.clone()),
            subject_ids: column(&contents, |content| content.subject_id.clone()),
            reasons: column(&contents, |content| content.reason.clone()),
            details: column(&contents, |content| content.detail.clone()),
        }
    }

    pub(crate) fn params(&self) -> [&(dyn ToSql + Sync); 11] {
        [
            &VERSION,
            &self.digests,
            &self.actor_kinds,
            &self.actor_ids,
            &self.actor_names,
            &self.actions,
            &self.environments,
            &self.subject_kinds,
            &self.subject_ids,
            &self.reasons,
            &self.details,
        ]
    }
}

/// Where the chain ends, if the catalog still knows.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn head(catalog: &Catalog) -> Result<Option<Head>, StoreError> {
    let row = catalog.session().await?.query_opt(HEAD, &[]).await?;
    row.map(|row| Ok(Head { seq: column::get(&row, "seq")?, hash: column::get::<&[u8]>(&row, "hash")?.into() })).transpose()
}

/// The entries after a number, in their order, a thousand at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn walk(catalog: &Catalog, after: i64) -> Result<Vec<Entry>, StoreError> {
    catalog.session().await?.query(WALK, &[&after, &WALK_ROWS]).await?.iter().map(read).collect()
}

/// The entry of a number.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_seq(catalog: &Catalog, seq: i64) -> Result<Option<Entry>, StoreError> {
    catalog.session().await?.query_opt(BY_SEQ, &[&seq]).await?.as_ref().map(read).transpose()
}

/// The entries that say that they follow a hash, ten at the most: more than one was tampered with.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn following(catalog: &Catalog, hash: &[u8]) -> Result<Vec<Entry>, StoreError> {
    catalog.session().await?.query(FOLLOWING, &[&hash]).await?.iter().map(read).collect()
}

/// A page of what is looked for, newest first; `after` is the number of the last one of the page before.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn search(catalog: &Catalog, filter: &Filter, page: &Page<i64>) -> Result<Vec<Entry>, StoreError> {
    let rows = catalog
        .session()
        .await?
        .query(
            SEARCH,
            &[
                &page.after,
                &filter.actor,
                &filter.action.map(AuditAction::as_str),
                &filter.environment.as_ref().map(EnvironmentName::as_str),
                &filter.subject,
                &filter.since,
                &filter.until,
                &page.rows_max(),
            ],
        )
        .await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Entry, StoreError> {
    let at: &[u8] = column::get(row, "at")?;
    Ok(Entry {
        seq: column::get(row, "seq")?,
        at_micros: i64::from_be_bytes(at.try_into().corrupt("at")?),
        version: column::get(row, "version")?,
        content: Content {
            actor_kind: column::get(row, "actor_kind")?,
            actor_id: column::get(row, "actor_id")?,
            actor_name: column::get(row, "actor_name")?,
            action: column::get(row, "action")?,
            environment: column::get(row, "environment")?,
            subject_kind: column::get(row, "subject_kind")?,
            subject_id: column::get(row, "subject_id")?,
            reason: column::get(row, "reason")?,
            detail: column::get(row, "detail")?,
        },
        previous_hash: column::get::<&[u8]>(row, "previous_hash")?.into(),
        hash: column::get::<&[u8]>(row, "hash")?.into(),
    })
}
