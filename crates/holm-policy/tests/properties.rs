//! A worse world never gives a better verdict, whatever the world, the profile and the placement.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod world;

use std::sync::LazyLock;

use holm_policy::copy::KeyHolder;
use holm_policy::evaluate::exception::{Exception, Request};
use holm_policy::evaluate::verdict::{Finding, Outcome, RuleId, Verdict};
use holm_policy::evaluate::{Placement, judge};
use holm_policy::profile::Profile;
use holm_policy::registry::{Registry, Supposition};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use world::{FACTS, SHIPPED, choices, placement, world};

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let every_link = Profile::SHIPPED[0].1.replace("depth = 1", "depth = \"all\"");
    let shipped = Profile::SHIPPED.iter().map(|(file, text)| Profile::parse(file, text, &SHIPPED).unwrap());
    let by_plan = Profile::SHIPPED[0].1.replace("[technical]\n", "[technical]\nplan = true\n");
    let more = [("every-link", every_link), ("by-plan", by_plan)].map(|(file, text)| Profile::parse(file, &text, &SHIPPED).unwrap());
    shipped.chain(more).collect()
});

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

fn verdict(registry: &Registry, profile: &Profile, placement: &Placement) -> Verdict {
    judge(registry, profile, placement, &[], now())
}

/// No better: what was not allowed is not allowed, and what was denied is at best unknown.
fn no_better(before: &Verdict, after: &Verdict) -> Result<(), TestCaseError> {
    prop_assert!(before.outcome == Outcome::Allow || after.outcome != Outcome::Allow, "{before:#?}\n{after:#?}");
    Ok(())
}

fn supposing(registry: &Registry, fact: &str, is: &str) -> Option<Registry> {
    let table: toml::Table = format!("is = {is}").parse().unwrap();
    registry.supposing(&[Supposition { fact: fact.to_owned().into(), is: table["is"].clone() }], "2026-11-20".parse().unwrap()).ok()
}

/// A list fact of the world with one more in it; nothing if it is unknown, since then nothing can be added.
fn with_one_more(registry: &Registry, choices: &[world::Choice], fact: &str, more: &str) -> Option<Registry> {
    let at = FACTS.iter().position(|(id, _)| *id == fact).unwrap();
    let (which, _) = choices[at]?;
    let values = FACTS[at].1;
    let list = values[which % values.len()];
    if list.contains(more) {
        return None;
    }
    let inside = list.trim_start_matches('[').trim_end_matches(']');
    let comma = if inside.is_empty() { "" } else { ", " };
    supposing(registry, fact, &format!("[{inside}{comma}{more}]"))
}

