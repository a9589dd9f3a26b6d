//! Places that are answered are places that are allowed, in one order, and a worse world has no more of them (R103).

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

#[expect(dead_code, reason = "single copies are made from pairs here")]
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use holm_core::environment::EnvironmentKind;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::evaluate::exception::{Exception, Request};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::evaluate::{Assessment, BackupBy, Paper, Placement, judge};
use holm_policy::id::Place;
use holm_policy::places::{Answer, Ask, Far, Kept, Need, Pair, places};
use holm_policy::profile::Profile;
use holm_policy::registry::{Registry, Supposition};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use world::{FACTS, SHIPPED, choices, world};

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let texts = Profile::SHIPPED.iter().flat_map(|(file, text)| {
        let together = text.replacen("[location]\n", "[location]\nsame_country_for = [\"bucket\"]\n", 1);
        [((*file).to_owned(), (*text).to_owned()), (format!("together-{file}"), together)]
    });
    // One of them says so already, and nothing says it twice.
    texts.filter_map(|(file, text)| Profile::parse(&file, &text, &SHIPPED).ok()).collect()
});

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn asks() -> impl Strategy<Value = Ask> {
    let plan = prop_oneof![2 => Just(None), 1 => Just(Some("large")), 1 => Just(Some("small"))];
    let backup = prop_oneof![3 => Just(BackupBy::ProviderDefault), 1 => Just(BackupBy::ProviderIn("acme/west".parse().unwrap()))];
    let environment = prop_oneof![3 => Just(EnvironmentKind::Production), 1 => Just(EnvironmentKind::Development)];
    (environment, plan, backup, select(vec![KeyHolder::Provider, KeyHolder::ClientSide]), prop::bool::ANY).prop_map(
        |(environment, plan, backup, bucket_keys, signed)| Ask {
            environment,
            isolation: Isolation::InstancePerTenant,
            database: None,
            bucket: None,
            backup,
            bucket_keys,
            plans: plan.map(|plan| ("acme".parse().unwrap(), plan.parse().unwrap())).into_iter().collect(),
            papers: if signed { vec![paper("dpa", "acme-as")] } else { Vec::new() },
            assessments: Vec::new(),
            far: Far::All,
        },
    )
}

fn paper(kind: &str, with: &str) -> Paper {
    Paper { kind: kind.parse().unwrap(), with: with.parse().unwrap(), signed_on: "2026-11-22".parse().unwrap(), ends_on: None }
}

/// Every copy of a pair, as it would be with what is needed and nothing else.
fn copies(ask: &Ask, pair: &Pair) -> Vec<Placement> {
    let (mut papers, mut assessments, mut plans) = (ask.papers.clone(), ask.assessments.clone(), BTreeMap::new());
    for need in &pair.needs {
        match need {
            Need::Plan { kept, any_of, .. } => drop(plans.insert(*kept, any_of[0].clone())),
            Need::Paper { paper: kind, with } => papers.push(paper(kind.as_str(), with.as_str())),
            Need::Assessment { country } => {
                assessments.push(Assessment { country: *country, done_on: "2026-11-22".parse().unwrap() });
            }
            Need::Consent { .. } | Need::DocumentedOtherRegion { .. } => {}
        }
    }
    let copy = |(role, kept, place, key_holder): (CopyRole, Kept, &Place, KeyHolder)| Placement {
        copy: role.as_str().parse().unwrap(),
        environment: ask.environment,
        role,
        place: place.clone(),
        plan: plans.get(&kept).or_else(|| ask.plans.get(&place.provider)).cloned(),
        backup: if kept == Kept::Database { ask.backup.clone() } else { BackupBy::ProviderDefault },
        key_holder,
        isolation: ask.isolation,
        primary: Some(pair.database.clone()),
        papers: papers.clone(),
        assessments: assessments.clone(),
    };
    [
        (CopyRole::Primary, Kept::Database, &pair.database, KeyHolder::Provider),
        (CopyRole::Backup, Kept::Database, &pair.database, KeyHolder::Provider),
        (CopyRole::Bucket, Kept::Bucket, &pair.bucket, ask.bucket_keys),
    ]
    .map(copy)
    .to_vec()
}

fn exceptions(pair: &Pair) -> Vec<Exception> {
    let needs = pair.needs.iter().filter_map(|need| match need {
        Need::DocumentedOtherRegion { rule, copy } => Some((*rule, *copy)),
        _ => None,
    });
    let request = |(rule, copy): (holm_policy::evaluate::verdict::RuleId, CopyRole)| Request {
        copy: copy.as_str().parse().unwrap(),
        rule,
        owner: "DPO".into(),
        reason: "the bucket is there".into(),
        measure: "it is documented".into(),
        until: "2026-12-01T00:00:00Z".parse().unwrap(),
    };
    needs.map(|need| Exception::grant(request(need), now()).unwrap()).collect()
}

fn pairs(answer: &Answer) -> BTreeSet<(&Place, &Place)> {
    answer.pairs.iter().map(|pair| (&pair.database, &pair.bucket)).collect()
}

