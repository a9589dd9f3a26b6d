//! Facts of an installation's own: texts laid over what Holm ships, put in force, replaced and taken away (R31).
//!
//! Promises: a text is put in force as a whole or not at all, with every fault that it has; afterwards everything in force can
//! still be read. Cases of profiles that come out otherwise are told and refuse nothing: whoever knows better may know something
//! unwelcome. What was in force before can still be read.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::id::Place;
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster};
use holm_store::residency::facts::{self, Kept};
use holm_store::residency::paper::{self, Paper};
use holm_store::residency::{self, profile};
use jiff::Timestamp;
use uuid::Uuid;

use super::known;
use super::watch;
use crate::control::Control;

/// As long as the body of a request: who has more to say gives it in several texts.
pub const TEXT_BYTES_MAX: usize = 48 * 1024;

/// Each is laid over all before it: more would be felt whenever something changes.
const TEXTS_MAX: usize = 64;

/// What a text of facts is called; texts are laid in the order of their names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FactsName(Box<str>);

/// Text that cannot be the name of one.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}` is not 1 to 64 of `a` to `z`, `A` to `Z`, `0` to `9`, `-`, `_`, or begins with `supposed`", .0.escape_debug())]
pub struct InvalidFactsName(String);

impl FactsName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for FactsName {
    type Err = InvalidFactsName;

