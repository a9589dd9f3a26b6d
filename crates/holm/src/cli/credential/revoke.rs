//! `holm credential revoke`: cannot be undone, since nobody else has the secret.

use holm_api::view::RevokedCredentialView;
use holm_core::error::Problem;
use reqwest::Method;

use crate::cli::confirm::Yes;
use crate::cli::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// Which.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holm credential revoke reports --env production\n  holm credential revoke reports --env production --yes"
)]
pub(in crate::cli) struct Args {
    /// The user name
    name: String,
    #[command(flatten)]
    environment: Environment,
    #[command(flatten)]
    yes: Yes,
}

impl Row for RevokedCredentialView {
    const COLUMNS: &'static [&'static str] = &["CREDENTIAL", "ENVIRONMENT"];
    const BRIEF: usize = 2;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.name), Cell::of(&self.environment)]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let environment = &args.environment.name;
    args.yes.confirm(&format!("revoke credential {} of {environment} for good", args.name.escape_debug()))?;
    let client = context.client()?;
    let revoked: RevokedCredentialView = client.act(Method::DELETE, &["environments", environment, "credentials", &args.name]).await?;
    context.say(&format!("✓ credential {} of {environment} is revoked", revoked.name));
    Ok(Answer::one(&revoked))
}
