//! How numbers about many tenants are shown.

use holm_core::statistics::{AtLeast, By, Figure, Group, Measure, Others, Told};
use holm_engine::environment::statistics::{Answered, NotCounted};

use crate::view::statistics::{FigureView, GroupView, NotCountedView, OthersView, StatisticsView, SumsView};

impl From<Answered> for StatisticsView {
    fn from(answered: Answered) -> Self {
        let Answered { environment, wanted, asked_at, statistics, not_counted } = answered;
        let at_least = statistics.at_least;
        let group = |Group { name, told }: &Group| GroupView { name: name.clone(), counted: counted(told, at_least) };
        Self {
            environment,
            asked_at,
            purpose: wanted.purpose.to_string(),
            by: wanted.by.map(|by: By| by.as_str().to_owned()),
            at_least: at_least.get(),
            total: counted(&statistics.total, at_least),
            groups: statistics.groups.iter().map(group).collect(),
            others: statistics.others.map(|others| others_of(&others, at_least)),
            not_counted: not_counted.into_iter().map(Into::into).collect(),
        }
    }
}

fn counted(told: &Told, at_least: AtLeast) -> SumsView {
    let figure = |(measure, figure): (Measure, Figure)| {
        let (sum, mean, why) = match figure {
            Figure::Told { sum, mean } => (Some(sum), Some(mean), None),
            Figure::Withheld(why) => (None, None, Some(why)),
        };
        FigureView {
            measure: measure.as_str().to_owned(),
            sum,
            mean,
            withheld: why.map(|why| why.as_str().to_owned()),
            because: why.map(|why| why.because(at_least)),
        }
    };
    SumsView { tenants: number(told.tenants), figures: Measure::ALL.into_iter().zip(told.figures).map(figure).collect() }
}

fn others_of(others: &Others, at_least: AtLeast) -> OthersView {
    OthersView { groups: number(others.groups), because: others.folded.because(at_least), counted: counted(&others.told, at_least) }
}

impl From<NotCounted> for NotCountedView {
    fn from(NotCounted { cluster, tenants, because }: NotCounted) -> Self {
        Self { cluster, tenants: number(tenants), because }
    }
}

fn number(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}
