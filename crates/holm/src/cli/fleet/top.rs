//! `holm fleet top`: who uses a process now.
//!
//! Promises: on a terminal it looks again and again until Ctrl-C; elsewhere, and for programs, once. It says which process it
//! asked, since it sees no other. A rate is the difference of two looks, and there is none before the second. Tenants are in the
//! order of their rates; without, and between equals, in the process's own, which has those first whose clients wait.

use std::time::Duration;

use holm_api::view::usage::{CarriedView, ClusterUseView, CountedView, TenantUseView, UsageView};
use holm_core::error::{ErrorCode, Problem};
use serde::Serialize;

use crate::cli::context::Context;
use crate::client::Client;
use crate::output::{self, Answer, Cell, Format, Row, visible};

use super::pace::{self, Pace};

/// Whose, how many, how often.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm fleet top
  holm fleet top --env production --limit 50
  holm fleet top --once
  holm fleet top --env production -o json

It shows what the process that answers carries; with several, ask each: --url. Transactions are those in transaction pooling.
TX/S is known from the second look on, where the tenant's counting went on in between. The means, in milliseconds, are of that
time; without, of all that is counted.")]
pub(in crate::cli) struct Args {
    /// Only tenants of one environment
    #[arg(long, env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    env: Option<String>,
    /// How many tenants of each environment, 1 to 200
    #[arg(long, value_name = "NUMBER", default_value_t = 20)]
    limit: u32,
    /// Looks once, also on a terminal
    #[arg(long)]
    once: bool,
    /// Seconds between two looks, 1 to 3600
    #[arg(long, value_name = "SECONDS", default_value_t = 2, value_parser = clap::value_parser!(u64).range(1..=3600))]
    every: u64,
}

/// A tenant with its environment.
#[derive(Debug, Serialize)]
struct Line {
    environment: String,
    #[serde(flatten)]
    used: TenantUseView,
    #[serde(skip)]
    pace: Pace,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &[
        "TENANT",
        "ENVIRONMENT",
        "CLUSTER",
        "TX/S",
        "TRANSACTIONS",
        "MEAN MS",
        "WAIT MS",
        "WAITING",
        "CONNECTIONS",
        "MAX",
        "SESSIONS",
        "PINNED",
        "OPENING",
        "CLOSING",
    ];
    const BRIEF: usize = 12;

    fn cells(&self) -> Vec<Cell> {
        let TenantUseView { tenant, cluster, sessions, pinned, waiting, connections, opening, closing, max, counted } = &self.used;
        let Pace { rate, transaction_ms, wait_ms } = self.pace;
        let tenths = |value: Option<f64>| value.map(|value| format!("{value:.1}")).into();
        let number = |number: &u32| Cell::Number((*number).into());
        let transactions = counted.as_ref().and_then(|counted| i64::try_from(counted.transactions).ok());
        vec![
            Cell::of(tenant),
            Cell::of(&self.environment),
            Cell::of(cluster),
            tenths(rate),
            transactions.map_or(Cell::Empty, Cell::Number),
            tenths(transaction_ms),
            tenths(wait_ms),
            number(waiting),
            number(connections),
            number(max),
            number(sessions),
            number(pinned),
            number(opening),
            number(closing),
        ]
    }

    fn name(&self) -> String {
        self.used.tenant.to_string()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let environments = match &args.env {
        Some(environment) => vec![environment.clone()],
        None => crate::cli::env::all(&client).await?.iter().map(|environment| environment.name.to_string()).collect(),
    };
    let mut looks = look(&client, &environments, args.limit).await?;
    if args.once || !context.watches() {
        return answer(&client, None, &looks);
    }
    let mut before = None;
    loop {
        // Home, then whatever was there: a terminal that shows the old look until the new one is whole does not flicker.
        let text = answer(&client, before.as_ref(), &looks)?.render(Format::Table, None)?;
        output::print(&format!("\x1b[H\x1b[J{text}"))
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, "the answer cannot be written to stdout").because(error))?;
        // Dropped by Ctrl-C, which ends the command.
        tokio::time::sleep(Duration::from_secs(args.every)).await;
        before = Some(std::mem::replace(&mut looks, look(&client, &environments, args.limit).await?));
    }
}

