//! `holm cluster`: the PostgreSQL servers that tenants are placed on.

mod add;
mod client_cert;
mod drain;
mod list;
pub(super) mod place;
mod remove;
mod rotate_roles;
pub(super) mod server;
mod set_place;
mod set_server;
mod show;

use holm_api::view::ClusterView;
use holm_api::view::cluster::ClusterDetailView;
use holm_api::view::residency::SeenCopyView;
use holm_core::error::Problem;
use holm_engine::residency::merits::milliseconds;

use super::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them, with what is wrong with each
    List(list::Args),
    /// Shows all that is known of one: what it can be used for, and who is on it
    Show(show::Args),
    /// Adds a PostgreSQL server, whole, to an environment
    Add(add::Args),
    /// Says where one is now, or how it is spoken to: another address, certificate, role or password
    SetServer(set_server::Args),
    /// Has one's server shown another certificate that says that Holm speaks
    SetClientCert(client_cert::Set),
    /// Has one's server shown no certificate any more
    RemoveClientCert(client_cert::Remove),
    /// Says at which provider, and in which region of theirs, one is
    SetPlace(set_place::Args),
    /// Empties one: nothing new is placed on it, and its tenants are waited for
    Drain(drain::Args),
    /// Forgets one that is drained, or one whose server is gone for good
    Remove(remove::Args),
    /// Gives the roles of all of its tenants new passwords while they are in use
    RotateRoles(rotate_roles::Args),
}

/// One cluster, as changes want it named.
#[derive(Debug, clap::Args)]
struct Named {
    /// The cluster's name
    #[arg(value_name = "CLUSTER")]
    name: String,
    #[command(flatten)]
    environment: Environment,
}

impl Named {
    fn path<'a>(&'a self, verb: &'a str) -> [&'a str; 5] {
        ["environments", &self.environment.name, "clusters", &self.name, verb]
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Show(args) => show::run(context, args).await,
        Command::Add(args) => add::run(context, args).await,
        Command::SetServer(args) => set_server::run(context, args).await,
        Command::SetClientCert(args) => client_cert::set(context, args).await,
        Command::RemoveClientCert(args) => client_cert::remove(context, args).await,
        Command::SetPlace(args) => set_place::run(context, args).await,
        Command::Drain(args) => drain::run(context, args).await,
        Command::Remove(args) => remove::run(context, args).await,
        Command::RotateRoles(args) => rotate_roles::run(context, args).await,
    }
}

impl Row for ClusterView {
    const COLUMNS: &'static [&'static str] =
        &["CLUSTER", "ENVIRONMENT", "ADDRESS", "PLACE", "POSTGRESQL", "CONNECTIONS", "ROUND-TRIP", "TROUBLE", "CREATED", "ID"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::of(&self.environment),
            Cell::of(&self.address),
            self.place.as_ref().map(|placed| placed.place.clone()).into(),
            Cell::of(&self.server_version),
            Cell::Number(self.connections_max.into()),
            self.round_trip.map(|took| milliseconds(took.fastest_us)).into(),
            self.trouble.as_ref().map(ToString::to_string).into(),
            Cell::time(self.created_at),
            Cell::of(self.id),
        ]
    }

    fn name(&self) -> String {
        self.name.to_string()
    }
}

/// `slot/reporting in scalingo/osc-fr1; standby/walreceiver@10.0.0.9, nobody said where`
fn copies_text(copies: &[SeenCopyView]) -> String {
    let said = |copy: &SeenCopyView| match &copy.place {
        Some(placed) => {
            let plan = placed.plan.as_ref().map(|plan| format!(" on plan {plan}")).unwrap_or_default();
            format!("{} in {}{plan}", copy.copy, placed.place)
        }
        None => format!("{}, nobody said where", copy.copy),
    };
    copies.iter().map(said).collect::<Vec<_>>().join("; ")
}

impl Row for ClusterDetailView {
    const COLUMNS: &'static [&'static str] = &[
        "CLUSTER",
        "ENVIRONMENT",
        "ADDRESS",
        "SSLMODE",
        "PLACE",
        "PLAN",
        "COPIES",
        "POSTGRESQL",
        "STATE",
        "GOOD-FOR",
        "TENANTS",
        "CONNECTIONS",
        "ROUND-TRIP",
        "ADOPTED",
        "TROUBLE",
        "SEEN",
        "ID",
    ];
    const BRIEF: usize = 17;

    fn cells(&self) -> Vec<Cell> {
        let seen = self.capability.as_ref();
        vec![
            Cell::of(&self.cluster.name),
            Cell::of(&self.cluster.environment),
            Cell::of(&self.cluster.address),
            Cell::of(&self.sslmode),
            self.cluster.place.as_ref().map(|placed| placed.place.clone()).into(),
            self.cluster.place.as_ref().and_then(|placed| placed.plan.clone()).into(),
            Some(copies_text(&self.copies)).filter(|text| !text.is_empty()).into(),
            Cell::of(&self.cluster.server_version),
            Cell::of(self.state),
            seen.map(|seen| seen.suits.as_str().to_owned()).into(),
            Cell::of(self.tenants),
            Cell::Number(self.cluster.connections_max.into()),
            self.cluster.round_trip.map(|took| milliseconds(took.fastest_us)).into(),
            self.adopted.clone().into(),
            self.cluster.trouble.as_ref().map(ToString::to_string).into(),
            seen.map(|seen| seen.observed_at.to_string()).into(),
            Cell::of(self.cluster.id),
        ]
    }

    fn name(&self) -> String {
        self.cluster.name.to_string()
    }
}
