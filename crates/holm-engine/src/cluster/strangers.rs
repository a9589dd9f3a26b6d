//! Strangers in tenants' databases: roles that are not a database's own, and may connect to it or act as one of its own.
//!
//! A database's owner may let anybody in, and before PostgreSQL 16 lend itself to anybody; none of that goes through Holm.
//! Promises: one statement for all databases of a server, bounded whatever a tenant grants, over catalogs that they share. What takes
//! the grant back is told with it, quoted by PostgreSQL itself. Superusers are left out: they gain nothing by either.
//! Refuses to take anything back: who let somebody in may have meant it.

use super::connect::Connection;
use super::trouble::ClusterError;

/// More than this many are not told apart.
const STRANGERS_MAX: i64 = 200;

/// Of one database, so that whoever lets in thousands hides nobody else's.
const OF_ONE_MAX: i64 = 10;

/// A grant by a role that was given the option to is taken back with that option, since `REVOKE` by a superuser is the owner's.
/// Whoever was let in by another stranger goes with that one's grant, which `CASCADE` says.
const STRANGERS: &str = r"
WITH stranger AS (
    SELECT d.datname::text AS database, 'connect' AS way, who.rolname::text AS who, d.datname::text AS what,
        quote_ident(d.datname) AS what_ident, quote_ident(who.rolname) AS who_ident, quote_ident(by.rolname) AS by_ident,
        acl.grantor = d.datdba AS by_owner
    FROM pg_database d
    CROSS JOIN LATERAL aclexplode(d.datacl) acl
    JOIN pg_roles who ON who.oid = acl.grantee
    LEFT JOIN pg_roles by ON by.oid = acl.grantor
    WHERE d.datname ~ '^t_[0-9a-f]{32}$' AND acl.privilege_type = 'CONNECT' AND NOT who.rolsuper
        AND who.rolname::text <> ALL (ARRAY[d.datname || '_owner', d.datname || '_rw', d.datname || '_ro'])
    UNION ALL
    SELECT regexp_replace(own.rolname, '_(owner|rw|ro)$', ''), 'act', who.rolname::text, own.rolname::text,
        quote_ident(own.rolname), quote_ident(who.rolname), quote_ident(by.rolname), NULL
    FROM pg_auth_members m
    JOIN pg_roles own ON own.oid = m.roleid
    JOIN pg_roles who ON who.oid = m.member
    LEFT JOIN pg_roles by ON by.oid = m.grantor
    WHERE own.rolname ~ '^t_[0-9a-f]{32}_(owner|rw|ro)$' AND NOT who.rolsuper
), ranked AS (
    SELECT *, count(*) OVER () AS of_all, row_number() OVER (PARTITION BY database ORDER BY way, who, what) AS nth
    FROM stranger
)
SELECT *
FROM ranked
WHERE nth <= $1
ORDER BY nth, database
LIMIT $2";

/// Those of a server.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Strangers {
    /// Some of them, of each database that has any before more of one.
    pub(crate) some: Vec<Stranger>,
    /// How many there are.
    pub(crate) of_all: u64,
}

/// A role that is where it does not belong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stranger {
    /// The database it comes to.
    pub(crate) database: String,
    /// Its name.
    pub(crate) who: String,
    /// What it may do there.
    pub(crate) may: May,
    /// What takes that from it.
    pub(crate) revoke: String,
}

/// What a stranger may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum May {
    /// Connect to the database.
    Connect,
    /// Act as this role of the database, or have what it has.
    ActAs(String),
}

/// The strangers of a server.
///
/// # Cancel safety
/// Safe: it only reads.
pub(crate) async fn look(admin: &Connection, major: u32) -> Result<Strangers, ClusterError> {
    let rows = admin.query("look for strangers in databases", STRANGERS, &[&OF_ONE_MAX, &STRANGERS_MAX]).await?;
    let of_all = rows.first().map_or(0, |row| row.get::<_, i64>("of_all").unsigned_abs());
    Ok(Strangers { some: rows.iter().map(|row| read(row, major)).collect(), of_all })
}

fn read(row: &tokio_postgres::Row, major: u32) -> Stranger {
    let [what, who]: [&str; 2] = [row.get("what_ident"), row.get("who_ident")];
    let by: Option<&str> = row.get("by_ident");
    let (may, revoke) = if row.get::<_, &str>("way") == "connect" {
        let revoke = match by {
            // Whoever let it in was let do so by another role of the tenant's, perhaps: only what its owner granted can be taken back, and
            // the rest goes with it.
            Some(_) if row.get::<_, Option<bool>>("by_owner") != Some(true) => {
                format!("REVOKE GRANT OPTION FOR CONNECT ON DATABASE {what} FROM {what}_rw, {what}_ro CASCADE")
            }
            _ => format!("REVOKE CONNECT ON DATABASE {what} FROM {who} CASCADE"),
        };
        (May::Connect, revoke)
    } else {
        // Since version 16 whoever granted it is part of what is granted; before, it may be a role that is gone.
        let by = by.filter(|_| major >= 16).map(|by| format!(" GRANTED BY {by}")).unwrap_or_default();
        (May::ActAs(row.get("what")), format!("REVOKE {what} FROM {who}{by} CASCADE"))
    };
    Stranger { database: row.get("database"), who: row.get("who"), may, revoke }
}
