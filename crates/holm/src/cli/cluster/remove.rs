//! `holm cluster remove`: of one that is drained nothing is lost; abandoning one gives its tenants up, and wants its name.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use holm_api::view::cluster::RemoveCluster;
use holm_api::view::operation::OperationView;
use holm_core::error::{ErrorCode, Problem};

use super::Named;
use crate::cli::confirm::Yes;
use crate::cli::context::Context;
use crate::cli::waiting::{self, Until, Waiting};
use crate::client::Client;
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
    let begun = if args.abandon {
        abandon(&client, &args).await?
    } else {
        args.yes.confirm(&format!("forget cluster {} of {}", args.cluster.name, args.cluster.environment.name))?;
        client.post(&args.cluster.path("remove"), &[], &RemoveCluster { abandon: false, confirm: None }).await?
    };
    context.say(&format!("✓ {} is being forgotten", begun.subject));
    Ok(waiting::after(context, &client, begun, &args.waiting, Until::Over).await?.shown)
}

/// The name, said by flag or typed by a person who has read who goes with it; what is read is the server's own word.
async fn abandon(client: &Client, args: &Args) -> Result<OperationView, Problem> {
    let (name, path) = (&args.cluster.name, args.cluster.path("remove"));
    let said = async |confirm: Option<String>| -> Result<OperationView, Problem> {
        client.post(&path, &[], &RemoveCluster { abandon: true, confirm }).await
    };
    let unsaid = match said(args.confirm.clone()).await {
        Err(problem) if problem.code == ErrorCode::ConfirmationNeeded => problem,
        other => return other,
    };
    let goes_with = unsaid.why.unwrap_or_default();
    let refused = |why: &str| {
        Problem::new(ErrorCode::ConfirmationNeeded, format!("cluster `{name}` is not abandoned without its name once more: {why}"))
            .because(&goes_with)
            .next(format!("say its name in the command: `--confirm {name}`"))
    };
    if args.confirm.is_some() {
        return Err(refused("another name was given"));
    }
    if !(std::io::stdin().is_terminal() && std::io::stderr().is_terminal()) {
        return Err(refused("there is no terminal to ask on"));
    }
    let (mut stderr, mut line) = (std::io::stderr(), String::new());
    let _ = write!(stderr, "cluster {name} is abandoned; {goes_with}. Type `{name}` to go on: ").and_then(|()| stderr.flush());
    let _ = std::io::stdin().lock().read_line(&mut line);
    if line.trim() == name { said(Some(name.to_owned())).await } else { Err(refused("another name was given")) }
}
