//! What a pool should no longer have: condemned databases with their roles, and templates that were replaced.

use holm_core::error::Problem;
use holm_core::id::ClusterId;
use holm_core::role::DatabaseName;
use holm_store::database::{self, DatabaseState};
use holm_store::template::{self, Template, TemplateState};
use uuid::Uuid;

use super::Pool;
use crate::cluster::condemn::{self, Removed};
use crate::cluster::lock;
use crate::control::Control;

/// Those whose roles others refer to stay for long; they must not crowd out those that can go.
const CONDEMNED_MAX: u32 = 5_000;

/// Whether anything is to be removed; asked before a server is bothered.
pub(super) async fn is_due(control: &Control, cluster: ClusterId) -> Result<bool, Problem> {
    let condemned = database::of_state(control.catalog(), cluster, DatabaseState::Condemned, 1).await?;
    Ok(!condemned.is_empty() || template::list(control.catalog(), cluster).await?.iter().any(is_left))
}

/// Retired, and not known to be gone.
fn is_left(template: &Template) -> bool {
    template.state == TemplateState::Retired && template.dropped_at.is_none()
}

impl Pool<'_> {
    /// Removes what can be removed. Members go before the template whose role their objects may still belong to.
    pub(super) async fn remove(&self) -> Result<(), Problem> {
        let catalog = self.control.catalog();
        let mut outcome = Ok(());
        for condemned in database::of_state(catalog, self.cluster.id, DatabaseState::Condemned, CONDEMNED_MAX).await? {
            let removed = self.remove_one(condemned.id.as_uuid(), &condemned.name).await;
            if matches!(removed, Ok(Removed::Wholly)) {
                let mut tx = catalog.transaction().await?;
                let _ = database::forget(&mut tx, condemned.id).await?;
                tx.commit().await?;
            }
            outcome = outcome.and(removed.map(drop));
        }
        for retired in template::list(catalog, self.cluster.id).await?.into_iter().filter(is_left) {
            let removed = self.remove_one(retired.id.as_uuid(), &retired.database).await;
            if matches!(removed, Ok(Removed::Wholly)) {
                template::mark_dropped(catalog, retired.id).await?;
            }
            outcome = outcome.and(removed.map(drop));
        }
        outcome
    }

    /// Both states, condemned and retired, are for good, so that nothing needs to be asked again under the lock. Nobody fills
    /// such a database any more: an idle session that has the lock is of a process that stands still.
    async fn remove_one(&self, id: Uuid, name: &DatabaseName) -> Result<Removed, Problem> {
        let refused = |error| self.problem(&error);
        lock::one_from_the_still(self.admin, id).await.map_err(refused)?;
        let removed = condemn::remove(self.admin, name).await.map_err(refused);
        let _ = lock::release(self.admin, id).await;
        removed
    }
}
