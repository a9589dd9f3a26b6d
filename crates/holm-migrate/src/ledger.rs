//! Prisma's ledger `_prisma_migrations`: its statements, and what it allows.
//!
//! Promises: rows are such that Prisma's own engine finds a clean history. The started row goes into a transaction of its
//! own, before the script, so that a crash is seen as a failed migration (P3009) by Prisma too; the finished row goes into
//! the script's transaction when that is atomic. Every name is qualified, so that the statements mean the same under any
//! `search_path`. They run as the tenant's own role: the ledger is the tenant's table and may carry its triggers.

use std::fmt;

use holm_core::error::{ErrorCode, Problem};
use jiff::Timestamp;

use crate::migration::{Migration, MigrationName, MigrationSet};

/// Prisma's advisory lock: while Holm holds it, `prisma migrate` waits, and the other way round. It is per database and
/// per session. Without parameters; answers one boolean.
pub const TRY_LOCK: &str = "SELECT pg_catalog.pg_try_advisory_lock(72707369)";

/// Releases [`TRY_LOCK`].
pub const UNLOCK: &str = "SELECT pg_catalog.pg_advisory_unlock(72707369)";

/// Whether the ledger exists; answers one boolean.
pub const EXISTS: &str = "SELECT pg_catalog.to_regclass('public._prisma_migrations') IS NOT NULL";

/// Whether the schema holds tables besides the ledger: without a ledger, they were made by something else (P3005).
pub const OCCUPIED: &str = "\
SELECT EXISTS (
    SELECT 1
    FROM pg_catalog.pg_class c
    JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND c.relname <> '_prisma_migrations'
)";

/// The ledger as Prisma creates it, column for column.
pub const CREATE: &str = "\
CREATE TABLE public._prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)";

/// All rows, oldest first; the columns of [`Row`] in its order.
pub const ROWS: &str = "\
SELECT id, checksum, finished_at, migration_name, logs, rolled_back_at, started_at, applied_steps_count
FROM public._prisma_migrations
ORDER BY started_at, id";

/// `$1` id (a version 4 UUID as text), `$2` checksum, `$3` name.
pub const INSERT_STARTED: &str = "\
INSERT INTO public._prisma_migrations (id, checksum, started_at, migration_name)
VALUES ($1, $2, pg_catalog.clock_timestamp(), $3)";

/// `$1` id. Touches exactly one row, or the ledger was changed by something else meanwhile.
pub const UPDATE_FINISHED: &str = "\
UPDATE public._prisma_migrations
SET applied_steps_count = applied_steps_count + 1, finished_at = pg_catalog.clock_timestamp()
WHERE id = $1 AND finished_at IS NULL AND rolled_back_at IS NULL";

/// `$1` id, `$2` what PostgreSQL said.
pub const UPDATE_FAILED: &str = "\
UPDATE public._prisma_migrations
SET logs = $2
WHERE id = $1 AND finished_at IS NULL";

/// `$1` id. For an attempt of which nothing is left: an atomic script whose transaction did not commit.
pub const UPDATE_ROLLED_BACK: &str = "\
UPDATE public._prisma_migrations
SET rolled_back_at = pg_catalog.clock_timestamp()
WHERE id = $1 AND finished_at IS NULL AND rolled_back_at IS NULL";

/// Every statement with parameters or results of the ledger, to be prepared against a real one in a test.
pub const STATEMENTS: &[&str] =
    &[TRY_LOCK, UNLOCK, EXISTS, OCCUPIED, ROWS, INSERT_STARTED, UPDATE_FINISHED, UPDATE_FAILED, UPDATE_ROLLED_BACK];

/// One attempt to apply a migration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// A UUID as text.
    pub id: String,
    /// The script's checksum at the time.
    pub checksum: String,
    /// When it was applied; `None` while it runs and after it failed.
    pub finished_at: Option<Timestamp>,
    /// The migration's name.
    pub migration_name: String,
    /// What PostgreSQL said when it failed.
    pub logs: Option<String>,
    /// When somebody declared that nothing of it is left.
    pub rolled_back_at: Option<Timestamp>,
    /// When it was started.
    pub started_at: Timestamp,
    /// 1 after Prisma or Holm applied it, 0 after a baseline.
    pub applied_steps_count: i32,
}

