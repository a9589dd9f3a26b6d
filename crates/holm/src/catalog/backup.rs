//! `holm catalog backup`: the catalog at one moment, while it is used.

use std::path::PathBuf;

use holm_core::actor::{Actor, SystemActor};
use holm_core::error::{ErrorCode, Problem};
use holm_engine::backup;
use holm_store::backup::snapshot;

use super::file::{self, Manifest};
use super::open::{CatalogArgs, is_catalog};
use super::programs::Programs;

/// The snapshot's, and the audit log's.
const CONNECTIONS: usize = 2;

/// Where to.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm catalog backup /backups/holm-2026-11-21.catalog

The file has everything but the master key, without which it is of no use: keep a copy of that elsewhere.")]
pub(crate) struct Args {
    /// The file to write; it must not be there yet
    file: PathBuf,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// The directory of PostgreSQL's programs, instead of looking for one
    #[arg(long, value_name = "DIR", env = "HOLM_PG_BIN")]
    pg_bin: Option<PathBuf>,
}

/// What a backup has in it.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Backup {
    pub(crate) file: PathBuf,
    pub(crate) taken_at: jiff::Timestamp,
    pub(crate) tenants: u64,
    pub(crate) schema_version: i32,
    pub(crate) bytes: u64,
    /// By name; without them the backup is of no use.
    pub(crate) master_keys: Vec<String>,
}

impl Backup {
    pub(super) fn of(file: PathBuf, manifest: &Manifest) -> Self {
        Self {
            file,
            taken_at: manifest.taken_at,
            tenants: manifest.tenants,
            schema_version: manifest.schema_version,
            bytes: manifest.dump_bytes,
            master_keys: manifest.master_keys.iter().map(|key| key.id.clone()).collect(),
        }
    }
}

/// Takes one.
///
/// # Errors
/// The file is there or cannot be written, the catalog does not answer or is none, `pg_dump` fails.
///
/// # Cancel safety
/// Safe: the file is there whole or not at all.
pub(crate) async fn run(args: Args) -> Result<Backup, Problem> {
    if args.file.symlink_metadata().is_ok() {
        return Err(file::exists(&args.file));
    }
    let catalog = args.catalog.open(CONNECTIONS)?;
    if !is_catalog(&catalog).await? {
        return Err(Problem::new(ErrorCode::CatalogNotReady, "there is no catalog to back up: the database is empty"));
    }
    let programs = Programs::find(args.pg_bin, &args.catalog.address()?).await?;
    let held = tempfile_beside(&args.file)?;
    let dump = held.path().join("dump");
    file::private(&dump).map_err(|error| file::unusable(&dump, &error))?;
    let snapshot = snapshot(&catalog).await?;
    programs
        .run(
            "pg_dump",
            &[
                "--format=custom".to_owned(),
                "--no-owner".to_owned(),
                "--no-privileges".to_owned(),
                "--exclude-table-data=node".to_owned(),
                format!("--snapshot={}", snapshot.id),
                format!("--file={}", dump.display()),
            ],
        )
        .await?;
    let manifest = Manifest::of(&snapshot.facts, &dump)?;
    drop(snapshot);
    file::write(&args.file, &manifest, &dump)?;
    backup::taken(&catalog, &Actor::system(SystemActor::Init)).await?;
    Ok(Backup::of(args.file, &manifest))
}

/// A private directory on the file system of the backup, gone with what is in it.
pub(super) fn tempfile_beside(path: &std::path::Path) -> Result<super::scratch::Scratch, Problem> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or_else(|| std::path::Path::new("."));
    super::scratch::Scratch::within(parent).map_err(|error| file::unusable(parent, &error))
}
