//! Creates a tenant: one transaction in the catalog when a database is ready, a wait for one when none is.
//!
//! Promises: acknowledged only when sessions are let in and the data plane knows it. Of two that take one name, one gets
//! it. When the time is up the tenant keeps its name and is finished as soon as it can be; the answer says so, and why it
//! took so long.

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::environment::EnvironmentName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::TenantId;
use holm_core::parameter::TenantParameter;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_store::audit::record;
use holm_store::template::{self, TemplateState};
use holm_store::tenant::claim::{self, Claim};
use holm_store::tenant::{self, Tenant};
use tokio::time::{Instant, timeout, timeout_at};
use uuid::Uuid;

use super::{extend, parameters, placing, rename, waiting};
use crate::control::Control;
use crate::environment;

/// A failure is looked for this often; success is told at once, by the route.
const LOOK: Duration = Duration::from_millis(500);

/// A tenant that is asked for.
#[derive(Clone, Debug)]
pub struct NewTenant {
    /// Its environment, for good.
    pub environment: EnvironmentName,
    /// Its name.
    pub slug: TenantSlug,
    /// Where its database is to be, if that matters.
    pub cluster: Option<ClusterName>,
    /// What its sessions start with (R79).
    pub parameters: Vec<TenantParameter>,
    /// How long it lives, if it has an end; in a pipeline's environment it has one in any case.
    pub ttl: Option<Duration>,
    /// By which profile its copies are judged; left out, by its environment's, if that has one.
    pub profile: Option<String>,
    /// Near what its database is wished, a country or a region of a provider: among the clusters that it may be on.
    pub near: Option<String>,
}

/// Creates a tenant and returns it when it is in use.
///
/// # Errors
/// [`ErrorCode::SlugTaken`], [`ErrorCode::SlugReserved`], [`ErrorCode::EnvironmentNotFound`],
/// [`ErrorCode::ClusterNotFound`], [`ErrorCode::EndNotAllowed`], [`ErrorCode::ProfileNotFound`],
/// [`ErrorCode::ResidencyRefused`] and [`ErrorCode::InvalidValue`] changed nothing. [`ErrorCode::SeedFailed`]: the name is free again.
/// [`ErrorCode::NoDatabaseInTime`] and [`ErrorCode::DataPlaneSilent`]: the tenant exists and will be finished.
///
/// # Cancel safety
/// Safe: once begun, the tenant is created whether or not anyone waits.
pub async fn create(control: &Control, by: &Actor, new: NewTenant, patience: Duration) -> Result<Tenant, Problem> {
    let deadline = Instant::now() + patience;
    let new = NewTenant { ttl: extend::ttl(control, &new.environment, new.ttl).await?, ..new };
    parameters::check(control, &new).await?;
    let turn = timeout_at(deadline, control.creations().acquire()).await.map_err(|_| no_turn(&new))?;
    let begun = control.tasks().finish("create a tenant", begin(control.clone(), by.clone(), new)).await?;
    drop(turn);
    served(control, &begun, deadline).await?;
    let left = deadline.saturating_duration_since(Instant::now());
    let version = control.publisher().table().version();
    control.confirmed(version, left).await?;
    match tenant::by_id(control.catalog(), begun.id).await? {
        Some(tenant) => Ok(tenant),
        None => Err(environment::tenant_not_found(&begun.environment, &begun.slug)),
    }
}

/// Takes the name, and a database if one is ready; without a seed the tenant serves from here on.
async fn begin(control: Control, by: Actor, new: NewTenant) -> Result<Tenant, Problem> {
    let id = TenantId::from_uuid(Uuid::now_v7());
    let mut tx = control.catalog().transaction().await?;
    let placed = placing::place(&control, &mut tx, &new).await?;
    let NewTenant { environment, slug, cluster, parameters, ttl, .. } = new.clone();
    let cluster = placed.as_ref().map_or(cluster, |placed| placed.cluster().cloned());
    let profile = placed.as_ref().and_then(|placed| placed.profile().map(ToOwned::to_owned));
    let near = placed.as_ref().and_then(|placed| placed.near().map(ToString::to_string));
    let name = cluster.clone();
    let row = claim::NewTenant { id, environment, slug, cluster, parameters, ttl, profile, near };
    let begun = match claim::claim(&mut tx, row).await? {
        Claim::Claimed { tenant, .. } => {
            if tenant.seeded {
                let _ = tenant::mark_serving(&mut tx, tenant.id).await?;
            }
            tenant
        }
        Claim::Awaiting(tenant) => tenant,
        Claim::SlugTaken => return Err(rename::taken(&new.environment, &new.slug)),
        Claim::SlugReserved(alias) => return Err(rename::reserved(&new.environment, &alias)),
        Claim::NoSuchEnvironment => return Err(environment::not_found(&new.environment)),
        Claim::ClusterClosed(state) => return Err(cluster_closed(name.as_ref(), state)),
        Claim::NoSuchCluster => return Err(no_such_cluster(&new)),
    };
    if let Some(placed) = placed {
        placed.keep(&mut tx, begun.id).await?;
    }
    record(&mut tx, NewEntry::new(&by, AuditAction::TenantCreate, Some(&begun.environment), Subject::Tenant(begun.id)));
    tx.commit().await?;
    control.nudge();
    Ok(begun)
}

