//! What changed from one version of a profile to the next, and in which direction.
//!
//! Promises: a change that could permit what was not permitted is never called tighter. What cannot be ordered is "changed", which
//! whoever approves must read as looser.

use std::collections::{BTreeMap, BTreeSet};

use crate::copy::Isolation;
use crate::country::Territory;
use crate::profile::Profile;
use crate::word::words;

words! {
    /// In which direction a change goes.
    Direction, "a direction" {
        /// Permits less.
        Tighter = "tighter",
        /// Permits more.
        Looser = "looser",
        /// Neither can be said.
        Changed = "changed",
    }
}

/// One change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Change {
    /// Where: `location.countries`.
    pub at: String,
    /// What it was; nothing, if it was not asked for.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
    /// In which direction.
    pub direction: Direction,
}

/// How a value permits more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    /// By being more or larger.
    MoreIsLooser,
    /// By being less or smaller.
    MoreIsTighter,
    /// There is no saying.
    None,
}

/// A value of a profile; that it is absent means that nothing is asked.
#[derive(Clone, PartialEq, Eq)]
enum Value {
    Words(BTreeSet<String>),
    Number(u64),
    Text(String),
}

/// The changes from one profile to another, by place.
pub fn diff(before: &Profile, after: &Profile) -> Vec<Change> {
    let (before, after) = (values(before), values(after));
    let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let changed = keys.into_iter().filter(|key| before.get(*key).map(|v| &v.1) != after.get(*key).map(|v| &v.1));
    changed
        .map(|key| {
            let (a, b) = (before.get(key), after.get(key));
            let order = a.or(b).map_or(Order::None, |(order, _)| *order);
            let (a, b) = (a.map(|v| &v.1), b.map(|v| &v.1));
            Change { at: key.clone(), before: a.map(written), after: b.map(written), direction: direction(order, a, b) }
        })
        .collect()
}

fn written(value: &Value) -> String {
    match value {
        Value::Words(words) => words.iter().map(String::as_str).collect::<Vec<_>>().join(", "),
        Value::Number(number) => number.to_string(),
        Value::Text(text) => text.clone(),
    }
}

fn direction(order: Order, before: Option<&Value>, after: Option<&Value>) -> Direction {
    let more = match (before, after) {
        // What was not asked is asked, or the other way round.
        (None, Some(_)) if order != Order::None => return Direction::Tighter,
        (Some(_), None) if order != Order::None => return Direction::Looser,
        (Some(Value::Number(a)), Some(Value::Number(b))) => b > a,
        (Some(Value::Words(a)), Some(Value::Words(b))) if a.is_subset(b) || b.contains("@any") => true,
        (Some(Value::Words(a)), Some(Value::Words(b))) if b.is_subset(a) || a.contains("@any") => false,
        _ => return Direction::Changed,
    };
    match (order, more) {
        (Order::None, _) => Direction::Changed,
        (Order::MoreIsLooser, true) | (Order::MoreIsTighter, false) => Direction::Looser,
        (Order::MoreIsLooser, false) | (Order::MoreIsTighter, true) => Direction::Tighter,
    }
}

type Values = BTreeMap<String, (Order, Value)>;

fn words_of<T: ToString>(items: impl IntoIterator<Item = T>) -> Value {
    Value::Words(items.into_iter().map(|item| item.to_string()).collect())
}

/// A list that asks for nothing when it is empty.
fn put_some<T: ToString>(values: &mut Values, at: &str, order: Order, items: impl IntoIterator<Item = T>) {
    if let Value::Words(words) = words_of(items)
        && !words.is_empty()
    {
        values.insert(at.to_owned(), (order, Value::Words(words)));
    }
}

