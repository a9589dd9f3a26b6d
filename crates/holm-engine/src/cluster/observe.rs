//! What a cluster is and what is on it, read from the catalogs that all its databases share.

use holm_core::cluster::ClusterName;
use holm_core::error::{ErrorCode, Problem};
use tokio_postgres::Row;

use super::connect::Connection;
use super::trouble::ClusterError;

/// The oldest major version whose catalogs Holm's statements fit.
const MAJOR_MIN: u32 = 14;

const SERVER: &str = "\
SELECT (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
       current_setting('server_version_num')::int AS version_num,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true)::int, 0) AS connections,
       pg_is_in_recovery() OR current_setting('default_transaction_read_only')::bool AS read_only,
       (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS superuser";

/// `public_connect` also for an ACL that was never written, which means PostgreSQL's default.
const DATABASES: &str = "\
SELECT d.datname AS name, r.rolname AS owner, d.datistemplate AS is_template, d.datallowconn AS allows_connections,
       d.datconnlimit = -2 AS invalid,
       EXISTS (
           SELECT 1 FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
           WHERE acl.grantee = 0 AND acl.privilege_type = 'CONNECT'
       ) AS public_connect,
       ARRAY(
           SELECT g.rolname::text FROM aclexplode(d.datacl) acl JOIN pg_roles g ON g.oid = acl.grantee
           WHERE acl.privilege_type = 'CONNECT' ORDER BY 1
       ) AS may_connect
FROM pg_database d
JOIN pg_roles r ON r.oid = d.datdba
ORDER BY d.datname";

/// Only the roles that Holm makes; `_` stands for itself. A superuser gains nothing by a membership.
const ROLES: &str = "\
SELECT rolname AS name, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls AS privileged,
       rolcanlogin AS can_login, rolpassword AS verifier,
       EXISTS (SELECT 1 FROM pg_auth_members m WHERE m.member = a.oid) AS is_member,
       EXISTS (
           SELECT 1 FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.member
           WHERE m.roleid = a.oid AND NOT g.rolsuper
       ) AS is_lent
FROM pg_authid a
WHERE rolname ~ '^(t|tpl)_[0-9a-f]{32}_(owner|rw|ro)$'
ORDER BY rolname";

/// A server as it presents itself.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    /// Made by `initdb`; a standby has its primary's.
    pub(crate) system_identifier: i64,
    /// `server_version_num`, 150020 for 15.20.
    pub(crate) version_num: u32,
    /// How many sessions it has for those that are not kept for superusers.
    pub(crate) connections: u32,
    pub(crate) read_only: bool,
    superuser: bool,
}

impl Server {
    /// 15 for 15.20.
    pub(crate) const fn major(&self) -> u32 {
        self.version_num / 10_000
    }

    /// Whether Holm can work here.
    pub(crate) fn usable(&self, cluster: &ClusterName) -> Result<(), Problem> {
        if self.major() < MAJOR_MIN {
            let what = format!("cluster `{cluster}` runs PostgreSQL {}, and Holm needs {MAJOR_MIN} or newer", self.major());
            return Err(Problem::new(ErrorCode::ClusterRefused, what).next("upgrade it, or register another server"));
        }
        if !self.superuser {
            return Err(Problem::new(ErrorCode::ClusterRefused, format!("Holm's role on cluster `{cluster}` is not a superuser"))
                .because("it makes databases that belong to other roles, and ends their sessions")
                .next("give the name and password of a superuser of that server"));
        }
        if self.read_only {
            return Err(Problem::new(ErrorCode::ClusterReadOnly, format!("cluster `{cluster}` is read-only"))
                .because("it is a standby, or `default_transaction_read_only` is on")
                .next("register the primary server"));
        }
        Ok(())
    }
}

/// A database as `pg_database` has it.
#[derive(Clone, Debug)]
pub(crate) struct ObservedDatabase {
    pub(crate) name: String,
    pub(crate) owner: String,
    pub(crate) is_template: bool,
    pub(crate) allows_connections: bool,
    /// Dropping it was interrupted, and nothing but dropping it works.
    pub(crate) invalid: bool,
    pub(crate) public_connect: bool,
    pub(crate) may_connect: Vec<String>,
}

/// A role of Holm's making, as `pg_authid` has it.
#[derive(Clone)]
pub(crate) struct ObservedRole {
    pub(crate) name: String,
    pub(crate) privileged: bool,
    pub(crate) can_login: bool,
    /// Not a password, but it has no business in a log either: no `Debug`.
    pub(crate) verifier: Option<String>,
    pub(crate) is_member: bool,
    /// Somebody may act as it, or let others do so.
    pub(crate) is_lent: bool,
}

/// Asks a server what it is.
pub(crate) async fn server(admin: &Connection) -> Result<Server, ClusterError> {
    let row = admin.query_one("ask what the server is", SERVER, &[]).await?;
    Ok(Server {
        system_identifier: row.get("system_identifier"),
        version_num: positive(&row, "version_num"),
        connections: positive(&row, "connections"),
        read_only: row.get("read_only"),
        superuser: row.get("superuser"),
    })
}

/// Every database of a cluster.
pub(crate) async fn databases(admin: &Connection) -> Result<Vec<ObservedDatabase>, ClusterError> {
    let rows = admin.query("list databases", DATABASES, &[]).await?;
    Ok(rows.iter().map(database).collect())
}

/// Every role of Holm's making on a cluster.
pub(crate) async fn roles(admin: &Connection) -> Result<Vec<ObservedRole>, ClusterError> {
    let rows = admin.query("list roles", ROLES, &[]).await?;
    Ok(rows.iter().map(role).collect())
}

fn database(row: &Row) -> ObservedDatabase {
    ObservedDatabase {
        name: row.get("name"),
        owner: row.get("owner"),
        is_template: row.get("is_template"),
        allows_connections: row.get("allows_connections"),
        invalid: row.get("invalid"),
        public_connect: row.get("public_connect"),
        may_connect: row.get("may_connect"),
    }
}

fn role(row: &Row) -> ObservedRole {
    ObservedRole {
        name: row.get("name"),
        privileged: row.get("privileged"),
        can_login: row.get("can_login"),
        verifier: row.get("verifier"),
        is_member: row.get("is_member"),
        is_lent: row.get("is_lent"),
    }
}

/// Numbers that PostgreSQL's own limits keep above zero.
fn positive(row: &Row, column: &str) -> u32 {
    row.get::<_, i32>(column).unsigned_abs()
}
