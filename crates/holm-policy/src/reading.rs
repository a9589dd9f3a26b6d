//! Reads a TOML table key by key, and remembers every problem instead of stopping at the first.
//!
//! Promises: a key that nobody asks for is a problem, with the nearest key that would be accepted; each problem says file,
//! place, what is wrong and what would be accepted.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::civil::Date;
use toml::{Table, Value};

use crate::fact::{Certainty, Evidence, Fact, FactId};

/// One thing that is wrong in a text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// The file, or what stands for it.
    pub file: String,
    /// Where in it: `region[osc-fr1].countries`; empty for the file as a whole.
    pub at: String,
    /// What is wrong, and what would be accepted.
    pub why: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.at.is_empty() { write!(f, "{}: {}", self.file, self.why) } else { write!(f, "{}: {}: {}", self.file, self.at, self.why) }
    }
}

/// Everything that is wrong in what was read, in the order of reading; never empty.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, problem) in self.0.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A value that can be read from TOML; the error says what would be accepted.
pub trait FromToml: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it, and what would be accepted.
    fn from_toml(value: &Value) -> Result<Self, String>;
}

pub(crate) fn text_of(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{} is not text in quotes", value.type_str()))
}

impl FromToml for String {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let text = text_of(value)?;
        if text.trim().is_empty() { Err("the text is empty".to_owned()) } else { Ok(text.to_owned()) }
    }
}

impl FromToml for bool {
    fn from_toml(value: &Value) -> Result<Self, String> {
        value.as_bool().ok_or_else(|| format!("{} is not `true` or `false`", value.type_str()))
    }
}

impl FromToml for u32 {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let number = value.as_integer().ok_or_else(|| format!("{} is not a whole number", value.type_str()))?;
        Self::try_from(number).map_err(|_| format!("{number} is not between 0 and {}", Self::MAX))
    }
}

impl FromToml for Date {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let text = match value {
            Value::Datetime(day) => day.to_string(),
            _ => return Err(format!("{} is not a day, written 2026-11-22 without quotes", value.type_str())),
        };
        text.parse().map_err(|_| format!("`{text}` is not a day, written 2026-11-22 without quotes"))
    }
}

/// Anything at all: what it must be is known when it is put where it belongs.
impl FromToml for Value {
    fn from_toml(value: &Value) -> Result<Self, String> {
        Ok(value.clone())
    }
}

impl<T: FromToml> FromToml for Vec<T> {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let items = value.as_array().ok_or_else(|| format!("{} is not a list in brackets", value.type_str()))?;
        items.iter().map(T::from_toml).collect()
    }
}

impl<T: FromToml + Ord> FromToml for BTreeSet<T> {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let items = Vec::<T>::from_toml(value)?;
        let (length, set) = (items.len(), items.into_iter().collect::<Self>());
        if set.len() == length { Ok(set) } else { Err("the list says something twice".to_owned()) }
    }
}

/// The problems that reading collects.
#[derive(Default)]
pub(crate) struct Findings(RefCell<Vec<Problem>>);

impl Findings {
    pub(crate) fn add(&self, file: &str, at: &str, why: impl Into<String>) {
        self.0.borrow_mut().push(Problem { file: file.to_owned(), at: at.to_owned(), why: why.into() });
    }

    /// The value, if nothing was wrong.
    pub(crate) fn settle<T>(self, value: Option<T>) -> Result<T, Problems> {
        let problems = self.0.into_inner();
        match value {
            Some(value) if problems.is_empty() => Ok(value),
            _ => Err(Problems(problems)),
        }
    }
}

/// Parses a text, or says where it is not TOML.
pub(crate) fn parse(file: &str, text: &str, findings: &Findings) -> Option<Table> {
    match text.parse::<Table>() {
        Ok(table) => Some(table),
        Err(e) => {
            let line = e.span().map_or(1, |span| text.get(..span.start).map_or(1, |before| before.lines().count().max(1)));
            findings.add(file, &format!("line {line}"), format!("not TOML: {}", e.message()));
            None
        }
    }
}

/// The sources by name; one written `file#name` is of another file, as overlays write it.
pub(crate) type Sources = BTreeMap<String, Evidence>;

