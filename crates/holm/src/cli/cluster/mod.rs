//! `holm cluster`: the PostgreSQL servers that tenants are placed on.

mod list;

use holm_api::view::ClusterView;
use holm_core::error::Problem;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them, with what is wrong with each
    List(list::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
    }
}

impl Row for ClusterView {
    const COLUMNS: &'static [&'static str] =
        &["CLUSTER", "ENVIRONMENT", "ADDRESS", "POSTGRESQL", "CONNECTIONS", "TROUBLE", "CREATED", "ID"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(&self.environment),
            Cell::of(&self.address),
            Cell::of(&self.server_version),
            Cell::Number(self.connections_max.into()),
            self.trouble.as_ref().map(ToString::to_string).into(),
            Cell::time(self.created_at),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}
