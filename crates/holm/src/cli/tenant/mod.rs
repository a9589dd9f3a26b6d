//! `holm tenant`: customers, each with a database of its own in each environment.

mod adopt;
pub(super) mod connection;
mod copy;
mod create;
mod delete;
mod extend;
mod limits;
mod list;
mod pause;
mod psql;
mod rename;
mod resume;
mod rotate_roles;
mod set_profile;
mod show;
mod suspend;
mod undelete;
mod url;

use holm_api::view::{LimitsView, TenantView};
use holm_core::error::Problem;

use super::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Makes one, with its database, and waits until it can be used
    Create(create::Args),
    /// Makes a database that exists a tenant's, without a change to it
    Adopt(adopt::Args),
    /// Lists them
    List(list::Args),
    /// Shows all that is known of one
    Show(show::Args),
    /// Prints the URL with which an app or psql reaches its database
    Url(url::Args),
    /// Opens psql on its database
    Psql(psql::Args),
    /// Has its transactions wait until it is resumed, and waits until none is under way
    Pause(pause::Args),
    /// Lets no session in any more and closes those that are open; keeps everything
    Suspend(suspend::Args),
    /// Lets sessions in again, and transactions go on
    Resume(resume::Args),
    /// Gives the roles of its database new passwords while they are in use
    RotateRoles(rotate_roles::Args),
    /// Gives it another name; the old one leads there for a while
    Rename(rename::Args),
    /// Makes another one with the same content, while it is in use
    Copy(copy::Args),
    /// Puts off the end of one that ends by itself
    Extend(extend::Args),
    /// Changes how many of its cluster's connections it may have, while it is in use
    Limits(limits::Args),
    /// Closes one at once, and drops it when its grace period is over
    Delete(delete::Args),
    /// Says by which profile its copies are judged
    SetProfile(set_profile::Args),
    /// Brings a deleted one back, as long as its grace period is not over
    Undelete(undelete::Args),
}

/// One tenant, as most commands want it named.
#[derive(Debug, clap::Args)]
pub(super) struct Named {
    /// The tenant's name
    #[arg(value_name = "SLUG")]
    pub(super) slug: String,
    #[command(flatten)]
    pub(super) environment: Environment,
}

impl Named {
    /// Its path in the API, and what follows.
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["environments", self.environment.name.as_str(), "tenants", self.slug.as_str()], rest].concat()
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Create(args) => create::run(context, args).await,
        Command::Adopt(args) => adopt::run(context, args).await,
        Command::List(args) => list::run(context, args).await,
        Command::Show(args) => show::run(context, args).await,
        Command::Url(args) => url::run(context, args).await,
        Command::Psql(args) => psql::run(context, args).await,
        Command::Pause(args) => pause::run(context, args).await,
        Command::Suspend(args) => suspend::run(context, args).await,
        Command::Resume(args) => resume::run(context, args).await,
        Command::RotateRoles(args) => rotate_roles::run(context, args).await,
        Command::Rename(args) => rename::run(context, args).await,
        Command::Copy(args) => copy::run(context, args).await,
        Command::Extend(args) => extend::run(context, args).await,
        Command::Limits(args) => limits::run(context, args).await,
        Command::Delete(args) => delete::run(context, args).await,
        Command::SetProfile(args) => set_profile::run(context, args).await,
        Command::Undelete(args) => undelete::run(context, args).await,
    }
}

/// `min=2 max=20 weight=1`
fn limits_text(LimitsView { min, max, weight }: LimitsView) -> String {
    format!("min={min} max={} weight={weight}", max.map_or_else(|| "all".to_owned(), |max| max.to_string()))
}

impl Row for TenantView {
    const COLUMNS: &'static [&'static str] = &[
        "TENANT",
        "ENVIRONMENT",
        "STATE",
        "CLUSTER",
        "CREATED",
        "DATABASE",
        "PROFILE",
        "PARAMETERS",
        "LIMITS",
        "FAILURE",
        "WAITS-FOR",
        "UPDATED",
        "EXPIRES",
        "ID",
    ];
    const BRIEF: usize = 5;

    fn cells(&self) -> Vec<Cell> {
        let parameters: Vec<String> = self.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
        vec![
            Cell::of(&self.slug),
            Cell::of(&self.environment),
            Cell::of(self.state),
            self.cluster.as_ref().map(ToString::to_string).into(),
            Cell::time(self.created_at),
            self.database.as_ref().map(ToString::to_string).into(),
            self.profile.clone().into(),
            Some(parameters.join(" ")).filter(|text| !text.is_empty()).into(),
            Cell::of(limits_text(self.limits)),
            self.failure.as_ref().map(ToString::to_string).into(),
            self.waits_for.as_ref().map(ToString::to_string).into(),
            Cell::time(self.updated_at),
            self.expires_at.map_or_else(|| None::<String>.into(), Cell::time),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.slug.to_string()
    }
}
