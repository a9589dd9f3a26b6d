//! What people type after "what if": `eu-us-dpf=annulled`, `us_fisa_702=in_force`, `entity:scalingo-sas.country=US`.
//!
//! Promises: a short name stands for the same facts always, all of those that would change together; a name that there is not is
//! refused with the nearest that there is. Refuses to guess a value: one that its fact cannot have is refused when it is supposed.

use crate::fact::FactId;
use crate::nearest::nearest;
use crate::registry::law::{LawStatus, Mechanism};
use crate::registry::{InvalidSupposition, Registry, Supposition, halves};
use crate::word::UnknownWord;

/// Other names of mechanisms, for people who write them out.
const ALIASES: &[(&str, Mechanism)] = &[("eu-us-dpf", Mechanism::Dpf), ("data-privacy-framework", Mechanism::Dpf)];

/// Text that supposes nothing that there is.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotSupposed {
    /// It is no name with a value.
    #[error(transparent)]
    Text(#[from] InvalidSupposition),
    /// The name is of nothing that is known.
    #[error("nothing is called `{}`; accepted: {accepted}{}", name.escape_debug(), hint(.nearest.as_deref()))]
    Name {
        /// The name as given, cut to 80 characters.
        name: String,
        /// What would be accepted.
        accepted: String,
        /// The nearest name that there is.
        nearest: Option<String>,
    },
    /// A status that there is not.
    #[error(transparent)]
    Status(#[from] UnknownWord),
}

fn hint(nearest: Option<&str>) -> String {
    nearest.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// Reads what is supposed. A mechanism's name is about its status, and about the status of each adequacy decision that is the same
/// instrument; a law's name, or a fact's id that ends before its key, is about a status too; everything else is a fact's id.
///
/// # Errors
/// It is nothing that can be supposed; the message says the nearest name that there is.
pub fn suppose(registry: &Registry, text: &str) -> Result<Vec<Supposition>, NotSupposed> {
    let (name, is) = halves(text).ok_or_else(|| InvalidSupposition::of(text))?;
    let facts = match (name.contains(':'), name.contains('.')) {
        (true, true) => vec![known(registry, name)?],
        (true, false) => vec![known(registry, &format!("{name}.status"))?],
        (false, _) => named(registry, name)?,
    };
    if facts.iter().all(|fact| fact.parts().is_some_and(|(subject, key)| key == "status" && !subject.starts_with("certification:"))) {
        status(&is)?;
    }
    Ok(facts.into_iter().map(|fact| Supposition { fact, is: is.clone() }).collect())
}

/// Refuses what is no status early, where the words are at hand.
fn status(value: &toml::Value) -> Result<(), UnknownWord> {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if text == "unknown" { Ok(()) } else { text.parse::<LawStatus>().map(drop) }
}

/// A fact of the registry, whether or not anybody knows its value.
fn known(registry: &Registry, id: &str) -> Result<FactId, NotSupposed> {
    let facts = registry.facts();
    if let Some(known) = facts.iter().find(|known| known.id.as_str() == id) {
        return Ok(known.id.clone());
    }
    let ids = || facts.iter().map(|known| known.id.as_str());
    let subject = id.rsplit_once('.').map_or(id, |(subject, _)| subject);
    let of_it: Vec<&str> = ids().filter(|known| known.rsplit_once('.').is_some_and(|(of, _)| of == subject)).collect();
    let accepted = if of_it.is_empty() { "a fact's id, such as entity:scalingo-sas.country".to_owned() } else { of_it.join(", ") };
    // Ids are long, and few of them are as long as this one.
    let alike = ids().filter(|known| known.len().abs_diff(id.len()) <= 4);
    Err(NotSupposed::Name { name: cut(id), accepted, nearest: nearest(&cut(id), alike).map(str::to_owned) })
}

/// What a message repeats of a name.
fn cut(name: &str) -> String {
    name.chars().take(80).collect()
}

fn named(registry: &Registry, name: &str) -> Result<Vec<FactId>, NotSupposed> {
    // People write `-` where the registry writes `_`, and the other way round.
    let lower = name.to_ascii_lowercase();
    let plain = lower.replace('-', "_");
    let alias = ALIASES.iter().find(|(alias, _)| alias.replace('-', "_") == plain).map(|(_, mechanism)| *mechanism);
    if let Some(entry) = alias.or_else(|| plain.parse().ok()).and_then(|mechanism: Mechanism| registry.mechanisms.get(&mechanism)) {
        let decisions = registry.adequacy.values().filter(|decision| entry.instrument.contains(&decision.instrument));
        return Ok(std::iter::once(&entry.status)
            .chain(decisions.map(|decision| &decision.status))
            .map(|fact| fact.id().clone())
            .collect());
    }
    if let Some(law) = registry.laws.values().find(|law| law.id.as_str() == plain) {
        return Ok(vec![law.status.id().clone()]);
    }
    let mechanisms = registry.mechanisms.keys().map(|mechanism| mechanism.as_str()).chain(ALIASES.iter().map(|(alias, _)| *alias));
    let names: Vec<&str> = mechanisms.chain(registry.laws.keys().map(|law| law.as_str())).collect();
    Err(NotSupposed::Name {
        name: cut(name),
        accepted: format!("{}, or a fact's id, such as entity:scalingo-sas.country", names.join(", ")),
        nearest: nearest(&cut(&lower), names.iter().copied()).map(str::to_owned),
    })
}
