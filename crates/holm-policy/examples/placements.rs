//! How long it takes to judge the copies of 10,000 tenants anew when one fact changes, and to plan what follows:
//! `cargo run --release -p holm-policy --example placements`.
//!
//! Everything that is shipped is known: every provider, every profile. The tenants are spread over all of it and have three copies each;
//! one of seven has a date of its own on its contract, so that nothing that was said of others can be said of it again.

use std::time::{Duration, Instant};

use holm_core::environment::EnvironmentKind;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::evaluate::{BackupBy, Paper, Placement};
use holm_policy::fleet::shorthand::suppose;
use holm_policy::fleet::what_if::what_if;
use holm_policy::fleet::{Candidate, Held, Of, survey};
use holm_policy::id::{EntityId, Place};
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use jiff::ToSpan;
use jiff::civil::Date;

const TENANTS: i32 = 10_000;
const ROLES: [CopyRole; 3] = [CopyRole::Primary, CopyRole::Wal, CopyRole::Backup];
/// What is promised of a change of one fact, on the machines that Holm is built on.
const PROMISED: Duration = Duration::from_secs(1);

type Error = Box<dyn std::error::Error>;

fn main() -> Result<(), Error> {
    let registry = Registry::shipped();
    let profiles: Vec<Profile> =
        Profile::SHIPPED.iter().map(|(file, text)| Profile::parse(file, text, &registry)).collect::<Result<_, _>>()?;
    let places: Vec<Place> = registry.places().collect();
    let signed: Vec<EntityId> = registry.providers().filter_map(|provider| provider.contracting.claimed().cloned()).collect();
    let held = held(&profiles, &places, &signed)?;
    let now = "2026-11-22T12:00:00Z".parse()?;

    let started = Instant::now();
    let annulled = suppose(&registry, "eu-us-dpf=annulled")?;
    let changed = registry.supposing(&annulled, "2026-11-22".parse()?)?;
    let read = started.elapsed();
    let verdicts = survey(&changed, &held, now);
    let anew = started.elapsed();
    let count = |outcome: Outcome| verdicts.iter().filter(|verdict| verdict.outcome == outcome).count();
    let (allow, unknown, deny) = (count(Outcome::Allow), count(Outcome::Unknown), count(Outcome::Deny));
    println!("{} copies of {TENANTS} tenants judged anew: {anew:.0?}, of which {read:.0?} to read the registry", held.len());
    println!("allow {allow}, unknown {unknown}, deny {deny}; {} places, {} profiles", places.len(), profiles.len());

    let started = Instant::now();
    let candidates: Vec<Candidate> = places.iter().map(|place| Candidate::anywhere(place.provider.as_str(), place.clone())).collect();
    let moves = suppose(&registry, "entity:scalingo-sas.country=US")?;
    let answer = what_if(&registry, &held, &moves, &candidates, now)?;
    println!(
        "what if one company were American: {:.0?}; {} copies change, {} steps",
        started.elapsed(),
        answer.changes.len(),
        answer.plan.len()
    );
    if anew > PROMISED {
        return Err(format!("that is more than {PROMISED:?}").into());
    }
    Ok(())
}

fn held<'a>(profiles: &'a [Profile], places: &[Place], signed: &[EntityId]) -> Result<Vec<Held<'a, i32>>, Error> {
    let mut held = Vec::new();
    for tenant in 0..TENANTS {
        let of = |count: usize| tenant.unsigned_abs() as usize % count;
        let own = if tenant % 7 == 0 { tenant % 700 } else { 0 };
        let signed_on: Date = "2024-01-01".parse::<Date>()?.checked_add(own.days())?;
        let papers = signed.iter().map(|with| Ok(Paper { kind: "dpa".parse()?, with: with.clone(), signed_on, ends_on: None }));
        let papers: Vec<Paper> = papers.collect::<Result<_, Error>>()?;
        for role in ROLES {
            let placement = placement(format!("{tenant}-{role}").parse()?, role, &places[of(places.len())], papers.clone());
            held.push(Held { tenant, profile: &profiles[of(profiles.len())], placement, exceptions: &[], of: Of::Tenant });
        }
    }
    Ok(held)
}

fn placement(copy: holm_policy::id::CopyId, role: CopyRole, place: &Place, papers: Vec<Paper>) -> Placement {
    Placement {
        copy,
        environment: EnvironmentKind::Production,
        role,
        place: place.clone(),
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        primary: Some(place.clone()),
        papers,
        assessments: Vec::new(),
    }
}
