//! Providers side by side (R4): regions, position under the GDPR, MCP, and how hard it is to move there or away.
//!
//! Promises: every cell comes from facts that are known at the time, and what is not known is `?`. The complexity of a move is
//! computed from what a service can do, never typed in.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::copy::ServiceKind;
use crate::country::Country;
use crate::fact::Fact;
use crate::id::{ProviderId, RegionId};
use crate::registry::Registry;
use crate::registry::entity::{DpfListing, Entity};
use crate::registry::provider::Provider;
use crate::registry::service::{DatabasesPerInstance, Pitr, Superuser};
use crate::word::words;

words! {
    /// How hard it is to move a tenant to or from a provider.
    Complexity, "a complexity" {
        /// Without a pause.
        Low = "low",
        /// With something to mind.
        Medium = "medium",
        /// With a pause, or by hand.
        High = "high",
        /// Too little is known.
        Unknown = "?",
    }
}

/// One provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Row {
    /// Which.
    pub provider: ProviderId,
    /// Its regions that lie in the EEA altogether, with their countries.
    pub regions: Vec<String>,
    /// The countries of these.
    pub countries: BTreeSet<Country>,
    /// Countries of the company that signs and of its owners; `None` if any of them is unknown.
    pub controlled_from: Option<BTreeSet<Country>>,
    /// Whether there is a data processing agreement, and what the list of the framework says.
    pub papers: String,
    /// Its MCP server.
    pub mcp: String,
    /// How hard a move is.
    pub complexity: Complexity,
    /// Why.
    pub because: Vec<&'static str>,
}

/// Every provider of a registry, in the order of their ids.
pub fn rows(registry: &Registry, now: Timestamp) -> Vec<Row> {
    registry.providers.values().map(|provider| row(registry, provider, now)).collect()
}

fn known<T: Clone>(fact: &Fact<T>, now: Timestamp) -> Option<T> {
    fact.at(now).ok().map(|held| held.value.clone())
}

fn row(registry: &Registry, provider: &Provider, now: Timestamp) -> Row {
    let contracting = known(&provider.contracting, now).and_then(|id| registry.entities.get(&id));
    let (complexity, because) = complexity(provider, now);
    let inside_eea = regions(registry, provider, now);
    Row {
        provider: provider.id.clone(),
        regions: inside_eea.iter().map(|(id, countries)| format!("{id} ({})", spaced(countries))).collect(),
        countries: inside_eea.iter().flat_map(|(_, countries)| countries).copied().collect(),
        controlled_from: contracting.and_then(|entity| controlled_from(registry, entity, now)),
        papers: papers(provider, contracting, now),
        mcp: known(&provider.mcp, now).map_or_else(|| "?".to_owned(), |mcp| mcp.to_string()),
        complexity,
        because,
    }
}

fn regions<'r>(registry: &Registry, provider: &'r Provider, now: Timestamp) -> Vec<(&'r RegionId, BTreeSet<Country>)> {
    let eea = registry.groups.values().find(|group| group.id.as_str() == "EEA").and_then(|group| known(&group.members, now));
    let inside = |countries: &BTreeSet<Country>| eea.as_ref().is_some_and(|eea| countries.is_subset(eea));
    let shown = provider.regions.values().filter_map(|region| Some((&region.id, known(&region.countries, now).filter(inside)?)));
    shown.collect()
}

fn spaced(countries: &BTreeSet<Country>) -> String {
    countries.iter().map(Country::as_str).collect::<Vec<_>>().join(" ")
}

fn controlled_from(registry: &Registry, entity: &Entity, now: Timestamp) -> Option<BTreeSet<Country>> {
    let mut countries = BTreeSet::from([known(&entity.country, now)?]);
    for parent in known(&entity.parents, now)? {
        countries.extend(controlled_from(registry, registry.entities.get(&parent)?, now)?);
    }
    Some(countries)
}

fn papers(provider: &Provider, contracting: Option<&Entity>, now: Timestamp) -> String {
    let dpa = match known(&provider.dpa, now) {
        Some(true) => "DPA",
        Some(false) => "no DPA",
        None => "DPA ?",
    };
    let dpf = match contracting.and_then(|entity| known(&entity.dpf, now)) {
        Some(DpfListing::Listed | DpfListing::ListedWithoutHr) => "DPF",
        Some(DpfListing::NotListed) => "no DPF",
        None => "DPF ?",
    };
    format!("{dpa}, {dpf}")
}

