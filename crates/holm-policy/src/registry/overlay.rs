//! What an installation knows better: facts that replace shipped ones by their ids, and things of its own.
//!
//! ```toml
//! [[source]]
//! id = "contract"
//! what = "our contract with Scalingo"
//! on = 2026-11-20
//! valid_until = 2027-11-20
//! certainty = "stated"
//!
//! [[fact]]
//! id = "provider:scalingo.support_from"
//! is = ["FR"]
//! from = "contract"
//! ```

use std::str::FromStr;

use jiff::ToSpan;
use jiff::civil::Date;
use toml::{Table, Value};

use crate::fact::FactId;
use crate::reading::{Findings, Problems, parse};
use crate::registry::known::REPLACED;
use crate::registry::{Document, Registry, load};

pub(super) fn overlaid(documents: &[(String, Table)], (file, text): Document<'_>) -> Result<Registry, Problems> {
    let findings = Findings::default();
    let mut documents = documents.to_vec();
    if documents.iter().any(|(name, _)| name == file) {
        findings.add(file, "", "there already is a text of this name; accepted: another name");
    }
    if let Some(mut overlay) = parse(file, text, &findings) {
        match overlay.remove("fact") {
            None => {}
            Some(Value::Array(facts)) => {
                for (i, fact) in facts.into_iter().enumerate() {
                    if let Err(why) = replace(&mut documents, file, fact) {
                        findings.add(file, &format!("fact[{}]", i + 1), why);
                    }
                }
            }
            Some(_) => findings.add(file, "fact", "not a list of tables, written `[[fact]]`"),
        }
        documents.push((file.to_owned(), overlay));
    }
    load::build(documents, findings)
}

/// A fact that is supposed to be otherwise, for a case or a question "what if".
#[derive(Clone, PartialEq, Debug)]
pub struct Supposition {
    /// Which.
    pub fact: FactId,
    /// What it would be, as the registry writes it; the text `unknown` for a fact that nobody knows.
    pub is: Value,
}

impl Eq for Supposition {}

/// Text that supposes nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}` is not a supposition; accepted: a fact's id and a value, adequacy:US.status=annulled", .0.escape_debug())]
pub struct InvalidSupposition(String);

impl InvalidSupposition {
    pub(crate) fn of(text: &str) -> Self {
        Self(text.chars().take(80).collect())
    }
}

impl FromStr for Supposition {
    type Err = InvalidSupposition;

    /// What stands after the `=` is TOML if it can be read so, and a word otherwise.
    fn from_str(text: &str) -> Result<Self, InvalidSupposition> {
        let (id, is) = halves(text).ok_or_else(|| InvalidSupposition::of(text))?;
        let fact = FactId::from(id.to_owned());
        if fact.parts().is_none() {
            return Err(InvalidSupposition::of(text));
        }
        Ok(Self { fact, is })
    }
}

/// A name, and a value: TOML if it can be read so, and a word otherwise.
pub(crate) fn halves(text: &str) -> Option<(&str, Value)> {
    let (name, is) = text.split_once('=')?;
    let (name, is) = (name.trim(), is.trim());
    if name.is_empty() || is.is_empty() {
        return None;
    }
    let value = format!("is = {is}").parse::<Table>().ok().filter(|table| table.len() == 1).and_then(|mut table| table.remove("is"));
    Some((name, value.unwrap_or_else(|| Value::String(is.to_owned()))))
}

/// Facts replaced as by an overlay, all certain and read on that day.
pub(super) fn supposing(documents: &[(String, Table)], suppositions: &[Supposition], on: Date) -> Result<Registry, Problems> {
    // Suppositions may be laid over suppositions, each with a day of its own.
    let before = documents.iter().filter(|(name, _)| name.starts_with("supposed")).count();
    let file = if before == 0 { "supposed".to_owned() } else { format!("supposed-{}", before + 1) };
    let until = on.checked_add(1.year()).unwrap_or(Date::MAX);
    let header =
        format!("[[source]]\nid = \"supposed\"\nwhat = \"supposed\"\non = {on}\nvalid_until = {until}\ncertainty = \"verified\"\n");
    let findings = Findings::default();
    let mut documents = documents.to_vec();
    for Supposition { fact, is } in suppositions {
        let mut table = Table::new();
        table.insert("id".to_owned(), Value::String(fact.to_string()));
        table.insert("is".to_owned(), is.clone());
        table.insert("from".to_owned(), Value::String("supposed".to_owned()));
        if let Err(why) = replace(&mut documents, &file, Value::Table(table)) {
            findings.add(&file, fact.as_str(), why);
        }
    }
    documents.extend(parse(&file, &header, &findings).map(|table| (file.clone(), table)));
    load::build(documents, findings)
}

