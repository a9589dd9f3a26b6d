//! `holm init`: makes an empty database a catalog, with the first principal and its token.
//!
//! Promises: the token is shown once or written to a file of its owner's alone, and never silently. Refuses a catalog that
//! has a principal: whoever wants another one asks somebody who is signed in.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use holm_core::actor::{Actor, PrincipalKind, PrincipalName, SystemActor};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_engine::access::{bootstrap, principal};
use holm_engine::control::{Control, ControlConfig};
use holm_link::Publisher;
use holm_store::page::Page;

use super::open::{CatalogArgs, is_catalog};
use crate::dev::random_secret;

/// One command, one connection at a time.
const CONNECTIONS: usize = 2;

/// What to make.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm init --write-token /root/holm.token
  HOLM_CATALOG_URL_FILE=/etc/holm/catalog.url holm init --principal anna

The master key is made if there is none: keep a copy of it apart from the catalog's backups.")]
pub(crate) struct Args {
    #[command(flatten)]
    catalog: CatalogArgs,
    /// What the first principal is called; it may do everything everywhere
    #[arg(long, value_name = "NAME", default_value = "admin")]
    principal: String,
    /// Writes the token to a new file that only its owner may read, instead of showing it
    #[arg(long, value_name = "FILE")]
    write_token: Option<PathBuf>,
}

/// What was made.
#[derive(Debug, serde::Serialize)]
pub(crate) struct Initialised {
    /// Who may do everything now.
    pub(crate) principal: String,
    /// The token, unless it is in the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token_file: Option<PathBuf>,
}

/// Makes the catalog ready.
///
/// # Errors
/// It is ready already (6009), has other tables, or does not answer; the token's file is there.
///
/// # Cancel safety
/// Must not be dropped: a principal without a token could be left.
pub(crate) async fn run(args: Args) -> Result<Initialised, Problem> {
    let name: PrincipalName = args
        .principal
        .parse()
        .map_err(|error| Problem::new(ErrorCode::InvalidValue, format!("`{}` is no name", args.principal)).because(error))?;
    let (catalog, keys) = (args.catalog.open(CONNECTIONS)?, args.catalog.master_keys()?);
    is_catalog(&catalog).await?;
    catalog.migrate().await?;
    let control = Control::open(ControlConfig::new(catalog, keys, Publisher::default())).await?;
    if !nobody(&control).await? {
        return Err(Problem::new(ErrorCode::CatalogNotEmpty, "the catalog is in use: it has principals")
            .next("start a process on it: `holm serve`")
            .next("for another principal, ask one who is signed in: `holm access principal create`"));
    }
    let secret = random_secret();
    // The file first: a token that only the catalog has could never be used.
    if let Some(path) = &args.write_token {
        write_new(path, &secret)?;
    }
    let made =
        bootstrap::begin(&control, &Actor::system(SystemActor::Init), &name, PrincipalKind::Person, Secret::new(secret.clone())).await;
    if let Err(problem) = made {
        if let Some(path) = &args.write_token {
            let _ = std::fs::remove_file(path);
        }
        return Err(problem.changed(Changed::Unknown));
    }
    let token = args.write_token.is_none().then_some(secret);
    Ok(Initialised { principal: name.to_string(), token, token_file: args.write_token })
}

/// Whether nobody can sign in, since there is nobody.
///
/// # Errors
/// The catalog does not answer.
pub(crate) async fn nobody(control: &Control) -> Result<bool, Problem> {
    Ok(principal::list(control, &Page { after: None, limit: 1 }).await?.is_empty())
}

fn write_new(path: &Path, secret: &str) -> Result<(), Problem> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(secret.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|error| {
        Problem::new(ErrorCode::InvalidConfig, format!("the token cannot be written to `{}`", path.display()))
            .because(error)
            .next("name a file that is not there yet")
    })
}
