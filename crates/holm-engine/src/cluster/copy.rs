//! The database that a copy goes into: empty, closed to everybody but its own owner, and handed over when it is full.
//!
//! Promises: laid out as a member of the pool is; what a former attempt left is thrown away, whatever ran in it. While it
//! is being filled its owner logs in with a password that only this attempt knows, and that the next one replaces before
//! it makes the database anew: a program that outlived its runner cannot come in again. The logins of the catalog are set
//! last, all at once, and say that the copy is whole.
//! Refuses to say anything in the database but as its owner, once there is anything in it.

use std::fmt::Write as _;

use holm_core::credential::Level;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::scram::Verifier;
use holm_core::secret::Secret;

use super::connect::{Access, Connection};
use super::sql::SqlText;
use super::trouble::ClusterError;
use super::{condemn, member, template};
use crate::secret::logins::Logins;
use crate::secret::scram::{PostgresVerifier, new_verifier};

/// What a database is made with, and cannot be changed later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    encoding: String,
    collate: String,
    ctype: String,
    /// `c`, `i` or `b`; none before PostgreSQL 15.
    provider: Option<String>,
    locale: Option<String>,
    rules: Option<String>,
}

/// By way of JSON, since the columns have other names, or are not there, in other versions.
const SHAPE: &str = "\
SELECT pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS collate, d.datctype::text AS ctype,
    to_jsonb(d) ->> 'datlocprovider' AS provider, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale,
    to_jsonb(d) ->> 'daticurules' AS rules, pg_database_size(d.oid) AS size
FROM pg_database d
WHERE d.datname = $1";

const VERIFIERS: &str = "SELECT rolname::text AS name, rolpassword AS verifier FROM pg_authid WHERE rolname = ANY($1) AND rolcanlogin";

const IS_THERE: &str = "SELECT 1 FROM pg_database WHERE datname = $1 AND datallowconn";

/// In a session that searches whatever the tenant likes: every name says where it is.
const EXTENSIONS: &str = "SELECT extname::pg_catalog.text FROM pg_catalog.pg_extension";

const TRUSTED: &str = "SELECT name::text FROM pg_available_extension_versions WHERE name = ANY($1) AND trusted GROUP BY name";

/// What a database is made with, and how large it is; `None` if there is none of that name.
pub(crate) async fn shape(admin: &Connection, database: &DatabaseName) -> Result<Option<(Shape, u64)>, ClusterError> {
    let rows = admin.query("look at a database to be copied", SHAPE, &[&database.as_str()]).await?;
    Ok(rows.first().map(|row| {
        let shape = Shape {
            encoding: row.get("encoding"),
            collate: row.get("collate"),
            ctype: row.get("ctype"),
            provider: row.get("provider"),
            locale: row.get("locale"),
            rules: row.get("rules"),
        };
        (shape, row.get::<_, i64>("size").unsigned_abs())
    }))
}

