//! The commands that change something: on one tenant, on one client, on server connections.
//!
//! Promises: of this node, and in memory: a pause from here ends with the process, and one from the route table is not ended
//! from here. What was asked goes on when the console's client leaves meanwhile. Refuses to know who asks: `serve` has looked,
//! and has written it down.

use std::sync::atomic::Ordering;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TenantId;
use holm_core::route::{Route, RouteState};

use crate::postgres::Node;
use crate::postgres::home::Command;
use crate::postgres::stop::Reason;
use crate::postgres::transaction::inventory::Which;

/// How an act ended, for the answer.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Done {
    /// What is to be known beside.
    pub(super) notice: Option<(String, String)>,
}

/// Has a tenant's transactions wait on this node; done when no server connection of it is left here.
///
/// # Cancel safety
/// Safe: the tenant is paused from the first poll on, whoever waits for the rest.
pub(super) async fn pause(node: &Node, route: &Route) -> Done {
    hold(node, route.tenant).await;
    left(node, route.tenant).await;
    Done::default()
}

/// Lets the transactions of a tenant go on that was paused here.
///
/// # Errors
/// It was not paused here.
pub(super) fn resume(node: &Node, route: &Route) -> Result<Done, Problem> {
    let was_held = node.holds.remove(route.tenant);
    if was_held {
        node.desks.follow();
    }
    let slug = &route.slug;
    let everywhere = (route.state == RouteState::Paused).then(|| {
        (format!("the tenant `{slug}` still is paused, on every node"), format!("its pause is ended by `holm tenant resume {slug}`"))
    });
    match (was_held, everywhere) {
        (true, notice) => Ok(Done { notice }),
        (false, Some((why, next))) => {
            Err(Problem::new(ErrorCode::TenantState, format!("the tenant `{slug}` is not paused on this node alone"))
                .because(why)
                .next(next))
        }
        (false, None) => Err(Problem::new(ErrorCode::TenantState, format!("the tenant `{slug}` is not paused"))
            .because("nobody paused it, here or on every node")
            .next("see the column `paused` of `SHOW DATABASES`")),
    }
}

/// Ends a tenant's sessions and server connections on this node, and has those that come wait until it is resumed.
///
/// # Cancel safety
/// Safe: as with [`pause`]; who was asked to end does.
pub(super) async fn kill(node: &Node, route: &Route) -> Done {
    hold(node, route.tenant).await;
    node.sessions.end(route.tenant, Reason::Killed).await;
    left(node, route.tenant).await;
    Done::default()
}

/// Ends one session.
///
/// # Errors
/// There is none of this number.
///
/// # Cancel safety
/// Safe: who was asked to end does.
pub(super) async fn kill_client(node: &Node, number: &str) -> Result<Done, Problem> {
    let number: Option<u64> = number.parse().ok();
    let mut from = Some(0);
    while let Some(at) = from {
        let (some, next) = node.sessions.some(at);
        if let Some(session) = some.iter().find(|session| Some(session.id.generation) == number) {
            let (tenant, id) = (session.admission.route.tenant, session.id);
            session.stop.ask(Reason::Killed);
            tracing::info!(tenant.id = %tenant, conn.id = id.generation, "a session was ended from the console");
            node.sessions.none_is(|session| session.id == id).await;
            return Ok(Done::default());
        }
        from = next;
        tokio::task::yield_now().await;
    }
    Err(Problem::new(ErrorCode::InvalidValue, "there is no client of this number")
        .because("it has gone, or never was")
        .next("take the number from the column `id` of `SHOW CLIENTS`"))
}

/// Has server connections replaced: those that nobody has now, the others when their transaction, or their session, is over.
///
/// # Cancel safety
/// Safe: it is said to every worker before anything is waited for.
pub(super) async fn reconnect(node: &Node, which: Which) -> Done {
    for session in node.sessions.all() {
        let lent = session.server_key.load().filter(|_| which.has(session.admission.route.tenant));
        lent.into_iter().for_each(|key| key.close_needed.store(true, Ordering::Relaxed));
    }
    node.homes.ask_all(|done| Command::Renew(which, done)).await;
    Done::default()
}

/// Waits until no server connection is left that is to be replaced.
///
/// # Cancel safety
/// Safe: it only looks.
pub(super) async fn wait_close(node: &Node, which: Which) -> Done {
    node.homes.ask_all(|done| Command::Renewed(which, done)).await;
    Done::default()
}

/// From here on no transaction of the tenant begins, and what nobody has is closed.
async fn hold(node: &Node, tenant: TenantId) {
    {
        let table = node.routes.load();
        node.holds.keep(|held| table.route_of(held).is_some());
    }
    node.holds.add(tenant);
    // Before the workers are asked: whoever gives a connection back from now on tells the desk, which has it closed.
    node.desks.follow();
    node.homes.ask_all(|done| Command::Renew(Which::Tenants(tenant), done)).await;
}

/// Waits until the tenant has no server connection here.
async fn left(node: &Node, tenant: TenantId) {
    node.homes.ask_all(|done| Command::Renewed(Which::Tenants(tenant), done)).await;
}
