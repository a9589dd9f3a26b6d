//! `holm env require-approval`: four eyes for what cannot be taken back.

use holm_api::view::EnvironmentView;
use holm_api::view::access::RequireApproval;
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// For what, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm env require-approval tenant.delete --env production
  holm env require-approval cluster.remove --env production
  holm env require-approval tenant.delete --env production --off

From then on the command is refused (HOLM-1301) with the line that asks for an approval; when somebody else has agreed,
the same command works once. Switching it off wants an approval too. `holm env list` shows what is demanded.")]
pub(in crate::cli) struct Args {
    /// `tenant.delete` or `cluster.remove`
    operation: String,
    #[command(flatten)]
    environment: Environment,
    /// Demands none any more
    #[arg(long)]
    off: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { operation, environment, off } = args;
    let wanted = RequireApproval { operation, required: !off };
    let set: EnvironmentView = context.client()?.post(&["environments", &environment.name, "require-approval"], &[], &wanted).await?;
    let RequireApproval { operation, .. } = wanted;
    context.say(&match off {
        false => format!("✓ {operation} in {} needs somebody else's agreement from now on", set.name),
        true => format!("✓ {operation} in {} needs nobody's agreement any more", set.name),
    });
    Ok(Answer::one(&set))
}