/// Puts a fact where its id says; its key is checked when the whole is read again.
fn replace(documents: &mut [(String, Table)], file: &str, fact: Value) -> Result<(), String> {
    let Value::Table(mut fact) = fact else { return Err("not a table".to_owned()) };
    let id = match fact.remove("id") {
        Some(Value::String(id)) => FactId::from(id),
        _ => return Err("it has no `id`; accepted: the id of a fact, such as \"region:scalingo/osc-fr1.countries\"".to_owned()),
    };
    let (subject, key) = id.parts().ok_or_else(|| format!("`{id}` is not a fact's id, which ends in `.` and the fact's key"))?;
    let found = documents.iter_mut().find_map(|(name, text)| find(text, subject).is_some().then_some((name, text)));
    let (name, text) = found.ok_or_else(|| format!("there is nothing called `{subject}` in the registry"))?;
    let table = find(text, subject).ok_or("it was there just now")?;
    if fact.get("is").and_then(Value::as_str) == Some("unknown") {
        // Since when nobody knows it is not said, so that what it was before is not kept.
        table.insert(key.to_owned(), Value::String("unknown".to_owned()));
        return Ok(());
    }
    name_source(&mut fact, file);
    if let Some(Value::Table(mut before)) = table.insert(key.to_owned(), Value::Table(fact)) {
        name_source(&mut before, name);
        before.insert("id".to_owned(), Value::String(id.to_string()));
        before.insert(REPLACED.to_owned(), Value::Boolean(true));
        if let Value::Array(was) = text.entry("was").or_insert_with(|| Value::Array(Vec::new())) {
            was.push(Value::Table(before));
        }
    }
    Ok(())
}

/// A source of another text is named with it, `file#id`.
pub(super) fn name_source(claim: &mut Table, file: &str) {
    if let Some(Value::String(from)) = claim.get_mut("from").filter(|from| from.as_str().is_some_and(|from| !from.contains('#'))) {
        *from = format!("{file}#{from}");
    }
}

/// Writes a fact where its id says, if it says a place.
pub(super) fn put(documents: &mut [(String, Table)], fact: &FactId, value: Value) {
    if let Some((subject, key)) = fact.parts()
        && let Some(table) = documents.iter_mut().find_map(|(_, table)| find(table, subject))
    {
        table.insert(key.to_owned(), value);
    }
}

/// The table that a subject names, if this text has it.
fn find<'a>(document: &'a mut Table, subject: &str) -> Option<&'a mut Table> {
    let (kind, name) = subject.split_once(':')?;
    let provider = document.get("provider").and_then(|table| table.get("id")).and_then(Value::as_str).map(str::to_owned);
    let owned = |name: &str| name.split_once('/').filter(|(of, _)| Some(*of) == provider.as_deref()).map(|(_, rest)| rest.to_owned());
    match kind {
        "provider" if provider.as_deref() == Some(name) => document.get_mut("provider")?.as_table_mut(),
        "region" | "certification" => item(document, kind, "id", &owned(name)?),
        "service" => item(document, "service", "kind", &owned(name)?),
        "plan" => item(item(document, "service", "kind", "postgres")?, "plan", "id", &owned(name)?),
        "group" | "adequacy" | "mechanism" | "law" | "entity" => item(document, kind, "id", name),
        _ => None,
    }
}

fn item<'a>(table: &'a mut Table, list: &str, key: &str, name: &str) -> Option<&'a mut Table> {
    let items = table.get_mut(list)?.as_array_mut()?;
    items.iter_mut().filter_map(Value::as_table_mut).find(|item| item.get(key).and_then(Value::as_str) == Some(name))
}
