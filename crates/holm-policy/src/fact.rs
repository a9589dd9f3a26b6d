//! Facts: dated claims with a source, each known only for a while.
//!
//! Promises: a fact has a value only while it is valid at the time asked about; at its end, midnight UTC of `valid_until`, it is
//! unknown. Refuses to guess: a fact that nobody wrote down is unknown, and so is one that says `unknown`.

use std::fmt;
use std::sync::Arc;

use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use crate::word::words;

words! {
    /// How sure a fact is.
    Certainty, "a certainty" {
        /// Read in the provider's or project's own documentation.
        Verified = "verified",
        /// Said by whoever installs Holm, in a document of theirs.
        Stated = "stated",
        /// From a law firm, the press or a data set: good enough to start from.
        ThirdParty = "third_party",
        /// Remembered and not looked up: a thing to do.
        Background = "background",
        /// Searched for and not found, which proves nothing.
        Absent = "absent",
    }
}

/// The name of a fact, for ever the same: `region:scalingo/osc-fr1.countries`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", from = "String")]
pub struct FactId(Arc<str>);

impl FactId {
    pub(crate) fn new(subject: &str, key: &str) -> Self {
        Self(format!("{subject}.{key}").into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What the fact is about, and which of its facts it is; `None` in text that no fact can have as its id.
    pub(crate) fn parts(&self) -> Option<(&str, &str)> {
        self.0.rsplit_once('.')
    }
}

impl From<String> for FactId {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<FactId> for String {
    fn from(id: FactId) -> String {
        (*id.0).to_owned()
    }
}

impl fmt::Display for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for FactId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a fact comes from and how long it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// What was read, in words.
    pub what: Arc<str>,
    /// Where it can be read again, if anywhere.
    pub url: Option<Arc<str>>,
    /// The day on which it was read.
    pub checked_on: Date,
    /// The day from which the registry says so; that on which it was read, if nothing else is said.
    pub known_since: Date,
    /// How sure that makes it.
    pub certainty: Certainty,
    /// The first day on which it is no longer known.
    pub valid_until: Date,
}

/// A claim: a value, or that there is none, and the evidence if somebody looked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fact<T> {
    id: FactId,
    known: Option<Known<T>>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
struct Known<T> {
    value: T,
    evidence: Evidence,
    checked_at: Timestamp,
    ends: Timestamp,
}

/// A fact's value at a time, and what it rests on.
#[derive(Debug)]
pub struct Held<'a, T> {
    /// The value.
    pub value: &'a T,
    /// How sure it is.
    pub certainty: Certainty,
    /// Midnight UTC of the day on which it was read.
    pub checked_at: Timestamp,
    /// When it stops being known.
    pub ends: Timestamp,
}

/// Why a fact has no value at a time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Missing {
    /// Nobody knows, or nobody wrote it down.
    Unknown,
    /// It was known until then.
    Expired(Date),
}

/// Midnight UTC, at which a day begins and a fact that is valid until that day ends.
pub(crate) fn midnight(day: Date) -> Timestamp {
    day.to_zoned(jiff::tz::TimeZone::UTC).map_or(Timestamp::MAX, |zoned| zoned.timestamp())
}

/// So many days after a time, as 24 hours each; the end of time if that is later.
pub(crate) fn days_after(time: Timestamp, days: u32) -> Timestamp {
    time.checked_add(SignedDuration::from_hours(i64::from(days) * 24)).unwrap_or(Timestamp::MAX)
}

impl<T> Fact<T> {
    /// A fact that nobody knows.
    pub fn unknown(id: FactId) -> Self {
        Self { id, known: None }
    }

    /// A claim with its evidence.
    pub fn known(id: FactId, value: T, evidence: Evidence) -> Self {
        let (checked_at, ends) = (midnight(evidence.checked_on), midnight(evidence.valid_until));
        Self { id, known: Some(Known { value, evidence, checked_at, ends }) }
    }

    /// The fact's name.
    pub fn id(&self) -> &FactId {
        &self.id
    }

    /// What the claim rests on, whether or not it still holds.
    pub fn evidence(&self) -> Option<&Evidence> {
        self.known.as_ref().map(|known| &known.evidence)
    }

    /// What was claimed, whether or not it still holds; for showing, never for judging.
    pub fn claimed(&self) -> Option<&T> {
        self.known.as_ref().map(|known| &known.value)
    }

    /// The value at a time.
    ///
    /// # Errors
    /// There is none: never known, or no longer.
    pub fn at(&self, now: Timestamp) -> Result<Held<'_, T>, Missing> {
        let known = self.known.as_ref().ok_or(Missing::Unknown)?;
        if now >= known.ends {
            return Err(Missing::Expired(known.evidence.valid_until));
        }
        Ok(Held { value: &known.value, certainty: known.evidence.certainty, checked_at: known.checked_at, ends: known.ends })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact() -> Fact<bool> {
        let evidence = Evidence {
            what: "a page".into(),
            url: None,
            checked_on: jiff::civil::date(2026, 8, 21),
            known_since: jiff::civil::date(2026, 8, 21),
            certainty: Certainty::Verified,
            valid_until: jiff::civil::date(2027, 2, 17),
        };
        Fact::known(FactId::new("service:scalingo/postgres", "encryption_at_rest"), true, evidence)
    }

    #[test]
    fn a_fact_is_known_until_midnight_and_unknown_from_it() {
        let last: Timestamp = "2027-02-16T23:59:59.999999999Z".parse().unwrap();
        let end: Timestamp = "2027-02-17T00:00:00Z".parse().unwrap();
        assert!(*fact().at(last).unwrap().value);
        assert_eq!(fact().at(last).unwrap().ends, end);
        assert_eq!(fact().at(end).unwrap_err(), Missing::Expired(jiff::civil::date(2027, 2, 17)));
        assert_eq!(Fact::<bool>::unknown(fact().id().clone()).at(last).unwrap_err(), Missing::Unknown);
    }
}