/// The extensions of a database, asked as its owner, whom nothing that it answers can hurt.
pub(crate) async fn extensions(owner: &Connection) -> Result<Vec<String>, ClusterError> {
    let rows = owner.query("list the extensions of a database", EXTENSIONS, &[]).await?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Those of some extensions that only a superuser of this cluster could make, or that it does not have.
pub(crate) async fn privileged(admin: &Connection, mut extensions: Vec<String>) -> Result<Vec<String>, ClusterError> {
    let rows = admin.query("look for extensions", TRUSTED, &[&extensions]).await?;
    let trusted: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    extensions.retain(|name| !trusted.contains(name));
    Ok(extensions)
}

/// Whether the copy is whole: its roles have the logins that are set last.
pub(crate) async fn is_whole(admin: &Connection, database: &DatabaseName, logins: &Logins) -> Result<bool, ClusterError> {
    let names = Level::ALL.map(|level| RoleName::of(database, level).to_string());
    let rows = admin.query("look at the roles of a copy", VERIFIERS, &[&&names[..]]).await?;
    let as_set = |level: Level| {
        let name = RoleName::of(database, level).to_string();
        let expected = PostgresVerifier(&logins.of(level).verifier()).to_string();
        rows.iter().any(|row| row.get::<_, String>("name") == name && row.get::<_, Option<String>>("verifier").as_ref() == Some(&expected))
    };
    if !Level::ALL.into_iter().all(as_set) {
        return Ok(false);
    }
    Ok(!admin.query("look for a copy", IS_THERE, &[&database.as_str()]).await?.is_empty())
}

/// Makes the database anew, empty. The caller holds its lock in `admin`.
///
/// # Cancel safety
/// Safe: the next call throws away what is there.
pub(crate) async fn make_empty(
    access: &Access,
    admin: &Connection,
    database: &DatabaseName,
    shape: &Shape,
    major: u32,
    password: &Secret<String>,
) -> Result<(), ClusterError> {
    let owner = RoleName::of(database, Level::Owner);
    // The password first: what comes in later than this had the right one.
    make_roles(admin, database, &new_verifier(password)).await?;
    condemn::drop_database(admin, database).await?;
    admin.run("make the database of a copy", &shape.create(database, major)).await?;
    let name = database.as_ident();
    let closed = format!("REVOKE ALL ON DATABASE {name} FROM PUBLIC; ALTER DATABASE {name} OWNER TO {}", owner.as_ident());
    admin.run("close the database of a copy to everyone else", &closed).await?;
    admin.run("open the database of a copy", &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await?;
    if major < 15 {
        template::close_public_schema(access, admin, database).await?;
    }
    let opened = format!("GRANT CONNECT, TEMPORARY ON DATABASE {name} TO {}", owner.as_ident());
    admin.run("open the database of a copy to its owner", &opened).await
}

async fn make_roles(admin: &Connection, database: &DatabaseName, owner: &Verifier) -> Result<(), ClusterError> {
    let names = Level::ALL.map(|level| RoleName::of(database, level).to_string());
    let act = "look for the roles of a copy";
    let there = !admin.query(act, "SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", &[&&names[..]]).await?.is_empty();
    let mut sql = String::new();
    for level in Level::ALL {
        let (role, verifier) = (RoleName::of(database, level), PostgresVerifier(owner).to_string());
        let login = match level {
            Level::Owner => format!("LOGIN PASSWORD {}", SqlText(&verifier)),
            Level::Rw | Level::Ro => "NOLOGIN PASSWORD NULL".to_owned(),
        };
        // All three in one transaction, so that one that is there says that all are.
        let verb = if there { "ALTER" } else { "CREATE" };
        write!(sql, "{verb} ROLE {} {} {login};", role.as_ident(), member::attributes(level)).expect("writing to a string does not fail");
        sql += &without_settings(&role);
    }
    admin.run("make the roles of a copy", &sql).await
}

/// What a role set for its own sessions outlives the database that it was in when it did.
fn without_settings(role: &RoleName) -> String {
    format!("ALTER ROLE {} RESET ALL;", role.as_ident())
}

/// Has its owner come in with the attempt's password again, and as anybody would, whatever ran as it meanwhile.
pub(crate) async fn let_in(admin: &Connection, database: &DatabaseName, password: &Secret<String>) -> Result<(), ClusterError> {
    let (owner, verifier) = (RoleName::of(database, Level::Owner), PostgresVerifier(&new_verifier(password)).to_string());
    let (role, name, reset) = (owner.as_ident(), database.as_ident(), without_settings(&owner));
    let sql = format!(
        "ALTER ROLE {role} PASSWORD {}; {reset} ALTER ROLE {role} IN DATABASE {name} RESET ALL;
         ALTER DATABASE {name} RESET ALL; {}",
        SqlText(&verifier),
        member::opened(database)
    );
    admin.run("let the owner of a copy in", &sql).await
}

/// As its owner, while it is empty: what its other two roles may do with all that the owner is going to make.
pub(crate) async fn prepare(owner: &Connection, database: &DatabaseName) -> Result<(), ClusterError> {
    let [own, rw, ro] = Level::ALL.map(|level| RoleName::of(database, level));
    let sql = member::default_privileges(&own, &rw, &ro) + &member::privileges("public", &rw, &ro);
    owner.run("prepare the database of a copy", &sql).await
}

/// As its owner, when it is full: what must not be left to the privileges that everything gets.
pub(crate) async fn close_ledger(owner: &Connection, database: &DatabaseName) -> Result<(), ClusterError> {
    let rw = RoleName::of(database, Level::Rw);
    let act = "look for a ledger";
    let ledger = owner.query(act, "SELECT 1 WHERE pg_catalog.to_regclass('public._prisma_migrations') IS NOT NULL", &[]).await?;
    if ledger.is_empty() { Ok(()) } else { owner.run("close the ledger of a copy", &member::closed_ledger(&rw)).await }
}

/// Gives the roles their logins, and takes back what the content may have given to others; the last step.
pub(crate) async fn hand_over(admin: &Connection, database: &DatabaseName, logins: &Logins) -> Result<(), ClusterError> {
    let mut sql = format!("REVOKE ALL ON DATABASE {} FROM PUBLIC;{};", database.as_ident(), member::opened(database));
    for level in Level::ALL {
        let password = PostgresVerifier(&logins.of(level).verifier()).to_string();
        write!(sql, "ALTER ROLE {} LOGIN PASSWORD {};", RoleName::of(database, level).as_ident(), SqlText(&password))
            .expect("writing to a string does not fail");
    }
    admin.run("hand a copy over to its roles", &sql).await
}

impl Shape {
    /// From `template0`, since anyone may have put anything into `template1`, and since it takes any encoding.
    fn create(&self, database: &DatabaseName, major: u32) -> String {
        let (name, encoding, collate, ctype) = (database.as_ident(), SqlText(&self.encoding), SqlText(&self.collate), SqlText(&self.ctype));
        let mut sql = format!("CREATE DATABASE {name} TEMPLATE template0 ENCODING {encoding} LC_COLLATE {collate} LC_CTYPE {ctype}");
        if major >= 15 {
            let (provider, locale) = match self.provider.as_deref() {
                Some("i") => ("icu", "ICU_LOCALE"),
                Some("b") => ("builtin", "BUILTIN_LOCALE"),
                _ => ("libc", ""),
            };
            write!(sql, " LOCALE_PROVIDER {provider}").expect("writing to a string does not fail");
            if let Some(named) = self.locale.as_deref().filter(|_| !locale.is_empty()) {
                write!(sql, " {locale} {}", SqlText(named)).expect("writing to a string does not fail");
            }
            if let Some(rules) = self.rules.as_deref().filter(|_| provider == "icu") {
                write!(sql, " ICU_RULES {}", SqlText(rules)).expect("writing to a string does not fail");
            }
        }
        sql + " ALLOW_CONNECTIONS false"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_made_with_the_encoding_and_the_locale_of_its_source() {
        let libc = Shape {
            encoding: "UTF8".into(),
            collate: "sv_SE.utf8".into(),
            ctype: "sv_SE.utf8".into(),
            provider: None,
            locale: None,
            rules: None,
        };
        let icu = Shape { provider: Some("i".into()), locale: Some("sv-SE".into()), rules: Some("&V << w'".into()), ..libc.clone() };
        let name = "t_1".parse().unwrap();
        insta::assert_snapshot!(libc.create(&name, 14), @r#"CREATE DATABASE "t_1" TEMPLATE template0 ENCODING E'UTF8' LC_COLLATE E'sv_SE.utf8' LC_CTYPE E'sv_SE.utf8' ALLOW_CONNECTIONS false"#);
        insta::assert_snapshot!(icu.create(&name, 16), @r#"CREATE DATABASE "t_1" TEMPLATE template0 ENCODING E'UTF8' LC_COLLATE E'sv_SE.utf8' LC_CTYPE E'sv_SE.utf8' LOCALE_PROVIDER icu ICU_LOCALE E'sv-SE' ICU_RULES E'&V << w''' ALLOW_CONNECTIONS false"#);
    }
}
