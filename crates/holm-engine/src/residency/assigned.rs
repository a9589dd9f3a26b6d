//! Says by which profile tenants are judged: one that is there, and those that are to be made in an environment (R60).
//!
//! Promises: a tenant is not given a profile that its copies do not satisfy, unless the caller says that it is so and wants it
//! known; then the breach counts from that moment. Refuses to take a profile away.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_policy::evaluate::verdict::Outcome;
use holm_store::audit::record;
use holm_store::cluster;
use holm_store::residency::{self, assigned};
use holm_store::tenant::{self, Tenant};

use super::choose::not_there;
use super::copies::{self, Whose};
use super::known::Known;
use super::watch;
use crate::control::Control;
use crate::environment;

/// What new tenants of an environment are given that ask for no other.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of_environment(control: &Control, name: &EnvironmentName) -> Result<Option<String>, Problem> {
    Ok(assigned::of_environment(control.catalog(), name).await?.and_then(|given| given.profile))
}

/// Gives an environment a profile: what is made there from now on is judged by it. Tenants that are there keep what they have.
///
/// # Errors
/// No such environment, or no such profile in force; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn set_of_environment(control: &Control, by: &Actor, name: &EnvironmentName, profile: &str) -> Result<(), Problem> {
    let act = give_environment(control.clone(), by.clone(), name.clone(), profile.to_owned());
    control.tasks().finish("give an environment a profile", act).await
}

async fn give_environment(control: Control, by: Actor, name: EnvironmentName, profile: String) -> Result<(), Problem> {
    let environment = environment::show(&control, &name).await?;
    let mut tx = control.catalog().transaction().await?;
    let (known, _) = Known::alone(&control, &mut tx).await?;
    let what = known.profile(&profile)?.metadata().id.to_string();
    let before = assigned::of_environment_within(&mut tx, &name).await?.and_then(|given| given.profile);
    if before.as_ref() == Some(&what) {
        return Ok(tx.rollback().await?);
    }
    residency::advance(&mut tx).await?;
    assigned::set_of_environment(&mut tx, environment.id, &what).await?;
    let detail = Detail::Judged { what, before };
    record(&mut tx, NewEntry::new(&by, AuditAction::EnvironmentProfile, Some(&name), Subject::Environment(environment.id)).with(detail));
    tx.commit().await?;
    Ok(())
}

/// Gives a tenant a profile; returns the tenant.
///
/// # Errors
/// No such tenant, or no such profile in force; [`ErrorCode::ResidencyRefused`]: its copies do not satisfy it, and `in_breach` is
/// not said. Nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn set_of_tenant(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    profile: &str,
    in_breach: bool,
) -> Result<Tenant, Problem> {
    let act = give_tenant(control.clone(), by.clone(), environment.clone(), slug.clone(), profile.to_owned(), in_breach);
    control.tasks().finish("give a tenant a profile", act).await
}

async fn give_tenant(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    profile: String,
    in_breach: bool,
) -> Result<Tenant, Problem> {
    let kind = environment::show(&control, &environment).await?.kind;
    let gone = || environment::tenant_not_found(&environment, &slug);
    // Before what is judged by is held: others wait for that, and this would wait for one of their connections.
    let found = tenant::by_slug(control.catalog(), &environment, &slug).await?.ok_or_else(gone)?;
    let mut tx = control.catalog().transaction().await?;
    let (known, now) = Known::alone(&control, &mut tx).await?;
    let profile = known.profile(&profile)?;
    let clusters = cluster::list_within(&mut tx).await?;
    let what = profile.metadata().id.to_string();
    residency::advance(&mut tx).await?;
    if !assigned::set_of_tenant(&mut tx, found.id, &what).await? {
        return Err(gone());
    }
    let whose = Whose { environment: &environment, kind, tenant: Some(found.id) };
    let home = found.database.as_ref().and(found.cluster.as_ref());
    if let Some(cluster) = home.and_then(|name| clusters.iter().find(|cluster| cluster.name == *name)) {
        let copies = copies::on(&known, profile, whose, cluster, now);
        if copies::worst(&copies) != Outcome::Allow && !in_breach {
            let problem = not_there(profile, &cluster.name, &copies);
            return Err(problem.next("if the tenant has to satisfy it all the same, say so, and the breach is told: `--in-breach`"));
        }
    }
    let detail = Detail::Judged { what, before: found.profile };
    record(&mut tx, NewEntry::new(&by, AuditAction::TenantProfile, Some(&environment), Subject::Tenant(found.id)).with(detail));
    tx.commit().await?;
    watch::soon(&control);
    tenant::by_id(control.catalog(), found.id).await?.ok_or_else(gone)
}

/// Whether a caller may give a tenant this profile when it is made: who may not say by what data is judged, takes what the
/// environment has.
pub fn is_choice(asked: Option<&str>, default: Option<&str>) -> bool {
    default.is_some_and(|default| asked.is_some_and(|asked| asked != default))
}

/// Refused before anything is looked at: the place of a text that is none.
pub(crate) fn invalid(what: &str, error: &dyn std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("the {what} is not acceptable")).because(error.to_string())
}
