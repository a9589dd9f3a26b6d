//! `holm webhook`: receivers that are told what the audit log says, signed.

mod create;
mod delete;
mod deliveries;
mod list;
mod listen;
mod replay;
mod rotate;
mod test;

use holm_api::view::webhook::{MadeWebhookView, WebhookView};
use holm_core::error::Problem;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes one and prints its secret, this once
    Create(create::Args),
    /// Lists them, and how they do
    List(list::Args),
    /// Removes one; what was not told yet is not told any more
    Delete(delete::Args),
    /// Replaces the secret of one; the one before signs as well for a day
    Rotate(rotate::Args),
    /// Sends a message that means nothing, once, now
    Test(test::Args),
    /// Lists the newest hundred messages of one, and how they went
    Deliveries(deliveries::Args),
    /// Tells a message again, under the same id
    Replay(replay::Args),
    /// Is a receiver on this machine: prints what it gets and checks the signatures
    Listen(listen::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Delete(args) => delete::run(context, args).await,
        Command::Rotate(args) => rotate::run(context, args).await,
        Command::Test(args) => test::run(context, args).await,
        Command::Deliveries(args) => deliveries::run(context, args).await,
        Command::Replay(args) => replay::run(context, args).await,
        Command::Listen(args) => listen::run(context, args).await,
    }
}

impl Row for WebhookView {
    const COLUMNS: &'static [&'static str] =
        &["WEBHOOK", "URL", "HEARS OF", "ENVIRONMENT", "FAILURES", "PAUSED UNTIL", "DEAD SINCE", "ID", "CREATED"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(&self.url),
            Cell::Text(self.actions.join(" ")),
            self.environment.as_ref().map(ToString::to_string).into(),
            Cell::of(self.failures),
            self.paused_until.map_or(Cell::Empty, Cell::time),
            self.died_at.map_or(Cell::Empty, Cell::time),
            Cell::of(self.id),
            Cell::time(self.created_at),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

impl Row for MadeWebhookView {
    const COLUMNS: &'static [&'static str] = &["WEBHOOK", "URL", "HEARS OF", "SECRET", "ID"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        let mut cells = self.webhook.cells();
        cells.truncate(3);
        cells.extend([Cell::of(&self.secret), Cell::of(self.webhook.id)]);
        cells
    }

    fn name(&self) -> String {
        self.webhook.name.to_string()
    }
}
