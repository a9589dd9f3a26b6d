//! `holm fleet top`: who uses a process now.
//!
//! Promises: on a terminal it looks again and again until Ctrl-C; elsewhere, and for programs, once. It says which process it
//! asked, since it sees no other. A rate is the difference of two looks, and there is none before the second.

use std::time::Duration;

use holm_api::view::usage::{CarriedView, ClusterUseView, TenantUseView, UsageView};
use holm_core::error::{ErrorCode, Problem};
use serde::Serialize;

use crate::cli::context::Context;
use crate::client::Client;
use crate::output::{self, Answer, Cell, Format, Row, visible};

/// Whose, how many, how often.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm fleet top
  holm fleet top --env production --limit 50
  holm fleet top --once
  holm fleet top --env production -o json

It shows what the process that answers carries; with several, ask each: --url. Nobody counts transactions by tenant: their
number is that of the whole process, in transaction pooling.")]
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
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] =
        &["TENANT", "ENVIRONMENT", "CLUSTER", "WAITING", "CONNECTIONS", "MAX", "SESSIONS", "OPENING", "CLOSING"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        let TenantUseView { tenant, cluster, sessions, waiting, connections, opening, closing, max } = &self.used;
        let numbers = [waiting, connections, max, sessions, opening, closing].map(|number| Cell::Number((*number).into()));
        [Cell::of(tenant), Cell::of(&self.environment), Cell::of(cluster)].into_iter().chain(numbers).collect()
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
    let lines: Vec<Line> = looks
        .iter()
        .flat_map(|look| look.carried.iter().map(move |carried| (look, carried)))
        .flat_map(|(look, carried)| {
            carried.tenants.iter().map(|used| Line { environment: look.environment.to_string(), used: used.clone() })
        })
        .collect();
    let table = Answer::list(&lines).render(Format::Table, None)?;
    let text = format!("{}\n{table}{}", heading(&client.server().url, before.map(Vec::as_slice), looks), others(looks));
    Ok(Answer::document(text, &looks, &lines))
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
    let seconds = now.duration_since(then).as_secs_f64();
    let transactions = u32::try_from(more.checked_sub(few)?).ok()?;
    (seconds > 0.0).then(|| f64::from(transactions) / seconds)
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
}
