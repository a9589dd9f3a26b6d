//! Credentials: what apps present to the proxy.

mod issue;

use holm_core::credential::CredentialName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
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
pub async fn revoke(control: &Control, environment: &EnvironmentName, name: &CredentialName) -> Result<(), Problem> {
    let act = act(control.clone(), environment.clone(), name.clone());
    let version = control.tasks().finish("revoke a credential", act).await?;
    match version {
        Some(version) => control.confirmed(version, CONFIRM_PATIENCE).await,
        None => Ok(()),
    }
}

async fn act(
    control: Control,
    environment: EnvironmentName,
    name: CredentialName,
) -> Result<Option<holm_core::route::RouteVersion>, Problem> {
    environment::show(&control, &environment).await?;
    let mut tx = control.catalog().transaction().await?;
    if credential::revoke(&mut tx, &environment, &name).await?.is_none() {
        let what = format!("there is no credential called `{name}` in `{environment}`");
        return Err(Problem::new(ErrorCode::CredentialNotFound, what).next("see which there are; one that was revoked is gone"));
    }
    let version = tx.commit().await?;
    control.nudge();
    Ok(version)
}
