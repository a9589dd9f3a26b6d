//! Applies migrations in a session of an unprivileged role, and keeps Prisma's ledger of it.
//!
//! Promises: an atomic script and its finished row are one transaction; a split one runs statement by statement; a failure
//! names the file, the line and what PostgreSQL said. Refuses to trust the session after a script: settings that one left
//! are reset before the next.

use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_migrate::statements::Position;
use holm_migrate::{Migration, MigrationSet, TransactionMode, ledger};
use tokio::time::timeout;
use tokio_postgres::Client;
use tokio_postgres::error::{DbError, ErrorPosition};
use uuid::Uuid;

use super::connect::Connection;
use super::trouble::{ClusterError, Trouble};

/// For all scripts together. A template has no rows to rewrite, so that minutes mean a script that waits for something.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why the migrations were not applied.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApplyError {
    #[error("reach the server")]
    Cluster(ClusterError),
    /// As people are told.
    #[error(transparent)]
    Failed(Box<Problem>),
}

/// A part of a script, as it is sent.
#[derive(Clone, Copy)]
struct Part<'a> {
    migration: &'a Migration,
    text: &'a str,
    /// The byte of the script at which it begins.
    start: usize,
}

/// Applies every migration to an empty database, in which the session's role owns everything.
pub(crate) async fn all(session: &Connection, migrations: &MigrationSet) -> Result<(), ApplyError> {
    if migrations.is_empty() {
        return Ok(());
    }
    match timeout(DEADLINE, apply(session.client(), migrations)).await {
        Ok(applied) => applied,
        Err(_) => Err(ApplyError::Failed(Box::new(too_slow()))),
    }
}

async fn apply(client: &Client, migrations: &MigrationSet) -> Result<(), ApplyError> {
    let ledger = |source| ApplyError::Cluster(ClusterError::postgres("keep the ledger of migrations", source));
    // The database is nobody else's yet, so that the lock is free; it is taken for whoever looks at the session.
    client.query_one(ledger::TRY_LOCK, &[]).await.map_err(ledger)?;
    client.batch_execute(ledger::CREATE).await.map_err(ledger)?;
    for migration in migrations.migrations() {
        client.batch_execute("RESET ALL").await.map_err(ledger)?;
        let id = Uuid::new_v4().to_string();
        let started: [&(dyn tokio_postgres::types::ToSql + Sync); 3] = [&id, &migration.checksum.as_str(), &migration.name.as_str()];
        client.execute(ledger::INSERT_STARTED, &started).await.map_err(ledger)?;
        match &migration.mode {
            TransactionMode::Atomic => atomic(client, migration, &id).await?,
            TransactionMode::Split { .. } => split(client, migration, &id).await?,
        }
    }
    Ok(())
}

async fn atomic(client: &Client, migration: &Migration, id: &str) -> Result<(), ApplyError> {
    let part = Part { migration, text: &migration.sql, start: 0 };
    let failed = |error| failure(part, error);
    client.batch_execute("BEGIN").await.map_err(failed)?;
    client.batch_execute(part.text).await.map_err(failed)?;
    let finished = client.execute(ledger::UPDATE_FINISHED, &[&id]).await.map_err(failed)?;
    recorded(migration, finished)?;
    // Deferred constraints are checked here, so that this can be the script's fault too.
    client.batch_execute("COMMIT").await.map_err(failed)
}

async fn split(client: &Client, migration: &Migration, id: &str) -> Result<(), ApplyError> {
    for statement in migration.statements() {
        let part = Part { migration, text: statement.text, start: statement.start };
        client.batch_execute(part.text).await.map_err(|error| failure(part, error))?;
    }
    let whole = Part { migration, text: &migration.sql, start: 0 };
    let finished = client.execute(ledger::UPDATE_FINISHED, &[&id]).await.map_err(|error| failure(whole, error))?;
    recorded(migration, finished)
}

/// A script that took its own row out of the ledger would be applied again by the next tool.
fn recorded(migration: &Migration, rows: u64) -> Result<(), ApplyError> {
    if rows == 1 {
        return Ok(());
    }
    let what = format!("migration `{}` changed the ledger `_prisma_migrations`", migration.name);
    Err(ApplyError::Failed(Box::new(Problem::new(ErrorCode::TemplateFailed, what).next("leave the ledger to Holm and to Prisma"))))
}

/// A server that is gone, full or read-only is the server's trouble; anything else that PostgreSQL says is the script's.
fn failure(part: Part<'_>, error: tokio_postgres::Error) -> ApplyError {
    let error = ClusterError::postgres("apply a migration", error);
    let Some(said) = error.said().filter(|_| error.trouble() == Trouble::Refused) else { return ApplyError::Cluster(error) };
    let name = &part.migration.name;
    let what = match place(part, said) {
        Some(at) => format!("migration `{name}` failed at {at} of its `migration.sql`"),
        None => format!("migration `{name}` failed"),
    };
    // Without PostgreSQL's DETAIL, which quotes rows.
    let why = format!("{} ({})", said.message(), said.code().code());
    let hint = said.hint().unwrap_or("correct the script; until then, tenants get the schema before it, if there is one");
    ApplyError::Failed(Box::new(Problem::new(ErrorCode::TemplateFailed, what).because(why).next(hint)))
}

/// PostgreSQL counts characters from the beginning of what was sent.
fn place(part: Part<'_>, said: &DbError) -> Option<Position> {
    let Some(ErrorPosition::Original(nth)) = said.position() else { return None };
    let before = part.migration.sql.get(..part.start)?.chars().count();
    Some(Position::of_character(&part.migration.sql, before + usize::try_from(*nth).ok()?))
}

fn too_slow() -> Problem {
    Problem::new(ErrorCode::TemplateFailed, format!("the migrations took longer than {} s", DEADLINE.as_secs()))
        .because("a template has no rows, so that a script that takes this long waits for something")
        .next("look for `pg_sleep`, a lock or an endless loop in the scripts")
}
