//! `holm import pgbouncer`: a plan from PgBouncer's files, and, if it is wanted, its databases adopted.
//!
//! Promises: without `--apply` nothing is sent and no server needs to be there; nothing is changed in a database either way.
//! No secret of the files is printed.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use holm_core::cluster::tls::SslMode;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;

use super::view::PlanView;
use super::{apply, text};
use crate::cli::context::{Context, Environment};
use crate::output::Answer;
use crate::pgbouncer::config::Config;
use crate::pgbouncer::files;
use crate::pgbouncer::owners::Owners;
use crate::pgbouncer::plan::{Beside, plan};

/// Which file, what it does not say, and whether to go on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm import pgbouncer /etc/pgbouncer/pgbouncer.ini --env production
  holm import pgbouncer pgbouncer.ini --env production --rename Malmo_Prod=malmo --owners owners.pass
  holm import pgbouncer pgbouncer.ini --env production --owners owners.pass --only malmo --apply
  holm import pgbouncer pgbouncer.ini --env production -o json

Without --apply it prints what would become of each database and of each setting, and touches nothing.
With it, every database that is ready is adopted as `holm tenant adopt` does, and gets its limits; run again, it
goes on with what is left. Exit code 3 when some are not there at the end.")]
pub(in crate::cli) struct Args {
    /// PgBouncer's configuration, usually /etc/pgbouncer/pgbouncer.ini
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    environment: Environment,
    /// The tenant's name for a database whose own cannot be one; once for each
    #[arg(long, value_name = "NAME=SLUG", value_parser = rename)]
    rename: Vec<(String, TenantSlug)>,
    /// This database alone; once for each
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// A file with lines `host:port:database:role:password`, as PostgreSQL's password file: who owns each database
    #[arg(long, value_name = "FILE")]
    owners: Option<PathBuf>,
    /// `verify-full`, `verify-ca` or `disable`, instead of `server_tls_sslmode`
    #[arg(long, value_name = "MODE")]
    sslmode: Option<SslMode>,
    /// The certificates, in PEM, that the servers' must lead to, instead of `server_tls_ca_file`
    #[arg(long, value_name = "FILE")]
    ssl_root_cert: Option<PathBuf>,
    /// Adopts the databases that are ready
    #[arg(long)]
    apply: bool,
    /// How long to wait for each, in seconds; it goes on afterwards
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

fn rename(text: &str) -> Result<(String, TenantSlug), String> {
    // A name may have a `=` in it, a slug has none.
    let (name, slug) = text.rsplit_once('=').ok_or("write it as NAME=SLUG")?;
    let slug = slug.parse().map_err(|invalid: holm_core::slug::InvalidSlug| invalid.refusal.to_string())?;
    Ok((name.to_owned(), slug))
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let (environment, patience) = (args.environment.name.clone(), Duration::from_secs(args.timeout));
    let (config, beside, only) = read(context, &args)?;
    let planned = plan(config, &beside, |name| only.is_empty() || only.contains(name));
    let mut view = PlanView::new(&args.file, &environment, &planned);
    if !args.apply {
        return Ok(Answer::document(text::plan(&view), &view, &view.databases));
    }
    let exit = apply::apply(context, &planned, &mut view.databases, &environment, patience).await?;
    Ok(Answer::document(text::applied(&view), &view, &view.databases).exit(exit))
}

/// All files, and whether what is said beside them is about what is in them.
fn read(context: &Context, args: &Args) -> Result<(Config, Beside, BTreeSet<String>), Problem> {
    let config = files::config(&args.file)?;
    let is_there = |name: &str| config.databases.iter().any(|database| database.name == name);
    for name in args.rename.iter().map(|(name, _)| name).chain(&args.only) {
        if !is_there(name) {
            return Err(Problem::new(ErrorCode::InvalidValue, format!("`{}` has no database `{name}`", args.file.display()))
                .next("give its name as it stands in `[databases]`"));
        }
    }
    let users = match &config.defaults.auth_file {
        // It is needed only for passwords that are not said elsewhere, which the plan then asks for.
        Some(path) => files::users(Path::new(path)).unwrap_or_else(|problem| {
            let why = problem.why.unwrap_or_default();
            context.say(&format!("warning: `auth_file` is not used: {}: {why}", problem.what));
            HashMap::new()
        }),
        None => HashMap::new(),
    };
    let owners = args.owners.as_deref().map(files::owners).transpose()?.unwrap_or_else(Owners::default);
    let renamed: HashMap<String, TenantSlug> = args.rename.iter().cloned().collect();
    let beside = Beside { renamed, owners, users, sslmode: args.sslmode, root_cert: args.ssl_root_cert.clone() };
    Ok((config, beside, args.only.iter().cloned().collect()))
}
