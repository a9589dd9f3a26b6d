//! `holm fleet statistics`: what all tenants of an environment come to, without what any one of them does.

use holm_api::view::statistics::{AskStatistics, FigureView, StatisticsView, SumsView};
use holm_core::error::Problem;
use serde::Serialize;

use crate::cli::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// What for, by what, how many.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm fleet statistics --env production --purpose 'capacity for 2027'
  holm fleet statistics --env production --purpose 'capacity for 2027' --by region
  holm fleet statistics --env production --purpose 'price list' --by cluster --at-least 10 -o csv

Every cluster is asked now, and the audit log notes who asked what for. A group of fewer tenants than --at-least is not told, but
among the others, as one. A sum of which one tenant has more than 80 % is withheld, and so is what it could be computed from.
Everything but the size is counted since PostgreSQL's statistics of a database were last reset.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
    /// What the numbers are for; the audit log keeps it for ever
    #[arg(long, value_name = "TEXT")]
    purpose: String,
    /// By what tenants are put together: cluster, region or profile; all as one when absent
    #[arg(long, value_name = "WHAT")]
    by: Option<String>,
    /// How many tenants a group has at the least, 3 to 1000
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    at_least: u32,
}

/// One number of a group.
#[derive(Debug, Serialize)]
struct Line {
    group: String,
    tenants: u64,
    #[serde(flatten)]
    figure: FigureView,
}

impl Row for Line {
    const COLUMNS: &'static [&'static str] = &["GROUP", "TENANTS", "MEASURE", "SUM", "MEAN", "WITHHELD"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        let number = |number: u64| Cell::Number(i64::try_from(number).unwrap_or(i64::MAX));
        let FigureView { measure, sum, mean, because, .. } = &self.figure;
        vec![
            Cell::of(&self.group),
            number(self.tenants),
            Cell::of(measure),
            sum.map_or(Cell::Empty, number),
            mean.map_or(Cell::Empty, number),
            because.clone().into(),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.group, self.figure.measure)
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { environment, purpose, by, at_least } = args;
    let asked = AskStatistics { purpose, by, at_least: Some(at_least) };
    let told: StatisticsView = context.client()?.post(&["environments", &environment.name, "statistics"], &[], &asked).await?;
    for not in &told.not_counted {
        context.say(&format!("not counted: {} of cluster {}: {}", tenants(not.tenants), not.cluster, not.because));
    }
    if let Some(others) = &told.others {
        context.say(&format!("{OTHERS}: {} groups: {}", others.groups, others.because));
    }
    context.say(&format!("of {}; the audit log has what for: {}", tenants(told.total.tenants), told.purpose));
    Ok(Answer::parts(&told, &lines(&told)))
}

fn tenants(number: u64) -> String {
    if number == 1 { "1 tenant".to_owned() } else { format!("{number} tenants") }
}

// No cluster, place or profile is called so.
const ALL: &str = "(all)";
const OTHERS: &str = "(others)";
const NOBODY_SAID: &str = "(nobody said)";

fn lines(told: &StatisticsView) -> Vec<Line> {
    let groups = told.groups.iter().map(|group| (group.name.as_deref().unwrap_or(NOBODY_SAID), &group.counted));
    let others = told.others.iter().map(|others| (OTHERS, &others.counted));
    groups.chain(others).chain([(ALL, &told.total)]).flat_map(|(group, counted)| of(group, counted)).collect()
}

fn of<'c>(group: &'c str, counted: &'c SumsView) -> impl Iterator<Item = Line> + 'c {
    let line = |figure: &FigureView| Line { group: group.to_owned(), tenants: counted.tenants, figure: figure.clone() };
    counted.figures.iter().map(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r104_what_is_told_and_what_is_withheld_stand_in_a_line_each_with_the_reason() {
        let counted = |tenants, sum: Option<u64>| SumsView {
            tenants,
            figures: vec![FigureView {
                measure: "size_bytes".to_owned(),
                sum,
                mean: sum.map(|sum| sum / tenants),
                withheld: sum.is_none().then(|| "dominated".to_owned()),
                because: sum.is_none().then(|| "one tenant has more than 80 % of it".to_owned()),
            }],
        };
        let told = StatisticsView {
            environment: "production".parse().unwrap(),
            asked_at: jiff::Timestamp::UNIX_EPOCH,
            purpose: "capacity".to_owned(),
            by: Some("region".to_owned()),
            at_least: 5,
            total: counted(17, Some(170)),
            groups: vec![holm_api::view::statistics::GroupView { name: None, counted: counted(12, None) }],
            others: Some(holm_api::view::statistics::OthersView { groups: 2, because: "few".to_owned(), counted: counted(5, Some(50)) }),
            not_counted: Vec::new(),
        };
        let lines = lines(&told);
        assert_eq!(
            lines.iter().map(Row::name).collect::<Vec<_>>(),
            ["(nobody said)/size_bytes", "(others)/size_bytes", "(all)/size_bytes"]
        );
        assert_eq!(
            lines[0].cells()[1..],
            [Cell::Number(12), Cell::of("size_bytes"), Cell::Empty, Cell::Empty, Cell::of("one tenant has more than 80 % of it")]
        );
        assert_eq!(lines[2].cells()[3..], [Cell::Number(170), Cell::Number(10), Cell::Empty]);
        assert_eq!((tenants(1), tenants(0)), ("1 tenant".to_owned(), "0 tenants".to_owned()));
    }
}
