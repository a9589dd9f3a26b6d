//! The template that pool members are cloned from: an environment's migrations, applied as an unprivileged role.
//!
//! Promises: no migration runs under a privileged role, a failing one is reported with its file, line, SQLSTATE and
//! message, and the ledger reads as if Prisma had written it. A template is finished when it is closed to everyone and
//! belongs to Holm's own role; anything less is thrown away and built anew, since its name is used for nothing else.

use holm_core::cluster::ClusterName;
use holm_core::credential::Level;
use holm_core::error::Problem;
use holm_core::role::{DatabaseName, RoleName};
use holm_migrate::MigrationSet;

use super::apply::{self, ApplyError};
use super::condemn;
use super::connect::{Access, Connection};
use super::sql::SqlText;
use super::trouble::ClusterError;
use crate::secret::random;
use crate::secret::scram::{PostgresVerifier, new_verifier};

/// Why there is no template.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateError {
    #[error("prepare a template")]
    Cluster(#[from] ClusterError),
    #[error("apply the migrations")]
    Apply(#[from] ApplyError),
}

impl TemplateError {
    pub(crate) fn problem(&self, cluster: &ClusterName) -> Problem {
        match self {
            Self::Cluster(error) | Self::Apply(ApplyError::Cluster(error)) => error.problem(cluster),
            Self::Apply(ApplyError::Failed(problem)) => (**problem).clone(),
        }
    }
}

/// Closed to everyone, kept as a template, owned by whoever asks: the last step of [`make`] has been done.
const FINISHED: &str = "\
SELECT 1
FROM pg_database
WHERE datname = $1 AND datistemplate AND NOT datallowconn AND datdba = (SELECT oid FROM pg_roles WHERE rolname = current_user)";

const LEFT_OVER: &str = "SELECT 1 FROM pg_database WHERE datname = $1 UNION ALL SELECT 1 FROM pg_roles WHERE rolname = $2";

/// Ends whatever sessions are left, so that cloning need not wait for them.
const END_SESSIONS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";

/// Makes a template. The caller holds its lock in `admin`.
///
/// # Cancel safety
/// Safe: an unfinished template is thrown away by the next call.
pub(crate) async fn make(
    access: &Access,
    admin: &Connection,
    name: &DatabaseName,
    major: u32,
    migrations: &MigrationSet,
) -> Result<(), TemplateError> {
    if !admin.query("look for a template", FINISHED, &[&name.as_str()]).await?.is_empty() {
        return Ok(());
    }
    let owner = RoleName::of(name, Level::Owner);
    clear(admin, name, &owner).await?;
    let password = random::password();
    let verifier = new_verifier(&password);
    begin(admin, name, &owner, &PostgresVerifier(&verifier).to_string()).await?;
    if major < 15 {
        close_public_schema(access, admin, name).await?;
    }
    let session = access.login(name, &owner, &password).await?;
    let applied = apply::all(&session, migrations).await;
    session.close().await;
    applied?;
    finish(admin, name, &owner).await?;
    Ok(())
}

/// Throws away what an earlier attempt left.
async fn clear(admin: &Connection, name: &DatabaseName, owner: &RoleName) -> Result<(), ClusterError> {
    let act = "look for an unfinished template";
    if admin.query(act, LEFT_OVER, &[&name.as_str(), &owner.as_str()]).await?.is_empty() {
        return Ok(());
    }
    match condemn::remove(admin, name).await? {
        condemn::Removed::Wholly => Ok(()),
        condemn::Removed::ExceptRole => Err(ClusterError::Unexpected {
            act: "throw an unfinished template away",
            found: format!("objects of other databases refer to role `{owner}`"),
        }),
    }
}

async fn begin(admin: &Connection, name: &DatabaseName, owner: &RoleName, verifier: &str) -> Result<(), ClusterError> {
    let (name, owner) = (name.as_ident(), owner.as_ident());
    let attributes = "LOGIN INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS";
    admin.run("create a template's role", &format!("CREATE ROLE {owner} {attributes} PASSWORD {}", SqlText(verifier))).await?;
    // From template0, since anyone may have put anything into template1.
    let sql = format!("CREATE DATABASE {name} OWNER {owner} TEMPLATE template0 ENCODING 'UTF8' ALLOW_CONNECTIONS false");
    admin.run("create a template", &sql).await?;
    admin.run("close a template to everyone else", &format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC")).await?;
    admin.run("open a template to its owner", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await
}

/// What is the default from version 15 on: only the database's owner makes things in `public`. Nobody has been in yet,
/// as long as `admin` has the lock: a session that was opened after a takeover says nothing.
pub(super) async fn close_public_schema(access: &Access, admin: &Connection, name: &DatabaseName) -> Result<(), ClusterError> {
    let inside = access.unclaimed(name).await?;
    admin.query("ask whether the fence stands", "SELECT 1", &[]).await?;
    let sql = "ALTER SCHEMA public OWNER TO pg_database_owner; REVOKE CREATE ON SCHEMA public FROM PUBLIC";
    inside.run("close a template's public schema", sql).await?;
    inside.close().await;
    Ok(())
}

/// Closes the template and takes it from its role. Members reassign what that role owns inside them; the database itself
/// must not be among it, since `REASSIGN OWNED` also touches what all databases share.
async fn finish(admin: &Connection, name: &DatabaseName, owner: &RoleName) -> Result<(), ClusterError> {
    let (ident, owner) = (name.as_ident(), owner.as_ident());
    admin.run("close a template", &format!("ALTER DATABASE {ident} ALLOW_CONNECTIONS false")).await?;
    admin.query("end the sessions of a template", END_SESSIONS, &[&name.as_str()]).await?;
    admin.run("lock a template's role", &format!("ALTER ROLE {owner} NOLOGIN PASSWORD NULL")).await?;
    admin.run("finish a template", &format!("ALTER DATABASE {ident} OWNER TO CURRENT_USER; ALTER DATABASE {ident} IS_TEMPLATE true")).await
}
