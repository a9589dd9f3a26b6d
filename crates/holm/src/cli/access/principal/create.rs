//! `holm access principal create`

use holm_api::view::access::{CreatePrincipal, PrincipalView};
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// What it is to be.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm access principal create anna\n  holm access principal create deploy --kind machine")]
pub(in crate::cli) struct Args {
    /// A handle, never an e-mail address: it stands in the audit log for ever
    name: String,
    /// person or machine
    #[arg(long, default_value = "person", value_name = "KIND")]
    kind: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let wanted = CreatePrincipal { name: args.name, kind: args.kind };
    let made: PrincipalView = context.client()?.post(&["principals"], &[], &wanted).await?;
    context.say(&format!("✓ {0} may nothing yet: `holm access role grant '{0}' <role> [--env <environment>]`", made.name));
    Ok(Answer::one(&made))
}
