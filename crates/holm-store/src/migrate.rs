//! Brings the catalog's schema forward, one numbered file after the other.
//!
//! Promises: each file runs in one transaction together with its row in `holm_migration`; of several processes one
//! applies it and the others find it applied; a file that changed after it was applied is an error that names it.
//! Refuses to go back, and to touch a catalog that a newer Holm has migrated.

use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use tokio::time::timeout;
use tokio_postgres::{Client, Config, NoTls};

use crate::error::{StoreError, chain};

/// A file of `migrations/`.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

macro_rules! migrations {
    ($($version:literal $name:literal;)*) => {
        &[$(Migration { version: $version, name: $name, sql: include_str!(concat!("../migrations/", $name, ".sql")) }),*]
    };
}

/// In order, without gaps; a test compares them with the directory.
const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_catalog";
};

/// "Holm" as bytes; any number that no other program is likely to lock.
const LOCK: &str = "SELECT pg_advisory_lock(x'486f6c6d'::integer)";
const LEDGER: &str = "\
CREATE TABLE IF NOT EXISTS holm_migration (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";
const APPLIED: &str = "SELECT version, name, checksum FROM holm_migration ORDER BY version";
const CHECKSUM: &str = "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')";
const RECORD: &str = "INSERT INTO holm_migration (version, name, checksum) VALUES ($1, $2, $3)";

/// A migration may take its time, but must not make every reader queue behind a lock that it waits for.
const SETTINGS: &str = "SET statement_timeout = '10min'; SET lock_timeout = '60s'";
const SETTINGS_APPLYING: &str = "SET lock_timeout = '5s'";

/// For a whole run: the longest statement and the longest wait for another runner.
const RUN_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Every statement of this module that runs on a migrated catalog.
pub const STATEMENTS: &[&str] = &[LOCK, APPLIED, CHECKSUM, RECORD];

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Migrated {
    /// The files that this run applied, in order.
    pub applied: Vec<&'static str>,
    /// The version that the catalog has now.
    pub version: i32,
}

/// Why the schema was not brought forward.
#[derive(Debug, thiserror::Error)]
pub enum MigrateError {
    /// A newer Holm was here.
    #[error("use a catalog of version {catalog} with a holm that knows versions up to {known}")]
    Newer {
        /// The catalog's version.
        catalog: i32,
        /// The newest that this Holm knows.
        known: i32,
    },
    /// What was applied is not what this Holm carries.
    #[error("recognise migration `{name}`, which was applied to the catalog with other contents")]
    Edited {
        /// The file's name, as the catalog has it.
        name: String,
    },
    /// A migration failed and was rolled back.
    #[error("apply migration `{name}` to the catalog")]
    Failed {
        /// The file's name.
        name: &'static str,
        /// PostgreSQL's reason.
        #[source]
        source: StoreError,
    },
    /// The catalog did not answer, before any migration.
    #[error("read which migrations the catalog has")]
    Store(#[from] StoreError),
}

impl From<tokio_postgres::Error> for MigrateError {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Store(error.into())
    }
}

impl From<MigrateError> for Problem {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::Newer { .. } => {
                Self::new(ErrorCode::CatalogNewer, error.to_string()).next("run the newest holm that has used this catalog")
            }
            MigrateError::Edited { .. } => Self::new(ErrorCode::Internal, error.to_string())
                .next("run the holm that created this catalog, or give this one a catalog of its own"),
            MigrateError::Failed { name, source } if source.is_temporary() => {
                Self::from(source).next(format!("migration `{name}` was rolled back; start holm again"))
            }
            MigrateError::Failed { .. } => Self::new(ErrorCode::Internal, error.to_string()).because(chain(&error)),
            MigrateError::Store(source) => source.into(),
        }
    }
}

pub(crate) async fn run(config: &Config) -> Result<Migrated, MigrateError> {
    run_files(config, MIGRATIONS).await
}

async fn run_files(config: &Config, files: &'static [Migration]) -> Result<Migrated, MigrateError> {
    timeout(RUN_TIMEOUT, async {
        let (client, connection) = config.connect(NoTls).await.map_err(|source| StoreError::Unavailable(source.into()))?;
        let work = std::pin::pin!(under_lock(&client, files));
        tokio::select! {
            // Whichever is first ends the run: the work with its result, the connection by being lost, which the work then reports.
            result = work => result,
            lost = connection => Err(lost.err().map_or_else(|| StoreError::deadline("the catalog"), StoreError::from).into()),
        }
    })
    .await
    .unwrap_or_else(|_| Err(StoreError::deadline("a migration of the catalog").into()))
}

/// The lock is the session's, so it ends with the connection, whatever happens to this process.
async fn under_lock(client: &Client, files: &'static [Migration]) -> Result<Migrated, MigrateError> {
    client.batch_execute(SETTINGS).await?;
    client.query_one(LOCK, &[]).await?;
    client.batch_execute(SETTINGS_APPLYING).await?;
    client.batch_execute(LEDGER).await?;
    let known = files.last().map_or(0, |newest| newest.version);
    let rows = client.query(APPLIED, &[]).await?;
    let mut history = Vec::with_capacity(rows.len());
    for row in &rows {
        history.push((row.try_get::<_, i32>(0)?, row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?));
    }
    if let Some((catalog, ..)) = history.last().filter(|(version, ..)| *version > known) {
        return Err(MigrateError::Newer { catalog: *catalog, known });
    }
    let mut applied = Vec::new();
    for file in files {
        let checksum: String = client.query_one(CHECKSUM, &[&file.sql]).await?.try_get(0)?;
        match history.iter().find(|(version, ..)| *version == file.version) {
            Some((_, name, kept)) if *kept != checksum => return Err(MigrateError::Edited { name: name.clone() }),
            Some(_) => {}
            None => {
                apply(client, file, &checksum).await.map_err(|source| MigrateError::Failed { name: file.name, source: source.into() })?;
                tracing::info!(migration = file.name, "the catalog was migrated");
                applied.push(file.name);
            }
        }
    }
    Ok(Migrated { applied, version: known })
}

async fn apply(client: &Client, file: &Migration, checksum: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    let done = async {
        client.batch_execute(file.sql).await?;
        client.execute(RECORD, &[&file.version, &file.name, &checksum]).await?;
        client.batch_execute("COMMIT").await
    };
    // After an error the caller gives up the connection, and PostgreSQL rolls back with it.
    done.await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_directory_is_carried_once_and_in_order() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
        let mut files: Vec<String> =
            std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        files.sort();
        let carried: Vec<String> = MIGRATIONS.iter().map(|file| format!("{}.sql", file.name)).collect();
        assert_eq!(files, carried);
        for (file, number) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(file.version, number);
            assert!(file.name.starts_with(&format!("{number:04}_")), "{}", file.name);
        }
    }
}
