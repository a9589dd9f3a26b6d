//! How long 10,000 placements take to be judged anew when one fact changes: `cargo run --release -p holm-policy --example placements`.

use std::time::Instant;

use holm_core::environment::EnvironmentKind;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::evaluate::{BackupBy, Paper, Placement, judge};
use holm_policy::profile::Profile;
use holm_policy::registry::{Registry, Supposition};

const PLACEMENTS: usize = 10_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let registry = Registry::shipped();
    let profiles: Vec<Profile> =
        Profile::SHIPPED.iter().map(|(file, text)| Profile::parse(file, text, &registry)).collect::<Result<_, _>>()?;
    let places: Vec<_> = registry.places().collect();
    let placements = (0..PLACEMENTS).map(|i| placement(i, &places[i % places.len()], &registry)).collect::<Result<Vec<_>, _>>()?;
    let now = "2026-11-22T12:00:00Z".parse()?;

    let started = Instant::now();
    let annulled = Supposition { fact: "adequacy:US.status".to_owned().into(), is: toml::Value::String("annulled".to_owned()) };
    let changed = registry.supposing(&[annulled], "2026-11-22".parse()?)?;
    let read = started.elapsed();
    let mut outcomes = [0_usize; 3];
    for (i, placement) in placements.iter().enumerate() {
        match judge(&changed, &profiles[i % profiles.len()], placement, &[], now).outcome {
            Outcome::Allow => outcomes[0] += 1,
            Outcome::Unknown => outcomes[1] += 1,
            Outcome::Deny => outcomes[2] += 1,
        }
    }
    let [allow, unknown, deny] = outcomes;
    println!("{PLACEMENTS} placements: {:.0?}, of which {read:.0?} to read the registry anew", started.elapsed());
    println!("allow {allow}, unknown {unknown}, deny {deny}; {} places, {} profiles", places.len(), profiles.len());
    Ok(())
}

fn placement(i: usize, place: &holm_policy::id::Place, registry: &Registry) -> Result<Placement, Box<dyn std::error::Error>> {
    let with = registry.provider(&place.provider).and_then(|provider| provider.contracting.claimed());
    let papers = with.map(|with| {
        Ok::<_, Box<dyn std::error::Error>>(Paper {
            kind: "dpa".parse()?,
            with: with.clone(),
            signed_on: "2026-01-01".parse()?,
            ends_on: None,
        })
    });
    Ok(Placement {
        copy: format!("copy-{i}").parse()?,
        environment: EnvironmentKind::Production,
        role: CopyRole::ALL[i % CopyRole::ALL.len()],
        place: place.clone(),
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        primary: Some(place.clone()),
        papers: papers.into_iter().collect::<Result<_, _>>()?,
        assessments: Vec::new(),
    })
}
