//! `holm env`: the environments, and what an app needs to run in one.

mod list;
mod parity;
mod print;
mod profile;
mod require_approval;
mod set_profile;

use holm_api::view::EnvironmentView;
use holm_core::error::{ErrorCode, Problem};

use super::context::Context;
use crate::client::Client;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them
    List(list::Args),
    /// Prints the variables of an app that reads one URL for each tenant
    Print(print::Args),
    /// What could work in one and fail in another, and what is accepted of it
    #[command(subcommand)]
    Parity(parity::Command),
    /// Has an operation done only when somebody else has agreed
    RequireApproval(require_approval::Args),
    /// Shows what new tenants of one are judged by
    Profile(profile::Args),
    /// Gives one a profile: no tenant is made there without one any more
    SetProfile(set_profile::Args),
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Print(args) => print::run(context, args).await,
        Command::Parity(command) => parity::run(context, command).await,
        Command::RequireApproval(args) => require_approval::run(context, args).await,
        Command::Profile(args) => profile::run(context, args).await,
        Command::SetProfile(args) => set_profile::run(context, args).await,
    }
}

/// Every environment of the server.
pub(super) async fn all(client: &Client) -> Result<Vec<EnvironmentView>, Problem> {
    client.items(&["environments"]).await
}

/// Refuses an environment that the server does not have, where the API is not asked about it by name.
pub(super) async fn known(client: &Client, name: &str) -> Result<(), Problem> {
    let known = all(client).await?;
    if known.iter().any(|environment| environment.name.as_str() == name) {
        return Ok(());
    }
    let names: Vec<String> = known.iter().map(|environment| format!("`{}`", environment.name)).collect();
    Err(Problem::new(ErrorCode::EnvironmentNotFound, format!("no environment `{}`", name.escape_debug()))
        .next(format!("there are {}", names.join(", "))))
}

impl Row for EnvironmentView {
    const COLUMNS: &'static [&'static str] = &["ENVIRONMENT", "KIND", "DOMAIN", "POOL", "MIGRATIONS", "NEEDS APPROVAL", "CREATED", "ID"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(self.kind),
            Cell::of(&self.domain),
            Cell::Number(self.pool_size.into()),
            self.migrations.clone().into(),
            Some(self.needs_approval.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")).filter(|all| !all.is_empty()).into(),
            Cell::time(self.created_at),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}
