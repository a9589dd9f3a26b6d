//! A profile as Cedar policies: one for each rule, from the TOML as it is written.

use anyhow::{Context as _, Result, bail};
use toml::{Table, Value};

/// What Cedar judges by, and what is left to say of facts and chains.
pub(crate) struct Policy {
    /// The policies, as text.
    pub(crate) cedar: String,
    /// Certainties that count.
    pub(crate) accept: Vec<String>,
    /// Days for which they do.
    pub(crate) max_age_days: i64,
    /// Links of sub-processors; `None` is all.
    pub(crate) depth: Option<usize>,
}

pub(crate) fn policy(text: &str) -> Result<Policy> {
    let profile: Table = text.parse()?;
    let part = |section: &str, key: &str| profile.get(section).and_then(|section| section.get(key));
    let words = |section: &str, key: &str| -> Result<Vec<String>> { list(part(section, key).with_context(|| format!("{section}.{key}"))?) };
    let mut cedar = String::new();
    rule(&mut cedar, "scope.environments", &format!("{}.contains(context.environment)", set(&words("scope", "environments")?)));
    let copies = words("scope", "copies")?;
    let copies_permit = if copies == ["@all"] { "true".to_owned() } else { format!("{}.contains(context.role)", set(&copies)) };
    rule(&mut cedar, "scope.copies", &copies_permit);
    rule(&mut cedar, "location.countries", &territories("principal", &words("location", "countries")?)?);

    let sealed = sealed(profile.get("control").and_then(|control| control.get("rescued_by_keys")))?;
    let or_sealed = |condition: String| format!("({condition}) || ({sealed})");
    rule(&mut cedar, "access.support", &or_sealed(territories("principal", &words("access", "support_from")?)?));
    for (name, key) in [("contracting_entity", "contracting_entity"), ("owners", "owners"), ("sub_processors", "sub_processors")] {
        let plain = territories("principal.country", &words("control", key)?)?;
        // Keys do not count for what runs.
        rule(&mut cedar, &format!("running.{name}"), &plain);
        rule(&mut cedar, &format!("control.{name}"), &or_sealed(plain));
    }
    if part("control", "affiliates").is_some() {
        rule(&mut cedar, "control.affiliates", &or_sealed(territories("principal", &words("control", "affiliates")?)?));
    }
    Ok(Policy {
        cedar,
        accept: words("evidence", "accept")?,
        max_age_days: part("evidence", "max_age_days").and_then(Value::as_integer).context("evidence.max_age_days")?,
        depth: match part("control", "depth") {
            Some(Value::Integer(links)) => Some(usize::try_from(*links)?),
            Some(Value::String(all)) if all == "all" => None,
            other => bail!("control.depth: {other:?}"),
        },
    })
}

fn list(value: &Value) -> Result<Vec<String>> {
    let words = value.as_array().context("a list")?.iter().map(|word| word.as_str().map(str::to_owned));
    words.collect::<Option<_>>().context("words in a list")
}

fn set(words: &[String]) -> String {
    format!("[{}]", words.iter().map(|word| format!("{word:?}")).collect::<Vec<_>>().join(", "))
}

fn rule(cedar: &mut String, action: &str, condition: &str) {
    *cedar += &format!("@id({action:?})\npermit (principal, action == Action::{action:?}, resource)\nwhen {{ {condition} }};\n\n");
}

/// Whether a country, or a group of them, is in a list as profiles write it.
fn territories(who: &str, list: &[String]) -> Result<String> {
    if list.iter().any(|word| word == "@any") {
        return Ok("true".to_owned());
    }
    let (adequate, named): (Vec<&String>, Vec<&String>) = list.iter().partition(|word| *word == "@ADEQUATE");
    let named =
        named.iter().map(|word| word.strip_prefix('@').map_or_else(|| format!("Country::{word:?}"), |group| format!("Group::{group:?}")));
    let named = format!("{who} in [{}]", named.collect::<Vec<_>>().join(", "));
    if adequate.is_empty() {
        return Ok(named);
    }
    Ok(format!(
        "{named} || ({who} has decision && !{who}.decision.ended && {who}.decision.status == \"in_force\" \
         && [\"all\", \"commercial\"].contains({who}.decision.scope))"
    ))
}

/// Whether a key that nobody in the chain has keeps a copy from them. No copy that runs is among those that a profile may name.
fn sealed(rescue: Option<&Value>) -> Result<String> {
    let Some(rescue) = rescue else { return Ok("false".to_owned()) };
    let words = |key: &str| list(rescue.get(key).with_context(|| format!("rescued_by_keys.{key}"))?);
    Ok(format!(
        "{}.contains(context.role) && {}.contains(context.keys) && (context.sealed_before_it_is_sent || context.can_hold.contains(context.keys))",
        set(&words("copies")?),
        set(&words("holders")?)
    ))
}
