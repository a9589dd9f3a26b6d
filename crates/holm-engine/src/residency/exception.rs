//! Exceptions: one rule that does not count for one copy of one tenant, until a day; granted and revoked (R16).
//!
//! Promises: an exception has an owner, a reason, something that compensates and an end, and ends by itself. Refuses any from
//! what no measure changes, any for a copy that the tenant has not, and any that is over.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_policy::evaluate::exception::{Exception, Request};
use holm_policy::evaluate::verdict::RuleId;
use holm_policy::id::CopyId;
use holm_store::audit::record;
use holm_store::cluster::Cluster;
use holm_store::residency;
use holm_store::residency::exception::{self, Listed, NewException};
use holm_store::tenant::{self, Tenant};
use jiff::Timestamp;
use uuid::Uuid;

use super::assigned::invalid;
use super::copies::{self, Kept};
use super::known::Known;
use super::paper::said;
use super::watch;
use crate::control::Control;
use crate::environment;

/// A name, or an office.
const OWNER_LENGTH_MAX: usize = 200;

/// What somebody who asks why is answered.
const WORDS_LENGTH_MAX: usize = 2000;

/// What is wanted of an exception, as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Which copy: `primary`.
    pub copy: String,
    /// Which rule: `location.countries`.
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// What is done instead.
    pub measure: String,
    /// When it ends.
    pub until: Timestamp,
}

/// Those of living tenants that nobody revoked, ended ones too.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Listed>, Problem> {
    Ok(exception::listed(control.catalog()).await?)
}

/// One of them.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, id: Uuid) -> Result<Listed, Problem> {
    list(control).await?.into_iter().find(|listed| listed.granted.exception.id == id).ok_or_else(|| not_found(id))
}

/// There is no such exception, or none that whoever asks may know of.
pub fn not_found(id: Uuid) -> Problem {
    Problem::new(ErrorCode::RecordNotFound, format!("there is no exception {id}"))
        .next("see which there are: `holm residency exception list`")
}

/// Grants one, and returns it.
///
/// # Errors
/// No such tenant; [`ErrorCode::InvalidValue`]: it says too little, is over, is from a rule that has none, or for a copy that the
/// tenant has not. Nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn grant(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    wanted: Wanted,
) -> Result<Listed, Problem> {
    let act = give(control.clone(), by.clone(), environment.clone(), slug.clone(), wanted);
    control.tasks().finish("grant an exception", act).await
}

/// Revokes one, and returns what it was.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn revoke(control: &Control, by: &Actor, id: Uuid) -> Result<Listed, Problem> {
    control.tasks().finish("revoke an exception", take(control.clone(), by.clone(), id)).await
}

async fn give(control: Control, by: Actor, environment: EnvironmentName, slug: TenantSlug, wanted: Wanted) -> Result<Listed, Problem> {
    environment::show(&control, &environment).await?;
    // Before what is judged by is held: others wait for that, and this would wait for one of their connections.
    let tenant = tenant::by_slug(control.catalog(), &environment, &slug).await?;
    let tenant = tenant.ok_or_else(|| environment::tenant_not_found(&environment, &slug))?;
    let home = match tenant.database.as_ref().and(tenant.cluster.as_ref()) {
        Some(name) => Some(crate::cluster::named(&control, name).await?),
        None => None,
    };
    let mut tx = control.catalog().transaction().await?;
    let (known, now) = Known::alone(&control, &mut tx).await?;
    let granted = granted(wanted, now)?;
    let registered = known.registered(&environment);
    its_copy(&known, &tenant, home.as_ref(), &registered, granted.copy())?;
    let new = NewException {
        id: Uuid::now_v7(),
        tenant: tenant.id,
        copy: granted.copy().to_string(),
        rule: granted.rule().to_string(),
        place: place_of(home.as_ref(), &registered, granted.copy()),
        owner: granted.owner().to_owned(),
        reason: granted.reason().to_owned(),
        measure: granted.measure().to_owned(),
        until: granted.until(),
    };
    residency::advance(&mut tx).await?;
    exception::keep(&mut tx, &new).await?;
    let detail = Detail::Judged { what: told(&new), before: None };
    record(&mut tx, NewEntry::new(&by, AuditAction::ExceptionGrant, Some(&environment), Subject::Tenant(tenant.id)).with(detail));
    tx.commit().await?;
    watch::soon(&control);
    show(&control, new.id).await
}

async fn take(control: Control, by: Actor, id: Uuid) -> Result<Listed, Problem> {
    let found = show(&control, id).await?;
    let mut tx = control.catalog().transaction().await?;
    residency::alone(&mut tx).await?;
    residency::advance(&mut tx).await?;
    // Another may have been first.
    exception::remove(&mut tx, id).await?.ok_or_else(|| not_found(id))?;
    let exception = &found.granted.exception;
    let entry = NewEntry::new(&by, AuditAction::ExceptionRevoke, Some(&found.environment), Subject::Tenant(exception.tenant));
    record(&mut tx, entry.with(Detail::Judged { what: told(exception), before: None }));
    tx.commit().await?;
    watch::soon(&control);
    Ok(found)
}

/// Without the words that people gave: they may name somebody, and the log is kept for ever.
fn told(exception: &NewException) -> String {
    let NewException { id, copy, rule, until, .. } = exception;
    format!("{rule} {copy} until {until} {id}")
}

fn granted(wanted: Wanted, now: Timestamp) -> Result<Exception, Problem> {
    let Wanted { copy, rule, owner, reason, measure, until } = wanted;
    let request = Request {
        copy: copy.parse().map_err(|error| invalid("copy", &error))?,
        rule: rule.parse::<RuleId>().map_err(|error| invalid("rule", &error))?,
        // Whether there are words at all, is asked with everything else that an exception must say.
        owner: owner.trim().to_owned(),
        reason: reason.trim().to_owned(),
        measure: measure.trim().to_owned(),
        until,
    };
    let granted = Exception::grant(request, now).map_err(|error| invalid("exception", &error))?;
    said("owner", granted.owner(), OWNER_LENGTH_MAX)?;
    said("reason", granted.reason(), WORDS_LENGTH_MAX)?;
    said("measure", granted.measure(), WORDS_LENGTH_MAX)?;
    Ok(granted)
}

/// Where a copy is said to be that is on a cluster, was seen there, or is registered.
fn place_of(home: Option<&Cluster>, registered: &[Kept], copy: &CopyId) -> Option<String> {
    if let Some(kept) = registered.iter().find(|kept| kept.copy == *copy) {
        return Some(kept.place.to_string());
    }
    let home = home?;
    match home.copies.iter().find(|seen| copies::id_of(&seen.seen) == *copy) {
        Some(seen) => seen.placed.as_ref().map(|placed| placed.place.clone()),
        None => home.placed.as_ref().map(|placed| placed.place.clone()),
    }
}

/// An exception for a copy that there is not would cover nothing, and nobody would notice.
fn its_copy(known: &Known, tenant: &Tenant, home: Option<&Cluster>, registered: &[Kept], copy: &CopyId) -> Result<(), Problem> {
    let mut there = copies::names(known, home.and_then(copies::place_of).as_ref());
    there.extend(home.into_iter().flat_map(|cluster| &cluster.copies).map(|copy| copies::id_of(&copy.seen)));
    there.extend(registered.iter().map(|kept| kept.copy.clone()));
    if there.contains(copy) {
        return Ok(());
    }
    let names: Vec<&str> = there.iter().map(CopyId::as_str).collect();
    Err(invalid("copy", &format!("`{}` has no copy `{copy}`; it has: {}", tenant.slug, names.join(", "))))
}