impl Row {
    fn is_failed(&self) -> bool {
        self.finished_at.is_none() && self.rolled_back_at.is_none()
    }

    fn is_applied(&self) -> bool {
        self.finished_at.is_some() && self.rolled_back_at.is_none()
    }
}

/// Why a ledger does not allow anything to be applied.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LedgerRefusal {
    /// An attempt has neither finished nor been rolled back (Prisma's P3009).
    #[error("migration `{name}` was started at {started_at} and has not finished")]
    Unfinished {
        /// The migration.
        name: String,
        /// When it was started.
        started_at: Timestamp,
        /// What PostgreSQL said, as far as it was recorded.
        logs: Option<String>,
    },
    /// Scripts are not what was applied under their names.
    #[error("{} changed since {} applied", list(.0), if .0.len() == 1 { "it was" } else { "they were" })]
    Edited(Vec<MigrationName>),
}

/// How a set and a ledger differ.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Comparison<'a> {
    /// Not applied yet, in the order in which they will be.
    pub pending: Vec<&'a Migration>,
    /// Applied, with another checksum.
    pub edited: Vec<&'a MigrationName>,
    /// Pending, although a later one is applied already; Prisma applies such, and so does Holm.
    pub out_of_order: Vec<&'a MigrationName>,
    /// Applied, and not in the set: an older copy of the repository, or another branch.
    pub unknown: Vec<&'a str>,
    /// Attempts that have neither finished nor been rolled back.
    pub unfinished: Vec<&'a Row>,
}

/// Compares a set with a ledger's rows; decides nothing.
pub fn compare<'a>(set: &'a MigrationSet, rows: &'a [Row]) -> Comparison<'a> {
    let applied = |name: &str| rows.iter().find(|row| row.is_applied() && row.migration_name == name);
    let last_applied = set.migrations().iter().rposition(|m| applied(m.name.as_str()).is_some()).unwrap_or(0);
    let pending = || set.migrations().iter().enumerate().filter(|(_, m)| applied(m.name.as_str()).is_none());
    let is_known = |name: &str| set.migrations().iter().any(|m| m.name.as_str() == name);
    Comparison {
        pending: pending().map(|(_, m)| m).collect(),
        edited: (set.migrations().iter())
            .filter(|m| applied(m.name.as_str()).is_some_and(|row| !m.is_recorded_as(&row.checksum)))
            .map(|m| &m.name)
            .collect(),
        out_of_order: pending().filter(|(place, _)| *place < last_applied).map(|(_, m)| &m.name).collect(),
        unknown: rows.iter().filter(|r| r.is_applied() && !is_known(&r.migration_name)).map(|r| r.migration_name.as_str()).collect(),
        unfinished: rows.iter().filter(|row| row.is_failed()).collect(),
    }
}

/// What is to be applied now.
///
/// # Errors
/// An unfinished attempt, or a script that was edited after it was applied: Prisma's `migrate deploy` passes over the
/// second, after which two databases with the same ledger differ.
pub fn pending<'a>(set: &'a MigrationSet, rows: &'a [Row]) -> Result<Vec<&'a Migration>, LedgerRefusal> {
    let comparison = compare(set, rows);
    if let Some(row) = comparison.unfinished.first() {
        return Err(LedgerRefusal::Unfinished { name: row.migration_name.clone(), started_at: row.started_at, logs: row.logs.clone() });
    }
    if !comparison.edited.is_empty() {
        return Err(LedgerRefusal::Edited(comparison.edited.into_iter().cloned().collect()));
    }
    Ok(comparison.pending)
}

impl From<LedgerRefusal> for Problem {
    fn from(refusal: LedgerRefusal) -> Self {
        let problem = Self::new(ErrorCode::LedgerRefuses, "no migration was applied").because(&refusal);
        match refusal {
            LedgerRefusal::Unfinished { name, .. } => problem
                .next(format!("find out what of `{name}` is in the database, and take it out or finish it by hand"))
                .next(format!("then `prisma migrate resolve --rolled-back {name}`, or `--applied {name}`")),
            LedgerRefusal::Edited(_) => {
                problem.next("restore the scripts from version control, and write a new migration for what is to change")
            }
        }
    }
}

fn list(names: &[MigrationName]) -> impl fmt::Display {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
