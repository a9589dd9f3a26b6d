//! `holm env parity show`: for people who look, and for a pipeline that stops at its exit code.

use std::collections::BTreeMap;

use holm_api::view::parity::{ComparedView, DifferenceView, ParityView, ServerValueView};
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::exit::Exit;
use crate::output::{Answer, Cell, Row};

/// Which two.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm env parity show --env staging --with production
  holm env parity show --env staging --with production -o json
  holm env parity show --env staging --with production -o csv > parity.csv

Every server of both is asked now. Exit code 1 when something differs that may break and nobody waived it; 3 when nothing is known to,
and something that may break could not be seen; 0 otherwise. What only may differ, in speed or in looks, is shown and counts for
nothing. HERE is what the servers of --env have, THERE those of --with.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
    /// The environment to compare with
    #[arg(long, value_name = "ENVIRONMENT")]
    with: String,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { environment, with } = args;
    let path = ["environments", &environment.name, "parity"];
    let parity: ParityView = context.client()?.get_where(&path, &[("with", &with)]).await?;
    for server in &parity.servers {
        context.say(&asked(server));
    }
    for not in &parity.not_compared {
        context.say(&format!("not compared: {}: {}", not.what, not.because));
    }
    let counts = |outcome: &str| {
        let counting = |one: &&DifferenceView| one.severity == "may_break" && one.waiver.is_none() && one.outcome == outcome;
        parity.differences.iter().filter(counting).count()
    };
    let (verdict, exit) = match parity.verdict.as_str() {
        "clear" => ("✓ nothing that may break is known to differ, but for what is waived".to_owned(), Exit::Done),
        "unknown" => (format!("? {} that may break could not be seen, and may differ", counts("unknown")), Exit::Partly),
        _ => (format!("✗ {} differ that may break, and nobody waived that", counts("differs")), Exit::Failed),
    };
    context.say(&verdict);
    Ok(Answer::parts(&parity, &parity.differences).exit(exit))
}

fn asked(server: &ComparedView) -> String {
    let place = server.placed.as_ref().map_or("nobody said where", |placed| &placed.place);
    let what = if server.adopted { "a database that was brought" } else { "a server" };
    let seen = match (&server.server_version, &server.trouble) {
        (Some(version), _) => format!("PostgreSQL {version}"),
        (None, trouble) => format!("not seen: {}", trouble.as_deref().unwrap_or("nobody knows why")),
    };
    format!("{}: {}, {what} ({place}): {seen}", server.environment, server.cluster)
}

/// Servers that have the same stand together.
fn values(servers: &[ServerValueView]) -> String {
    let mut by_value: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for server in servers {
        let value = server.value.as_deref().unwrap_or(if server.unknown.is_some() { "?" } else { "-" });
        by_value.entry(value).or_default().push(server.cluster.as_str());
    }
    by_value.into_iter().map(|(value, clusters)| format!("{}: {value}", clusters.join(" "))).collect::<Vec<_>>().join("; ")
}

impl Row for DifferenceView {
    const COLUMNS: &'static [&'static str] =
        &["DIFFERENCE", "OUTCOME", "SEVERITY", "HERE", "THERE", "WAIVED-UNTIL", "WHY", "WAIVER", "OWNER", "UNKNOWN"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        let waiver = self.waiver.as_ref();
        let unknown =
            self.here.iter().chain(&self.there).filter_map(|server| Some(format!("{}: {}", server.cluster, server.unknown.as_ref()?)));
        vec![
            Cell::of(&self.id),
            Cell::of(&self.outcome),
            Cell::of(&self.severity),
            Cell::of(values(&self.here)),
            Cell::of(values(&self.there)),
            waiver.map_or(Cell::Empty, |waiver| Cell::time(waiver.until)),
            Cell::of(&self.why),
            waiver.map(|waiver| waiver.id.to_string()).into(),
            waiver.map(|waiver| waiver.owner.clone()).into(),
            Cell::of(unknown.collect::<Vec<_>>().join("; ")),
        ]
    }

    fn name(&self) -> String {
        self.id.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_that_have_the_same_stand_together_and_what_nobody_knows_is_no_value() {
        let one = |cluster: &str, value: Option<&str>, unknown: Option<&str>| ServerValueView {
            cluster: cluster.parse().unwrap(),
            value: value.map(str::to_owned),
            unknown: unknown.map(str::to_owned),
        };
        let servers =
            [one("a-1", Some("UTC"), None), one("a-2", None, Some("it is silent")), one("a-3", Some("UTC"), None), one("a-4", None, None)];
        assert_eq!(values(&servers), "a-4: -; a-2: ?; a-1 a-3: UTC");
        assert_eq!(values(&[]), "");
    }
}