async fn look(client: &Client, environments: &[String], limit: u32) -> Result<Vec<UsageView>, Problem> {
    let limit = limit.to_string();
    let mut looks = Vec::with_capacity(environments.len());
    for environment in environments {
        looks.push(client.get_where(&["environments", environment, "usage"], &[("limit", &limit)]).await?);
    }
    Ok(looks)
}

fn answer(client: &Client, before: Option<&Vec<UsageView>>, looks: &[UsageView]) -> Result<Answer, Problem> {
    let lines = lines(before.map(Vec::as_slice), looks);
    let table = Answer::list(&lines).render(Format::Table, None)?;
    let text = format!("{}\n{table}{}", heading(&client.server().url, before.map(Vec::as_slice), looks), others(looks));
    Ok(Answer::document(text, &looks, &lines))
}

/// Every tenant of every environment, those that do most first.
fn lines(before: Option<&[UsageView]>, looks: &[UsageView]) -> Vec<Line> {
    let mut lines = Vec::new();
    for look in looks {
        let before = before.and_then(|before| before.iter().find(|before| before.environment == look.environment));
        for used in look.carried.iter().flat_map(|carried| &carried.tenants) {
            let then = before.and_then(|before| Some((before.at, counted(before, used)?)));
            let pace = used.counted.as_ref().map(|now| Pace::of((look.at, now), then)).unwrap_or_default();
            lines.push(Line { environment: look.environment.to_string(), used: used.clone(), pace });
        }
    }
    let rate = |line: &Line| line.pace.rate.unwrap_or_default();
    lines.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    lines
}

/// What was counted of a tenant then; nothing if it was not among those told of.
fn counted<'l>(look: &'l UsageView, now: &TenantUseView) -> Option<&'l CountedView> {
    let then = look.carried.as_ref()?.tenants.iter().find(|then| then.tenant == now.tenant)?;
    then.counted.as_ref()
}

/// What is said of the process, and of each cluster.
fn heading(url: &str, before: Option<&[UsageView]>, looks: &[UsageView]) -> String {
    let Some((first, carried)) = looks.iter().find_map(|look| Some((look, look.carried.as_ref()?))) else {
        return format!("the process at {} carries no sessions; ask one that does: `--url`\n", visible(url));
    };
    let at = first.at.round(jiff::Unit::Second).unwrap_or(first.at);
    let sessions: u64 = looks.iter().filter_map(|look| look.carried.as_ref()).map(|carried| carried.sessions).sum();
    let rate = match rate(before, looks) {
        Some(rate) => format!("{rate:.0} transactions/s"),
        None => format!("{} transactions since it started", carried.transactions),
    };
    let mut text = format!("{at}  the process at {} alone: sessions {sessions}, pinned {}, {rate}\n", visible(url), carried.pinned);
    for cluster in looks.iter().filter_map(|look| look.carried.as_ref()).flat_map(|carried| &carried.clusters) {
        let ClusterUseView { cluster, max, used, opening, closing, waiting } = cluster;
        text += &format!("{cluster}: {used} of {max} connections ({opening} opening, {closing} closing), {waiting} waiting\n");
    }
    text
}

/// Transactions a second between two looks; none when the process was started in between.
fn rate(before: Option<&[UsageView]>, looks: &[UsageView]) -> Option<f64> {
    fn counted(looks: &[UsageView]) -> Option<(jiff::Timestamp, u64)> {
        looks.iter().find_map(|look| Some((look.at, look.carried.as_ref()?.transactions)))
    }
    let ((then, few), (now, more)) = (counted(before?)?, counted(looks)?);
    pace::rate(more.checked_sub(few)?, now.duration_since(then).as_secs_f64())
}

