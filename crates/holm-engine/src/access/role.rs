//! Roles: given to a principal in one environment or in all, until a time or until taken back.

use std::time::Duration;

use holm_core::access::Role;
use holm_core::actor::{Actor, PrincipalName};
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_store::audit::record;
use holm_store::grant::{self, Grant, NewGrant};

use super::principal;
use crate::control::Control;
use crate::environment;

/// Gives a role; one that is held already is given anew, with another end.
///
/// # Errors
/// No such principal, or a disabled one; no such environment; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn grant(
    control: &Control,
    by: &Actor,
    to: &PrincipalName,
    role: Role,
    environment: Option<&EnvironmentName>,
    lifetime: Option<Duration>,
) -> Result<Grant, Problem> {
    let principal = principal::active(control, to).await?.id;
    let new = NewGrant { principal, environment: environment.cloned(), role, granted_by: by.clone(), lifetime };
    let (catalog, by) = (control.catalog().clone(), by.clone());
    control
        .tasks()
        .finish("grant a role", async move {
            let mut tx = catalog.transaction().await?;
            let environment = new.environment.as_ref();
            let given = grant::upsert(&mut tx, &new).await?;
            let given = given.ok_or_else(|| environment.map_or_else(|| unreachable!("all of them exist"), environment::not_found))?;
            let entry = NewEntry::new(&by, AuditAction::RoleGrant, environment, Subject::Principal(principal));
            record(&mut tx, entry.with(Detail::Role { role, until: given.expires_at }));
            tx.commit().await?;
            Ok(given)
        })
        .await
}

/// Takes a role back, from the next request on.
///
/// # Errors
/// No such principal; [`ErrorCode::GrantNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn revoke(
    control: &Control,
    by: &Actor,
    from: &PrincipalName,
    role: Role,
    environment: Option<&EnvironmentName>,
) -> Result<(), Problem> {
    let principal = principal::show(control, from).await?;
    let (catalog, by, environment) = (control.catalog().clone(), by.clone(), environment.cloned());
    control
        .tasks()
        .finish("revoke a role", async move {
            let mut tx = catalog.transaction().await?;
            if !grant::delete(&mut tx, principal.id, role, environment.as_ref()).await? {
                return Err(not_held(&principal.name, role, environment.as_ref()));
            }
            let entry = NewEntry::new(&by, AuditAction::RoleRevoke, environment.as_ref(), Subject::Principal(principal.id));
            record(&mut tx, entry.with(Detail::Role { role, until: None }));
            tx.commit().await?;
            Ok(())
        })
        .await
}

/// The roles that a principal was given, ended ones too.
///
/// # Errors
/// No such principal; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control, of: &PrincipalName) -> Result<Vec<Grant>, Problem> {
    let principal = principal::show(control, of).await?;
    Ok(grant::list(control.catalog(), principal.id).await?)
}

fn not_held(name: &PrincipalName, role: Role, environment: Option<&EnvironmentName>) -> Problem {
    let place = environment.map_or_else(|| "all environments".to_owned(), |name| format!("`{name}`"));
    Problem::new(ErrorCode::GrantNotFound, format!("`{name}` was not given `{role}` in {place}"))
        .next(format!("see what is held: `holm access role list '{name}'`"))
}
