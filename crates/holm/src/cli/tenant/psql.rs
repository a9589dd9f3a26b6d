//! `holm tenant psql`: this process becomes psql, in a session of the tenant.
//!
//! Promises: the secret is in psql's environment only, which the user alone can read, and never among its arguments.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use holm_api::view::TenantView;
use holm_core::credential::Level;
use holm_core::error::{ErrorCode, Problem};
use holm_postgres::finder::Finder;

use super::Named;
use super::connection::Connection;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which, and what psql is told.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm tenant psql goteborg --env production
  holm tenant psql goteborg --env production --level ro -- -c 'SELECT count(*) FROM concerts'

What psql prints and how it ends is psql's; -o is for failures before it. The secret is read from the files of `holm dev` on
this machine, not from the server: the read is not in the audit log.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    /// What the session may do: owner, rw or ro
    #[arg(long, default_value = "rw", value_name = "LEVEL")]
    level: Level,
    /// What psql is told besides
    #[arg(last = true, value_name = "PSQL ARGUMENTS")]
    arguments: Vec<OsString>,
}

/// What libpq would read instead of what we say, or besides it.
const CONFUSING: [&str; 6] = ["PGCLUSTER", "PGHOSTADDR", "PGPASSFILE", "PGREQUIREAUTH", "PGSERVICE", "PGTARGETSESSIONATTRS"];

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let tenant: TenantView = client.get(&args.tenant.path(&[])).await?;
    let connection = Connection::find(client.server(), tenant.environment.as_str(), args.level)?;
    let psql = find().await?;
    context.say(&format!("{} in {} as {}", tenant.slug, tenant.environment, args.level));
    let mut command = Command::new(&psql.path);
    command.args(&args.arguments);
    for name in CONFUSING {
        command.env_remove(name);
    }
    // Nothing that psql runs needs them.
    for name in ["HOLM_MASTER_KEY", "HOLM_MASTER_KEY_PREVIOUS", "HOLM_TOKEN", "VAULT_TOKEN"] {
        command.env_remove(name);
    }
    for (name, value) in connection.variables(tenant.slug.as_str()) {
        command.env(name, value.expose());
    }
    if let Some(libraries) = &psql.libraries {
        command.env("LD_LIBRARY_PATH", libraries);
    }
    // Returns only when it did not become psql.
    let error = command.exec();
    Err(Problem::new(ErrorCode::PostgresNotFound, format!("`{}` cannot be run", psql.path.display())).because(error))
}

/// A program, and the libraries that it needs and the system lacks.
struct Psql {
    path: PathBuf,
    libraries: Option<OsString>,
}

/// psql of the PATH, else of the PostgreSQL that `holm dev` would use. Nothing is fetched.
async fn find() -> Result<Psql, Problem> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|directory| directory.join("psql")).find(|candidate| candidate.is_file());
    if let Some(path) = in_path {
        return Ok(Psql { path, libraries: None });
    }
    let finder = Finder { network: false, ..Finder::from_env() };
    let found = tokio::task::spawn_blocking(move || finder.find()).await.expect("the search does not panic");
    let installation = found.map_err(|problem| not_found(&problem.to_string()))?;
    let path = installation.bin.join("psql");
    if !path.is_file() {
        return Err(not_found(&format!("`{}` has servers only", installation.bin.display())));
    }
    Ok(Psql { path, libraries: installation.library_path })
}

fn not_found(why: &str) -> Problem {
    Problem::new(ErrorCode::PostgresNotFound, "no `psql` was found")
        .because(format_args!("it is not on the `PATH`, and elsewhere: {why}"))
        .next("install it, on Debian with `apt-get install postgresql-client`")
}
