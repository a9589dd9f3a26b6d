//! Where a database and a bucket could lie, before there is either (R103).
//!
//! Promises: of an environment it is answered by what is in force and on file there; of a profile that is only a text, by what Holm
//! ships and with nothing on file. Both have one answer for the same facts. Refuses a word that nobody knows, before anything is judged.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_policy::copy::{Isolation, KeyHolder};
use holm_policy::evaluate::BackupBy;
use holm_policy::id::{Place, PlanId, ProviderId};
use holm_policy::places::{self as policy, Ask, Far, Within};
use holm_policy::profile::Profile;
use holm_policy::registry::Registry;
use jiff::Timestamp;

use super::assigned::{self, invalid};
use super::known::{Known, Papers};
use crate::control::Control;
use crate::environment;

pub use holm_policy::places::{Against, Candidate, Need, Pair, Refused};

/// What somebody wrote.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Words {
    /// Where the database must be: a provider, or a provider and a region.
    pub database: Option<String>,
    /// Where the bucket must be.
    pub bucket: Option<String>,
    /// Where the database's provider is told to put backups.
    pub backup: Option<String>,
    /// Who holds the keys of the bucket.
    pub key_holder: Option<String>,
    /// Plans that one is on: `railway=pro`.
    pub plans: Vec<String>,
    /// Also buckets elsewhere for databases that have something nearer.
    pub all: bool,
}

/// What is found.
#[derive(Clone, Debug)]
pub struct Places {
    /// As of when.
    pub judged_at: Timestamp,
    /// What is known, as a hash.
    pub registry_hash: String,
    /// By which profile.
    pub profile: String,
    /// Which version of it.
    pub profile_version: u32,
    /// Whose papers count; nothing is on file where it is about no environment.
    pub environment: Option<EnvironmentName>,
    /// For an environment of which kind.
    pub kind: EnvironmentKind,
    /// The answer.
    pub found: policy::Answer,
}

/// By what it is answered.
pub struct Terms<'a> {
    /// What is known.
    pub registry: &'a Registry,
    /// The profile.
    pub profile: &'a Profile,
    /// Of which environment, and what that is for; production where it is about none and the profile covers that.
    pub environment: Option<(EnvironmentName, EnvironmentKind)>,
    /// What is on file.
    pub papers: Papers,
    /// As of when.
    pub now: Timestamp,
}

impl Places {
    /// Another one where anything in it is another but the time of asking.
    pub fn fingerprint(&self) -> String {
        let Self { judged_at: _, registry_hash, profile, profile_version, environment, kind, found } = self;
        let whole = format!("{:?}", (registry_hash, profile, profile_version, environment, kind, found));
        digest(&SHA256, whole.as_bytes()).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Asks for an environment: by a profile in force, or the environment's own.
///
/// # Errors
/// No such environment, no such profile in force, no profile at all, a word that nobody knows; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn places(control: &Control, name: &EnvironmentName, profile: Option<&str>, words: Words) -> Result<Places, Problem> {
    let environment = environment::show(control, name).await?;
    let wanted = match profile {
        Some(name) => name.to_owned(),
        None => assigned::of_environment(control, name).await?.ok_or_else(|| no_profile(name))?,
    };
    let (known, now) = Known::now(control).await?;
    let of = (name.clone(), environment.kind);
    let answer = move || {
        let papers = known.papers(Some(&of.0));
        let profile = known.profile(&wanted)?;
        answer(Terms { registry: known.registry(), profile, environment: Some(of), papers, now }, &words)
    };
    tokio::task::spawn_blocking(answer).await.expect("judging does not panic")
}

/// Answers.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: a word that nobody knows.
pub fn answer(terms: Terms<'_>, words: &Words) -> Result<Places, Problem> {
    let Terms { registry, profile, environment, papers, now } = terms;
    let covered = &profile.scope().environments;
    let production = covered.iter().find(|kind| kind.0 == EnvironmentKind::Production);
    let usual = production.or(covered.first()).map_or(EnvironmentKind::Production, |kind| kind.0);
    let kind = environment.as_ref().map_or(usual, |(_, kind)| *kind);
    let ask = Ask {
        environment: kind,
        isolation: Isolation::DatabasePerTenant,
        database: within("database", words.database.as_deref(), registry)?,
        bucket: within("bucket", words.bucket.as_deref(), registry)?,
        backup: backup(words.backup.as_deref(), registry)?,
        bucket_keys: match &words.key_holder {
            Some(text) => text.parse().map_err(|error| invalid("key holder", &error))?,
            None => KeyHolder::Provider,
        },
        plans: words.plans.iter().map(|text| plan(text, registry)).collect::<Result<BTreeMap<_, _>, _>>()?,
        papers: papers.signed,
        assessments: papers.assessed,
        far: if words.all { Far::All } else { Far::WhereNothingIsNearer },
    };
    if ask.plans.len() < words.plans.len() {
        return Err(invalid("plan", &"a provider is named twice"));
    }
    Ok(Places {
        judged_at: now,
        registry_hash: registry.hash().as_str().to_owned(),
        profile: profile.metadata().id.to_string(),
        profile_version: profile.metadata().version,
        environment: environment.map(|(name, _)| name),
        kind,
        found: policy::places(registry, profile, &ask, now),
    })
}

fn within(what: &str, text: Option<&str>, registry: &Registry) -> Result<Option<Within>, Problem> {
    let Some(text) = text else { return Ok(None) };
    let within: Within = text.parse().map_err(|error| invalid(what, &error))?;
    within.is_known(registry).map_err(|error| unheard(what, &error))?;
    Ok(Some(within))
}

fn backup(text: Option<&str>, registry: &Registry) -> Result<BackupBy, Problem> {
    let Some(text) = text else { return Ok(BackupBy::ProviderDefault) };
    let place: Place = text.parse().map_err(|error| invalid("backup", &error))?;
    Within::Region(place.clone()).is_known(registry).map_err(|error| unheard("backup", &error))?;
    Ok(BackupBy::ProviderIn(place))
}

/// `railway=pro`, of plans that the registry has heard of, if it has heard of any.
fn plan(text: &str, registry: &Registry) -> Result<(ProviderId, PlanId), Problem> {
    let wrong = || invalid("plan", &format!("`{}`; accepted: a provider and its plan, `railway=pro`", text.escape_debug()));
    let (provider, plan) = text.split_once('=').ok_or_else(wrong)?;
    let provider: ProviderId = provider.parse().map_err(|error| invalid("plan", &error))?;
    Within::Provider(provider.clone()).is_known(registry).map_err(|error| unheard("plan", &error))?;
    Ok((provider.clone(), super::placed::plan_of(registry, &provider, plan)?))
}

fn unheard(what: &str, error: &dyn std::fmt::Display) -> Problem {
    invalid(what, error).next("see which there are: `holm provider list`, and regions: `holm provider show PROVIDER`")
}

fn no_profile(name: &EnvironmentName) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("environment `{name}` has no profile of its own"))
        .next("say by which to judge: `--profile NAME`; those in force: `holm residency profile in-force`")
}
