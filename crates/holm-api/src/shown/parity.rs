//! How the comparison of two environments is shown.

use holm_core::error::Problem;
use holm_core::parity::{Told as Values, Value};
use holm_engine::environment::parity::{Compared, NOT_COMPARED, Report, Told};
use holm_store::parity::Waiver;

use crate::view::parity::{ComparedView, DifferenceView, NotComparedView, ParityView, ServerValueView, WaiverView};

impl From<Report> for ParityView {
    fn from(report: Report) -> Self {
        let not = |(what, because): &(&str, &str)| NotComparedView { what: (*what).to_owned(), because: (*because).to_owned() };
        Self {
            verdict: report.verdict().as_str().to_owned(),
            environment: report.environment,
            with: report.with,
            asked_at: report.asked_at,
            servers: report.compared.into_iter().map(Into::into).collect(),
            differences: report.told.into_iter().map(Into::into).collect(),
            not_compared: NOT_COMPARED.iter().map(not).collect(),
        }
    }
}

impl From<Compared> for ComparedView {
    fn from(compared: Compared) -> Self {
        let Compared { cluster, seen } = compared;
        let why = |problem: Problem| match problem.why {
            Some(why) => format!("{}: {why}", problem.what),
            None => problem.what,
        };
        Self {
            environment: cluster.environment,
            cluster: cluster.name,
            adopted: cluster.adopted.is_some(),
            placed: cluster.placed.map(Into::into),
            server_version: seen.as_ref().ok().map(|capability| capability.facts.version()),
            trouble: seen.err().map(why),
        }
    }
}

impl From<Told> for DifferenceView {
    fn from(told: Told) -> Self {
        let Told { finding, waiver } = told;
        Self {
            id: finding.id.to_string(),
            outcome: finding.outcome.as_str().to_owned(),
            severity: finding.id.severity().as_str().to_owned(),
            why: finding.id.why().to_owned(),
            here: values(finding.here),
            there: values(finding.there),
            waiver: waiver.map(Into::into),
        }
    }
}

fn values(told: Values) -> Vec<ServerValueView> {
    let shown = |(cluster, value)| {
        let (value, unknown) = match value {
            Value::Known(value) => (Some(value), None),
            Value::Unknown(why) => (None, Some(why)),
            Value::Unseen => (None, Some("nobody could look at it".to_owned())),
            Value::Nothing => (None, None),
        };
        ServerValueView { cluster, value, unknown }
    };
    told.into_iter().map(shown).collect()
}

impl From<Waiver> for WaiverView {
    fn from(waiver: Waiver) -> Self {
        let Waiver { id, environment, with, difference, here, there, owner, reason, until, granted_at, ended } = waiver;
        Self { id, environment, with, difference: difference.to_string(), here, there, owner, reason, until, ended, granted_at }
    }
}