fn others(looks: &[UsageView]) -> String {
    let others: u64 = looks.iter().filter_map(|look| look.carried.as_ref()).map(|CarriedView { others, .. }| others).sum();
    if others == 0 { String::new() } else { format!("… and {others} tenants more: `--limit`\n") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(second: i64, carried: Option<(u64, u64)>) -> UsageView {
        let carried = carried.map(|(transactions, others)| CarriedView {
            sessions: 3,
            transactions,
            pinned: 1,
            clusters: vec![ClusterUseView {
                cluster: "production-1".parse().unwrap(),
                max: 95,
                used: 4,
                opening: 1,
                closing: 0,
                waiting: 2,
            }],
            tenants: Vec::new(),
            others,
        });
        UsageView { environment: "production".parse().unwrap(), at: jiff::Timestamp::from_second(second).unwrap(), carried }
    }

    #[test]
    fn a_rate_is_between_two_looks_at_the_same_run_and_never_made_up() {
        let (then, now) = ([look(10, Some((100, 0)))], [look(14, Some((300, 0)))]);
        assert_eq!(rate(Some(&then), &now), Some(50.0));
        assert_eq!(rate(None, &now), None);
        assert_eq!(rate(Some(&now), &then), None, "it counts from nothing again");
        assert_eq!(rate(Some(&now), &now), None);
        assert_eq!(rate(Some(&[look(10, None)]), &now), None);
        assert!(heading("u", None, &now).contains("300 transactions since it started"));
        assert!(heading("u", Some(&then), &now).contains("pinned 1, 50 transactions/s"));
    }

    #[test]
    fn it_says_which_process_it_sees_and_what_it_leaves_out() {
        let now = [look(14, Some((300, 7)))];
        let said = heading("http://here:8400", None, &now);
        assert!(said.contains("the process at http://here:8400 alone: sessions 3"), "{said}");
        assert!(said.contains("production-1: 4 of 95 connections (1 opening, 0 closing), 2 waiting"), "{said}");
        assert_eq!(others(&now), "… and 7 tenants more: `--limit`\n");
        assert!(heading("http://here:8400", None, &[look(1, None)]).contains("carries no sessions"));
    }

    fn with(second: i64, tenants: &[(&str, u32, Option<u64>)]) -> UsageView {
        let tenant = |(slug, waiting, transactions): &(&str, u32, Option<u64>)| TenantUseView {
            tenant: slug.parse().unwrap(),
            cluster: "production-1".parse().unwrap(),
            sessions: 1,
            pinned: 0,
            waiting: *waiting,
            connections: 1,
            opening: 0,
            closing: 0,
            max: 19,
            counted: transactions.map(|transactions| CountedView {
                // One that goes on, for as long as it is more than a hundred.
                series: if transactions > 100 { "old" } else { "new" }.to_owned(),
                transactions,
                transactions_us: transactions * 2_500,
                lendings: transactions,
                waits_us: 0,
            }),
        };
        let mut look = look(second, Some((0, 0)));
        look.carried.as_mut().unwrap().tenants = tenants.iter().map(tenant).collect();
        look
    }

    fn shown(lines: &[Line]) -> Vec<String> {
        let text = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            Cell::Number(number) => number.to_string(),
            Cell::Empty => "-".to_owned(),
        };
        lines
            .iter()
            .map(|line| {
                line.cells()
                    .iter()
                    .enumerate()
                    .filter(|(at, _)| [0, 3, 4, 5].contains(at))
                    .map(|(_, cell)| text(cell))
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect()
    }

    #[test]
    fn who_does_most_is_first_and_who_cannot_be_known_to_do_anything_stays_where_it_was() {
        let then = [with(10, &[("stuck", 5, Some(101)), ("began", 1, Some(900)), ("slow", 0, Some(500)), ("fast", 0, Some(500))])];
        let now = [with(
            14,
            &[
                ("stuck", 5, Some(101)),
                ("began", 1, Some(80)),
                ("slow", 0, Some(504)),
                ("came", 0, Some(700)),
                ("fast", 0, Some(900)),
                ("own", 0, None),
            ],
        )];
        let expected = ["fast 100.0 900 2.5", "slow 1.0 504 2.5", "stuck 0.0 101 -", "began - 80 2.5", "came - 700 2.5", "own - - -"];
        assert_eq!(shown(&lines(Some(&then), &now)), expected);
        let once = ["stuck - 101 2.5", "began - 80 2.5", "slow - 504 2.5", "came - 700 2.5", "fast - 900 2.5", "own - - -"];
        assert_eq!(shown(&lines(None, &now)), once, "as the process has them");
    }
}
