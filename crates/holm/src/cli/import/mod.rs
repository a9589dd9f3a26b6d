//! `holm import`: from what a team has, to tenants.

mod apply;
mod pgbouncer;
mod text;
mod view;

use holm_core::error::Problem;

use super::context::Context;
use crate::output::Answer;

/// One variant for each kind of file.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes the databases of a PgBouncer configuration tenants'; without `--apply` it only says how
    Pgbouncer(pgbouncer::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Pgbouncer(args) => pgbouncer::run(context, args).await,
    }
}
