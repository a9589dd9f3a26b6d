//! `holm access token create`: the only moment at which a token is known.

use holm_api::view::access::{CreateToken, IssuedTokenView};
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// What it is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm access token create laptop --for anna
  holm access token create deploy --for ci --env staging --role operator --hours 720
  holm access token create deploy --for ci -o json")]
pub(in crate::cli) struct Args {
    /// What to call it: name it after what uses it
    name: String,
    /// The principal whose it is
    #[arg(long = "for", value_name = "PRINCIPAL")]
    principal: String,
    /// The only environment that it is good for [default: everywhere]
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// At most what this role may [default: all that its principal may]
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// How long it is good [default: until it is revoked]
    #[arg(long, value_name = "HOURS")]
    hours: Option<u32>,
}

impl Row for IssuedTokenView {
    const COLUMNS: &'static [&'static str] = &["TOKEN", "PRINCIPAL", "GOOD", "AT MOST", "UNTIL", "SECRET", "ID"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        let mut cells = self.token.cells();
        cells.truncate(5);
        cells.extend([Cell::of(&self.secret), Cell::of(self.token.id)]);
        cells
    }

    fn name(&self) -> String {
        self.token.id.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { name, principal, environment, role, hours } = args;
    let wanted = CreateToken { name, principal, environment, role, hours };
    let issued: IssuedTokenView = context.client()?.post(&["tokens"], &[], &wanted).await?;
    context.say("✓ a token; its secret is not stored and cannot be shown again: keep it in a file for `HOLM_TOKEN_FILE`");
    Ok(Answer::one(&issued))
}
