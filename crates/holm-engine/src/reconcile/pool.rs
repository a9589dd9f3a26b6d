//! The pool of one cluster: a template of the newest migrations, and members of it that are ready for a tenant.
//!
//! Promises: what is to exist on a cluster is committed to the catalog before, and forgotten only after it is gone, so
//! that a crash at any point leaves something that the next pass finishes or removes, and nothing that nobody knows of.
//! One process at a time makes databases on a cluster, and one removes them: removing waits for checkpoints, and nobody
//! who waits for a database should wait for those. What went wrong with making is noted as the cluster's trouble until a
//! pass gets through, of whichever process: what was noted by one that ended then stays for some ten seconds.

mod members;
mod removal;
mod rest;
mod template;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_store::cluster::Cluster;
use holm_store::environment::Environment;
use holm_store::pulse::Pulse;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backoff::Backoff;
use crate::cluster::connect::{Access, Connection};
use crate::cluster::trouble::ClusterError;
use crate::cluster::{guard, identity, lock, observe};
use crate::control::Control;
use crate::pulse::UNHEARD;
use rest::Rest;

/// How often what nobody signals is looked for where it is: a broken server, or an edited migrations directory. The catalog is
/// not asked for that.
const INTERVAL: Duration = Duration::from_secs(10);

/// While another process works on the pool.
const BUSY_INTERVAL: Duration = Duration::from_millis(500);

/// After a signal: signals come in bunches, and a creation that has found its database is confirmed before the next
/// database is made on the same processors.
const GATHER: Duration = Duration::from_millis(10);

/// Failing passes are at least this far apart, whatever signals come: each may build a template.
const FAILED_INTERVAL_MIN: Duration = Duration::from_millis(500);
const FAILED_INTERVAL_MAX: Duration = Duration::from_secs(15);

/// What a pass works with. Whoever holds it holds the cluster's lock for its part of the work, in `admin`.
struct Pool<'a> {
    control: &'a Control,
    cluster: &'a Cluster,
    environment: &'a Environment,
    access: &'a Access,
    admin: &'a Connection,
    /// PostgreSQL's major version.
    major: u32,
}

/// The part of the work that a pass does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// Template and members.
    Make,
    /// What is condemned or retired.
    Remove,
}

impl Part {
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::Make, Self::Remove];
}

/// How a pass ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pass {
    /// What is there is what is intended.
    Settled,
    /// So it is, and nothing had to be looked at on the cluster.
    Nothing,
    /// Another process works on this pool.
    Busy,
    /// The cluster is not there any more.
    Gone,
}

/// Keeps a task for each cluster.
pub(crate) async fn run(control: Control) {
    let mut signal = control.signal();
    let mut known = HashSet::new();
    loop {
        signal.borrow_and_update();
        match holm_store::cluster::list(control.catalog()).await {
            Ok(clusters) => {
                for cluster in clusters.into_iter().filter(|cluster| cluster.adopted.is_none() && known.insert(cluster.id)) {
                    for part in Part::ALL {
                        control.tasks().spawn("pool", keep(control.clone(), cluster.id, part));
                    }
                }
                let _ = timeout(UNHEARD, signal.changed()).await;
            }
            Err(error) => {
                tracing::debug!(%error, "clusters cannot be listed");
                sleep(BUSY_INTERVAL).await;
            }
        }
    }
}

/// Keeps one part of the pool of one cluster.
async fn keep(control: Control, id: ClusterId, part: Part) {
    let mut signal = control.signal();
    let mut backoff = Backoff::new(FAILED_INTERVAL_MIN, FAILED_INTERVAL_MAX);
    let mut quiet = false;
    loop {
        if !quiet {
            sleep(GATHER).await;
        }
        signal.borrow_and_update();
        // Looked at before the pass, so that what changes during it is noticed after it.
        let rest = if quiet && part == Part::Make { Rest::of(&control, id).await.unwrap_or_default() } else { None };
        match pass(&control, id, part).await {
            Ok(passed @ (Pass::Settled | Pass::Nothing)) => {
                backoff.succeeded();
                quiet = match rest {
                    _ if passed == Pass::Nothing => timeout(UNHEARD, signal.changed()).await.is_err(),
                    Some(rest) => until_disturbed(&mut signal, control.looked(), id, &rest).await,
                    None => timeout(INTERVAL, signal.changed()).await.is_err(),
                };
            }
            Ok(Pass::Gone) => return,
            Ok(Pass::Busy) => {
                quiet = false;
                let _ = timeout(BUSY_INTERVAL, signal.changed()).await;
            }
            Err(problem) => {
                quiet = false;
                let wait = backoff.failed();
                tracing::warn!(cluster.id = %id, code = %problem.code, why = problem.why, wait_ms = wait.as_millis(), "{}", problem.what);
                wait_after_failure(&mut signal, wait).await;
            }
        }
    }
}