/// Waits until the tenant has a route.
async fn served(control: &Control, begun: &Tenant, deadline: Instant) -> Result<(), Problem> {
    let mut published = control.published().subscribe();
    loop {
        published.borrow_and_update();
        if control.publisher().table().route_of(begun.id).is_some() {
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(too_late(control, begun).await);
        }
        let look = (Instant::now() + LOOK).min(deadline);
        if timeout_at(look, published.changed()).await.is_err() {
            // Only when there is a turn to be had at once: the deadline is what ends the wait, and not a catalog that is away.
            let Ok(_turn) = control.creations().try_acquire() else { continue };
            if let Ok(Some(now)) = tenant::by_id(control.catalog(), begun.id).await
                && now.state == TenantState::Failed
            {
                return Err(now.failure.expect("the catalog has no failed tenant without a reason"));
            }
        }
    }
}

fn no_turn(new: &NewTenant) -> Problem {
    Problem::new(ErrorCode::NoDatabaseInTime, format!("tenant `{}` in `{}` was not begun in time", new.slug, new.environment))
        .because("so many others are being created that its turn did not come")
        .next("try again")
}

pub(super) fn no_such_cluster(new: &NewTenant) -> Problem {
    let name = new.cluster.as_ref().map_or("", ClusterName::as_str);
    Problem::new(ErrorCode::ClusterNotFound, format!("`{}` has no cluster called `{name}`", new.environment))
        .next("see which there are: `holm cluster list`")
}

fn cluster_closed(name: Option<&ClusterName>, state: ClusterState) -> Problem {
    let name = name.map_or("", ClusterName::as_str);
    Problem::new(ErrorCode::ClusterClosed, format!("cluster `{name}` takes no tenants: it is {state}"))
        .next(format!("see how far it is: `holm cluster show {name}`, or place the tenant elsewhere"))
}

/// Why it took too long, as far as it is known: the state the tenant is in, and the cluster's trouble.
async fn too_late(control: &Control, begun: &Tenant) -> Problem {
    let problem = Problem::new(
        ErrorCode::NoDatabaseInTime,
        format!(
            "tenant `{}` in `{}` is not ready yet; it keeps its name and is finished as soon as it can be",
            begun.slug, begun.environment
        ),
    )
    .changed(Changed::Something)
    .next(format!("see how far it is: `holm tenant show {} --env {}`", begun.slug, begun.environment));
    match why_late(control, begun).await {
        Ok(why) => problem.because(why),
        Err(unavailable) => problem.because(unavailable.what),
    }
}

async fn why_late(control: &Control, begun: &Tenant) -> Result<String, Problem> {
    let catalog = control.catalog();
    let now = tenant::by_id(catalog, begun.id).await?;
    if now.as_ref().is_some_and(|tenant| tenant.database.is_some()) {
        return Ok("it has a database, and its seed is running".to_owned());
    }
    if let Some(why) = barred(control, begun).await? {
        return Ok(text_of(&why));
    }
    let clusters = holm_store::cluster::list(catalog).await?;
    let usable = clusters.iter().filter(|cluster| {
        cluster.environment == begun.environment
            && cluster.state.keeps_pool()
            && cluster.adopted.is_none()
            && begun.cluster.as_ref().is_none_or(|wanted| *wanted == cluster.name)
    });
    let mut why = None;
    for cluster in usable {
        let planned =
            template::list(catalog, cluster.id).await?.into_iter().rev().find(|template| template.state == TemplateState::Planned);
        let trouble = cluster.trouble.clone().or_else(|| planned.and_then(|template| template.trouble));
        match trouble {
            Some(trouble) => why = Some(text_of(&trouble)),
            None => return Ok(format!("cluster `{}` is still making databases", cluster.name)),
        }
    }
    Ok(why.unwrap_or_else(|| format!("`{}` has no cluster to make a database on", begun.environment)))
}

/// Why no cluster may take it; not waited for where somebody is changing what is judged by.
async fn barred(control: &Control, begun: &Tenant) -> Result<Option<Problem>, Problem> {
    if begun.profile.is_none() && begun.near.is_none() {
        return Ok(None);
    }
    let Ok(barred) = timeout(LOOK, waiting::barred(control)).await else { return Ok(None) };
    Ok(barred?.into_iter().find(|barred| barred.tenant.tenant == begun.id).map(|barred| barred.why))
}

fn text_of(trouble: &Problem) -> String {
    match &trouble.why {
        Some(why) => format!("{}: {why}", trouble.what),
        None => trouble.what.clone(),
    }
}
