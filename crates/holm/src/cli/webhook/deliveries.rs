//! `holm webhook deliveries`

use holm_api::view::ListView;
use holm_api::view::webhook::WebhookDeliveryView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Of which, and which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm webhook deliveries ci\n  holm webhook deliveries ci --state dead")]
pub(in crate::cli) struct Args {
    /// The webhook
    name: String,
    /// pending, delivered or dead [default: all]
    #[arg(long, value_name = "STATE")]
    state: Option<String>,
}

impl Row for WebhookDeliveryView {
    const COLUMNS: &'static [&'static str] =
        &["MESSAGE", "ACTION", "STATE", "ATTEMPTS", "STATUS", "FIRST LINE", "NEXT", "ENDED", "SEQ", "CREATED"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.action),
            Cell::of(&self.state),
            Cell::of(self.attempts),
            self.last_status.map(|status| status.to_string()).into(),
            self.last_line.clone().into(),
            self.next_at.map_or(Cell::Empty, Cell::time),
            self.ended_at.map_or(Cell::Empty, Cell::time),
            Cell::of(self.seq),
            Cell::time(self.created_at),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let query: Vec<_> = args.state.as_deref().map(|state| ("state", state)).into_iter().collect();
    let found: ListView<WebhookDeliveryView> = context.client()?.get_where(&["webhooks", &args.name, "deliveries"], &query).await?;
    Ok(Answer::list(&found.items))
}
