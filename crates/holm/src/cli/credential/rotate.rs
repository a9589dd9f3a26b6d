//! `holm credential rotate`: a new secret, while the old one stays good for a while.

use holm_api::view::{RotateCredential, RotatedCredentialView};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// Which, and for how long both secrets are good.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm credential rotate booking --env production
  holm credential rotate booking --env production --overlap 2h -o json

Give the new secret to the app while both are good. End the old one early with `holm op proceed`, or keep it and throw the
new one away with `holm op cancel`.")]
pub(in crate::cli) struct Args {
    /// The user name
    name: String,
    #[command(flatten)]
    environment: Environment,
    /// How long the old secret stays good: 24h, 7d, or 0 for not at all
    #[arg(long, value_name = "TIME", default_value = "24h")]
    overlap: String,
}

impl Row for RotatedCredentialView {
    const COLUMNS: &'static [&'static str] = &["CREDENTIAL", "ENVIRONMENT", "SECRET", "OPERATION"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.name), Cell::of(&self.environment), Cell::of(&self.secret), Cell::of(self.operation)]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let wanted = RotateCredential { overlap: Some(args.overlap.clone()) };
    let path = ["environments", &args.environment.name, "credentials", &args.name, "rotate"];
    let rotated: RotatedCredentialView = client.post(&path, &[], &wanted).await?;
    context.say(&format!("✓ {} has a new secret; the old one is good for {} more", rotated.name, args.overlap));
    context.say(&format!("  end it now: holm op proceed {} · keep it: holm op cancel {}", rotated.operation, rotated.operation));
    let operation = rotated.operation;
    Ok(Answer::one(&rotated).operation(operation))
}
