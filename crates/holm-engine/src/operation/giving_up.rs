//! The fence around an operation that a person gives up: what it holds is free as soon as that is written, so nothing of it
//! may be under way any more.
//!
//! Promises: its lease is taken away first, under an epoch that no runner has; then its sessions on every cluster that can be
//! asked are ended, and its lock there has been had. Of a cluster that cannot be asked nobody knows, so there every runner
//! that is not standing still is given the time of its lease to stop; such clusters are named in the log.

use std::time::Duration;

use holm_core::error::Problem;
use holm_store::operation::{Operation, claim};
use tokio::time::sleep;

use super::acting;
use crate::cluster::connect::Access;
use crate::cluster::trouble::ClusterError;
use crate::control::Control;

/// How long nobody takes the operation up, should this process die before the word is written; each cluster may take
/// several of the 5 s that a connection may.
const HOLD: Duration = Duration::from_secs(60);

/// Makes sure that nothing of an operation is under way.
///
/// # Errors
/// The catalog does not answer; the lease may be taken away by then, and another runner goes on after a minute.
///
/// # Cancel safety
/// As if the catalog had not answered.
pub(super) async fn fence(control: &Control, operation: &Operation) -> Result<(), Problem> {
    let owner = format!("{} giving up", control.runner());
    let Some(revoked) = claim::revoke(control.catalog(), operation.id, &owner, HOLD).await? else { return Ok(()) };
    let mut asked_all = true;
    for cluster in holm_store::cluster::list(control.catalog()).await? {
        if operation.environment.as_ref().is_some_and(|environment| *environment != cluster.environment) {
            continue;
        }
        let mut access = control.access(&cluster).await?;
        access.application_name = Some(acting::application_name(operation.id, revoked.epoch));
        if let Err(error) = clear(&access, operation, revoked.epoch).await {
            tracing::warn!(operation = %operation.id, cluster = %cluster.name, %error, "given up, and this cluster was not asked");
            asked_all = false;
        }
    }
    if !asked_all {
        sleep(revoked.left).await;
    }
    Ok(())
}

async fn clear(access: &Access, operation: &Operation, epoch: u64) -> Result<(), ClusterError> {
    let admin = access.maintenance().await?;
    acting::close_to_former(&admin, operation.id, epoch).await?;
    admin.close().await;
    Ok(())
}
