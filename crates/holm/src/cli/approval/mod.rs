//! `holm approval`: what one asks for and another agrees to.

mod approve;
mod list;
mod reject;
mod request;

use holm_api::view::access::ApprovalView;
use holm_core::error::Problem;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them, newest first
    List(list::Args),
    /// Asks for one
    Request(request::Args),
    /// Agrees to a request of somebody else
    Approve(approve::Args),
    /// Refuses a request of somebody else
    Reject(reject::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Request(args) => request::run(context, args).await,
        Command::Approve(args) => approve::run(context, args).await,
        Command::Reject(args) => reject::run(context, args).await,
    }
}

impl Row for ApprovalView {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "KIND",
        "ENVIRONMENT",
        "ASKED BY",
        "VERDICT",
        "DECIDED BY",
        "ENDS",
        "USED",
        "REASON",
        "CONTENT",
        "HASH",
        "ASKED",
        "DECIDED",
    ];
    const BRIEF: usize = 10;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.kind),
            self.environment.as_ref().map(ToString::to_string).into(),
            Cell::of(&self.requested_by),
            self.verdict.map(|verdict| verdict.to_string()).into(),
            self.decided_by.as_ref().map(ToString::to_string).into(),
            Cell::time(self.expires_at),
            self.used_at.map_or(Cell::Empty, Cell::time),
            Cell::of(&self.reason),
            self.content.clone().into(),
            Cell::of(self.hash),
            Cell::time(self.requested_at),
            self.decided_at.map_or(Cell::Empty, Cell::time),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}
