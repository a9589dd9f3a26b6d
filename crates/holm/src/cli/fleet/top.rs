//! `holm fleet top`: who uses the nodes now.
//!
//! Promises: on a terminal it looks again and again until Ctrl-C; elsewhere, and for programs, once. It adds up all nodes that live
//! and says which did not answer: a sum is never taken for the whole. A rate is the difference of two looks, and there is none before
//! the second. Tenants are in the order of their rates; without, and between equals, in the nodes' own, which have those first
//! whose clients wait.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holm_api::view::usage::{CarriedView, ClusterUseView, CountedView, TenantUseView, UsageView};
use holm_core::error::{ErrorCode, Problem};
use jiff::Timestamp;
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

It adds up the nodes that live, and names those that did not answer within two seconds. NODE is where a tenant's sessions are. Of each
node the busiest tenants are told (--limit): one that is busy elsewhere may have more than is shown. Transactions are those in
transaction pooling. TX/S is known from the second look on, where the tenant's counting went on in between. The means, in
milliseconds, are of that time; without, of all that is counted.")]
pub(in crate::cli) struct Args {
    /// Only tenants of one environment
    #[arg(long, env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    env: Option<String>,
    /// How many tenants of each environment and node, 1 to 200
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
    nodes: Vec<String>,
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
        "NODE",
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
    const BRIEF: usize = 13;

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
            match &self.nodes[..] {
                [] => Cell::Empty,
                [one] => Cell::of(one),
                several => Cell::Text(format!("{} nodes", several.len())),
            },
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

/// What one node carries of one environment.
struct NodeLook<'l> {
    /// What it is called; nothing for a process that no other knows.
    node: Option<&'l str>,
    at: Timestamp,
    carried: &'l CarriedView,
}

/// The nodes that carry sessions and said so, the one that was asked first.
fn nodes(look: &UsageView) -> impl Iterator<Item = NodeLook<'_>> {
    let asked = look.carried.as_ref().map(|carried| NodeLook { node: look.node.as_deref(), at: look.at, carried });
    asked.into_iter().chain(look.others.iter().filter_map(|other| {
        let said = other.said.as_ref()?;
        Some(NodeLook { node: Some(&other.node), at: said.at, carried: &said.carried })
    }))
}

/// Each node of all looks once, with what it says of itself as a whole.
fn each_node(looks: &[UsageView]) -> Vec<NodeLook<'_>> {
    let mut found: Vec<NodeLook<'_>> = Vec::new();
    for look in looks.iter().flat_map(nodes) {
        if found.iter().all(|known| known.node != look.node) {
            found.push(look);
        }
    }
    found
}