fn shape(verdict: &Verdict, family: &str) -> Vec<(RuleId, Outcome)> {
    let of = |finding: &&Finding| finding.rule.as_str().starts_with(family);
    verdict.findings.iter().filter(of).map(|finding| (finding.rule, finding.outcome)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn evaluation_is_deterministic_and_total(choices in choices(), placement in placement(), at in any::<i32>()) {
        let registry = world(&SHIPPED, &choices);
        let now = Timestamp::from_second(i64::from(at).abs()).unwrap();
        for profile in PROFILES.iter() {
            let verdict = judge(&registry, profile, &placement, &[], now);
            prop_assert_eq!(&verdict, &judge(&registry.clone(), profile, &placement, &[], now));
            prop_assert!(verdict.findings.iter().all(|finding| !finding.because.is_empty()));
            prop_assert!(verdict.valid_until.is_none_or(|end| end > now));
        }
    }

    #[test]
    fn a_missing_fact_never_makes_an_allow(choices in choices(), placement in placement(), pick in any::<Index>()) {
        let registry = world(&SHIPPED, &choices);
        for profile in PROFILES.iter() {
            let before = verdict(&registry, profile, &placement);
            let used: Vec<_> = before.findings.iter().flat_map(|finding| &finding.facts).collect();
            if used.is_empty() { continue }
            let missing = pick.get(&used);
            let after = verdict(&supposing(&registry, missing.as_str(), "\"unknown\"").unwrap(), profile, &placement);
            no_better(&before, &after)?;
        }
    }

    #[test]
    fn one_more_company_or_law_never_makes_an_allow(
        choices in choices(),
        placement in placement(),
        more in select(vec![
            ("provider:acme.sub_processors", "{ entity = \"host-inc\", purpose = \"telemetry\", reach = \"content\", countries = [\"IN\"] }"),
            ("provider:acme.sub_processors", "{ entity = \"host-ab\", purpose = \"support\", reach = \"support_view\", countries = [\"SE\"] }"),
            ("entity:acme-as.parents", "\"owner\""),
            ("entity:acme-as.parents", "\"host-ab\""),
            ("entity:acme-as.affiliates", "\"CN\""),
            ("entity:acme-as.exposed_to", "\"us_fisa_702\""),
            ("region:acme/north.countries", "\"IN\""),
            ("region:acme/north.infrastructure", "\"host-ab\""),
            ("provider:acme.support_from", "\"IN\""),
        ]),
    ) {
        let registry = world(&SHIPPED, &choices);
        let Some(worse) = with_one_more(&registry, &choices, more.0, more.1) else { return Ok(()) };
        for profile in PROFILES.iter() {
            // What is added is sure; if the list was not, it is compared with the same list, sure.
            let at = FACTS.iter().position(|(id, _)| *id == more.0).unwrap();
            let (which, _) = choices[at].unwrap();
            let sure = supposing(&registry, more.0, FACTS[at].1[which % FACTS[at].1.len()]).unwrap();
            no_better(&verdict(&sure, profile, &placement), &verdict(&worse, profile, &placement))?;
        }
    }

    #[test]
    fn less_certain_or_older_evidence_never_makes_an_allow(
        choices in choices(), placement in placement(), pick in any::<Index>(), worse in select(vec!["absent", "old", "over"]),
    ) {
        let mut weaker = choices.clone();
        let at = pick.index(FACTS.len());
        weaker[at] = weaker[at].map(|(which, _)| (which, worse));
        let (before, after) = (world(&SHIPPED, &choices), world(&SHIPPED, &weaker));
        // The profile for made-up data accepts all evidence there is, so that "worse" is not worse to it.
        for profile in PROFILES.iter().filter(|profile| profile.metadata().id.as_str() != "unrestricted") {
            no_better(&verdict(&before, profile, &placement), &verdict(&after, profile, &placement))?;
        }
    }

    #[test]
    fn keys_change_nothing_about_who_controls_a_running_postgres(choices in choices(), placement in placement()) {
        prop_assume!(placement.role.is_running_database());
        let registry = world(&SHIPPED, &choices);
        for profile in PROFILES.iter() {
            let with = |holder| verdict(&registry, profile, &Placement { key_holder: holder, ..placement.clone() });
            let provider = with(KeyHolder::Provider);
            for holder in KeyHolder::ALL {
                for family in ["control.", "access.", "transfer."] {
                    prop_assert_eq!(shape(&with(*holder), family), shape(&provider, family));
                }
            }
        }
    }

    #[test]
    fn r6_a_contract_never_satisfies_a_rule_of_another_kind(choices in choices(), placement in placement()) {
        let registry = world(&SHIPPED, &choices);
        let mut without = placement.clone();
        without.papers.retain(|paper| paper.kind.as_str() != "dpa");
        for profile in PROFILES.iter() {
            for family in ["location.", "access.", "control.", "transfer.", "certification.", "technical."] {
                prop_assert_eq!(shape(&verdict(&registry, profile, &placement), family), shape(&verdict(&registry, profile, &without), family));
            }
        }
    }

    #[test]
    fn r17_a_region_that_a_plan_does_not_have_is_never_allowed_where_the_profile_asks_for_the_plan(
        choices in choices(), placement in placement(),
    ) {
        let registry = world(&SHIPPED, &choices);
        let profile = PROFILES.last().unwrap();
        let (_, region) = registry.region(&placement.place).unwrap();
        let needed = region.plans.at(now()).ok().map(|held| held.value);
        let is_had = |placement: &Placement| {
            needed.is_some_and(|needed| needed.is_empty() || placement.plan.as_ref().is_some_and(|plan| needed.contains(plan)))
        };
        let verdict = verdict(&registry, profile, &placement);
        let finding = verdict.findings.iter().find(|finding| finding.rule == RuleId::TechnicalPlan).unwrap();
        prop_assert!(!verdict.allows() || is_had(&placement), "{verdict:#?}");
        prop_assert!(finding.facts.contains(region.plans.id()));
        match (needed, &placement.plan) {
            (Some(needed), Some(plan)) if !needed.is_empty() && !needed.contains(plan) => prop_assert_eq!(finding.outcome, Outcome::Deny),
            _ => prop_assert!(finding.outcome != Outcome::Deny),
        }
    }

    #[test]
    fn an_exception_covers_its_rule_of_its_copy_until_its_end_and_no_other(
        choices in choices(), placement in placement(), rule in select(RuleId::ALL),
    ) {
        let registry = world(&SHIPPED, &choices);
        let until: Timestamp = "2026-12-01T00:00:00Z".parse().unwrap();
        let request = Request {
            copy: placement.copy.clone(), rule, owner: "DPO".into(), reason: "a move is under way".into(), measure: "nobody is let in".into(), until,
        };
        let exception = Exception::grant(request, now());
        prop_assert_eq!(exception.is_err(), rule == RuleId::ControlRunningDatabase);
        let Ok(exception) = exception else { return Ok(()) };
        for profile in PROFILES.iter() {
            let plain = verdict(&registry, profile, &placement);
            let granted = judge(&registry, profile, &placement, std::slice::from_ref(&exception), now());
            for (before, after) in plain.findings.iter().zip(&granted.findings) {
                prop_assert_eq!(before.outcome, after.outcome);
                prop_assert_eq!(after.excepted_by.is_some(), after.rule == rule && after.outcome != Outcome::Allow);
            }
            prop_assert!(granted.valid_until.is_none_or(|end| granted.findings.iter().all(|f| f.excepted_by.is_none()) || end <= until));
            let over = judge(&registry, profile, &placement, std::slice::from_ref(&exception), until);
            prop_assert!(over.findings.iter().all(|finding| finding.excepted_by.is_none()));
        }
    }
}

#[test]
fn the_worlds_are_worth_judging() {
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = [0_usize; 3];
    for _ in 0..200 {
        let choices = choices().new_tree(&mut runner).unwrap().current();
        let placement = placement().new_tree(&mut runner).unwrap().current();
        let registry = world(&SHIPPED, &choices);
        for profile in PROFILES.iter() {
            match verdict(&registry, profile, &placement).outcome {
                Outcome::Allow => seen[0] += 1,
                Outcome::Unknown => seen[1] += 1,
                Outcome::Deny => seen[2] += 1,
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 20), "allow, unknown, deny: {seen:?}");
}
