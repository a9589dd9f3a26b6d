//! Routes from the catalog to the data plane: what changed since the version that was given last.
//!
//! Promises: a version is published whole, in order, and costs what changed, not what there is. While the catalog is away
//! the data plane keeps what it has, and catches up when it is back. One row that cannot be opened keeps nobody else's
//! route back.

use std::time::Duration;

use holm_core::environment::Environment;
use holm_core::error::Problem;
use holm_core::route::{Route, RouteChange, RouteVersion};
use holm_store::route::{self, Change, Changes, EnvironmentRow, TenantRow};
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use crate::control::Control;
use crate::secret::logins::Logins;
use crate::secret::master_key::MasterKey;
use crate::secret::seal::{Purpose, UnsealError};

#[cfg(test)]
mod tests;

/// Only for signals that were lost.
const INTERVAL: Duration = Duration::from_secs(10);

/// Opening one takes a few microseconds, handing them to another thread some tens.
const INLINE_MAX: usize = 100;

/// Loads every route, for the first time.
///
/// # Errors
/// The catalog does not answer, or its secrets were sealed by another key.
pub(crate) async fn load(control: &Control) -> Result<(), Problem> {
    let changes = route::changes_since(control.catalog(), RouteVersion::default()).await?;
    let opened = open_all(control, changes).await;
    // The first value that another key sealed says that all are: nothing can be served, and nothing may be added.
    if let Some(error) = opened.damaged.iter().find(|error| matches!(error, UnsealError::OtherKey(_))) {
        return Err((*error).into());
    }
    publish(control, opened);
    Ok(())
}

/// Publishes what changes, for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let mut signal = control.signal();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    loop {
        signal.borrow_and_update();
        let given = control.publisher().table().version();
        match route::changes_since(control.catalog(), given).await {
            Ok(changes) => {
                backoff.succeeded();
                if changes.version > given {
                    publish(&control, open_all(&control, changes).await);
                }
                // Either a signal came, or it is time to look for one that was lost.
                let _ = timeout(INTERVAL, signal.changed()).await;
            }
            Err(error) => {
                let problem = Problem::from(error);
                tracing::warn!(code = %problem.code, why = problem.why, "routes cannot be read; the data plane goes on with those it has");
                sleep(backoff.failed()).await;
            }
        }
    }
}

/// Changes that can be published, and what could not be opened.
struct Opened {
    version: RouteVersion,
    changes: Vec<RouteChange>,
    damaged: Vec<UnsealError>,
}

async fn open_all(control: &Control, changes: Changes) -> Opened {
    let key = control.master_key().clone();
    let count = changes.changes.len();
    let work = move || {
        let mut opened = Opened { version: changes.version, changes: Vec::with_capacity(changes.changes.len()), damaged: Vec::new() };
        for change in changes.changes {
            match open(&key, change) {
                Ok(change) => opened.changes.push(change),
                Err(error) => opened.damaged.push(error),
            }
        }
        opened
    };
    if count <= INLINE_MAX {
        return work();
    }
    tokio::task::spawn_blocking(work).await.expect("opening sealed values does not panic")
}

fn publish(control: &Control, opened: Opened) {
    for error in opened.damaged {
        tracing::error!(%error, "a route is left as it was, since its secret cannot be opened");
    }
    let publisher = control.publisher();
    publisher.publish(publisher.table().with(opened.version, opened.changes));
    control.published().send_replace(opened.version);
}

fn open(key: &MasterKey, change: Change) -> Result<RouteChange, UnsealError> {
    Ok(match change {
        Change::Environment(row) => RouteChange::Environment(environment(key, row)?),
        Change::Cluster(cluster) => RouteChange::Cluster(cluster),
        Change::Credential(credential) => RouteChange::Credential(credential),
        Change::CredentialGone(id) => RouteChange::CredentialGone(id),
        Change::Tenant(row) => RouteChange::Route(route_of(key, row)?),
        Change::TenantGone(id) => RouteChange::RouteGone(id),
    })
}

fn environment(key: &MasterKey, row: EnvironmentRow) -> Result<Environment, UnsealError> {
    let header_key = key.unseal_exact(Purpose::HeaderKey(row.id), row.sealed_header_key.as_bytes())?;
    Ok(Environment { name: row.name, kind: row.kind, domain: row.domain, header_key })
}

fn route_of(key: &MasterKey, row: TenantRow) -> Result<Route, UnsealError> {
    let logins = Logins::unseal(key, row.database_id, row.sealed_logins.as_bytes())?;
    Ok(Route {
        tenant: row.tenant,
        slug: row.slug,
        environment: row.environment,
        state: row.state,
        epoch: row.epoch,
        cluster: row.cluster,
        logins: logins.for_route(&row.database),
        database: row.database,
        parameters: row.parameters.into(),
    })
}
