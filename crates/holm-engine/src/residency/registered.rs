//! Copies of an environment's data that Holm neither makes nor sees: a bucket, a log sink, the machines on which the app runs (R19, R45).
//!
//! Promises: each is judged by every profile of its environment before it counts as there, and refused where one denies it or cannot
//! say, unless the caller says that it is so all the same; from then on it is a copy of every tenant there, in every answer, and
//! judged anew like any other. Refuses what Holm makes or sees by itself: of that nobody's word is taken.

use std::collections::BTreeSet;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_policy::copy::{CopyRole, KeyHolder};
use holm_policy::evaluate::verdict::Outcome;
use holm_policy::id::{CopyId, Place};
use holm_store::audit::record;
use holm_store::cluster::{self, Cluster};
use holm_store::residency::placed::{Claimed, Placed};
use holm_store::residency::registered::{self, NewRegistered, Registered};
use holm_store::residency::{self, assigned};
use jiff::Timestamp;
use uuid::Uuid;

use super::assigned::invalid;
use super::copies::{self, Kept, Terms, Whose};
use super::known::Known;
use super::placed::{self, Claim};
use super::watch;
use crate::control::Control;
use crate::environment;

/// What may be registered: what an app, or somebody for it, keeps elsewhere.
pub const ROLES: &[CopyRole] = &[
    CopyRole::Bucket,
    CopyRole::BucketVersion,
    CopyRole::Backup,
    CopyRole::Snapshot,
    CopyRole::Export,
    CopyRole::Log,
    CopyRole::Metric,
    CopyRole::Secret,
    CopyRole::Key,
    CopyRole::Cache,
    CopyRole::Processing,
];

/// A copy to be registered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Whose tenants' data it has.
    pub environment: EnvironmentName,
    /// What it is: `log`.
    pub role: String,
    /// What to call it, after what it is: `datadog`.
    pub name: String,
    /// Where it is.
    pub claim: Claim,
    /// Who holds its keys; the provider, if nobody says.
    pub key_holder: Option<String>,
    /// Whether it is there although a profile denies it.
    pub in_breach: bool,
}

/// Those that are registered.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control, environment: &EnvironmentName) -> Result<Vec<Registered>, Problem> {
    environment::show(control, environment).await?;
    let all = registered::there(control.catalog()).await?;
    Ok(all.into_iter().filter(|copy| copy.environment == *environment).collect())
}

/// Registers one, and returns it.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: something of it cannot be, or there is one of that name; [`ErrorCode::ResidencyRefused`]: a profile
/// denies it or cannot say, and `in_breach` is not said; no such environment. Nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn register(control: &Control, by: &Actor, wanted: Wanted) -> Result<Registered, Problem> {
    control.tasks().finish("register a copy", put(control.clone(), by.clone(), wanted)).await
}

/// Forgets one, and returns what it was: it is no copy of anybody's any more.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; no such environment; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn forget(control: &Control, by: &Actor, environment: &EnvironmentName, copy: &str) -> Result<Registered, Problem> {
    let act = take(control.clone(), by.clone(), environment.clone(), copy.to_owned());
    control.tasks().finish("forget a copy", act).await
}

async fn put(control: Control, by: Actor, wanted: Wanted) -> Result<Registered, Problem> {
    let environment = environment::show(&control, &wanted.environment).await?;
    let role = role(&wanted.role)?;
    let copy = called(role, &wanted.name)?;
    let key_holder: KeyHolder = match &wanted.key_holder {
        Some(text) => text.parse().map_err(|error| invalid("key holder", &error))?,
        None => KeyHolder::Provider,
    };
    let mut tx = control.catalog().transaction().await?;
    let (known, now) = Known::alone(&control, &mut tx).await?;
    let place = wanted.claim.place(known.registry())?;
    let whose = Whose { environment: &wanted.environment, kind: environment.kind, tenant: None };
    let Claimed { place: written, plan, evidence } = wanted.claim.claimed();
    let placed = Placed { place: written.clone(), plan: plan.clone(), placed_at: now, evidence: evidence.clone() };
    let kept = Kept { copy: copy.clone(), role, place: place.clone(), plan: placed::plan(&placed), key_holder, placed };
    let profiles = assigned::in_use_within(&mut tx, environment.id).await?;
    let mut clusters = cluster::list_within(&mut tx).await?;
    clusters.retain(|cluster| cluster.environment == wanted.environment);
    if !wanted.in_breach {
        satisfies(&known, &profiles, &Bench { whose, clusters, now }, &kept)?;
    }
    let new = NewRegistered {
        id: Uuid::now_v7(),
        environment: environment.id,
        copy: copy.to_string(),
        role: role.to_string(),
        place: written,
        plan,
        key_holder: key_holder.to_string(),
        evidence,
    };
    residency::advance(&mut tx).await?;
    if !registered::keep(&mut tx, &new).await? {
        let why = format!("`{}` has a copy `{copy}` already", wanted.environment);
        return Err(invalid("name", &why).next("give it another name, or forget that one first: `holm residency copy remove`"));
    }
    let detail = Detail::Judged { what: format!("{copy} {} {}", placed::written(&place, new.plan.as_deref()), new.id), before: None };
    let entry = NewEntry::new(&by, AuditAction::CopyRegister, Some(&wanted.environment), Subject::Environment(environment.id));
    record(&mut tx, entry.with(detail));
    tx.commit().await?;
    watch::soon(&control);
    find(&control, &wanted.environment, copy.as_str()).await
}