fn values(p: &Profile) -> Values {
    use Order::{MoreIsLooser, MoreIsTighter};
    let mut values = Values::new();
    let mut put = |at: &str, order: Order, value: Value| {
        values.insert(at.to_owned(), (order, value));
    };
    let territories = |list: &[Territory]| words_of(list);
    put("scope.environments", MoreIsLooser, words_of(p.scope.environments.iter().map(|kind| kind.0)));
    put("scope.copies", MoreIsLooser, words_of(&p.scope.copies));
    put("location.countries", MoreIsLooser, territories(&p.location.countries));
    put("access.support_from", MoreIsLooser, territories(&p.support_from));
    put("control.contracting_entity", MoreIsLooser, territories(&p.control.contracting_entity));
    put("control.owners", MoreIsLooser, territories(&p.control.owners));
    put("control.sub_processors", MoreIsLooser, territories(&p.control.sub_processors));
    put("control.depth", MoreIsTighter, Value::Number(p.control.depth.map_or(u64::MAX, u64::from)));
    put("evidence.accept", MoreIsLooser, words_of(&p.evidence.accept));
    put("evidence.max_age_days", MoreIsLooser, Value::Number(p.evidence.max_age_days.into()));
    put("evidence.unknown", Order::None, Value::Text(p.evidence.unknown.to_string()));
    if let Some(affiliates) = &p.control.affiliates {
        put("control.affiliates", MoreIsLooser, territories(affiliates));
    }
    if let Some(transfer) = &p.transfer {
        put("transfer.mechanisms", MoreIsLooser, words_of(&transfer.mechanisms));
    }
    technical(p, &mut values);
    papers(p, &mut values);
    let steps = p.on_breach.iter().map(|step| format!("{} after {} days", step.step, step.after_days)).collect::<Vec<_>>();
    values.insert("on_breach".to_owned(), (Order::None, Value::Text(steps.join(", "))));
    values.insert("version".to_owned(), (Order::None, Value::Number(p.metadata.version.into())));
    values.insert("status".to_owned(), (Order::None, Value::Text(p.metadata.status.to_string())));
    values
}

fn technical(p: &Profile, values: &mut Values) {
    use Order::{MoreIsLooser, MoreIsTighter};
    let technical = &p.technical;
    if let Some(isolation) = technical.isolation {
        let rank = Isolation::ALL.iter().position(|one| *one == isolation).unwrap_or_default();
        values.insert("technical.isolation".to_owned(), (MoreIsTighter, Value::Number(rank as u64)));
    }
    if technical.encryption_at_rest {
        values.insert("technical.encryption_at_rest".to_owned(), (MoreIsTighter, Value::Text("true".to_owned())));
    }
    if technical.plan {
        values.insert("technical.plan".to_owned(), (MoreIsTighter, Value::Text("true".to_owned())));
    }
    if let Some(days) = technical.residue_days_max {
        values.insert("technical.residue_days_max".to_owned(), (MoreIsLooser, Value::Number(days.into())));
    }
    for (kind, days) in &technical.pitr_days_min {
        values.insert(format!("technical.pitr_days_min.{}", kind.0), (MoreIsTighter, Value::Number((*days).into())));
    }
    for (role, holders) in &technical.key_holder {
        put_some(values, &format!("technical.key_holder.{role}"), MoreIsLooser, holders);
    }
}

fn papers(p: &Profile, values: &mut Values) {
    use Order::{MoreIsLooser, MoreIsTighter};
    put_some(values, "location.same_country_for", MoreIsTighter, &p.location.same_country_for);
    put_some(values, "control.refuse_laws", MoreIsTighter, &p.control.refuse_laws);
    put_some(values, "certification.all_of", MoreIsTighter, &p.certification.all_of);
    put_some(values, "certification.any_of", MoreIsLooser, &p.certification.any_of);
    if let Some(contract) = &p.contract {
        let dpa = contract.dpa.then(|| "dpa".to_owned());
        put_some(values, "contract", MoreIsTighter, dpa.into_iter().chain(contract.papers.iter().map(ToString::to_string)));
    }
    // Keys rescue: none is the tightest, so that the empty list must be there to be compared with.
    let rescue = p.control.rescue.as_ref();
    let copies = rescue.map(|rescue| words_of(&rescue.copies)).unwrap_or_else(|| Value::Words(BTreeSet::new()));
    let holders = rescue.map(|rescue| words_of(&rescue.holders)).unwrap_or_else(|| Value::Words(BTreeSet::new()));
    values.insert("control.rescued_by_keys.copies".to_owned(), (MoreIsLooser, copies));
    values.insert("control.rescued_by_keys.holders".to_owned(), (MoreIsLooser, holders));
    if let Some(transfer) = &p.transfer {
        put_some(values, "transfer.assessment_for", MoreIsTighter, &transfer.assessment_for);
        if !transfer.assessment_for.is_empty() {
            let days = Value::Number(transfer.assessment_max_age_days.into());
            values.insert("transfer.assessment_max_age_days".to_owned(), (MoreIsLooser, days));
        }
        for (mechanism, others) in &transfer.fallback {
            put_some(values, &format!("transfer.fallback.{mechanism}"), MoreIsLooser, others);
        }
    }
}
