//! `holm credential create`: the only moment at which a secret is known.

use holm_api::view::{CreateCredential, IssuedCredentialView};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// What it is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm credential create booking --env production
  holm credential create goteborg-app --env production --tenant goteborg --level rw
  holm credential create reports --env production --level ro -o json")]
pub(in crate::cli) struct Args {
    /// The user name, unique over all environments
    name: String,
    #[command(flatten)]
    environment: Environment,
    /// What its sessions may do: owner, rw or ro
    #[arg(long, default_value = "rw", value_name = "LEVEL")]
    level: String,
    /// The only tenant that it may use [default: any of the environment]
    #[arg(long, value_name = "SLUG")]
    tenant: Option<String>,
}

impl Row for IssuedCredentialView {
    const COLUMNS: &'static [&'static str] = &["CREDENTIAL", "ENVIRONMENT", "SCOPE", "LEVEL", "SECRET"];
    const BRIEF: usize = 5;

    fn cells(&self) -> Vec<Cell> {
        let mut cells = self.credential.cells();
        cells.truncate(4);
        cells.push(Cell::of(&self.secret));
        cells
    }

    fn name(&self) -> String {
        self.credential.name.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let environment = &args.environment.name;
    let wanted = CreateCredential { name: args.name, level: args.level, tenant: args.tenant };
    let issued: IssuedCredentialView = client.post(&["environments", environment, "credentials"], &[], &wanted).await?;
    let credential = &issued.credential;
    context.say(&format!("✓ credential {} in {environment}; its secret is not stored and cannot be shown again", credential.name));
    Ok(Answer::one(&issued))
}
