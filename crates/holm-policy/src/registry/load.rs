//! Turns texts into a registry. Any text may hold any kind of thing; the shipped ones keep one kind or one provider each.

use std::collections::BTreeMap;

use toml::Table;

use crate::reading::{Findings, Problems, Section, Sources, parse};
use crate::registry::{Document, Registry, check, entity, hash_of, known, law, provider};

macro_rules! shipped {
    ($($file:literal,)+) => { &[$(($file, include_str!(concat!("../../registry/", $file)))),+] };
}

/// The files that Holm ships: one line each, in the order of the alphabet.
pub(super) const SHIPPED: &[Document<'static>] = shipped![
    "adequacy.toml",
    "countries.toml",
    "laws.toml",
    "mechanisms.toml",
    "providers/aiven.toml",
    "providers/aws-eusc.toml",
    "providers/aws.toml",
    "providers/azure.toml",
    "providers/cleura.toml",
    "providers/clever-cloud.toml",
    "providers/digitalocean.toml",
    "providers/elastx.toml",
    "providers/exoscale.toml",
    "providers/fly.toml",
    "providers/google-cloud-sql.toml",
    "providers/hetzner.toml",
    "providers/ionos.toml",
    "providers/neon.toml",
    "providers/outscale.toml",
    "providers/ovh.toml",
    "providers/planetscale.toml",
    "providers/r2.toml",
    "providers/railway.toml",
    "providers/render.toml",
    "providers/safespring.toml",
    "providers/scaleway.toml",
    "providers/scalingo.toml",
    "providers/self-hosted.toml",
    "providers/snowflake-postgres.toml",
    "providers/stackit.toml",
    "providers/supabase.toml",
    "providers/tigris.toml",
    "providers/upcloud.toml",
    "providers/upsun.toml",
    "providers/vercel.toml",
];

pub(super) fn load(documents: &[Document<'_>]) -> Result<Registry, Problems> {
    let findings = Findings::default();
    let tables: Vec<(String, Table)> =
        documents.iter().filter_map(|(file, text)| Some(((*file).to_owned(), parse(file, text, &findings)?))).collect();
    build(tables, findings)
}

/// Reads parsed texts, and checks what they say of each other if each can be read.
pub(super) fn build(documents: Vec<(String, Table)>, findings: Findings) -> Result<Registry, Problems> {
    let sections: Vec<Section<'_>> = documents.iter().map(|(file, table)| Section::new(file, String::new(), table, &findings)).collect();
    let mut sources = Sources::new();
    for section in &sections {
        section.sources(&mut sources);
    }
    let mut registry = Registry {
        groups: BTreeMap::new(),
        countries: BTreeMap::new(),
        adequacy: BTreeMap::new(),
        mechanisms: BTreeMap::new(),
        laws: BTreeMap::new(),
        entities: BTreeMap::new(),
        providers: BTreeMap::new(),
        was: Vec::new(),
        hash: hash_of(&documents),
        documents: Vec::new(),
    };
    for (number, section) in sections.iter().enumerate() {
        known::versions(section, number, &sources, &mut registry.was);
        file(section, &sources, &mut registry);
        section.finish();
    }
    drop(sections);
    check::references(&registry, &findings);
    known::check(&registry, &findings);
    let mut registry = findings.settle(Some(registry))?;
    registry.documents = documents;
    Ok(registry)
}

fn file(file: &Section<'_>, sources: &Sources, registry: &mut Registry) {
    each(file, "group", |part| law::group(part, sources).is_some_and(|group| registry.groups.insert(group.id.clone(), group).is_some()));
    each(file, "country", |part| law::country(part).is_some_and(|country| registry.countries.insert(country.code, country).is_some()));
    each(file, "adequacy", |part| {
        law::adequacy(part, sources).is_some_and(|decision| registry.adequacy.insert(decision.country, decision).is_some())
    });
    each(file, "mechanism", |part| {
        law::mechanism(part, sources).is_some_and(|mechanism| registry.mechanisms.insert(mechanism.id, mechanism).is_some())
    });
    each(file, "law", |part| law::law(part, sources).is_some_and(|law| registry.laws.insert(law.id.clone(), law).is_some()));
    each(file, "entity", |part| {
        entity::entity(part, sources).is_some_and(|entity| registry.entities.insert(entity.id.clone(), entity).is_some())
    });
    if let Some(part) = file.section("provider") {
        if let Some(provider) = provider::provider(file, &part, sources)
            && let Some(double) = registry.providers.insert(provider.id.clone(), provider)
        {
            part.problem("id", format!("there are two providers `{}`", double.id));
        }
        part.finish();
    }
}

/// Reads each `[[key]]`; `read` says whether there already was one of that id.
fn each<'a>(file: &Section<'a>, key: &'a str, mut read: impl FnMut(&Section<'a>) -> bool) {
    for part in file.sections(key) {
        if read(&part) {
            part.problem("", format!("there are two of this id; accepted: one `[[{key}]]` each, in one file"));
        }
        part.finish();
    }
}
