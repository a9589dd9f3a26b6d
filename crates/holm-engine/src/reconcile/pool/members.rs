//! The members that a pool should have: recorded first, then made, two at a time.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use holm_core::error::Problem;
use holm_core::id::DatabaseId;
use holm_core::key::KeyPurpose;
use holm_core::role::DatabaseName;
use holm_store::data_key::KeyOwner;
use holm_store::database::{self, Database, DatabaseState, NewDatabase};
use holm_store::sealed::Sealed;
use holm_store::template::Template;
use holm_store::tenant;
use uuid::Uuid;

use super::Pool;
use crate::cluster::connect::Connection;
use crate::cluster::{lock, member};
use crate::secret::logins::Logins;
use crate::tenant::placing;

/// More members than the pool's size are made only for tenants that wait already; so many at once.
const WAITING_MAX: u32 = 32;

/// All members that can be planned at once, and then some.
const PLANNED_MAX: u32 = 2_000;

impl Pool<'_> {
    /// Makes every member that is recorded, after recording those that are missing and giving up those that are too many.
    pub(super) async fn make_members(&self, template: &Template) -> Result<(), Problem> {
        let catalog = self.control.catalog();
        let mut planned = database::of_state(catalog, self.cluster.id, DatabaseState::Planned, PLANNED_MAX).await?;
        let mut ready = database::of_state(catalog, self.cluster.id, DatabaseState::Ready, PLANNED_MAX).await?;
        let wanted = usize::try_from(self.environment.pool_size).unwrap_or(usize::MAX).saturating_add(self.waiting().await?);
        for _ in planned.len() + ready.len()..wanted {
            planned.extend(self.plan_member(template).await?);
        }
        while planned.len() + ready.len() > wanted {
            // The newest first, and what is not made yet before what is.
            let Some(surplus) = planned.pop().or_else(|| ready.pop()) else { break };
            self.give_up(&surplus).await?;
        }
        self.make_all(template, planned).await
    }

    /// One that a tenant claims meanwhile is not in a state in which it could be condemned, and stays.
    async fn give_up(&self, surplus: &Database) -> Result<(), Problem> {
        let mut tx = self.control.catalog().transaction().await?;
        let _ = database::condemn(&mut tx, surplus.id).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Tenants that wait for a member of this cluster, or of any of its environment, and may have one: for those whose profile does not
    /// allow it, nothing is made.
    async fn waiting(&self) -> Result<usize, Problem> {
        let (catalog, id) = (self.control.catalog(), self.cluster.id);
        let mut waiting = tenant::claim::waiting_for(catalog, id, WAITING_MAX, None).await?;
        // Judged only if somebody waits, which is seldom.
        if waiting > 0 {
            let allowed = placing::allowed_there(self.control, id).await?;
            waiting = tenant::claim::waiting_for(catalog, id, WAITING_MAX, Some(&allowed)).await?;
        }
        Ok(usize::try_from(waiting).expect("WAITING_MAX at the most"))
    }

    /// Commits name and logins before anything has them.
    async fn plan_member(&self, template: &Template) -> Result<Option<Database>, Problem> {
        let id = DatabaseId::from_uuid(Uuid::now_v7());
        let logins = tokio::task::spawn_blocking(Logins::generate).await.expect("hashing does not panic");
        let sealing = self.control.keys().for_new(KeyOwner::Database(id), KeyPurpose::Logins).await?;
        let sealed_logins = Sealed::new(logins.seal(&sealing.key, id));
        let new = NewDatabase { id, template: template.id, name: DatabaseName::generated(Uuid::new_v4()), sealed_logins };
        let mut tx = self.control.catalog().transaction().await?;
        let planned = database::plan(&mut tx, &new).await?;
        if planned.is_some() {
            // Whoever claims the database has its key with it: creating a tenant makes none.
            sealing.keep(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(planned)
    }

    /// Two at a time: one clones while the other is handed over; more would only queue for the same disk.
    async fn make_all(&self, template: &Template, planned: Vec<Database>) -> Result<(), Problem> {
        let many = planned.len() > 1;
        let queue = Mutex::new(VecDeque::from(planned));
        let first = self.work_off(template, &queue, self.admin);
        let second = async {
            if !many {
                return Ok(());
            }
            let session = self.access.maintenance().await.map_err(|error| self.problem(&error))?;
            let done = self.work_off(template, &queue, &session).await;
            session.close().await;
            done
        };
        let (first, second) = tokio::join!(first, second);
        first.and(second)
    }

    /// One that cannot be made does not keep the next from being tried, as long as the session lives.
    async fn work_off(&self, template: &Template, queue: &Mutex<VecDeque<Database>>, session: &Connection) -> Result<(), Problem> {
        let mut outcome = Ok(());
        while !session.client().is_closed() {
            let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
            let Some(next) = next else { break };
            outcome = outcome.and(self.make_one(template, &next, session).await);
        }
        outcome
    }

    async fn make_one(&self, template: &Template, planned: &Database, session: &Connection) -> Result<(), Problem> {
        let id = planned.id.as_uuid();
        lock::one_from_the_still(session, id).await.map_err(|error| self.problem(&error))?;
        let made = self.make_locked(template, planned, session).await;
        let _ = lock::release(session, id).await;
        made
    }

    /// Asks once more under the lock: while it was waited for, the member may have been made or given up by another.
    async fn make_locked(&self, template: &Template, planned: &Database, session: &Connection) -> Result<(), Problem> {
        let catalog = self.control.catalog();
        let still = database::by_id(catalog, planned.id).await?.is_some_and(|now| now.state == DatabaseState::Planned);
        if !still || planned.template != Some(template.id) {
            return Ok(());
        }
        let sealed = planned.sealed_logins.as_bytes();
        let ring = self.control.keys().ring(Vec::new(), [sealed]).await?;
        let logins = Logins::unseal(&ring, planned.id, sealed)?;
        let whole = member::Member { name: &planned.name, logins: &logins, template: &template.database, major: self.major };
        member::make(self.access, session, &whole).await.map_err(|error| self.problem(&error))?;
        let mut tx = catalog.transaction().await?;
        let _ = database::mark_ready(&mut tx, planned.id).await?;
        placing::assign_waiting(self.control, &mut tx, self.cluster.id).await?;
        tx.commit().await?;
        self.control.nudge();
        Ok(())
    }
}
