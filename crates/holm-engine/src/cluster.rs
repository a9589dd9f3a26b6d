//! Clusters: every statement that Holm sends to a tenant's server, and the registry of servers.
//!
//! Promises: Holm's own sessions stay in the maintenance database, where no tenant can make anything, except in databases
//! that nobody has claimed yet; they all have `search_path = pg_catalog, pg_temp` and time limits. Whatever an app or a
//! tenant authored runs in a login as a role that owns that database and nothing else.

pub mod add;
pub(crate) mod apply;
pub(crate) mod capability;
pub mod client_certificate;
pub(crate) mod condemn;
pub(crate) mod connect;
pub(crate) mod copies;
pub(crate) mod copy;
pub mod drain;
pub(crate) mod encrypted;
pub(crate) mod guard;
pub(crate) mod handshake;
pub(crate) mod identity;
pub(crate) mod inventory;
pub(crate) mod lock;
pub(crate) mod member;
pub(crate) mod observe;
pub(crate) mod parity;
pub mod program_tls;
mod register;
pub mod remove;
mod replaced;
pub mod rotate_roles;
pub mod set_server;
pub(crate) mod sql;
pub(crate) mod statistics;
pub(crate) mod strangers;
pub(crate) mod template;
pub(crate) mod transfer;
pub(crate) mod trouble;
pub mod url;

use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use holm_store::cluster::Cluster;
use holm_store::cluster::life::{self, Resident};

pub use register::{NewCluster, register};

use crate::control::Control;
use crate::reconcile::observe as regularly;

/// Every cluster, by name.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Cluster>, Problem> {
    Ok(holm_store::cluster::list(control.catalog()).await?)
}

/// The cluster of a name, and who is on it. One that was never looked at is looked at now, if it answers.
///
/// # Errors
/// [`ErrorCode::ClusterNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub async fn show(control: &Control, name: &ClusterName) -> Result<(Cluster, Vec<Resident>), Problem> {
    let mut cluster = named(control, name).await?;
    if cluster.capability.is_none() {
        cluster.capability = regularly::one(control, &cluster).await.ok();
    }
    let residents = life::residents(control.catalog(), cluster.id).await?;
    Ok((cluster, residents))
}

/// The cluster of a name.
pub(crate) async fn named(control: &Control, name: &ClusterName) -> Result<Cluster, Problem> {
    holm_store::cluster::by_name(control.catalog(), name).await?.ok_or_else(|| {
        Problem::new(ErrorCode::ClusterNotFound, format!("there is no cluster called `{name}`"))
            .next("see which there are: `holm cluster list`")
    })
}

/// Looks at a cluster now, and notes what is seen.
///
/// # Errors
/// [`ErrorCode::ClusterNotFound`]; the server's own trouble; the catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub async fn observe_now(control: &Control, name: &ClusterName) -> Result<Cluster, Problem> {
    let cluster = named(control, name).await?;
    regularly::one(control, &cluster).await?;
    named(control, name).await
}
