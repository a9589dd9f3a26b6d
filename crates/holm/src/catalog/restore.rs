//! `holm catalog restore`: a backup into an empty database, whole or not at all.
//!
//! Promises: everything that can be refused is refused before anything is written. What the clusters did since the backup is
//! left alone: databases that the backup does not know show up in `holm doctor`, and operations wait for a person.

use std::fmt::Write as _;
use std::path::PathBuf;

use holm_core::actor::{Actor, SystemActor};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_engine::backup;
use holm_engine::control::{Control, ControlConfig};
use holm_link::Publisher;
use holm_store::backup::AFTER_RESTORE;
use holm_store::migrate;
use holm_store::standing::{self, Standing};

use super::backup::{Backup, tempfile_beside};
use super::file;
use super::open::CatalogArgs;
use super::programs::Programs;

/// One command, one connection at a time.
const CONNECTIONS: usize = 2;

/// Where from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm catalog restore /backups/holm-2026-11-21.catalog

Give the catalog's database anew first: stop every process of Holm, then drop and create it. See docs/how-to/catalog-backup.md
for what to look at afterwards: tokens and credentials that were revoked since the backup are good again.")]
pub(crate) struct Args {
    /// The file that `holm catalog backup` wrote
    file: PathBuf,
    #[command(flatten)]
    catalog: CatalogArgs,
    /// The directory of PostgreSQL's programs, instead of looking for one
    #[arg(long, value_name = "DIR", env = "HOLM_PG_BIN")]
    pg_bin: Option<PathBuf>,
}

/// What was restored.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Restored {
    #[serde(flatten)]
    pub(crate) backup: Backup,
    /// Operations that were under way; they rest until somebody resumes them.
    pub(crate) operations: Vec<String>,
}

/// Restores one.
///
/// # Errors
/// [`ErrorCode::BackupDamaged`], [`ErrorCode::CatalogNewer`], [`ErrorCode::WrongMasterKey`], [`ErrorCode::CatalogNotEmpty`]:
/// nothing was written. A program that fails: nothing was kept.
///
/// # Cancel safety
/// Must not be dropped: it would be unknown whether it was restored.
pub(crate) async fn run(args: Args) -> Result<Restored, Problem> {
    let scratch = tempfile_beside(&args.file)?;
    let (dump, script, after) = (scratch.path().join("dump"), scratch.path().join("script.sql"), scratch.path().join("after.sql"));
    let manifest = file::read(&args.file, &dump)?;
    if manifest.schema_version > migrate::known() {
        return Err(Problem::new(ErrorCode::CatalogNewer, "the backup was made by a newer Holm")
            .because(format!("it has version {}, and this Holm knows versions up to {}", manifest.schema_version, migrate::known()))
            .next(format!("restore it with Holm {} or newer; nothing was written", manifest.holm_version)));
    }
    let facts = manifest.facts().map_err(|why| Problem::new(ErrorCode::BackupDamaged, "the backup's facts cannot be used").because(why))?;
    let keys = args.catalog.master_keys()?;
    backup::prove(&keys, &facts).await?;
    let catalog = args.catalog.open(CONNECTIONS)?;
    if standing::look(&catalog).await? != Standing::Empty {
        return Err(Problem::new(ErrorCode::CatalogNotEmpty, "the catalog's database is not empty, and nothing is written over it")
            .next("stop every process of Holm, keep a backup of it, then drop and create the database"));
    }
    let programs = Programs::find(args.pg_bin, &args.catalog.address()?).await?;
    for path in [&script, &after] {
        file::private(path).map_err(|error| file::unusable(path, &error))?;
    }
    // To a script first: what cannot be read to its end is not begun.
    let to_script =
        ["--no-owner".to_owned(), "--no-privileges".to_owned(), format!("--file={}", script.display()), dump.display().to_string()];
    programs.run("pg_restore", &to_script).await?;
    std::fs::write(&after, after_restore()).map_err(|error| file::unusable(&after, &error))?;
    let run = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "--single-transaction", "-f"].map(str::to_owned);
    let files = [script.display().to_string(), "-f".to_owned(), after.display().to_string()];
    programs.run("psql", &[run.as_slice(), &files].concat()).await?;

    let rest =
        |problem: Problem| problem.changed(Changed::Something).next("the catalog is restored; start `holm serve` and see `holm doctor`");
    catalog.migrate().await.map_err(|error| rest(error.into()))?;
    let control = Control::open(ControlConfig::new(catalog, keys, Publisher::default())).await.map_err(rest)?;
    let resting = backup::restored(&control, &Actor::system(SystemActor::Init)).await.map_err(rest)?;
    let operations = resting.iter().map(ToString::to_string).collect();
    Ok(Restored { backup: Backup::of(args.file, &manifest), operations })
}

/// In the transaction that restores.
fn after_restore() -> String {
    // A dump leaves the search path empty.
    let mut sql = "SET search_path = public;\n".to_owned();
    for statement in AFTER_RESTORE {
        writeln!(sql, "{statement};").expect("writing to a string does not fail");
    }
    sql
}
