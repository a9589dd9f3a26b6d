//! Judges every shipped profile at every place a second time, by Cedar, and says where the two judges differ.
//!
//! What is tried: each shipped profile, place and role of a copy, who makes backups, who holds keys, environments, on a day on which
//! the registry is fresh and on one on which much of it has ended. Of the rules: where copies may lie, from where staff may see
//! them, who may sign, own, help and be a sister, and what the profile speaks of.
//! Promises: the second judge shares no code with the first beyond the registry's data: it reads profiles as plain TOML, walks
//! companies by itself and leaves every comparison to Cedar. It is asked twice, as if everything that is not known were good and as if
//! it were bad, since Cedar has two values.

mod ask;
mod policy;
mod walk;
mod world;

use std::collections::BTreeMap;
use std::process::ExitCode;

use anyhow::Result;
use holm_core::environment::EnvironmentKind;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder};
use holm_policy::evaluate::verdict::{Outcome, RuleId};
use holm_policy::evaluate::{BackupBy, Placement, judge};
use holm_policy::id::Place;
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use jiff::Timestamp;

use self::ask::Cedar;

/// The rules that both judge.
const RULES: [RuleId; 9] = [
    RuleId::ScopeEnvironments,
    RuleId::ScopeCopies,
    RuleId::LocationCountries,
    RuleId::AccessSupport,
    RuleId::ControlContractingEntity,
    RuleId::ControlOwners,
    RuleId::ControlSubProcessors,
    RuleId::ControlAffiliates,
    RuleId::ControlRunningDatabase,
];

/// What came of a comparison.
#[derive(Default)]
struct Tally {
    judged: usize,
    outcomes: BTreeMap<(RuleId, Outcome), usize>,
    differences: Vec<String>,
}

fn main() -> Result<ExitCode> {
    let registry = Registry::shipped();
    let mut tally = Tally::default();
    for now in ["2026-11-22T12:00:00Z", "2027-03-01T00:00:00Z"] {
        for (file, text) in Profile::SHIPPED {
            compare(&registry, (file, text), text, now.parse()?, &mut tally)?;
        }
    }
    for ((rule, outcome), count) in &tally.outcomes {
        println!("{rule:<28} {outcome:<8} {count}");
    }
    println!("{} findings compared, {} differ", tally.judged, tally.differences.len());
    for difference in tally.differences.iter().take(20) {
        println!("  {difference}");
    }
    let blind = is_blind(&registry)?;
    if let Some(blind) = &blind {
        println!("the comparison sees nothing: {blind}");
    }
    Ok(if tally.differences.is_empty() && blind.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A profile that Cedar reads otherwise than Holm must differ, or nothing is compared.
fn is_blind(registry: &Registry) -> Result<Option<String>> {
    let (file, text) = Profile::SHIPPED[0];
    for (from, to) in [
        ("countries = [\"@EEA\"]", "countries = [\"@NORDIC\"]"),
        ("owners = [\"@EEA\"]", "owners = [\"@any\"]"),
        ("sub_processors = [\"@EEA\"]", "sub_processors = [\"@NORDIC\"]"),
        ("support_from = [\"@EEA\"]", "support_from = [\"@NORDIC\"]"),
        ("contracting_entity = [\"@EEA\"]", "contracting_entity = [\"@EEA\", \"@ADEQUATE\"]"),
        ("holders = [\"customer_external_eea_kms\", ", "holders = ["),
        ("\"wal\", ", ""),
        ("accept = [\"verified\", ", "accept = ["),
    ] {
        let mut tally = Tally::default();
        let changed = text.replacen(from, to, 1);
        anyhow::ensure!(changed != text, "`{from}` is not in {file}");
        compare(registry, (file, text), &changed, "2026-11-22T12:00:00Z".parse()?, &mut tally)?;
        if tally.differences.is_empty() {
            return Ok(Some(format!("`{from}` read as `{to}` makes no difference")));
        }
    }
    Ok(None)
}

/// Compares the two judges on one profile; Cedar's has a text of its own, so that a change to it can be noticed.
fn compare(registry: &Registry, (file, text): (&str, &str), for_cedar: &str, now: Timestamp, tally: &mut Tally) -> Result<()> {
    let profile = Profile::parse(file, text, registry)?;
    let mut cedar = Cedar::new(registry, for_cedar, now)?;
    for place in registry.places() {
        // One is enough where one is wanted.
        if text != for_cedar && !tally.differences.is_empty() {
            break;
        }
        for placement in placements(&place)? {
            let verdict = judge(registry, &profile, &placement, &[], now);
            let question = cedar.question(&placement)?;
            for rule in RULES {
                let Some(finding) = verdict.findings.iter().find(|finding| finding.rule == rule) else { continue };
                let theirs = cedar.outcome(&question, rule)?;
                tally.judged += 1;
                *tally.outcomes.entry((rule, finding.outcome)).or_default() += 1;
                if theirs != finding.outcome {
                    let Placement { role, key_holder, backup, environment, .. } = &placement;
                    tally.differences.push(format!(
                        "{file} {place} {role} {environment} {key_holder} {backup:?} at {now}: {rule} is {} ({}), Cedar says {theirs}",
                        finding.outcome, finding.because
                    ));
                }
            }
        }
    }
    Ok(())
}

/// Every copy that could be at a place, as far as these rules tell copies apart.
fn placements(place: &Place) -> Result<Vec<Placement>> {
    let mut placements = Vec::new();
    for role in CopyRole::ALL {
        let backups = match role {
            CopyRole::Backup | CopyRole::Wal => vec![BackupBy::ProviderDefault, BackupBy::Holm, BackupBy::ProviderIn("ovh/GRA".parse()?)],
            _ => vec![BackupBy::ProviderDefault],
        };
        for backup in backups {
            // Of what no key can seal it is enough to see that no key changes anything.
            let holders = if role.can_be_sealed() { KeyHolder::ALL } else { &[KeyHolder::Provider, KeyHolder::ClientSide] };
            for key_holder in holders {
                // Environments are told apart by one rule only.
                let environments: &[EnvironmentKind] =
                    if *role == CopyRole::Primary { &EnvironmentKind::ALL } else { &[EnvironmentKind::Production] };
                for environment in environments {
                    placements.push(placement(place, *role, backup.clone(), *key_holder, *environment)?);
                }
            }
        }
    }
    Ok(placements)
}

fn placement(place: &Place, role: CopyRole, backup: BackupBy, key_holder: KeyHolder, environment: EnvironmentKind) -> Result<Placement> {
    Ok(Placement {
        copy: "copy".parse()?,
        environment,
        role,
        place: place.clone(),
        plan: None,
        backup,
        key_holder,
        isolation: Isolation::InstancePerTenant,
        primary: Some(place.clone()),
        papers: Vec::new(),
        assessments: Vec::new(),
    })
}
