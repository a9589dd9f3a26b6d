//! `holm env parity waivers`

use holm_api::view::ListView;
use holm_api::view::parity::WaiverView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Of what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm env parity waivers\n  holm env parity waivers --env staging -o json")]
pub(in crate::cli) struct Args {
    /// Only those of this environment, with whichever other
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let query: Vec<(&str, &str)> = args.environment.iter().map(|name| ("environment", name.as_str())).collect();
    let waivers = context.client()?.get_where::<ListView<WaiverView>>(&["parity", "waivers"], &query).await?.items;
    Ok(Answer::list(&waivers))
}

fn values(values: &[Option<String>]) -> String {
    values.iter().map(|value| value.as_deref().unwrap_or("?")).collect::<Vec<_>>().join("; ")
}

impl Row for WaiverView {
    const COLUMNS: &'static [&'static str] =
        &["WAIVER", "DIFFERENCE", "ENVIRONMENT", "WITH", "UNTIL", "ENDED", "OWNER", "REASON", "HERE", "THERE", "GRANTED"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.difference),
            Cell::of(&self.environment),
            Cell::of(&self.with),
            Cell::time(self.until),
            Cell::of(if self.ended { "yes" } else { "no" }),
            Cell::of(&self.owner),
            Cell::of(&self.reason),
            Cell::of(values(&self.here)),
            Cell::of(values(&self.there)),
            Cell::time(self.granted_at),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