/// One table of a text, and which of its keys were asked for.
pub(crate) struct Section<'a> {
    pub(crate) file: &'a str,
    pub(crate) at: String,
    table: &'a Table,
    asked: RefCell<BTreeSet<&'a str>>,
    accepted: RefCell<Vec<String>>,
    findings: &'a Findings,
}

impl<'a> Section<'a> {
    pub(crate) fn new(file: &'a str, at: String, table: &'a Table, findings: &'a Findings) -> Self {
        Self { file, at, table, asked: RefCell::default(), accepted: RefCell::default(), findings }
    }

    fn take(&self, key: &str) -> Option<&'a Value> {
        self.accepted.borrow_mut().push(key.to_owned());
        let (key, value) = self.table.get_key_value(key)?;
        self.asked.borrow_mut().insert(key);
        Some(value)
    }

    /// The value as written, not yet asked for.
    pub(crate) fn peek(&self, key: &str) -> Option<&'a Value> {
        self.table.get(key)
    }

    /// Says that a key would be accepted.
    pub(crate) fn allow(&self, key: &str) {
        self.take(key);
    }

    fn place(&self, key: &str) -> String {
        if self.at.is_empty() { key.to_owned() } else { format!("{}.{key}", self.at) }
    }

    pub(crate) fn problem(&self, key: &str, why: impl Into<String>) {
        self.findings.add(self.file, &self.place(key), why);
    }

    fn read<T: FromToml>(&self, key: &str, value: &Value) -> Option<T> {
        T::from_toml(value).map_err(|why| self.problem(key, why)).ok()
    }

    /// A key that may be left out.
    pub(crate) fn may<T: FromToml>(&self, key: &str) -> Option<T> {
        let value = self.take(key)?;
        self.read(key, value)
    }

    /// A key that must be there.
    pub(crate) fn must<T: FromToml>(&self, key: &str) -> Option<T> {
        let Some(value) = self.take(key) else {
            self.problem(key, "it is missing");
            return None;
        };
        self.read(key, value)
    }

    /// A list whose items are judged one by one, so that each wrong one is reported.
    pub(crate) fn list<T: FromToml>(&self, key: &str) -> Option<Vec<T>> {
        let items = match self.take(key)? {
            Value::Array(items) => items,
            other => {
                self.problem(key, format!("{} is not a list in brackets", other.type_str()));
                return None;
            }
        };
        Some(items.iter().enumerate().filter_map(|(i, item)| self.read(&format!("{key}[{i}]"), item)).collect())
    }

    /// A table that may be left out.
    pub(crate) fn section(&self, key: &'a str) -> Option<Self> {
        match self.take(key)? {
            Value::Table(table) => Some(Self::new(self.file, self.place(key), table, self.findings)),
            other => {
                self.problem(key, format!("{} is not a table", other.type_str()));
                None
            }
        }
    }

    /// Tables written `[[key]]`, each named by its `id` where it has one.
    pub(crate) fn sections(&self, key: &'a str) -> Vec<Self> {
        let items = match self.take(key) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.problem(key, format!("{} is not a list of tables, written `[[{key}]]`", other.type_str()));
                return Vec::new();
            }
        };
        let mut sections = Vec::new();
        for (i, item) in items.iter().enumerate() {
            let name = ["id", "code", "kind", "scheme", "place"].iter().find_map(|id| item.get(*id)?.as_str());
            let at = self.place(&format!("{key}[{}]", name.map_or_else(|| (i + 1).to_string(), str::to_owned)));
            match item {
                Value::Table(table) => sections.push(Self::new(self.file, at, table, self.findings)),
                other => self.findings.add(self.file, &at, format!("{} is not a table", other.type_str())),
            }
        }
        sections
    }

    /// Every key and value, for tables whose keys are data.
    pub(crate) fn entries(&self) -> Vec<(&'a str, &'a Value)> {
        self.table.iter().map(|(key, value)| (self.take(key).map_or(key.as_str(), |_| key.as_str()), value)).collect()
    }

    /// Reports the keys that nobody asked for. To be called when everything has been asked.
    pub(crate) fn finish(&self) {
        let (asked, mut accepted) = (self.asked.borrow(), self.accepted.borrow_mut());
        let mut said = BTreeSet::new();
        accepted.retain(|key| said.insert(key.clone()));
        for key in self.table.keys().filter(|key| !asked.contains(key.as_str())) {
            let near = crate::nearest::nearest(key, accepted.iter().map(String::as_str));
            let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
            self.problem(key, format!("there is no such key; accepted: {}{hint}", accepted.join(", ")));
        }
    }

    /// A fact: `"unknown"`, left out, or `{ is = …, from = "source" }` with what it overrides of its source.
    pub(crate) fn fact<T: FromToml>(&self, subject: &str, key: &'a str, sources: &Sources) -> Fact<T> {
        let id = FactId::new(subject, key);
        let table = match self.take(key) {
            None => return Fact::unknown(id),
            Some(Value::String(word)) if word == "unknown" => return Fact::unknown(id),
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.problem(key, "not a fact; accepted: \"unknown\", or { is = …, from = \"a source of this file\" }");
                return Fact::unknown(id);
            }
        };
        let claim = Self::new(self.file, self.place(key), table, self.findings);
        let value = claim.must::<T>("is");
        let evidence = claim.evidence(sources);
        claim.finish();
        match (value, evidence) {
            (Some(value), Some(evidence)) => Fact::known(id, value, evidence),
            _ => Fact::unknown(id),
        }
    }

    /// What a claim rests on: its source, with what it overrides of that.
    pub(crate) fn evidence(&self, sources: &Sources) -> Option<Evidence> {
        let name = self.must::<String>("from")?;
        let mut evidence = match sources.get(&if name.contains('#') { name.clone() } else { format!("{}#{name}", self.file) }) {
            Some(evidence) => evidence.clone(),
            None => {
                self.problem("from", format!("`{name}` is not a source of this file; accepted: the `id` of a `[[source]]`"));
                return None;
            }
        };
        if let Some(certainty) = self.may::<Certainty>("certainty") {
            evidence.certainty = certainty;
        }
        if let Some(day) = self.may("checked_on") {
            evidence.checked_on = day;
        }
        if let Some(day) = self.may("valid_until") {
            evidence.valid_until = day;
        }
        if let Some(day) = self.may("known_since") {
            evidence.known_since = day;
            self.known_since(&evidence);
        }
        evidence.known_since = evidence.known_since.max(evidence.checked_on);
        self.may::<String>("note");
        if evidence.valid_until <= evidence.checked_on {
            self.problem("valid_until", format!("{} is not after {}, the day it was read", evidence.valid_until, evidence.checked_on));
        }
        Some(evidence)
    }

    /// Nobody knows what they have not read.
    fn known_since(&self, evidence: &Evidence) {
        if evidence.known_since < evidence.checked_on {
            self.problem("known_since", format!("{} is before {}, the day it was read", evidence.known_since, evidence.checked_on));
        }
    }

    /// The `[[source]]` tables of a file, by `file#id`. Nothing in a file that says `known_since` itself was known before that.
    pub(crate) fn sources(&self, into: &mut Sources) {
        let of_the_file = self.may::<Date>("known_since");
        for source in self.sections("source") {
            let id = source.must::<String>("id");
            let evidence = (|| {
                let (what, url) = (source.must::<String>("what"), source.may::<String>("url"));
                let (checked_on, valid_until) = (source.must::<Date>("on"), source.must::<Date>("valid_until"));
                let (certainty, known_since) = (source.must::<Certainty>("certainty"), source.may("known_since"));
                let evidence = Evidence {
                    what: what?.into(),
                    url: url.map(Into::into),
                    checked_on: checked_on?,
                    known_since: known_since.or(of_the_file.max(checked_on))?,
                    certainty: certainty?,
                    valid_until: valid_until?,
                };
                source.known_since(&evidence);
                Some(evidence)
            })();
            source.finish();
            if let (Some(id), Some(evidence)) = (id, evidence)
                && into.insert(format!("{}#{id}", self.file), evidence).is_some()
            {
                source.problem("id", format!("there are two sources `{id}` in this file"));
            }
        }
    }
}