async fn take(control: Control, by: Actor, environment: EnvironmentName, copy: String) -> Result<Registered, Problem> {
    let id = environment::show(&control, &environment).await?.id;
    let found = find(&control, &environment, &copy).await?;
    let mut tx = control.catalog().transaction().await?;
    residency::alone(&mut tx).await?;
    residency::advance(&mut tx).await?;
    // Another may have been first.
    if !registered::remove(&mut tx, found.id).await? {
        return Err(not_found(&environment, &copy));
    }
    let detail = Detail::Judged { what: format!("{} {} {}", found.copy, found.place, found.id), before: None };
    let entry = NewEntry::new(&by, AuditAction::CopyForget, Some(&environment), Subject::Environment(id));
    record(&mut tx, entry.with(detail));
    tx.commit().await?;
    watch::soon(&control);
    Ok(found)
}

async fn find(control: &Control, environment: &EnvironmentName, copy: &str) -> Result<Registered, Problem> {
    let found = list(control, environment).await?.into_iter().find(|there| there.copy == copy);
    found.ok_or_else(|| not_found(environment, copy))
}

fn not_found(environment: &EnvironmentName, copy: &str) -> Problem {
    let copy: String = copy.escape_debug().take(80).collect();
    Problem::new(ErrorCode::RecordNotFound, format!("no copy `{copy}` is registered in `{environment}`"))
        .next(format!("see which are: `holm residency copy list --env {environment}`"))
}

fn role(text: &str) -> Result<CopyRole, Problem> {
    let role: CopyRole = text.parse().map_err(|error| invalid("role", &error))?;
    if ROLES.contains(&role) {
        return Ok(role);
    }
    let accepted: Vec<&str> = ROLES.iter().map(|role| role.as_str()).collect();
    Err(invalid("role", &format!("a `{role}` is made by Holm, or seen on a server; accepted: {}", accepted.join(", "))))
}

/// Behind what it is, so that it is called as no copy is that Holm names.
fn called(role: CopyRole, name: &str) -> Result<CopyId, Problem> {
    let is_word = !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
    let whole = format!("{role}-{name}");
    match whole.parse() {
        Ok(id) if is_word => Ok(id),
        _ => Err(invalid("name", &"accepted: lower-case letters, digits and `-`, with what it is at most 64")),
    }
}

/// For whom a copy would be.
struct Bench<'a> {
    whose: Whose<'a>,
    /// Those of the environment.
    clusters: Vec<Cluster>,
    now: Timestamp,
}

/// Asks every profile that somebody there has, or will have: beside each place where it allows the database, since a profile may want
/// a copy in the country of that.
fn satisfies(known: &Known, profiles: &[String], bench: &Bench<'_>, kept: &Kept) -> Result<(), Problem> {
    let terms = Terms::of(known, bench.whose);
    let bare = Terms { registered: Vec::new(), ..terms.clone() };
    let mut against = BTreeSet::new();
    for name in profiles {
        let profile = known.profile(name)?;
        // By what is of the database and its server: a copy that is registered in breach decides nothing about another.
        let allowed = |cluster: &&Cluster| {
            let there = copies::there(known, &bare, cluster).into_iter();
            let judged: Vec<_> = there.map(|copy| copy.judged(known, profile, None, bench.now)).collect();
            copies::worst(&judged) == Outcome::Allow
        };
        let mut primaries: BTreeSet<Place> = bench.clusters.iter().filter(allowed).filter_map(copies::place_of).collect();
        if primaries.is_empty() {
            // No database may be there yet: one that comes is judged with what is registered.
            primaries.insert(kept.place.clone());
        }
        for primary in primaries {
            let judged = terms.kept(kept, Some(&primary)).judged(known, profile, None, bench.now);
            if judged.outcome() != Outcome::Allow {
                let said = if judged.outcome() == Outcome::Deny { "denies it" } else { "cannot say, and what is not known blocks" };
                let each: Vec<String> = judged.objections().into_iter().map(|(rule, because)| format!("{rule}: {because}")).collect();
                against.insert(format!("`{name}` {said}: {}", each.join("; ")));
            }
        }
    }
    if against.is_empty() {
        return Ok(());
    }
    let against: Vec<String> = against.into_iter().collect();
    let what = format!("a copy `{}` at {} satisfies not every profile that is used there", kept.copy, kept.place);
    Err(Problem::new(ErrorCode::ResidencyRefused, what)
        .because(against.join("; "))
        .next("keep it where they allow it: `holm residency matrix`")
        .next("if it is there all the same, say so, and the breach is told: `--in-breach`"))
}
