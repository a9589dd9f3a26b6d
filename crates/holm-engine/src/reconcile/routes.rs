//! Routes from the catalog to the data plane: what changed since the version that was given last.
//!
//! Promises: a version is published whole, in order, and costs what changed, not what there is. While the catalog is away
//! the data plane keeps what it has, and catches up when it is back. One row that cannot be opened keeps nobody else's
//! route back, and whatever but its secret was changed takes force: who is told that a tenant is suspended can rely on it.
//! Each route goes with its placement certificate, signed here.

use std::time::Duration;

use holm_core::cluster::Cluster;
use holm_core::environment::Environment;
use holm_core::error::{ErrorCode, Problem};
use holm_core::placement::Authority;
use holm_core::route::{Route, RouteChange, RouteTable, RouteVersion};
use holm_core::secret::Secret;
use holm_link::certificate::SigningKey;
use holm_store::catalog::Catalog;
use holm_store::data_key::WrappedKey;
use holm_store::route::{self, Change, Changes, EnvironmentRow, TenantRow};
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use super::backoff::Backoff;
use crate::cluster::client_certificate;
use crate::control::Control;
use crate::pulse::UNHEARD;
use crate::residency::certificate;
use crate::secret::adopted::AdoptedLogin;
use crate::secret::logins::Logins;
use crate::secret::seal::{Purpose, Ring, UnsealError};

#[cfg(test)]
mod tests;

/// Opening one takes a few microseconds, handing them to another thread some tens.
const INLINE_MAX: usize = 100;

/// Loads every route, for the first time.
///
/// # Errors
/// The catalog does not answer, or its secrets were sealed by another key.
pub(crate) async fn load(control: &Control) -> Result<(), Problem> {
    let changes = route::changes_since(control.catalog(), RouteVersion::default()).await?;
    let opened = open_all(control, changes).await?;
    // The first value that another key sealed says that all are: nothing can be served, and nothing may be added.
    if let Some(error) = opened.damaged.iter().find(|error| matches!(error, UnsealError::OtherKey(_))) {
        return Err((*error).into());
    }
    publish(control, opened, &RouteTable::default());
    Ok(())
}

/// Refuses a catalog that is behind what this node serves since it started from its disk: changes made there would be confirmed,
/// and never taken up. Before the node joins, so that a catalog that is refused again and again does not fill with nodes.
///
/// # Errors
/// It is behind, or does not answer.
pub(crate) async fn refuse_behind(catalog: &Catalog, served: RouteVersion) -> Result<(), Problem> {
    if served == RouteVersion::default() {
        return Ok(());
    }
    let version = route::version(catalog).await?;
    if version < served { Err(behind(version, served)) } else { Ok(()) }
}

fn behind(catalog: RouteVersion, served: RouteVersion) -> Problem {
    Problem::new(ErrorCode::KeptRoutesRefused, format!("the catalog has route version {catalog}, and this node serves version {served}"))
        .because("the catalog was put back to an earlier state by something else than `holm catalog restore`")
        .next("see that it is the right catalog; then start this node again, so that it goes by the catalog alone")
}

/// Publishes what changes, for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let mut signal = control.signal();
    let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
    loop {
        signal.borrow_and_update();
        let given = control.publisher().table().version();
        match catch_up(&control, given).await {
            Ok(()) => {
                backoff.succeeded();
                // A signal that was lost is made up for by the pulse.
                let _ = timeout(UNHEARD, signal.changed()).await;
            }
            Err(problem) => {
                tracing::warn!(code = %problem.code, why = problem.why, "routes cannot be read; the data plane goes on with those it has");
                sleep(backoff.failed()).await;
            }
        }
    }
}

