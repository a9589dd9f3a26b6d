//! Breaking the glass: a role that nobody gave, for hours, with a reason, loudly.
//!
//! Promises: it ends by itself after 8 hours at the most, it is of one environment, and it is told in the audit log and as
//! a warning before the role counts. It changes nothing of who may manage access, which is of no single environment.

use std::time::Duration;

use holm_core::access::Role;
use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Reason, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{BreakGlassId, PrincipalId};
use holm_store::audit::record;
use holm_store::break_glass::{self, BreakGlass, NewBreakGlass};
use uuid::Uuid;

use crate::control::Control;
use crate::environment;

/// A working day; the catalog holds it as well.
pub const LIFETIME_MAX: Duration = Duration::from_secs(8 * 3600);

/// Less than a minute is over before anything is done.
const LIFETIME_MIN: Duration = Duration::from_secs(60);

/// Takes a role in an environment for a time.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] for a time outside of a minute to 8 hours; no such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn open(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    role: Role,
    reason: &Reason,
    lifetime: Duration,
) -> Result<BreakGlass, Problem> {
    if !(LIFETIME_MIN..=LIFETIME_MAX).contains(&lifetime) {
        return Err(Problem::new(ErrorCode::InvalidValue, format!("the glass cannot be broken for {} minutes", lifetime.as_secs() / 60))
            .because("it is for an emergency: 1 minute to 8 hours")
            .next("take the time that it needs; it can be broken again"));
    }
    let new = NewBreakGlass {
        id: BreakGlassId::from_uuid(Uuid::now_v7()),
        principal: principal(by)?,
        environment: environment.clone(),
        role,
        reason: reason.clone(),
        lifetime,
    };
    control.tasks().finish("break the glass", take(control.clone(), by.clone(), new)).await
}

async fn take(control: Control, by: Actor, new: NewBreakGlass) -> Result<BreakGlass, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let Some(open) = break_glass::insert(&mut tx, &new).await? else { return Err(environment::not_found(&new.environment)) };
    let entry = NewEntry::new(&by, AuditAction::BreakGlassOpen, Some(&new.environment), Subject::BreakGlass(new.id));
    record(&mut tx, entry.because(&new.reason).with(Detail::Role { role: new.role, until: Some(open.until) }));
    tx.commit().await?;
    tracing::warn!(
        actor = %by, role = %new.role, environment = %new.environment, until = %open.until, reason = %new.reason,
        "THE GLASS WAS BROKEN: somebody took a role that nobody gave"
    );
    Ok(open)
}

/// Gives it back before its time; only who took it does.
///
/// # Errors
/// [`ErrorCode::GrantNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn close(control: &Control, by: &Actor, id: BreakGlassId) -> Result<BreakGlass, Problem> {
    let (catalog, by, principal) = (control.catalog().clone(), by.clone(), principal(by)?);
    control
        .tasks()
        .finish("give a broken glass back", async move {
            let mut tx = catalog.transaction().await?;
            let Some(ended) = break_glass::end(&mut tx, id, principal).await? else {
                return Err(Problem::new(ErrorCode::GrantNotFound, format!("`{by}` has no broken glass `{id}` that is open"))
                    .next("it ends by itself; what is held is in `holm access whoami`"));
            };
            record(&mut tx, NewEntry::new(&by, AuditAction::BreakGlassClose, Some(&ended.environment), Subject::BreakGlass(id)));
            tx.commit().await?;
            tracing::warn!(actor = %by, environment = %ended.environment, "a broken glass was given back");
            Ok(ended)
        })
        .await
}

/// The newest, open or not.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<BreakGlass>, Problem> {
    Ok(break_glass::list(control.catalog()).await?)
}

/// Holm itself never needs to: it does what it was made for.
fn principal(by: &Actor) -> Result<PrincipalId, Problem> {
    by.principal().ok_or_else(|| Problem::new(ErrorCode::InvalidValue, format!("{by} is nobody who could break the glass")))
}
