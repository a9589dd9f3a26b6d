//! Tenants that are being created: gives waiting ones a database, runs their seed, lets sessions in. Those that an operation
//! was making when a person abandoned it are given up.
//!
//! Promises: a tenant whose creation was begun, by any process, ends up serving or failed, whatever crashed meanwhile. A
//! seed runs for one tenant once at a time, and again if it is not known to have finished. Only a seed's own failure ends
//! a creation; a server's trouble is waited out.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TenantId;
use holm_core::tenant::TenantState;
use holm_store::cluster::Cluster;
use holm_store::tenant::copying::{self, LeftBehind};
use holm_store::tenant::{self, Tenant};
use tokio::sync::Semaphore;
use tokio::time::sleep;

use crate::cluster::lock;
use crate::control::Control;
use crate::operation::acting;
use crate::pulse::{UNHEARD, heard};
use crate::seed::{self, SeedError};
use crate::tenant::{placing, waiting};

/// Before something that failed for a passing reason is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Looked at in one go; the rest comes when these are done, since that is a signal.
const BATCH: u32 = 200;

/// Seeds at the same time: each may be a process that wants a core.
const SEEDS_MAX: usize = 4;

/// Those that this process is working on.
#[derive(Clone, Default)]
struct InHand(Arc<Mutex<HashSet<TenantId>>>);

impl InHand {
    /// Takes a tenant in hand, unless it is already.
    fn take(&self, id: TenantId) -> Option<Held> {
        let taken = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        taken.then(|| Held { all: self.clone(), id })
    }
}

/// One that is in hand, until this is dropped.
struct Held {
    all: InHand,
    id: TenantId,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

/// Looks after unfinished tenants for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let (mut signal, mut looks) = (control.signal(), control.looks());
    let (in_hand, seeds) = (InHand::default(), Arc::new(Semaphore::new(SEEDS_MAX)));
    loop {
        signal.borrow_and_update();
        match look(&control, &in_hand, &seeds).await {
            Ok(()) => heard(&mut signal, &mut looks, UNHEARD, |found| found.creating).await,
            Err(problem) => {
                tracing::debug!(code = %problem.code, "unfinished tenants cannot be looked after");
                sleep(RETRY).await;
            }
        }
    }
}

async fn look(control: &Control, in_hand: &InHand, seeds: &Arc<Semaphore>) -> Result<(), Problem> {
    assign(control).await?;
    for left in copying::left_behind(control.catalog()).await? {
        end_sessions(control, &left).await?;
        give_up(control, left.id, &abandoned()).await?;
    }
    for tenant in tenant::unfinished(control.catalog(), BATCH).await? {
        let Some(held) = in_hand.take(tenant.id) else { continue };
        let (control, seeds) = (control.clone(), Arc::clone(seeds));
        control.clone().tasks().spawn("finish tenant", async move {
            let _held = held;
            if let Err(problem) = finish(&control, &tenant, &seeds).await {
                tracing::warn!(tenant.id = %tenant.id, code = %problem.code, why = problem.why, "{}; tried again soon", problem.what);
                sleep(RETRY).await;
                control.nudge();
            }
        });
    }
    Ok(())
}

/// Gives ready members to tenants that wait: one that began to wait while a member became ready is not seen by whoever
/// made it.
async fn assign(control: &Control) -> Result<(), Problem> {
    let catalog = control.catalog();
    // Not the first so many of all: those of one environment who may have none must not hide those of another.
    let environments = tenant::claim::environments_that_wait(catalog).await?;
    if environments.is_empty() {
        return Ok(());
    }
    waiting::place_again(control).await?;
    for cluster in holm_store::cluster::list(catalog).await? {
        if environments.contains(&cluster.environment_id) {
            let mut tx = catalog.transaction().await?;
            placing::assign_waiting(control, &mut tx, cluster.id).await?;
            tx.commit().await?;
        }
    }
    Ok(())
}

/// Takes a tenant that has a database to its end.
async fn finish(control: &Control, tenant: &Tenant, seeds: &Semaphore) -> Result<(), Problem> {
    if tenant.seeded {
        return serve(control, tenant.id).await;
    }
    let _turn = seeds.acquire().await.expect("the semaphore is never closed");
    let Some(cluster) = cluster_of(control, tenant).await? else { return Ok(()) };
    let refused = |error: crate::cluster::trouble::ClusterError| error.problem(&cluster.name);
    // The lock is held by this session until the outcome is committed, so that no other process runs the same seed.
    let admin = control.access(&cluster).await?.maintenance().await.map_err(refused)?;
    if !lock::try_one(&admin, tenant.id.as_uuid()).await.map_err(refused)? {
        sleep(RETRY).await;
        return Ok(());
    }
    let now = tenant::by_id(control.catalog(), tenant.id).await?;
    if !now.is_some_and(|now| now.state == TenantState::Creating && !now.seeded) {
        return Ok(());
    }
    let seeded = seed::run(control, &cluster, tenant).await;
    let recorded = match seeded {
        Ok(()) => serve(control, tenant.id).await,
        Err(SeedError::Failed(problem)) => give_up(control, tenant.id, &problem).await,
        Err(SeedError::Later(problem)) => Err(problem),
    };
    admin.close().await;
    recorded
}

async fn cluster_of(control: &Control, tenant: &Tenant) -> Result<Option<Cluster>, Problem> {
    match &tenant.cluster {
        Some(name) => Ok(holm_store::cluster::by_name(control.catalog(), name).await?),
        None => Ok(None),
    }
}

async fn serve(control: &Control, id: TenantId) -> Result<(), Problem> {
    let mut tx = control.catalog().transaction().await?;
    let _ = tenant::mark_seeded(&mut tx, id).await?;
    let _ = tenant::mark_serving(&mut tx, id).await?;
    tx.commit().await?;
    control.nudge();
    Ok(())
}

/// Of whoever was making it, on every cluster where that may have been; one that does not answer is not waited for.
async fn end_sessions(control: &Control, left: &LeftBehind) -> Result<(), Problem> {
    for cluster in holm_store::cluster::list(control.catalog()).await? {
        if cluster.environment_id != left.environment || cluster.adopted.is_some() {
            continue;
        }
        let Ok(admin) = control.access(&cluster).await?.maintenance().await else { continue };
        if let Err(error) = acting::end_sessions(&admin, left.made_by).await {
            tracing::debug!(%error, op.id = %left.made_by, "sessions of an operation that was abandoned are left");
        }
        admin.close().await;
    }
    Ok(())
}

/// What it was is half done, and nobody else knows how to go on; its name must not be taken for ever.
fn abandoned() -> Problem {
    Problem::new(ErrorCode::OperationUndone, "the operation that was making the tenant was abandoned")
        .next("ask for it again: the name is free, and what was there of its database is removed")
}

async fn give_up(control: &Control, id: TenantId, problem: &Problem) -> Result<(), Problem> {
    tracing::warn!(tenant.id = %id, code = %problem.code, "{}", problem.what);
    let mut tx = control.catalog().transaction().await?;
    let _ = tenant::fail(&mut tx, id, problem).await?;
    tx.commit().await?;
    control.nudge();
    Ok(())
}
