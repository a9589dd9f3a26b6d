//! Brings the catalog's schema forward, one numbered file after the other.
//!
//! Promises: each file runs in one transaction together with its row in `holm_migration`; of several processes one
//! applies it and the others find it applied; a file that changed after it was applied is an error that names it.
//! Refuses to go back, and to touch a catalog that a newer Holm has migrated.

use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use tokio::time::timeout;
use tokio_postgres::Client;

use crate::address::CatalogAddress;
use crate::encrypted::Encrypting;

use crate::error::{StoreError, chain};

/// A file of `migrations/`.
pub(crate) struct Migration {
    pub(crate) version: i32,
    pub(crate) name: &'static str,
    pub(crate) sql: &'static str,
    /// The oldest version whose Holm goes on working on a catalog that has this one. Without it, none but those that know it.
    pub(crate) runs_with: Option<i32>,
}

macro_rules! migrations {
    ($($version:literal $name:literal $(runs_with $oldest:literal)?;)*) => {
        &[$(Migration {
            version: $version,
            name: $name,
            sql: include_str!(concat!("../migrations/", $name, ".sql")),
            runs_with: migrations!(@oldest $($oldest)?),
        }),*]
    };
    (@oldest) => { None };
    (@oldest $oldest:literal) => { Some($oldest) };
}

/// In order; a test compares them with the directory. After a release each names with `runs_with` the newest
/// version of the release before, unless that cannot go on working (ADR-0009).
pub(crate) const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_catalog";
    2 "0002_operation";
    3 "0003_rotation";
    4 "0004_access";
    5 "0005_keys";
    6 "0006_idempotency";
    7 "0007_tenant";
    8 "0008_cluster";
    9 "0009_notify";
    10 "0010_node";
    11 "0011_approval_rule";
    12 "0012_webhook_purge";
    13 "0013_cluster_tls";
    14 "0014_tenant_limits";
    15 "0015_data_node";
    16 "0016_residency";
    17 "0017_placement";
    18 "0018_placement_hint";
    19 "0019_assessment";
    20 "0020_registered_copy";
    21 "0021_parity_waiver";
    22 "0022_client_certificate";
    23 "0023_place_plan";
};

/// "Holm" as bytes; any number that no other program is likely to lock.
const LOCK: &str = "SELECT pg_advisory_lock(x'486f6c6d'::integer)";
const LEDGER: &str = "\
CREATE TABLE IF NOT EXISTS holm_migration (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    runs_with  integer
)";
/// For a ledger that is older than the column. A look first: the lock would wait for a backup.
const LEDGER_COLUMN: &str = "ALTER TABLE holm_migration ADD COLUMN runs_with integer";
const HAS_COLUMN: &str = "\
SELECT EXISTS (
    SELECT FROM pg_catalog.pg_attribute WHERE attrelid = 'holm_migration'::regclass AND attname = 'runs_with'
) AS has";
const APPLIED: &str = "SELECT version, name, checksum, runs_with FROM holm_migration ORDER BY version";
/// 15 s are three times as long as a node that lives may be silent, and for one that does not, nobody waits longer.
const HAS_NODES: &str = "SELECT to_regclass('public.node') IS NOT NULL AS has";
const OLDER_NODES: &str = "\
SELECT name, holm_version
FROM node
WHERE schema_version < $1 AND seen_at > now() - interval '15 seconds'
ORDER BY schema_version, name
LIMIT 1";
const CHECKSUM: &str = "SELECT encode(sha256(convert_to($1, 'UTF8')), 'hex')";
const RECORD: &str = "INSERT INTO holm_migration (version, name, checksum, runs_with) VALUES ($1, $2, $3, $4)";

/// A migration may take its time, but must not make every reader queue behind a lock that it waits for.
const SETTINGS: &str = "SET statement_timeout = '10min'; SET lock_timeout = '60s'";
const SETTINGS_APPLYING: &str = "SET lock_timeout = '5s'";

/// For a whole run: the longest statement and the longest wait for another runner.
const RUN_TIMEOUT: Duration = Duration::from_secs(15 * 60);

