//! `holm op list`

use holm_api::view::ListView;
use holm_api::view::operation::OperationView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// Which of them.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm op list
  holm op list --state unfinished
  holm op list --env production --tenant uppsala
  holm op list --state undone,abandoned --limit 10 -o json")]
pub(in crate::cli) struct Args {
    /// Only those of one environment
    #[arg(long, env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    env: Option<String>,
    /// Only those in one of these states; `unfinished` stands for all that are not over
    #[arg(long, value_name = "STATE,…")]
    state: Option<String>,
    /// Only those about one tenant
    #[arg(long, value_name = "SLUG", requires = "env")]
    tenant: Option<String>,
    /// How many at the most
    #[arg(long, value_name = "COUNT", default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..=1000))]
    limit: u64,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let limit = args.limit.to_string();
    let mut query = vec![("limit", limit.as_str())];
    query.extend(args.env.as_deref().map(|environment| ("environment", environment)));
    query.extend(args.state.as_deref().map(|state| ("state", state)));
    query.extend(args.tenant.as_deref().map(|tenant| ("tenant", tenant)));
    let listed: ListView<OperationView> = context.client()?.get_where(&["operations"], &query).await?;
    if listed.next.is_some() {
        context.say(&format!("the newest {}; for more: --limit", listed.items.len()));
    }
    Ok(Answer::list(&listed.items))
}
