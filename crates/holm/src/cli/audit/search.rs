//! `holm audit search`

use holm_api::view::ListView;
use holm_api::view::audit::AuditEntryView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::Answer;

/// What is looked for; all of it must fit.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm audit search
  holm audit search --actor anna --since 2026-11-01T00:00:00Z
  holm audit search --action break_glass.open --env production -o json")]
pub(in crate::cli) struct Args {
    /// By whom: a principal's name, or a part of Holm
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// What, such as tenant.suspend
    #[arg(long, value_name = "ACTION")]
    action: Option<String>,
    /// Where [default: everywhere, for whoever may read all of it]
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// To what: an id
    #[arg(long, value_name = "ID")]
    subject: Option<String>,
    /// Not before
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// How many at the most: 1 to 1000
    #[arg(long, default_value_t = 50, value_name = "COUNT")]
    limit: u32,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let limit = args.limit.to_string();
    let filters = [
        ("actor", &args.actor),
        ("action", &args.action),
        ("environment", &args.environment),
        ("subject", &args.subject),
        ("since", &args.since),
        ("until", &args.until),
    ];
    let mut query = vec![("limit", limit.as_str())];
    query.extend(filters.iter().filter_map(|(name, value)| value.as_deref().map(|value| (*name, value))));
    let found: ListView<AuditEntryView> = context.client()?.get_where(&["audit"], &query).await?;
    if found.next.is_some() {
        context.say("older entries are left out: narrow it with --since and --until, or raise --limit");
    }
    Ok(Answer::list(&found.items))
}
