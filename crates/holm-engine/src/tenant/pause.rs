//! Pauses a tenant: its transactions wait until it is resumed, and whoever waits for this knows that none is under way.
//!
//! Promises: when it is acknowledged, no session of the tenant is on its server, which is where one looks: whatever any node
//! believes. Nothing is cut for it; who does not finish in time is counted, and the pause stands. Pausing twice is the same
//! as once, and waits again. Undone by `resume`.

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::environment::EnvironmentName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::role::DatabaseName;
use holm_core::route::RouteState;
use holm_core::slug::TenantSlug;
use holm_store::tenant::Tenant;
use holm_store::tenant::version::TenantVersion;
use tokio::time::{Instant, sleep, timeout_at};

use super::state::{Wish, tell};
use crate::cluster::connect::Connection;
use crate::control::Control;

/// Transactions of apps last for milliseconds.
const LOOK: Duration = Duration::from_millis(100);

/// A server that is there answers in this time, however little patience somebody has.
const LOOK_MAX: Duration = Duration::from_secs(5);

/// Whoever is in a database, but not what PostgreSQL itself does there; what a row is of shows only to those who may see it.
const SESSIONS: &str = "\
SELECT count(*) AS sessions
FROM pg_stat_activity
WHERE datname = $1 AND usesysid IS NOT NULL AND pid <> pg_backend_pid() AND coalesce(backend_type, 'client backend') = 'client backend'";

/// Has a tenant's transactions wait, and waits until none is under way.
///
/// # Errors
/// No such tenant, one that is not in use; [`ErrorCode::DataPlaneSilent`] and [`ErrorCode::NotDrained`] say that it is paused,
/// but that something of it may still be under way.
///
/// # Cancel safety
/// Safe: once begun it is paused.
pub async fn pause(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    patience: Duration,
) -> Result<Tenant, Problem> {
    pause_at(control, by, environment, slug, patience, None).await
}

/// As [`pause`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`pause`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is paused.
pub async fn pause_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    patience: Duration,
    seen: Option<TenantVersion>,
) -> Result<Tenant, Problem> {
    let deadline = Instant::now() + patience;
    let tenant = tell(control, by, environment, slug, Wish::Pause, seen).await?;
    drained(control, &tenant, deadline).await?;
    Ok(tenant)
}

/// Waits until nobody of a paused tenant is on its server.
async fn drained(control: &Control, tenant: &Tenant, deadline: Instant) -> Result<(), Problem> {
    let (Some(cluster), Some(database)) = (&tenant.cluster, &tenant.database) else { return Ok(()) };
    let unknown = |problem: Problem| problem.changed(Changed::Something).next(go_on(tenant));
    let Some(cluster) = holm_store::cluster::by_name(control.catalog(), cluster).await.map_err(|error| unknown(error.into()))? else {
        return Ok(());
    };
    let refused = |error: crate::cluster::trouble::ClusterError| unknown(error.problem(&cluster.name));
    let access = control.access(&cluster).await.map_err(unknown)?;
    let silent = |_| unknown(silent(tenant));
    // Who asks for no patience wants one look all the same.
    let answered_by = deadline.max(Instant::now() + LOOK_MAX);
    let admin = timeout_at(answered_by, access.maintenance()).await.map_err(silent)?.map_err(refused)?;
    loop {
        let sessions = timeout_at(answered_by, sessions(&admin, database)).await.map_err(silent)?.map_err(refused)?;
        // What was counted is of no use to anybody if somebody else has said something since.
        still_paused(control, tenant)?;
        if sessions == 0 {
            admin.close().await;
            return Ok(());
        }
        if Instant::now() >= deadline {
            return Err(not_drained(tenant, sessions));
        }
        sleep(LOOK).await;
    }
}

fn silent(Tenant { slug, environment, .. }: &Tenant) -> Problem {
    let what = format!("tenant `{slug}` in `{environment}` is paused, and its server did not say in time who is still there");
    Problem::new(ErrorCode::NotDrained, what)
}

async fn sessions(admin: &Connection, database: &DatabaseName) -> Result<i64, crate::cluster::trouble::ClusterError> {
    let row = admin.query_one("count the sessions in a database", SESSIONS, &[&database.as_str()]).await?;
    Ok(row.get("sessions"))
}

fn still_paused(control: &Control, Tenant { id, slug, environment, .. }: &Tenant) -> Result<(), Problem> {
    let became = match control.publisher().table().route_of(*id).map(|route| route.state) {
        Some(RouteState::Paused) => return Ok(()),
        Some(RouteState::Serving) => "resumed",
        Some(RouteState::Suspended) => "suspended",
        Some(RouteState::Deleted) | None => "deleted",
    };
    let what = format!("tenant `{slug}` in `{environment}` was {became} by somebody else while its pause was waited for");
    Err(Problem::new(ErrorCode::TenantState, what)
        .changed(Changed::Something)
        .next(format!("see what it is now: `holm tenant show {slug} --env {environment}`")))
}

fn not_drained(tenant: &Tenant, sessions: i64) -> Problem {
    let Tenant { slug, environment, .. } = tenant;
    let still = if sessions == 1 { "1 session is".to_owned() } else { format!("{sessions} sessions are") };
    Problem::new(ErrorCode::NotDrained, format!("tenant `{slug}` in `{environment}` is paused, and {still} still on its server"))
        .because(
            "a transaction is not over, or a client has its server connection for as long as it stays (session pooling, LISTEN, locks)",
        )
        .changed(Changed::Something)
        .next(format!("wait again: `holm tenant pause {slug} --env {environment}`"))
        .next(format!("close them: `holm tenant suspend {slug} --env {environment}`"))
        .next(go_on(tenant))
}

fn go_on(Tenant { slug, environment, .. }: &Tenant) -> String {
    format!("let it go on: `holm tenant resume {slug} --env {environment}`")
}
