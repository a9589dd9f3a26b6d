//! `holm access role`: what principals may do, and where.

mod grant;
mod list;
mod revoke;

use holm_api::view::access::RoleView;
use holm_core::error::Problem;

use super::place;
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Command {
    /// Gives a role: viewer, support, operator, privacy or admin
    Grant(grant::Args),
    /// Takes a role back, from the next request on
    Revoke(revoke::Args),
    /// Lists the roles that a principal was given
    List(list::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Grant(args) => grant::run(context, args).await,
        Command::Revoke(args) => revoke::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
    }
}

/// Where a role is held.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Where {
    /// The only environment [default: everywhere]
    #[arg(id = "environment", long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
}

impl Row for RoleView {
    const COLUMNS: &'static [&'static str] = &["PRINCIPAL", "ROLE", "ENVIRONMENT", "UNTIL", "GIVEN BY", "GIVEN"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.principal),
            Cell::of(self.role),
            Cell::Text(place(self.environment.as_ref())),
            self.expires_at.map_or(Cell::Empty, Cell::time),
            Cell::of(&self.granted_by),
            Cell::time(self.granted_at),
        ]
    }

    fn name(&self) -> String {
        self.role.to_string()
    }
}
