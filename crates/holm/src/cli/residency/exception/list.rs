//! `holm residency exception list`

use holm_api::view::ListView;
use holm_api::view::residency::record::ExceptionView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Of whom.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency exception list
  holm residency exception list --env production
  holm residency exception list --env production --tenant goteborg -o json")]
pub(in crate::cli) struct Args {
    /// Only those of this environment
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Only those of this tenant
    #[arg(long, value_name = "TENANT", requires = "environment")]
    tenant: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let granted: Vec<ExceptionView> = match (&args.environment, &args.tenant) {
        (Some(environment), Some(tenant)) => client.items(&["environments", environment, "tenants", tenant, "exceptions"]).await?,
        (environment, _) => {
            let query: Vec<(&str, &str)> = environment.iter().map(|name| ("environment", name.as_str())).collect();
            client.get_where::<ListView<ExceptionView>>(&["residency", "exceptions"], &query).await?.items
        }
    };
    Ok(Answer::list(&granted))
}

impl Row for ExceptionView {
    const COLUMNS: &'static [&'static str] =
        &["EXCEPTION", "ENVIRONMENT", "TENANT", "COPY", "RULE", "UNTIL", "ENDED", "OWNER", "REASON", "MEASURE", "GRANTED"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.environment),
            Cell::of(&self.tenant),
            Cell::of(&self.copy),
            Cell::of(&self.rule),
            Cell::time(self.until),
            Cell::of(if self.ended { "yes" } else { "no" }),
            Cell::of(&self.owner),
            Cell::of(&self.reason),
            Cell::of(&self.measure),
            Cell::time(self.granted_at),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