/// Every statement of this module that runs on a migrated catalog.
pub const STATEMENTS: &[&str] = &[LOCK, HAS_COLUMN, APPLIED, HAS_NODES, OLDER_NODES, CHECKSUM, RECORD];

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
    /// A Holm that could not go on afterwards runs on it.
    #[error("apply migration `{name}` while `{node}` runs Holm {version}, which cannot use the catalog afterwards")]
    OlderRuns {
        /// The file's name.
        name: &'static str,
        /// Who runs.
        node: String,
        /// Which Holm.
        version: String,
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
            MigrateError::OlderRuns { .. } => Self::new(ErrorCode::OlderHolmRuns, error.to_string())
                .next("stop every process of the older Holm, then start this one; `holm doctor` lists them"),
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

pub(crate) async fn run(address: &CatalogAddress) -> Result<Migrated, MigrateError> {
    run_files(address, MIGRATIONS).await
}

/// The newest version that this Holm knows.
pub fn known() -> i32 {
    MIGRATIONS.last().map_or(0, |newest| newest.version)
}

pub(crate) async fn run_files(address: &CatalogAddress, files: &'static [Migration]) -> Result<Migrated, MigrateError> {
    timeout(RUN_TIMEOUT, async {
        let encrypting = Encrypting(address.tls.clone());
        let (client, connection) = address.config.connect(encrypting).await.map_err(|source| StoreError::Unavailable(source.into()))?;
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
    if !client.query_one(HAS_COLUMN, &[]).await?.try_get::<_, bool>("has")? {
        client.batch_execute(LEDGER_COLUMN).await?;
    }
    let known = files.last().map_or(0, |newest| newest.version);
    let rows = client.query(APPLIED, &[]).await?;
    let mut history = Vec::with_capacity(rows.len());
    let mut version = known;
    for row in &rows {
        let applied = row.try_get::<_, i32>(0)?;
        version = version.max(applied);
        // What a newer Holm applied must say that this one may go on.
        if applied > known && row.try_get::<_, Option<i32>>(3)?.is_none_or(|oldest| oldest > known) {
            return Err(MigrateError::Newer { catalog: applied, known });
        }
        history.push((applied, row.try_get::<_, String>(1)?, row.try_get::<_, String>(2)?));
    }
    if version > known {
        tracing::info!(catalog = version, known, "a newer Holm has used this catalog, and says that this one may go on");
    }
    let mut applied = Vec::new();
    for file in files {
        let checksum: String = client.query_one(CHECKSUM, &[&file.sql]).await?.try_get(0)?;
        match history.iter().find(|(version, ..)| *version == file.version) {
            Some((_, name, kept)) if *kept != checksum => return Err(MigrateError::Edited { name: name.clone() }),
            Some(_) => {}
            None => {
                refuse_under_older(client, file).await?;
                apply(client, file, &checksum).await.map_err(|source| MigrateError::Failed { name: file.name, source: source.into() })?;
                tracing::info!(migration = file.name, "the catalog was migrated");
                applied.push(file.name);
            }
        }
    }
    Ok(Migrated { applied, version })
}

/// A process that could not go on afterwards would answer with errors from here on.
async fn refuse_under_older(client: &Client, file: &Migration) -> Result<(), MigrateError> {
    if !client.query_one(HAS_NODES, &[]).await?.try_get::<_, bool>("has")? {
        return Ok(());
    }
    let oldest = file.runs_with.unwrap_or(file.version);
    match client.query_opt(OLDER_NODES, &[&oldest]).await? {
        Some(row) => Err(MigrateError::OlderRuns { name: file.name, node: row.try_get(0)?, version: row.try_get(1)? }),
        None => Ok(()),
    }
}

async fn apply(client: &Client, file: &Migration, checksum: &str) -> Result<(), tokio_postgres::Error> {
    client.batch_execute("BEGIN").await?;
    let done = async {
        client.batch_execute(file.sql).await?;
        client.execute(RECORD, &[&file.version, &file.name, &checksum, &file.runs_with]).await?;
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
        let versions = MIGRATIONS.iter().map(|file| file.version);
        assert!(versions.eq(1..=i32::try_from(MIGRATIONS.len()).unwrap()), "without gaps, in their order");
        for file in MIGRATIONS {
            assert!(file.name.starts_with(&format!("{:04}_", file.version)), "{}", file.name);
        }
    }
}
