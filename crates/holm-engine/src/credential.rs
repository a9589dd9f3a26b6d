//! Credentials: what apps present to the proxy.

mod issue;
pub mod rotate;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::credential::CredentialName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_store::audit::record;
use holm_store::credential::{self, Credential};
use holm_store::page::Page;

pub use issue::{CredentialScope, IssuedCredential, NewCredential, issue};

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;

/// A page of an environment's credentials, by name; revoked ones are left out.
///
/// # Errors
/// No such environment, or the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control, environment: &EnvironmentName, page: &Page<CredentialName>) -> Result<Vec<Credential>, Problem> {
    environment::show(control, environment).await?;
    Ok(credential::list(control.catalog(), environment, page).await?)
}

/// Revokes a credential: from here on nobody logs in with it.
///
/// # Errors
/// No such environment or credential, a catalog that does not answer; [`ErrorCode::DataPlaneSilent`] says that it is
/// revoked, but not yet everywhere.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn revoke(control: &Control, by: &Actor, environment: &EnvironmentName, name: &CredentialName) -> Result<(), Problem> {
    let act = act(control.clone(), by.clone(), environment.clone(), name.clone());
    let version = control.tasks().finish("revoke a credential", act).await?;
    match version {
        Some(version) => control.confirmed_everywhere(version, CONFIRM_PATIENCE).await,
        None => Ok(()),
    }
}

async fn act(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    name: CredentialName,
) -> Result<Option<holm_core::route::RouteVersion>, Problem> {
    environment::show(&control, &environment).await?;
    let mut tx = control.catalog().transaction().await?;
    let Some(id) = credential::revoke(&mut tx, &environment, &name).await? else {
        return Err(not_found(&environment, &name));
    };
    record(&mut tx, NewEntry::new(&by, AuditAction::CredentialRevoke, Some(&environment), Subject::Credential(id)));
    let version = tx.commit().await?;
    control.nudge();
    Ok(version)
}

fn not_found(environment: &EnvironmentName, name: &CredentialName) -> Problem {
    Problem::new(ErrorCode::CredentialNotFound, format!("there is no credential called `{name}` in `{environment}`"))
        .next("see which there are; one that was revoked is gone")
}
