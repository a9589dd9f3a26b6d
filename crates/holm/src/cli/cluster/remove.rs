//! `holm cluster remove`: of one that is drained nothing is lost; abandoning one gives its tenants up, and wants its name.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use holm_api::view::cluster::{ClusterDetailView, RemoveCluster};
use holm_api::view::operation::OperationView;
use holm_core::error::{ErrorCode, Problem};

use super::Named;
use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::output::Answer;

/// Which, and how.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm cluster remove production-1 --env production
  holm cluster remove production-1 --env production --abandon --confirm production-1")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    cluster: Named,
    /// Forgets a server that is gone for good, with the tenants on it
    #[arg(long)]
    abandon: bool,
    /// The cluster's name once more, for `--abandon`
    #[arg(long, value_name = "CLUSTER", requires = "abandon")]
    confirm: Option<String>,
    #[command(flatten)]
    yes: Yes,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let name = &args.cluster.name;
    let confirm = if args.abandon {
        let shown: ClusterDetailView = client.get(&["clusters", name]).await?;
        Some(confirmed(&shown, args.confirm)?)
    } else {
        args.yes.confirm(&format!("forget cluster {name} of {}", args.cluster.environment.name))?;
        None
    };
    let wanted = RemoveCluster { abandon: args.abandon, confirm };
    let begun: OperationView = client.post(&args.cluster.path("remove"), &[], &wanted).await?;
    context.say(&format!("✓ {name} is being forgotten"));
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}

/// The name, typed by flag or by a person who has read what goes with it.
fn confirmed(shown: &ClusterDetailView, given: Option<String>) -> Result<String, Problem> {
    let name = shown.cluster.name.as_str();
    let what = format!("cluster {name} and the {} tenants on it are given up; nothing brings them back", shown.tenants);
    let refused = |why: &str| {
        Problem::new(ErrorCode::ConfirmationNeeded, format!("not done without a confirmation: {what}"))
            .because(why)
            .next(format!("say its name in the command: `--confirm {name}`"))
    };
    let typed = match given {
        Some(given) => given,
        None if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) => {
            return Err(refused("there is no terminal to ask on"));
        }
        None => {
            let (mut stderr, mut line) = (std::io::stderr(), String::new());
            let _ = write!(stderr, "{what}. Type `{name}` to go on: ").and_then(|()| stderr.flush());
            let _ = std::io::stdin().lock().read_line(&mut line);
            line.trim().to_owned()
        }
    };
    if typed == name { Ok(typed) } else { Err(refused("another name was given")) }
}