fn supposing(registry: &Registry, fact: &str, is: &str) -> Option<Registry> {
    let table: toml::Table = format!("is = {is}").parse().unwrap();
    registry.supposing(&[Supposition { fact: fact.to_owned().into(), is: table["is"].clone() }], "2026-11-20".parse().unwrap()).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn r103_no_place_is_answered_that_the_evaluator_would_not_allow(choices in choices(), ask in asks()) {
        let registry = world(&SHIPPED, &choices);
        for profile in PROFILES.iter() {
            for pair in &places(&registry, profile, &ask, now()).pairs {
                for copy in copies(&ask, pair) {
                    let verdict = judge(&registry, profile, &copy, &exceptions(pair), now());
                    prop_assert!(verdict.allows(), "{pair:?}: {verdict:#?}");
                }
            }
        }
    }

    #[test]
    fn r103_every_region_that_sells_is_answered_or_refused_with_a_reason(choices in choices(), ask in asks()) {
        let registry = world(&SHIPPED, &choices);
        for profile in PROFILES.iter() {
            let answer = places(&registry, profile, &ask, now());
            let of = |kept: Kept| -> Vec<Place> {
                let allowed = if kept == Kept::Database { &answer.databases } else { &answer.buckets };
                let refused = answer.refused.iter().filter(|one| one.kept == kept).map(|one| one.place.clone());
                allowed.iter().map(|one| one.place.clone()).chain(refused).collect()
            };
            for (kept, service) in [(Kept::Database, "postgres"), (Kept::Bucket, "object")] {
                let mut told = of(kept);
                let sellers = registry.places().filter(|place| {
                    let (_, region) = registry.region(place).unwrap();
                    region.offers.at(now()).map_or(true, |offers| offers.value.iter().any(|one| one.as_str() == service))
                });
                let sellers: Vec<Place> = sellers.collect();
                told.sort();
                prop_assert_eq!(told, sellers);
            }
            for refused in &answer.refused {
                prop_assert!(refused.outcome != Outcome::Allow && !refused.against.is_empty());
            }
            prop_assert_eq!(answer.pairs.len() + answer.left_out, answer.databases.len() * answer.buckets.len());
        }
    }

    #[test]
    fn r103_the_order_is_total_and_the_same_whenever_it_is_asked(choices in choices(), ask in asks()) {
        let registry = world(&SHIPPED, &choices);
        for profile in PROFILES.iter() {
            let answer = places(&registry, profile, &ask, now());
            prop_assert_eq!(&answer, &places(&registry.clone(), profile, &ask, now()));
            for two in answer.pairs.windows(2) {
                prop_assert!((two[0].near, &two[0].database, &two[0].bucket) < (two[1].near, &two[1].database, &two[1].bucket));
            }
            for two in answer.refused.windows(2) {
                prop_assert!((two[0].kept, two[0].outcome, &two[0].place) < (two[1].kept, two[1].outcome, &two[1].place));
            }
        }
    }

    #[test]
    fn r103_one_more_company_outside_never_adds_an_answer(
        choices in choices(),
        ask in asks(),
        more in select(vec![
            ("provider:acme.sub_processors", "{ entity = \"host-inc\", purpose = \"telemetry\", reach = \"content\", countries = [\"IN\"] }"),
            ("provider:acme.sub_processors", "{ entity = \"host-inc\", purpose = \"support\", reach = \"support_view\", countries = [\"US\"] }"),
            ("entity:acme-as.parents", "\"host-inc\""),
            ("region:acme/north.infrastructure", "\"host-inc\""),
            ("provider:acme.support_from", "\"IN\""),
            ("region:acme/north.countries", "\"IN\""),
        ]),
    ) {
        let at = FACTS.iter().position(|(id, _)| *id == more.0).unwrap();
        let Some((which, _)) = choices[at] else { return Ok(()) };
        let list = FACTS[at].1[which % FACTS[at].1.len()];
        if list.contains(more.1) { return Ok(()) }
        let registry = world(&SHIPPED, &choices);
        let inside = list.trim_start_matches('[').trim_end_matches(']');
        let comma = if inside.is_empty() { "" } else { ", " };
        // What is added is sure; if the list was not, it is compared with the same list, sure.
        let sure = supposing(&registry, more.0, list).unwrap();
        let Some(worse) = supposing(&registry, more.0, &format!("[{inside}{comma}{}]", more.1)) else { return Ok(()) };
        for profile in PROFILES.iter() {
            let (before, after) = (places(&sure, profile, &ask, now()), places(&worse, profile, &ask, now()));
            prop_assert!(pairs(&after).is_subset(&pairs(&before)));
        }
    }
}

#[test]
fn the_worlds_have_answers() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeMap::new();
    for _ in 0..100 {
        let registry = world(&SHIPPED, &choices().new_tree(&mut runner).unwrap().current());
        let ask = asks().new_tree(&mut runner).unwrap().current();
        for profile in PROFILES.iter() {
            let answer = places(&registry, profile, &ask, now());
            for pair in &answer.pairs {
                *seen.entry(pair.near.as_str()).or_insert(0_usize) += 1;
                for need in &pair.needs {
                    let word = match need {
                        Need::Plan { .. } => "plan",
                        Need::Paper { .. } => "paper",
                        Need::DocumentedOtherRegion { .. } => "exception",
                        Need::Assessment { .. } => "assessment",
                        Need::Consent { .. } => "consent",
                    };
                    *seen.entry(word).or_insert(0) += 1;
                }
            }
        }
    }
    for word in ["same_region", "colocated", "elsewhere", "plan", "paper", "exception"] {
        assert!(seen.get(word).is_some_and(|count| *count > 5), "{word}: {seen:?}");
    }
}
