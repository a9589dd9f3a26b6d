//! Clusters: every statement that Holm sends to a tenant's server, and the registry of servers.
//!
//! Promises: Holm's own sessions stay in the maintenance database, where no tenant can make anything, except in databases
//! that nobody has claimed yet; they all have `search_path = pg_catalog, pg_temp` and time limits. Whatever an app or a
//! tenant authored runs in a login as a role that owns that database and nothing else.

pub(crate) mod apply;
pub(crate) mod condemn;
pub(crate) mod connect;
pub(crate) mod guard;
pub(crate) mod lock;
pub(crate) mod member;
pub(crate) mod observe;
mod register;
pub(crate) mod sql;
pub(crate) mod template;
pub(crate) mod trouble;

use holm_core::error::Problem;
use holm_store::cluster::Cluster;

pub use register::{NewCluster, register};

use crate::control::Control;

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