async fn catch_up(control: &Control, given: RouteVersion) -> Result<(), Problem> {
    let changes = route::changes_since(control.catalog(), given).await?;
    if *control.incarnation() != Some(changes.incarnation) {
        // What is known is of a catalog that is no more, and has what this one never knew.
        let all = route::changes_since(control.catalog(), RouteVersion::default()).await?;
        publish(control, open_all(control, all).await?, &RouteTable::default());
    } else if changes.version > given {
        publish(control, open_all(control, changes).await?, &control.publisher().table());
    } else {
        control.publisher().is_now(changes.read_at);
    }
    Ok(())
}

/// Changes that can be published, and what could not be opened.
struct Opened {
    version: RouteVersion,
    incarnation: Uuid,
    changes: Vec<RouteChange>,
    damaged: Vec<UnsealError>,
    /// Those whose secret is among these.
    without_secret: Vec<Change>,
}

async fn open_all(control: &Control, mut changes: Changes) -> Result<Opened, Problem> {
    let known = changes.changes.iter_mut().filter_map(key_of).collect();
    let ring = control.keys().ring(known, changes.changes.iter().filter_map(sealed_of)).await?;
    let count = changes.changes.len();
    let signs = certificate::key(control);
    let authority = Authority { key: signs.public(), told_at: changes.read_at };
    let work = move || {
        let mut opened = Opened {
            version: changes.version,
            incarnation: changes.incarnation,
            changes: Vec::with_capacity(changes.changes.len() + 1),
            damaged: Vec::new(),
            without_secret: Vec::new(),
        };
        opened.changes.push(RouteChange::Authority(authority));
        for change in changes.changes {
            match open(&ring, &signs, change) {
                Ok(change) => opened.changes.push(change),
                Err((error, change)) => {
                    opened.damaged.push(error);
                    opened.without_secret.push(*change);
                }
            }
        }
        opened
    };
    if count <= INLINE_MAX {
        return Ok(work());
    }
    Ok(tokio::task::spawn_blocking(work).await.expect("opening sealed values does not panic"))
}

/// The wrapped key that came with a change.
const fn key_of(change: &mut Change) -> Option<WrappedKey> {
    match change {
        Change::Environment(row) => row.key.take(),
        Change::Tenant(row) => row.key.take(),
        // An installation has few that are shown something: their keys are looked up.
        Change::Cluster(_) | Change::ClusterGone(_) | Change::Credential(_) | Change::CredentialGone(_) | Change::TenantGone(_) => None,
    }
}

/// What has to be opened of a change.
const fn sealed_of(change: &Change) -> Option<&[u8]> {
    match change {
        Change::Environment(row) => Some(row.sealed_header_key.as_bytes()),
        Change::Tenant(row) => Some(row.sealed_logins.as_bytes()),
        Change::Cluster(row) => match &row.client_certificate {
            Some(shown) => Some(shown.sealed_key.as_bytes()),
            None => None,
        },
        Change::ClusterGone(_) | Change::Credential(_) | Change::CredentialGone(_) | Change::TenantGone(_) => None,
    }
}

fn publish(control: &Control, opened: Opened, onto: &RouteTable) {
    for error in opened.damaged {
        tracing::error!(%error, "a route keeps the secret that it had, or is closed, since its own cannot be opened");
    }
    let publisher = control.publisher();
    let signs = certificate::key(control);
    let mut changes = opened.changes;
    changes.extend(opened.without_secret.into_iter().filter_map(|change| with_former_secret(change, &signs, onto)));
    publisher.publish(onto.with(opened.version, changes));
    *control.incarnation() = Some(opened.incarnation);
    control.published().send_replace(opened.version);
}

