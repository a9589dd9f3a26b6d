//! One member of the pool: a database cloned from a template, with its three roles, before any tenant has it.
//!
//! Promises: it is whole when [`make`] returns, and every step looks first and may be repeated, so that whatever a crash
//! leaves is finished by the next call. No password is ever sent: roles are created with verifiers. Nobody but Holm can
//! connect before the grants are right. Whoever lost the member's lock says nothing inside any more: by then it may be a
//! tenant's.
//!
//! Roles: `_owner` owns the database and all in it. It inherits, since what `pg_database_owner` may do in `public` comes
//! to it through that implicit membership; `_rw` and `_ro` do not, since they are to have what is granted here and no more.

use std::fmt::Write as _;

use holm_core::credential::Level;
use holm_core::role::{DatabaseName, RoleName};
use tokio_postgres::error::SqlState;

use super::connect::{Access, Connection};
use super::sql::SqlText;
use super::trouble::ClusterError;
use crate::secret::logins::Logins;
use crate::secret::scram::PostgresVerifier;

/// What is to be made.
#[derive(Clone, Debug)]
pub(crate) struct Member<'a> {
    pub(crate) name: &'a DatabaseName,
    pub(crate) logins: &'a Logins,
    /// The template, which nobody can connect to.
    pub(crate) template: &'a DatabaseName,
    /// PostgreSQL's major version.
    pub(crate) major: u32,
}

/// The schemas that an app made or uses, quoted by PostgreSQL itself, and whether there is a ledger.
const SCHEMAS: &str = "\
SELECT coalesce(string_agg(quote_ident(nspname), ', ' ORDER BY nspname), '') AS schemas,
       to_regclass('public._prisma_migrations') IS NOT NULL AS ledger
FROM pg_namespace
WHERE nspname <> 'information_schema' AND nspname !~ '^pg_'";

/// Nobody but a former maker can be in a database that is not handed over.
const SESSIONS_OF_FORMER_MAKERS: &str =
    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";

/// Makes a member whole. The caller holds the member's lock in `admin`.
///
/// # Cancel safety
/// Safe: what has been done stays, and the next call goes on from there.
pub(crate) async fn make(access: &Access, admin: &Connection, member: &Member<'_>) -> Result<(), ClusterError> {
    make_roles(admin, member).await?;
    make_database(admin, member).await?;
    let (name, owner) = (member.name.as_ident(), role(member, Level::Owner));
    let closed = format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} OWNER TO {}", owner.as_ident());
    admin.run("close a new database to everyone else", &closed).await?;
    // Only now can anyone connect, and nobody has been granted it yet.
    admin.run("open a new database to Holm", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await?;
    admin.query("end sessions of a former maker", SESSIONS_OF_FORMER_MAKERS, &[&member.name.as_str()]).await?;
    let inside = access.unclaimed(member.name).await?;
    // A session that was opened after the lock was lost is the one that nobody has ended.
    admin.query("ask whether the lock is held", "SELECT 1", &[]).await?;
    hand_over(&inside, member).await?;
    inside.close().await;
    admin.run("open a new database to its own roles", &opened(member.name)).await
}

/// What the three roles may do with their database.
pub(super) fn opened(database: &DatabaseName) -> String {
    let [owner, rw, ro] = Level::ALL.map(|level| RoleName::of(database, level));
    let [owner, rw, ro] = [owner.as_ident(), rw.as_ident(), ro.as_ident()];
    let name = database.as_ident();
    format!("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {owner}, {rw}; GRANT CONNECT ON DATABASE {name} TO {ro}")
}

fn role(member: &Member<'_>, level: Level) -> RoleName {
    RoleName::of(member.name, level)
}

async fn make_roles(admin: &Connection, member: &Member<'_>) -> Result<(), ClusterError> {
    let names = Level::ALL.map(|level| role(member, level).to_string());
    let act = "look for the roles of a new database";
    let present = admin.query(act, "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", &[&&names[..]]).await?;
    // They were created in one transaction, so that one that is there has its verifier and the others are there too.
    if !present.is_empty() {
        return Ok(());
    }
    let mut sql = String::new();
    for level in Level::ALL {
        let password = PostgresVerifier(&member.logins.of(level).verifier()).to_string();
        write!(sql, "CREATE ROLE {} LOGIN {} PASSWORD {};", role(member, level).as_ident(), attributes(level), SqlText(&password))
            .expect("writing to a string does not fail");
    }
    admin.run("create the roles of a new database", &sql).await
}

