//! Numbers about all tenants of an environment that tell of none (R98, R104).
//!
//! Promises: nothing is asked of a server, and nothing told, without a purpose; who asked, what for, by what and of how many tenants
//! is in the audit log before anybody has the answer. Of each tenant five numbers come from its cluster, and no row. A cluster that does
//! not answer in time is named, with how many tenants are not counted for that; the answer says of how many it is. Refuses to decide
//! what may be told: that is `holm-core`'s ([`statistics`]).

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::{StreamExt, stream};
use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_core::role::DatabaseName;
use holm_core::statistics::{self, AtLeast, By, Counted, GroupName, Purpose, Statistics};
use holm_store::audit::record;
use holm_store::cluster::Cluster;
use holm_store::statistics::Established;
use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout, timeout_at};

use super::show;
use crate::cluster::identity;
use crate::cluster::statistics as look;
use crate::control::Control;

/// The longest that one cluster may take; a thousand databases take a second or two.
const CLUSTER_PATIENCE: Duration = Duration::from_secs(15);

/// The longest that all of them may take: two that ask one after the other still hear within the API's 65 s.
const PATIENCE: Duration = Duration::from_secs(25);

/// Clusters that are asked at the same time.
const AT_ONCE: usize = 16;

/// Questions that this process answers at the same time: each has every cluster of an environment look at all its files.
static QUESTIONS: Semaphore = Semaphore::const_new(1);

/// What is asked.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What for.
    pub purpose: Purpose,
    /// By what tenants are put together; nothing for all as one.
    pub by: Option<By>,
    /// How many tenants a group has at the least.
    pub at_least: AtLeast,
}

/// What is told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answered {
    /// Of where.
    pub environment: EnvironmentName,
    /// As it was asked.
    pub wanted: Wanted,
    /// When the clusters were asked, by the catalog's clock.
    pub asked_at: Timestamp,
    /// What may be told of those that were counted. Without a grouping there are no groups.
    pub statistics: Statistics,
    /// Who was not counted.
    pub not_counted: Vec<NotCounted>,
}

/// Tenants of a cluster that were not counted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NotCounted {
    /// Where they are.
    pub cluster: ClusterName,
    /// How many.
    pub tenants: usize,
    /// Why not.
    pub because: String,
}

/// Asks every cluster of an environment what it counts of its tenants, notes who asked, and tells what may be told.
///
/// # Errors
/// No such environment; the catalog does not answer. A cluster that does not is in the answer.
///
/// # Cancel safety
/// Safe: an entry that tells of a question may be there though nobody heard the answer.
pub async fn ask(control: &Control, by: &Actor, environment: &EnvironmentName, wanted: Wanted) -> Result<Answered, Problem> {
    let found = show(control, environment).await?;
    let Ok(turn) = timeout(PATIENCE, QUESTIONS.acquire()).await else {
        return Err(Problem::new(ErrorCode::RateLimited, "other questions of this kind are being answered".to_owned())
            .changed(Changed::Nothing)
            .next("ask again in half a minute"));
    };
    let _turn = turn.expect("it is never closed");
    let asked_at = identity::now(control).await?;
    let asked = every_cluster(control, environment, asked_at).await?;
    let (mut counted, mut not_counted) = (Vec::new(), Vec::new());
    for (cluster, tenants, read) in &asked {
        counted.extend(read.iter().flat_map(|read| of(cluster, tenants, read, wanted.by)));
        not_counted.extend(missing(cluster, tenants, read.as_ref()));
    }
    let mut statistics = statistics::tell(wanted.at_least, &counted);
    if wanted.by.is_none() {
        statistics.groups.clear();
    }
    let detail = Detail::Statistics { by: wanted.by, at_least: wanted.at_least.get(), tenants: counted.len() };
    let entry = NewEntry::new(by, AuditAction::StatisticsAsk, Some(environment), Subject::Environment(found.id));
    let mut tx = control.catalog().transaction().await?;
    record(&mut tx, entry.because(&wanted.purpose.reason()).with(detail));
    tx.commit().await?;
    Ok(Answered { environment: environment.clone(), wanted, asked_at, statistics, not_counted })
}

/// A cluster, whose databases are there, and what it said.
type Asked = (Cluster, Vec<Established>, Result<look::Read, Problem>);

/// Those with a tenant, by name.
async fn every_cluster(control: &Control, environment: &EnvironmentName, now: Timestamp) -> Result<Vec<Asked>, Problem> {
    let mut by_cluster: BTreeMap<ClusterId, Vec<Established>> = BTreeMap::new();
    for tenant in holm_store::statistics::established(control.catalog(), environment).await? {
        by_cluster.entry(tenant.cluster).or_default().push(tenant);
    }
    // After the tenants: one that was let go of in between has no tenants any more, and neither list has them.
    let clusters = holm_store::cluster::list(control.catalog()).await?;
    let with_tenants = clusters.into_iter().filter_map(|cluster| Some((by_cluster.remove(&cluster.id)?, cluster)));
    let all_over = Instant::now() + PATIENCE;
    let asked = with_tenants.map(|(tenants, cluster)| async move {
        let over = all_over.min(Instant::now() + CLUSTER_PATIENCE);
        let read = timeout_at(over, one(control, &cluster, &tenants, now)).await.unwrap_or_else(|_| Err(too_slow(&cluster.name)));
        (cluster, tenants, read)
    });
    // Whoever is slow holds up nobody else's turn.
    let mut all: Vec<Asked> = stream::iter(asked).buffer_unordered(AT_ONCE).collect().await;
    all.sort_by(|(one, ..), (other, ..)| one.name.cmp(&other.name));
    Ok(all)
}

async fn one(control: &Control, cluster: &Cluster, tenants: &[Established], now: Timestamp) -> Result<look::Read, Problem> {
    let access = control.access(cluster).await?;
    let databases: Vec<&DatabaseName> = tenants.iter().map(|tenant| &tenant.database).collect();
    look::read(cluster, &access, &databases, now).await
}

fn too_slow(cluster: &ClusterName) -> Problem {
    Problem::new(ErrorCode::ClusterUnreachable, format!("cluster `{cluster}` did not say what it counts")).because(format!(
        "it had no answer within {} s, and all clusters together within {} s",
        CLUSTER_PATIENCE.as_secs(),
        PATIENCE.as_secs()
    ))
}

/// The numbers of those that were counted, without who they are.
fn of(cluster: &Cluster, tenants: &[Established], read: &look::Read, by: Option<By>) -> Vec<Counted> {
    let numbers = |tenant: &Established| read.get(tenant.database.as_str()).copied();
    tenants.iter().filter_map(|tenant| Some(Counted { group: group(cluster, tenant, by), numbers: numbers(tenant)? })).collect()
}

fn group(cluster: &Cluster, tenant: &Established, by: Option<By>) -> GroupName {
    match by? {
        By::Cluster => Some(cluster.name.to_string()),
        By::Region => cluster.placed.as_ref().map(|placed| placed.place.clone()),
        By::Profile => tenant.profile.clone(),
    }
}

fn missing(cluster: &Cluster, tenants: &[Established], read: Result<&look::Read, &Problem>) -> Option<NotCounted> {
    let (missing, because) = match read {
        Err(problem) => {
            let why = problem.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            (tenants.len(), format!("{}{why}", problem.what))
        }
        Ok(read) => {
            let missing = tenants.iter().filter(|tenant| !read.contains_key(tenant.database.as_str())).count();
            (missing, "their databases are not there, or Holm's role may not read their size".to_owned())
        }
    };
    (missing > 0).then(|| NotCounted { cluster: cluster.name.clone(), tenants: missing, because })
}
