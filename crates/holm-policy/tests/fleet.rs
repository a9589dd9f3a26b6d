//! A survey says of each copy what judging it alone says, whatever the world, the profiles, the copies and their exceptions.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod world;

use std::sync::LazyLock;

use holm_policy::evaluate::exception::{Exception, Request};
use holm_policy::evaluate::judge;
use holm_policy::evaluate::verdict::{Outcome, RuleId};
use holm_policy::fleet::what_if::what_if;
use holm_policy::fleet::{Candidate, Held, Of, survey};
use holm_policy::profile::Profile;
use holm_policy::registry::{Registry, Supposition};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::select;

use world::{FACTS, SHIPPED, choices, placement, world};

static PROFILES: LazyLock<Vec<Profile>> =
    LazyLock::new(|| Profile::SHIPPED.iter().map(|(file, text)| Profile::parse(file, text, &SHIPPED).unwrap()).collect());

fn now() -> Timestamp {
    "2026-11-22T12:00:00Z".parse().unwrap()
}

/// What there is of one copy: its placement, its profile, its name among few, and the rule that its exception is from, if it has one.
fn copies() -> impl Strategy<Value = Vec<(holm_policy::evaluate::Placement, usize, u8, Option<RuleId>)>> {
    let rule = prop::option::weighted(0.3, select(RuleId::ALL));
    // Few different placements and many copies of each.
    prop::collection::vec(placement(), 1..4).prop_flat_map(move |placements| {
        let copy = (select(placements), 0..Profile::SHIPPED.len(), 0..6_u8, rule.clone());
        prop::collection::vec(copy, 1..24)
    })
}

fn exceptions(copies: &[(holm_policy::evaluate::Placement, usize, u8, Option<RuleId>)]) -> Vec<Exception> {
    let grant = |name: u8, rule: RuleId| {
        let request = Request {
            copy: format!("copy-{name}").parse().unwrap(),
            rule,
            owner: "DPO".into(),
            reason: "a move is under way".into(),
            measure: "nobody is let in".into(),
            until: "2026-12-01T00:00:00Z".parse().unwrap(),
        };
        Exception::grant(request, now()).ok()
    };
    copies.iter().filter_map(|(_, _, name, rule)| grant(*name, (*rule)?)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn a_survey_says_of_each_copy_what_judging_it_alone_says(choices in choices(), copies in copies()) {
        let registry = world(&SHIPPED, &choices);
        let exceptions = exceptions(&copies);
        let held: Vec<Held<'_, usize>> = copies.iter().enumerate().map(|(i, (placement, profile, name, _))| {
            let mut placement = placement.clone();
            placement.copy = format!("copy-{name}").parse().unwrap();
            Held { tenant: i, profile: &PROFILES[*profile], placement, exceptions: if i % 3 == 0 { &[] } else { &exceptions }, of: Of::Tenant }
        }).collect();
        let verdicts = survey(&registry, &held, now());
        prop_assert_eq!(verdicts.len(), held.len());
        for (one, verdict) in held.iter().zip(&verdicts) {
            prop_assert_eq!(&**verdict, &judge(&registry, one.profile, &one.placement, one.exceptions, now()));
        }
    }

    #[test]
    fn every_copy_that_would_not_be_allowed_any_more_is_in_one_step_and_every_move_leads_where_it_is_allowed(
        choices in choices(), copies in copies(), fact in 0..FACTS.len(), which in 0..4_usize,
    ) {
        let registry = world(&SHIPPED, &choices);
        let held: Vec<Held<'_, usize>> = copies.iter().enumerate().map(|(i, (placement, profile, ..))| {
            let mut placement = placement.clone();
            placement.copy = format!("copy-{i}").parse().unwrap();
            Held { tenant: i / 3, profile: &PROFILES[*profile], placement, exceptions: &[], of: Of::Tenant }
        }).collect();
        let (id, values) = FACTS[fact];
        let Ok(supposition) = format!("{id}={}", values[which % values.len()]).parse::<Supposition>() else { return Ok(()) };
        let candidates = ["acme/west", "acme/north"].map(|place| Candidate::anywhere(place, place.parse().unwrap()));
        let Ok(answer) = what_if(&registry, &held, std::slice::from_ref(&supposition), &candidates, now()) else { return Ok(()) };
        let supposed = registry.supposing(&[supposition], "2026-11-22".parse().unwrap()).unwrap();
        for one in &held {
            let (before, after) = [&registry, &supposed].map(|registry| judge(registry, one.profile, &one.placement, &[], now()).outcome).into();
            let changed = answer.changes.iter().filter(|change| change.copy == one.placement.copy).count();
            prop_assert_eq!(changed, usize::from(before != after));
            let steps = answer.plan.iter().filter(|step| step.copies.contains(&one.placement.copy)).count();
            prop_assert!(steps <= 1);
            if before != after && after != Outcome::Allow {
                prop_assert_eq!(steps, 1);
            }
        }
        moves_lead_where_it_is_allowed(&supposed, &held, &answer)?;
    }
}

fn moves_lead_where_it_is_allowed(
    supposed: &Registry,
    held: &[Held<'_, usize>],
    answer: &holm_policy::fleet::what_if::WhatIf<usize>,
) -> Result<(), TestCaseError> {
    use holm_policy::fleet::plan::Act;
    for step in &answer.plan {
        let Act::Move { to, .. } = &step.act else { continue };
        for one in held.iter().filter(|one| step.copies.contains(&one.placement.copy)) {
            let mut there = one.placement.clone();
            there.place = to.place.clone();
            // Wherever the primary then is, it is one of two places.
            let allowed = ["acme/west", "acme/north"].iter().any(|primary| {
                there.primary = Some(primary.parse().unwrap());
                judge(supposed, one.profile, &there, &[], now()).allows()
            });
            prop_assert!(allowed, "{step:?}");
        }
    }
    Ok(())
}