/// Returns whether it was quiet all the time. Trouble that is noted is not this process' own, whose last pass got through: one
/// that could not reach the cluster noted it, and may have ended since.
async fn until_disturbed(signal: &mut watch::Receiver<u64>, looked: &watch::Sender<Option<Pulse>>, id: ClusterId, rest: &Rest) -> bool {
    let until = Instant::now() + UNHEARD;
    loop {
        if timeout(INTERVAL, signal.changed()).await.is_ok() {
            return false;
        }
        let troubled = looked.borrow().as_ref().is_some_and(|found| found.troubled.contains(&id));
        if troubled || Instant::now() >= until || !rest.lasts().await {
            return true;
        }
    }
}

async fn wait_after_failure(signal: &mut watch::Receiver<u64>, wait: Duration) {
    let until = Instant::now() + wait;
    sleep(wait.min(FAILED_INTERVAL_MIN)).await;
    let _ = timeout_at(until, signal.changed()).await;
}

/// Goes over one cluster once. The maker notes its trouble, or that it has none.
///
/// # Cancel safety
/// Safe: whatever was begun is finished or removed by the next pass.
pub(crate) async fn pass(control: &Control, id: ClusterId, part: Part) -> Result<Pass, Problem> {
    let Some(cluster) = holm_store::cluster::by_id(control.catalog(), id).await? else { return Ok(Pass::Gone) };
    if !is_kept(&cluster, part) {
        return Ok(Pass::Nothing);
    }
    if part == Part::Remove && !removal::is_due(control, id).await? {
        return Ok(Pass::Nothing);
    }
    let outcome = work(control, &cluster, part).await;
    let trouble = match &outcome {
        Ok(Pass::Settled | Pass::Nothing) => None,
        Ok(Pass::Gone) => return Ok(Pass::Gone),
        // What the other process finds is its to note.
        Ok(Pass::Busy) => return Ok(Pass::Busy),
        // The catalog's trouble, and that of the master key, are not the cluster's.
        Err(problem) if !is_about_cluster(problem.code) => return outcome,
        Err(problem) => Some(problem),
    };
    if part == Part::Make && holm_store::cluster::set_trouble(control.catalog(), id, trouble).await? {
        control.nudge();
    }
    outcome
}

/// Whether this part of the work is to be done there: nothing ever where somebody brought the database, and nothing is
/// made where tenants are not, or not yet, to come.
const fn is_kept(cluster: &Cluster, part: Part) -> bool {
    cluster.adopted.is_none() && (matches!(part, Part::Remove) || cluster.state.keeps_pool())
}

/// The codes from 2000 on are those of clusters, templates and migrations.
const fn is_about_cluster(code: ErrorCode) -> bool {
    matches!(code.number(), 2000..3000)
}

async fn work(control: &Control, cluster: &Cluster, part: Part) -> Result<Pass, Problem> {
    let refused = |error: ClusterError| error.problem(&cluster.name);
    let access = control.access(cluster).await?;
    let Some(environment) = holm_store::environment::by_name(control.catalog(), &cluster.environment).await? else {
        return Ok(Pass::Settled);
    };
    let admin = access.maintenance().await.map_err(refused)?;
    let server = observe::server(&admin).await.map_err(refused)?;
    server.usable(&cluster.name)?;
    if server.system_identifier != cluster.system_identifier {
        return Err(identity::another_server(cluster));
    }
    if !lock::pool(&admin, part).await.map_err(refused)? {
        return Ok(Pass::Busy);
    }
    // Once more, under the lock: whoever takes Holm's things away from a server for good holds it too.
    match holm_store::cluster::by_id(control.catalog(), cluster.id).await? {
        None => return Ok(Pass::Gone),
        Some(now) if !is_kept(&now, part) => return Ok(Pass::Settled),
        Some(_) => {}
    }
    let pool = Pool { control, cluster, environment: &environment, access: &access, admin: &admin, major: server.major() };
    let outcome = admin.while_heard(pool.work(part)).await;
    admin.close().await;
    outcome.map(|()| Pass::Settled)
}

impl Pool<'_> {
    async fn work(&self, part: Part) -> Result<(), Problem> {
        match part {
            Part::Make => self.make().await,
            Part::Remove => self.remove().await,
        }
    }

    /// Template first; without a new one, members of the one before.
    async fn make(&self) -> Result<(), Problem> {
        guard::close_to_public(self.admin).await.map_err(|error| self.problem(&error))?;
        let (usable, failed) = match self.template().await {
            Ok(template) => (Some(template), None),
            Err(failed) => (failed.serving, Some(failed.problem)),
        };
        if let Some(template) = usable {
            self.make_members(&template).await?;
        }
        failed.map_or(Ok(()), Err)
    }

    fn problem(&self, error: &ClusterError) -> Problem {
        error.problem(&self.cluster.name)
    }
}