    fn from_str(text: &str) -> Result<Self, InvalidFactsName> {
        let fits = (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        // What a question supposes is laid over everything under such a name.
        if fits && !text.starts_with("supposed") { Ok(Self(text.into())) } else { Err(InvalidFactsName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for FactsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A text that was put in force or taken away.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Changed {
    /// The text.
    pub facts: Kept,
    /// What comes of it and was perhaps not meant: cases that come out otherwise, places and companies that nobody knows any more.
    pub notes: Vec<String>,
}

/// Everything else in force, which has to be understood with the facts.
struct Rest {
    profiles: Vec<profile::Kept>,
    papers: Vec<Paper>,
    clusters: Vec<Cluster>,
}

/// Those in force, in the order in which they are laid.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Kept>, Problem> {
    Ok(facts::in_force(control.catalog()).await?)
}

/// Puts a text in force, in the place of the one of that name. One that is in force already stays as it is.
///
/// # Errors
/// [`ErrorCode::FactsRefused`] with everything that is wrong with it, or with what would come of it;
/// [`ErrorCode::InForceUnreadable`]: what is in force already cannot be understood. Nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn keep(control: &Control, by: &Actor, name: FactsName, text: String) -> Result<Changed, Problem> {
    control.tasks().finish("put facts in force", put(control.clone(), by.clone(), name, text)).await
}

/// Takes a text away.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; [`ErrorCode::FactsRefused`]: something in force could not be understood without it. Nothing
/// changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn remove(control: &Control, by: &Actor, name: FactsName) -> Result<Changed, Problem> {
    control.tasks().finish("take facts away", take(control.clone(), by.clone(), name)).await
}

async fn put(control: Control, by: Actor, name: FactsName, text: String) -> Result<Changed, Problem> {
    if text.len() > TEXT_BYTES_MAX {
        let why = format!("it has {} bytes, and the longest accepted has {TEXT_BYTES_MAX}", text.len());
        return Err(refused(why).next("give it in several texts"));
    }
    let mut tx = control.catalog().transaction().await?;
    // Not `Known::alone`: if what is in force cannot be understood, this is how it is put right.
    residency::alone(&mut tx).await?;
    let before = facts::in_force_within(&mut tx).await?;
    let last = before.iter().find(|kept| kept.name == name.as_str()).cloned();
    if let Some(same) = last.as_ref().filter(|kept| kept.text == text) {
        tx.rollback().await?;
        return Ok(Changed { facts: same.clone(), notes: Vec::new() });
    }
    let mut after: Vec<Kept> = before.iter().filter(|kept| kept.name != name.as_str()).cloned().collect();
    if after.len() >= TEXTS_MAX {
        return Err(refused(format!("{TEXTS_MAX} texts are in force, and there may not be more")).next("put several into one"));
    }
    let new = Kept { id: Uuid::now_v7(), name: name.as_str().to_owned(), text, kept_at: Timestamp::UNIX_EPOCH };
    after.push(new.clone());
    after.sort_by(|one, two| one.name.cmp(&two.name));
    let rest = Rest {
        profiles: profile::newest_within(&mut tx).await?,
        papers: paper::on_file_within(&mut tx).await?,
        clusters: cluster::list_within(&mut tx).await?,
    };
    let notes = tokio::task::spawn_blocking(move || judged(&before, &after, &rest)).await.expect("reading facts does not panic")?;
    residency::advance(&mut tx).await?;
    facts::keep(&mut tx, new.id, name.as_str(), &new.text).await?;
    let kept = facts::in_force_within(&mut tx).await?.into_iter().find(|kept| kept.id == new.id);
    let kept = kept.ok_or_else(|| Problem::new(ErrorCode::Internal, format!("facts `{name}` were written and are not there")))?;
    let detail = Detail::Judged { what: told(&new), before: last.as_ref().map(told) };
    record(&mut tx, NewEntry::new(&by, AuditAction::FactsKeep, None, Subject::Installation).with(detail));
    tx.commit().await?;
    watch::soon(&control);
    Ok(Changed { facts: kept, notes })
}

async fn take(control: Control, by: Actor, name: FactsName) -> Result<Changed, Problem> {
    let mut tx = control.catalog().transaction().await?;
    residency::alone(&mut tx).await?;
    let before = facts::in_force_within(&mut tx).await?;
    let Some(last) = before.iter().find(|kept| kept.name == name.as_str()).cloned() else {
        return Err(Problem::new(ErrorCode::RecordNotFound, format!("there are no facts `{name}` in force"))
            .next("see which there are: `holm residency facts list`"));
    };
    let after: Vec<Kept> = before.iter().filter(|kept| kept.id != last.id).cloned().collect();
    let rest = Rest {
        profiles: profile::newest_within(&mut tx).await?,
        papers: paper::on_file_within(&mut tx).await?,
        clusters: cluster::list_within(&mut tx).await?,
    };
    let notes = tokio::task::spawn_blocking(move || judged(&before, &after, &rest)).await.expect("reading facts does not panic")?;
    residency::advance(&mut tx).await?;
    facts::remove(&mut tx, name.as_str()).await?;
    let detail = Detail::Judged { what: told(&last), before: None };
    record(&mut tx, NewEntry::new(&by, AuditAction::FactsRemove, None, Subject::Installation).with(detail));
    tx.commit().await?;
    watch::soon(&control);
    Ok(Changed { facts: last, notes })
}

/// By its id what it said can be found as long as the catalog is there.
fn told(kept: &Kept) -> String {
    format!("{} {}", kept.name, kept.id)
}

fn refused(why: impl fmt::Display) -> Problem {
    Problem::new(ErrorCode::FactsRefused, "the facts cannot be put in force").because(why)
}

/// Whether everything in force can be understood by the facts that are to be; if so, what is otherwise than by those that were.
fn judged(before: &[Kept], after: &[Kept], rest: &Rest) -> Result<Vec<String>, Problem> {
    // What cannot be understood now is compared with nothing.
    let was = known::overlaid(before);
    let registry = match (laid(after), &was) {
        (Ok(registry), _) => registry,
        // Not the fault of whoever gives a text that another is there which nobody can read.
        (Err(refused), Err(_)) => {
            let kept: Vec<Kept> = after.iter().filter(|text| before.contains(text)).cloned().collect();
            return Err(known::overlaid(&kept).err().unwrap_or(refused));
        }
        (Err(refused), Ok(_)) => return Err(refused),
    };
    let was = was.ok();
    let (mut faults, mut notes) = (Vec::new(), Vec::new());
    for kept in &rest.profiles {
        let file = format!("profile `{}` version {}", kept.name, kept.version);
        match Profile::parse(&file, &kept.text, &registry) {
            // What nobody could read before is not the fault of these.
            Err(problems) if was.as_deref().is_none_or(|was| Profile::parse(&file, &kept.text, was).is_err()) => {
                notes.push(problems.on_one_line());
            }
            Err(problems) => faults.push(problems.on_one_line()),
            Ok(profile) => notes.extend(cases(&file, kept, &profile, &registry, was.as_deref())),
        }
    }
    if !faults.is_empty() {
        return Err(refused(faults.join("; ")).next("change the profile first, so that it needs nothing that is missing then"));
    }
    notes.extend(was.iter().flat_map(|was| forgotten(was, &registry, rest)));
    Ok(notes)
}

fn laid(facts: &[Kept]) -> Result<Arc<Registry>, Problem> {
    let mut registry = known::overlaid(&[])?;
    for kept in facts {
        let over = registry.overlaid((&kept.name, &kept.text));
        registry = Arc::new(
            over.map_err(|problems| refused(problems.on_one_line()).next("the format, with an example: docs/how-to/residency.md"))?,
        );
    }
    Ok(registry)
}

/// The cases of a profile that come out otherwise.
fn cases(file: &str, kept: &profile::Kept, profile: &Profile, registry: &Registry, was: Option<&Registry>) -> Vec<String> {
    let results = match profile.run_cases(registry) {
        Ok(results) => results,
        Err(problems) => return vec![format!("the cases of {file} cannot be run: {}", problems.on_one_line())],
    };
    let before: HashMap<usize, (Outcome, bool)> = was
        .and_then(|was| Profile::parse(file, &kept.text, was).ok()?.run_cases(was).ok())
        .into_iter()
        .flatten()
        .map(|result| (result.number, (result.verdict.outcome, result.passed)))
        .collect();
    let mut notes = Vec::new();
    for result in results {
        let (outcome, passed) = before.get(&result.number).copied().unwrap_or((result.expect, true));
        if (outcome, passed) != (result.verdict.outcome, result.passed) {
            let (number, expect, now) = (result.number, result.expect, result.verdict.outcome);
            notes.push(format!("case {number} of {file} expects `{expect}`, came to `{outcome}` and comes to `{now}`"));
        }
    }
    notes
}

/// What something speaks of that was known and is no more.
fn forgotten(was: &Registry, registry: &Registry, rest: &Rest) -> Vec<String> {
    let mut notes = Vec::new();
    for cluster in &rest.clusters {
        let place = cluster.placed.as_ref().and_then(|placed| placed.place.parse::<Place>().ok());
        if let Some(place) = place.filter(|place| was.region(place).is_some() && registry.region(place).is_none()) {
            notes.push(format!("cluster `{}` is said to be at `{place}`, of which nothing is known any more", cluster.name));
        }
    }
    for paper in &rest.papers {
        let (kind, Some(entity)) = (&paper.kind, paper.of.company()) else { continue };
        if was.entity_called(entity).is_ok() && registry.entity_called(entity).is_err() {
            notes.push(format!("paper {} is a `{kind}` with `{entity}`, of which nothing is known any more", paper.id));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_stands_in_a_path_and_in_a_source_and_hides_no_question() {
        for text in ["own", "Own_2", "umea-hall", &"x".repeat(64)] {
            assert_eq!(text.parse::<FactsName>().unwrap().as_str(), text);
        }
        for text in ["", "a b", "a/b", "a#b", "own.toml", "å", "supposed", "supposed-2", &"x".repeat(65)] {
            assert!(text.parse::<FactsName>().is_err(), "{text}");
        }
    }
}
