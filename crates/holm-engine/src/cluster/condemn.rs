//! Takes a database and its roles away from a cluster.
//!
//! Promises: it may be repeated until nothing is left, and it never connects to the database, whose content may be a
//! tenant's. Refuses `DROP OWNED`, which would need that: a role that others have granted something to, in databases of
//! theirs, is locked instead and removed when the grant is gone.

use holm_core::credential::Level;
use holm_core::role::{DatabaseName, RoleName};
use tokio_postgres::error::SqlState;

use super::connect::Connection;
use super::trouble::ClusterError;

/// What is left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub(crate) enum Removed {
    /// Nothing.
    Wholly,
    /// A role, which can no longer log in; objects of other databases refer to it.
    ExceptRole,
}

const OBSERVE: &str = "SELECT datistemplate AND datconnlimit <> -2 FROM pg_database WHERE datname = $1";

/// Drops a database and its roles. The caller holds the database's lock in `admin`.
///
/// # Cancel safety
/// Safe: what is gone stays gone, and the next call removes the rest.
pub(crate) async fn remove(admin: &Connection, database: &DatabaseName) -> Result<Removed, ClusterError> {
    drop_database(admin, database).await?;
    let mut removed = Removed::Wholly;
    for level in Level::ALL {
        if drop_role(admin, &RoleName::of(database, level)).await? == Removed::ExceptRole {
            removed = Removed::ExceptRole;
        }
    }
    Ok(removed)
}

pub(super) async fn drop_database(admin: &Connection, database: &DatabaseName) -> Result<(), ClusterError> {
    let rows = admin.query("look for a database to drop", OBSERVE, &[&database.as_str()]).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let name = database.as_ident();
    if row.get(0) {
        admin.run("release a template", &format!("ALTER DATABASE {name} IS_TEMPLATE false")).await?;
    }
    admin.run("drop a database", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await
}

async fn drop_role(admin: &Connection, role: &RoleName) -> Result<Removed, ClusterError> {
    let name = role.as_ident();
    match admin.run("drop a role", &format!("DROP ROLE IF EXISTS {name}")).await {
        Ok(()) => Ok(Removed::Wholly),
        Err(e) if e.is(&SqlState::DEPENDENT_OBJECTS_STILL_EXIST) => {
            admin.run("lock a role", &format!("ALTER ROLE {name} NOLOGIN PASSWORD NULL")).await?;
            Ok(Removed::ExceptRole)
        }
        Err(e) => Err(e),
    }
}