/// Weighs what a service cannot do: what forces a pause weighs two, what takes care weighs one.
fn complexity(provider: &Provider, now: Timestamp) -> (Complexity, Vec<&'static str>) {
    let Some(service) = provider.services.get(&ServiceKind::Postgres) else { return (Complexity::Unknown, vec!["no PostgreSQL known"]) };
    let Some(postgres) = &service.postgres else { return (Complexity::Unknown, vec!["no PostgreSQL known"]) };
    let flags: [(Option<bool>, usize, &'static str); 6] = [
        (known(&postgres.logical_replication, now), 2, "no logical replication"),
        (known(&service.api, now), 2, "no API"),
        (known(&postgres.pitr, now).map(|pitr| pitr == Pitr::Yes), 1, "no recovery by oneself"),
        (known(&postgres.superuser, now).map(|superuser| superuser != Superuser::No), 1, "no superuser"),
        (known(&postgres.databases_per_instance, now).map(|many| many == DatabasesPerInstance::Many), 1, "one database each"),
        (known(&postgres.restore_cross_region, now), 1, "no restore in another region"),
    ];
    let missing: Vec<_> = flags.iter().filter(|(can, _, _)| *can == Some(false)).collect();
    let unknown = flags.iter().filter(|(can, _, _)| can.is_none()).count();
    let weight: usize = missing.iter().map(|(_, weight, _)| weight).sum();
    let complexity = match weight {
        4.. => Complexity::High,
        _ if unknown * 2 > flags.len() => Complexity::Unknown,
        2.. => Complexity::Medium,
        _ => Complexity::Low,
    };
    (complexity, missing.into_iter().map(|(_, _, why)| *why).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows_at(now: &str) -> Vec<Row> {
        rows(&Registry::shipped(), now.parse().unwrap())
    }

    #[test]
    fn r4_every_provider_has_a_row_with_what_the_decision_compared() {
        let rows = rows_at("2026-11-22T00:00:00Z");
        assert_eq!(rows.len(), Registry::shipped().providers.len());
        let scalingo = rows.iter().find(|row| row.provider.as_str() == "scalingo").unwrap();
        insta::assert_debug_snapshot!(scalingo);
    }

    #[test]
    fn r18_what_a_service_cannot_do_is_named_and_what_nobody_knows_is_not_taken_for_something_that_it_can() {
        let registry = Registry::shipped();
        let on = "2026-11-22".parse().unwrap();
        let fly = |key: &str, is: &str| {
            let table: toml::Table = format!("is = {is}").parse().unwrap();
            let fact = format!("service:fly/postgres.{key}").into();
            let registry = registry.supposing(&[crate::registry::Supposition { fact, is: table["is"].clone() }], on).unwrap();
            rows(&registry, "2026-11-22T00:00:00Z".parse().unwrap()).into_iter().find(|row| row.provider.as_str() == "fly").unwrap()
        };
        let shipped = rows_at("2026-11-22T00:00:00Z").into_iter().find(|row| row.provider.as_str() == "fly").unwrap();
        assert_eq!(shipped.because, ["no superuser"]);
        assert!(fly("logical_replication", "false").because.contains(&"no logical replication"));
        assert!(!fly("logical_replication", "true").because.contains(&"no logical replication"));
        for (is, cannot) in [("\"none\"", true), ("\"on_request\"", true), ("\"yes\"", false)] {
            assert_eq!(fly("pitr", is).because.contains(&"no recovery by oneself"), cannot, "{is}");
        }
        assert!(!fly("superuser", "\"pseudo\"").because.contains(&"no superuser"));
        let nothing_known = ["superuser", "pitr", "databases_per_instance"].map(|key| crate::registry::Supposition {
            fact: format!("service:fly/postgres.{key}").into(),
            is: toml::Value::String("unknown".to_owned()),
        });
        let registry = registry.supposing(&nothing_known, on).unwrap();
        let unknown = rows(&registry, "2026-11-22T00:00:00Z".parse().unwrap());
        let unknown = unknown.into_iter().find(|row| row.provider.as_str() == "fly").unwrap();
        assert_eq!((unknown.complexity, unknown.because.len()), (Complexity::Unknown, 0), "and not low");
    }

    #[test]
    fn r4_what_is_no_longer_known_is_a_question_mark() {
        for row in rows_at("2040-01-01T00:00:00Z") {
            assert_eq!((row.regions.len(), row.controlled_from.clone(), row.mcp.as_str()), (0, None, "?"), "{row:?}");
            assert_eq!(row.complexity, Complexity::Unknown);
        }
    }

    #[test]
    fn r4_the_complexity_of_a_move_follows_from_what_a_service_can_do() {
        let registry = Registry::shipped();
        let on = "2026-11-22".parse().unwrap();
        let with = |key: &str| {
            let fact = format!("service:scalingo/postgres.{key}").into();
            registry.supposing(&[crate::registry::Supposition { fact, is: toml::Value::Boolean(true) }], on).unwrap()
        };
        let of = |registry: &Registry| {
            let rows = rows(registry, "2026-11-22T00:00:00Z".parse().unwrap());
            rows.into_iter().find(|row| row.provider.as_str() == "scalingo").unwrap().complexity
        };
        assert_eq!(of(&registry), Complexity::High);
        assert_eq!(of(&with("logical_replication")), Complexity::Medium);
    }
}