/// Every tenant of every environment, those that do most first.
fn lines(before: Option<&[UsageView]>, looks: &[UsageView]) -> Vec<Line> {
    let mut lines = Vec::new();
    for look in looks {
        let before = before.and_then(|before| before.iter().find(|before| before.environment == look.environment));
        let mut tenants: Vec<(&TenantUseView, Vec<(NodeLook<'_>, &TenantUseView)>)> = Vec::new();
        for at in nodes(look) {
            for used in &at.carried.tenants {
                let on = NodeLook { node: at.node, at: at.at, carried: at.carried };
                match tenants.iter_mut().find(|(first, _)| first.tenant == used.tenant) {
                    Some((_, everywhere)) => everywhere.push((on, used)),
                    None => tenants.push((used, vec![(on, used)])),
                }
            }
        }
        lines.extend(tenants.into_iter().map(|(_, everywhere)| line(before, look, &everywhere)));
    }
    let rate = |line: &Line| line.pace.rate.unwrap_or_default();
    lines.sort_by(|one, other| rate(other).total_cmp(&rate(one)));
    lines
}

/// One tenant, on all nodes that told of it.
fn line(before: Option<&UsageView>, look: &UsageView, everywhere: &[(NodeLook<'_>, &TenantUseView)]) -> Line {
    let counted = everywhere.iter().filter_map(|(on, used)| {
        let now = (on.at, used.counted.as_ref()?);
        Some((now, before.and_then(|before| counted(before, on, used))))
    });
    let pace = Pace::of(&counted.collect::<Vec<_>>());
    let nodes = everywhere.iter().filter_map(|(on, _)| on.node.map(str::to_owned)).collect();
    let used = everywhere.iter().map(|(_, used)| (*used).clone()).reduce(together).expect("it is on one node at the least");
    Line { environment: look.environment.to_string(), nodes, used, pace }
}

/// What a tenant has on two nodes. Of two places, which is during a move, the first stays.
fn together(one: TenantUseView, other: TenantUseView) -> TenantUseView {
    let counted = match (one.counted, other.counted) {
        // Two series are none.
        (Some(one), Some(other)) => Some(CountedView {
            series: String::new(),
            transactions: one.transactions.saturating_add(other.transactions),
            transactions_us: one.transactions_us.saturating_add(other.transactions_us),
            lendings: one.lendings.saturating_add(other.lendings),
            waits_us: one.waits_us.saturating_add(other.waits_us),
        }),
        (one, other) => one.or(other),
    };
    TenantUseView {
        tenant: one.tenant,
        cluster: one.cluster,
        sessions: one.sessions.saturating_add(other.sessions),
        pinned: one.pinned.saturating_add(other.pinned),
        waiting: one.waiting.saturating_add(other.waiting),
        connections: one.connections.saturating_add(other.connections),
        opening: one.opening.saturating_add(other.opening),
        closing: one.closing.saturating_add(other.closing),
        max: one.max.saturating_add(other.max),
        counted,
    }
}

/// What a node had counted of a tenant then, and when; nothing if it did not tell of it.
fn counted<'l>(before: &'l UsageView, on: &NodeLook<'_>, now: &TenantUseView) -> Option<(Timestamp, &'l CountedView)> {
    let then = nodes(before).find(|then| then.node == on.node)?;
    let counted = then.carried.tenants.iter().find(|then| then.tenant == now.tenant)?.counted.as_ref()?;
    Some((then.at, counted))
}

/// What is said of the nodes, and of each cluster.
fn heading(url: &str, before: Option<&[UsageView]>, looks: &[UsageView]) -> String {
    let (found, silent) = (each_node(looks), silent(looks));
    let Some(first) = looks.first().filter(|_| !found.is_empty()) else {
        let others = silent.iter().map(|node| did_not_answer(node)).collect::<String>();
        return format!("the process at {} carries no sessions; ask one that does: `--url`\n{others}", visible(url));
    };
    let at = first.at.round(jiff::Unit::Second).unwrap_or(first.at);
    let sessions: u64 = looks.iter().flat_map(nodes).map(|node| node.carried.sessions).sum();
    let pinned: u64 = found.iter().map(|node| node.carried.pinned).sum();
    let rate = match rate(before, &found) {
        Some(rate) => format!("{rate:.0} transactions/s"),
        None => format!("{} transactions since it started", found.iter().map(|node| node.carried.transactions).sum::<u64>()),
    };
    let who = match &found[..] {
        [_] if silent.is_empty() && looks.iter().all(|look| look.others.is_empty()) => format!("the process at {} alone", visible(url)),
        [one] => visible(one.node.unwrap_or("one node")).to_string(),
        several => format!("{} nodes ({})", several.len(), names(several)),
    };
    let mut text = format!("{at}  {who}: sessions {sessions}, pinned {pinned}, {rate}\n");
    text.extend(silent.iter().map(|node| did_not_answer(node)));
    for (cluster, on) in clusters(looks) {
        let ClusterUseView { cluster, max, used, opening, closing, waiting } = cluster;
        let each = if on == 1 { String::new() } else { format!(" on {on} nodes") };
        text += &format!("{cluster}: {used} of {max} connections{each} ({opening} opening, {closing} closing), {waiting} waiting\n");
    }
    text
}

fn names(nodes: &[NodeLook<'_>]) -> String {
    nodes.iter().map(|node| visible(node.node.unwrap_or("-")).to_string()).collect::<Vec<_>>().join(", ")
}

/// The nodes that live and did not answer.
fn silent(looks: &[UsageView]) -> BTreeSet<&str> {
    let others = looks.iter().flat_map(|look| &look.others);
    others.filter(|other| other.said.is_none()).map(|other| other.node.as_str()).collect()
}

fn did_not_answer(node: &str) -> String {
    format!("{} did not answer: what it carries is not in here\n", visible(node))
}

/// The clusters by name, with what all nodes have of them together, and how many nodes those are.
fn clusters(looks: &[UsageView]) -> Vec<(ClusterUseView, usize)> {
    let mut found: BTreeMap<String, (ClusterUseView, usize)> = BTreeMap::new();
    for used in looks.iter().flat_map(nodes).flat_map(|node| &node.carried.clusters) {
        let entry = found
            .entry(used.cluster.to_string())
            .or_insert_with(|| (ClusterUseView { cluster: used.cluster.clone(), max: 0, used: 0, opening: 0, closing: 0, waiting: 0 }, 0));
        let (sum, nodes) = entry;
        // Each may open as many: a budget is a node's own.
        sum.max = sum.max.saturating_add(used.max);
        sum.used = sum.used.saturating_add(used.used);
        sum.opening = sum.opening.saturating_add(used.opening);
        sum.closing = sum.closing.saturating_add(used.closing);
        sum.waiting = sum.waiting.saturating_add(used.waiting);
        *nodes += 1;
    }
    found.into_values().collect()
}

/// Transactions a second between two looks, of the nodes that ran on from one to the other; none when there is no such.
fn rate(before: Option<&[UsageView]>, found: &[NodeLook<'_>]) -> Option<f64> {
    let before = each_node(before?);
    let rates = found.iter().filter_map(|now| {
        let then = before.iter().find(|then| then.node == now.node)?;
        let did = now.carried.transactions.checked_sub(then.carried.transactions)?;
        pace::rate(did, now.at.duration_since(then.at).as_secs_f64())
    });
    rates.reduce(|sum, rate| sum + rate)
}

fn others(looks: &[UsageView]) -> String {
    let others: u64 = looks.iter().flat_map(nodes).map(|node| node.carried.others).sum();
    if others == 0 { String::new() } else { format!("… and {others} tenants more: `--limit`\n") }
}

#[cfg(test)]
mod tests {
    use holm_api::view::usage::{NodeUseView, SaidView};

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
        let at = Timestamp::from_second(second).unwrap();
        UsageView { environment: "production".parse().unwrap(), at, node: Some("here".to_owned()), carried, others: Vec::new() }
    }

    #[test]
    fn a_rate_is_between_two_looks_at_the_same_run_and_never_made_up() {
        let (then, now) = ([look(10, Some((100, 0)))], [look(14, Some((300, 0)))]);
        let rate = |before: Option<&[UsageView]>, now: &[UsageView]| rate(before, &each_node(now));
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
                    .filter(|(at, _)| [0, 4, 5, 6].contains(at))
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

    /// What another node says, by a clock of its own.
    fn beside(mut look: UsageView, node: &str, said: Option<UsageView>) -> UsageView {
        let said = said.map(|said| SaidView { at: said.at, carried: said.carried.unwrap() });
        look.others.push(NodeUseView { node: node.to_owned(), said });
        look
    }

    #[test]
    fn several_nodes_are_added_up_and_one_that_did_not_answer_is_named() {
        let then = [beside(with(10, &[("malmo", 0, Some(500))]), "oslo", Some(with(3_610, &[("malmo", 1, Some(700)), ("lund", 0, None)])))];
        let now =
            [beside(with(14, &[("malmo", 0, Some(900))]), "oslo", Some(with(3_614, &[("malmo", 1, Some(1_100)), ("lund", 0, None)])))];
        let shown_now = lines(Some(&then), &now);
        assert_eq!(shown(&shown_now), ["malmo 200.0 2000 2.5", "lund - - -"]);
        assert_eq!((shown_now[0].used.max, shown_now[0].used.sessions, shown_now[0].used.waiting), (38, 2, 1));
        assert_eq!(
            (&shown_now[0].cells()[3], &shown_now[1].cells()[3]),
            (&Cell::Text("2 nodes".to_owned()), &Cell::Text("oslo".to_owned()))
        );
        let said = heading("u", None, &now);
        assert!(said.contains("2 nodes (here, oslo): sessions 6, pinned 2, 0 transactions since it started"), "{said}");
        assert!(said.contains("production-1: 8 of 190 connections on 2 nodes (2 opening, 0 closing), 4 waiting"), "{said}");

        let lost = [beside(with(18, &[("malmo", 0, Some(1_300))]), "oslo", None)];
        assert_eq!(shown(&lines(Some(&now), &lost)), ["malmo 100.0 1300 2.5"], "of the one that is heard");
        let said = heading("u", Some(&now), &lost);
        assert!(said.contains("  here: sessions 3") && said.contains("\noslo did not answer: "), "{said}");
        let said = heading("u", None, &[beside(look(1, None), "oslo", None)]);
        assert!(said.contains("carries no sessions") && said.contains("oslo did not answer"), "{said}");
        // A control plane beside a node that carries them.
        let said = heading("u", None, &[beside(look(1, None), "oslo", Some(with(3_614, &[])))]);
        assert!(said.contains("  oslo: sessions 3"), "{said}");
    }
}