/// What cannot be opened comes back as it is.
fn open(ring: &Ring, signs: &SigningKey, change: Change) -> Result<RouteChange, (UnsealError, Box<Change>)> {
    Ok(match change {
        Change::Environment(row) => match ring.unseal_exact(Purpose::HeaderKey(row.id), row.sealed_header_key.as_bytes()) {
            Ok(header_key) => RouteChange::Environment(environment(row, header_key)),
            Err(error) => return Err((error, Box::new(Change::Environment(row)))),
        },
        Change::Cluster(row) => match row.client_certificate.as_ref().map(|shown| client_certificate::open(ring, row.cluster.id, shown)) {
            None => RouteChange::Cluster(row.cluster),
            Some(Ok(shown)) => RouteChange::Cluster(Cluster { client_certificate: Some(shown), ..row.cluster }),
            Some(Err(error)) => return Err((error, Box::new(Change::Cluster(row)))),
        },
        Change::ClusterGone(id) => RouteChange::ClusterGone(id),
        Change::Credential(credential) => RouteChange::Credential(credential),
        Change::CredentialGone(id) => RouteChange::CredentialGone(id),
        Change::Tenant(row) => match logins_of(ring, &row) {
            Ok((logins, next)) => RouteChange::Route(route_of(row, signs, logins, next)),
            Err(error) => return Err((error, Box::new(Change::Tenant(row)))),
        },
        Change::TenantGone(id) => RouteChange::RouteGone(id),
    })
}

/// With the secret that the same environment, cluster or database had in the table; without one nobody is let in.
fn with_former_secret(change: Change, signs: &SigningKey, table: &RouteTable) -> Option<RouteChange> {
    match change {
        Change::Environment(row) => {
            let former = table.environment(&row.name)?;
            Some(RouteChange::Environment(environment(row, former.header_key.clone())))
        }
        Change::Tenant(row) => {
            let former = table.route_of(row.tenant).filter(|former| former.cluster == row.cluster && former.database == row.database);
            Some(match former {
                Some(former) => RouteChange::Route(route_of(row, signs, former.logins.clone(), former.next_logins.clone())),
                None => RouteChange::RouteGone(row.tenant),
            })
        }
        // A server that asks says no to whoever shows nothing.
        Change::Cluster(row) => {
            let former = table.cluster(row.cluster.id).and_then(|former| former.client_certificate.clone());
            Some(RouteChange::Cluster(Cluster { client_certificate: former, ..row.cluster }))
        }
        _ => None,
    }
}

fn environment(row: EnvironmentRow, header_key: Secret<[u8; 32]>) -> Environment {
    Environment { name: row.name, kind: row.kind, domain: row.domain, header_key }
}

/// The logins of a tenant's database, and those that are to take their place.
type RouteLogins = (holm_core::route::Logins, Option<holm_core::route::Logins>);

fn logins_of(ring: &Ring, row: &TenantRow) -> Result<RouteLogins, UnsealError> {
    let sealed = row.sealed_logins.as_bytes();
    if row.adopted {
        // Those of an adopted database are its owner's to change.
        return Ok((holm_core::route::Logins::Owner(AdoptedLogin::unseal(ring, row.database_id, sealed)?.for_route()), None));
    }
    let logins = Logins::unseal(ring, row.database_id, sealed)?;
    let next = row.next_sealed_logins.as_ref().map(|next| Logins::unseal(ring, row.database_id, next.as_bytes())).transpose();
    // A server that has them already lets nobody in; one that has not lets everybody in.
    let next = next.unwrap_or_else(|error| {
        tracing::error!(%error, "a tenant has no logins to come, since they cannot be opened");
        None
    });
    Ok((logins.for_route(&row.database).into(), next.map(|next| next.for_route(&row.database).into())))
}

fn route_of(row: TenantRow, signs: &SigningKey, logins: holm_core::route::Logins, next_logins: Option<holm_core::route::Logins>) -> Route {
    Route {
        placement: certificate::placement(signs, &row),
        parameters: row.parameters.into(),
        tenant: row.tenant,
        slug: row.slug,
        environment: row.environment,
        state: row.state,
        epoch: row.epoch,
        cluster: row.cluster,
        logins,
        next_logins,
        database: row.database,
        limits: row.limits,
        aliases: row.aliases.into(),
    }
}
