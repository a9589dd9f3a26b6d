//! A connection for a pool, opened on the pool's worker on behalf of whoever waits longest there.
//!
//! Promises: none is begun without a placement certificate that is good now; one that the newest table forbids is not offered to
//! anybody, and its end is waited for before that table is acknowledged. What a server said when it refused is kept for those who wait.

use std::sync::Arc;
use std::time::Instant;

use holm_core::error::{ErrorCode, Problem};
use holm_core::placement::SystemIdentifier;
use holm_core::route::{Admission, RouteTable};
use holm_link::certificate;
use holm_pgwire::exchange::Exchange;
use holm_pgwire::frame::{STARTUP_LENGTH_MAX, scan};

use crate::postgres::budget::{PoolId, Seat};
use crate::postgres::{Node, closing, refusal, server, sessions};

use super::connection::Connection;
use super::numbers::Numbers;
use super::offer;
use super::pools::Opening;
use super::prepared::Known;
use super::settings::Settings;

/// Opens a connection for a pool; nothing if the pool is gone.
pub(in crate::postgres) async fn open(node: &Node, mut seat: Seat, pool: PoolId) {
    let Some(mut opening) = Opening::begin(pool) else { return seat.failed() };
    match attempt(node, &opening, pool).await {
        Ok((stream, key, settings)) => {
            opening.succeeded(&settings);
            let bottle = opening.bottle.take().expect("it is taken here alone");
            let verdict = seat.opened();
            let connection = Box::new(Connection {
                tenant: opening.key.tenant,
                pool,
                stream,
                key,
                exchange: Exchange::default(),
                known: Known::default(),
                initial: settings.clone(),
                settings,
                last: None,
                soiled: false,
                numbers: Numbers::default(),
                spent: false,
                idle_since: Instant::now(),
                seat,
                bottle,
            });
            offer::follow(verdict, connection);
        }
        Err(failed) => {
            opening.failed(failed);
            seat.failed();
        }
    }
}

type Opened = (holm_tls::Stream, Option<Arc<sessions::ServerKey>>, Settings);

async fn attempt(node: &Node, opening: &Opening, pool: PoolId) -> Result<Opened, server::Failed> {
    let Opening { admission, key, .. } = opening;
    // Entered before this look: a newer table finds the opening.
    let table = Arc::clone(&node.routes.load());
    if let Some(reason) = sessions::forbidden(admission, key.level, &table) {
        return Err(server::Failed::Refused(refusal::stopped(reason)));
    }
    let route = &admission.route;
    let expected = certified(node, admission, &table)?;
    let latest = || node.routes.load().route_of(route.tenant).cloned();
    let begun = Instant::now();
    // It is reached as when the client came, or this were forbidden; what it is shown may have been renewed since.
    let cluster = table.cluster(admission.cluster.id).unwrap_or(&admission.cluster);
    let opened = server::open((cluster, route), expected, key.level, &key.startup, opening.stop(), latest).await?;
    node.counters.connects.add(begun.elapsed());
    let problem = if let Some(reason) = opening.stop().asked() {
        refusal::stopped(reason)
    } else if opened.tenant != key.tenant || !opened.rest.is_empty() {
        tracing::error!(?pool, "a server connection is not what it was opened for");
        Problem::new(ErrorCode::Internal, "a server connection of another tenant was refused")
    } else {
        return Ok((opened.stream, opened.key.map(Arc::new), reported(&opened.greeting)));
    };
    closing::abandon(opened.stream).await;
    Err(server::Failed::Refused(problem))
}

/// Which server it has to be, by the tenant's placement certificate of now; the table is one that does not forbid the admission.
fn certified(node: &Node, admission: &Admission, table: &RouteTable) -> Result<Option<SystemIdentifier>, server::Failed> {
    let Admission { route, cluster, .. } = admission;
    let now = table.route_of(route.tenant).unwrap_or(route);
    certificate::check(now, table, node.routes.now()).map_err(|refused| {
        tracing::error!(tenant.id = %route.tenant, cluster.id = %cluster.id, %refused, "a server connection is not opened");
        server::Failed::Refused(refusal::not_certified(&route.slug, refused))
    })
}

/// The settings that a server reported when it began.
fn reported(mut greeting: &[u8]) -> Settings {
    let mut settings = Settings::default();
    while let Ok(Some(frame)) = scan(greeting, STARTUP_LENGTH_MAX) {
        if frame.tag == b'S' {
            settings.note(frame.body);
        }
        greeting = &greeting[frame.whole.len()..];
    }
    settings
}