/// What a role of a level is, but for whether and how it logs in.
pub(super) const fn attributes(level: Level) -> &'static str {
    match level {
        Level::Owner => "INHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
        Level::Rw | Level::Ro => "NOINHERIT NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS",
    }
}

async fn make_database(admin: &Connection, member: &Member<'_>) -> Result<(), ClusterError> {
    let name = member.name.as_ident();
    let act = "look for a new database";
    let present = admin.query(act, "SELECT datconnlimit = -2 FROM pg_database WHERE datname = $1", &[&member.name.as_str()]).await?;
    match present.first().map(|row| row.get::<_, bool>(0)) {
        Some(false) => return Ok(()),
        // Dropping it was interrupted: only dropping works.
        Some(true) => admin.run("drop a broken database", &format!("DROP DATABASE {name} WITH (FORCE)")).await?,
        None => {}
    }
    // WAL_LOG copies through shared buffers, without the two checkpoints of FILE_COPY; it came with version 15.
    let strategy = if member.major >= 15 { " STRATEGY wal_log" } else { "" };
    let template = member.template.as_ident();
    let sql = format!("CREATE DATABASE {name} TEMPLATE {template}{strategy} ALLOW_CONNECTIONS false");
    match admin.run("clone a new database", &sql).await {
        Err(e) if e.is(&SqlState::DUPLICATE_DATABASE) => Ok(()),
        other => other,
    }
}

/// Inside the new database: gives everything to its owner, and its two other roles what they may do.
async fn hand_over(inside: &Connection, member: &Member<'_>) -> Result<(), ClusterError> {
    let row = inside.query_one("list the schemas of a new database", SCHEMAS, &[]).await?;
    let [owner, rw, ro] = Level::ALL.map(|level| role(member, level));
    let template_owner = RoleName::of(member.template, Level::Owner);
    let mut sql = format!(
        "REASSIGN OWNED BY {template} TO {owner}; DROP OWNED BY {template};",
        template = template_owner.as_ident(),
        owner = owner.as_ident()
    );
    sql += &default_privileges(&owner, &rw, &ro);
    let schemas: &str = row.get("schemas");
    if !schemas.is_empty() {
        sql += &privileges(schemas, &rw, &ro);
    }
    if row.get("ledger") {
        sql += &closed_ledger(&rw);
    }
    inside.run("hand a new database over to its roles", &sql).await
}

/// An app that could write the ledger could make the next migration skip or repeat something.
pub(super) fn closed_ledger(rw: &RoleName) -> String {
    format!("REVOKE INSERT, UPDATE, DELETE ON public._prisma_migrations FROM {};", rw.as_ident())
}

/// What is there already. `schemas` are quoted names.
pub(super) fn privileges(schemas: &str, rw: &RoleName, ro: &RoleName) -> String {
    let (rw, ro) = (rw.as_ident(), ro.as_ident());
    format!(
        "GRANT USAGE ON SCHEMA {schemas} TO {rw}, {ro};
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {schemas} TO {rw};
         GRANT SELECT ON ALL TABLES IN SCHEMA {schemas} TO {ro};
         GRANT SELECT, USAGE, UPDATE ON ALL SEQUENCES IN SCHEMA {schemas} TO {rw};
         GRANT SELECT ON ALL SEQUENCES IN SCHEMA {schemas} TO {ro};
         GRANT EXECUTE ON ALL ROUTINES IN SCHEMA {schemas} TO {rw}, {ro};"
    )
}

/// What the owner will make.
pub(super) fn default_privileges(owner: &RoleName, rw: &RoleName, ro: &RoleName) -> String {
    let (owner, rw, ro) = (owner.as_ident(), rw.as_ident(), ro.as_ident());
    let mut sql = String::new();
    for (privileges, objects, role) in [
        ("SELECT, INSERT, UPDATE, DELETE", "TABLES", rw),
        ("SELECT", "TABLES", ro),
        ("SELECT, USAGE, UPDATE", "SEQUENCES", rw),
        ("SELECT", "SEQUENCES", ro),
        ("EXECUTE", "ROUTINES", rw),
        ("EXECUTE", "ROUTINES", ro),
        ("USAGE", "TYPES", rw),
        ("USAGE", "TYPES", ro),
        ("USAGE", "SCHEMAS", rw),
        ("USAGE", "SCHEMAS", ro),
    ] {
        write!(sql, "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT {privileges} ON {objects} TO {role};")
            .expect("writing to a string does not fail");
    }
    sql
}
