//! What a server has that could make something work there and fail elsewhere, asked when somebody compares (R20).
//!
//! Promises: it changes nothing, and enters no database but the one that Holm's own sessions are in. What may not be read, or is
//! hidden by a setting of Holm's own role there, is unknown with the reason; nothing is guessed.

use std::fmt::Display;

use holm_core::capability::{Capability, Facts};
use holm_core::error::Problem;
use holm_core::parity::{DifferenceId, Kind, Seen, Value, parameter};
use holm_store::cluster::Cluster;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::capability;
use super::connect::{Access, Connection};
use super::identity;
use super::trouble::ClusterError;

/// `hidden` where the value is of this role, or of this database in which no tenant is.
const PARAMETERS: &str = "\
SELECT s.name, coalesce(s.reset_val, '') AS value, s.unit, EXISTS (
    SELECT 1
    FROM pg_db_role_setting d
    CROSS JOIN LATERAL unnest(d.setconfig) AS each
    WHERE lower(split_part(each, '=', 1)) = lower(s.name)
        AND (d.setrole = r.oid AND d.setdatabase IN (0, here.oid) OR d.setrole = 0 AND d.setdatabase = here.oid)
) AS hidden
FROM pg_settings s, pg_roles r, pg_database here
WHERE s.name = ANY ($1) AND r.rolname = current_user AND here.datname = current_database()";
/// A tenant's own role, which runs the migrations, is no superuser.
const EXTENSIONS: &str = "\
SELECT e.name::text AS name, e.default_version AS version, bool_or(v.trusted OR NOT v.superuser) AS trusted
FROM pg_available_extensions e
LEFT JOIN pg_available_extension_versions v ON v.name = e.name AND v.version = e.default_version
GROUP BY e.name, e.default_version
ORDER BY e.name";
/// The locale has another column in each of the last versions.
const CTYPE: &str = "\
SELECT d.datctype::text AS ctype, coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') AS locale
FROM pg_database d
WHERE d.datname = $1";
/// From 15 on. None where the locale has no versions, as `C` has none.
const LOCALE_VERSION: &str = "SELECT pg_database_collation_actual_version(d.oid) AS version FROM pg_database d WHERE d.datname = $1";
const LOCALE_VERSION_SINCE: u32 = 15;
/// What new databases are cloned from.
const PRISTINE: &str = "template0";

/// Looks at a cluster; what its look said too, for whoever shows it.
///
/// # Errors
/// It does not answer, lets nobody in, or is another server than was registered.
///
/// # Cancel safety
/// Safe: it only reads.
pub(crate) async fn look(cluster: &Cluster, access: &Access, now: Timestamp) -> Result<(Capability, Seen), Problem> {
    let looked = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    looked.session.close().await;
    if looked.system_identifier.is_some_and(|identifier| identifier != cluster.system_identifier) {
        return Err(identity::another_server(cluster));
    }
    let refused = |error: ClusterError| error.problem(&cluster.name);
    let session = access.as_given().await.map_err(refused)?;
    let asked = ask(&session, access, &looked.capability.facts).await;
    session.close().await;
    let mut seen = asked.map_err(refused)?;
    of_facts(&mut seen, &looked.capability);
    put(&mut seen, Kind::ServerSslmode, access.tls.mode());
    Ok((looked.capability, seen))
}

fn put(seen: &mut Seen, kind: Kind, value: impl Display) {
    seen.insert(DifferenceId::of(kind), Value::known(value));
}

fn of_facts(seen: &mut Seen, capability: &Capability) {
    let facts = &capability.facts;
    put(seen, Kind::PostgresqlMajor, facts.major());
    put(seen, Kind::PostgresqlMinor, facts.version());
    put(seen, Kind::ServerSuits, capability.suits.as_str());
    put(seen, Kind::ServerTls, if facts.tls { "offered" } else { "not offered" });
    put(seen, Kind::ServerAuthentication, facts.authentication.as_str());
    put(seen, Kind::DatabaseEncoding, &facts.encoding);
    put(seen, Kind::DatabaseLocaleProvider, &facts.locale_provider);
}

async fn ask(session: &Connection, access: &Access, facts: &Facts) -> Result<Seen, ClusterError> {
    let mut seen = Seen::new();
    let names: Vec<&str> = parameter::ALL.iter().map(|parameter| parameter.name).collect();
    let rows = session.query("read its parameters", PARAMETERS, &[&names]).await?;
    for name in names {
        let id = DifferenceId::named(Kind::Parameter, name).expect("it is in the list");
        let row = rows.iter().find(|row| row.get::<_, &str>("name") == name);
        seen.insert(id, row.map_or_else(|| Value::Unknown("it may not be read there".to_owned()), |row| given(row, access)));
    }
    for row in session.query("list its extensions", EXTENSIONS, &[]).await? {
        extension(&mut seen, &row);
    }
    let model = access.home.as_ref().map_or(PRISTINE, |home| home.as_str());
    let row = session.query_one("ask for its locale", CTYPE, &[&model]).await?;
    put(&mut seen, Kind::DatabaseCtype, row.get::<_, &str>("ctype"));
    let locale = row.get::<_, Option<&str>>("locale").map(|locale| format!(", locale {locale}")).unwrap_or_default();
    put(&mut seen, Kind::DatabaseCollation, format!("{}{locale}", facts.collation));
    let version = if facts.major() >= LOCALE_VERSION_SINCE {
        let row = session.query_one("ask for its locale's version", LOCALE_VERSION, &[&model]).await?;
        Value::known(row.get::<_, Option<&str>>("version").unwrap_or("none"))
    } else {
        Value::Unknown(format!("PostgreSQL {} does not tell", facts.major()))
    };
    seen.insert(DifferenceId::of(Kind::DatabaseLocaleVersion), version);
    Ok(seen)
}

/// In a database that somebody brought, what is said of it and of its role is what its tenant has.
fn given(row: &Row, access: &Access) -> Value {
    if access.home.is_none() && row.get("hidden") {
        return Value::Unknown(format!(
            "it is set for role `{}` or for database `{}` there, whatever it is for others",
            access.role,
            access.home()
        ));
    }
    let value: &str = row.get("value");
    match row.get::<_, Option<&str>>("unit") {
        Some(unit) => Value::known(format!("{value} {unit}")),
        None => Value::known(value),
    }
}

/// A name that cannot be told is of no extension that a migration could name.
fn extension(seen: &mut Seen, row: &Row) {
    let mut tell = |kind, value| {
        if let Ok(id) = DifferenceId::named(kind, row.get("name")) {
            seen.insert(id, value);
        }
    };
    tell(Kind::ExtensionAvailable, Value::known("yes"));
    let unsaid = || Value::Unknown("its control file names no version".to_owned());
    tell(Kind::ExtensionVersion, row.get::<_, Option<&str>>("version").map_or_else(unsaid, Value::known));
    let trusted = |trusted| Value::known(if trusted { "by tenants' roles" } else { "by superusers" });
    tell(Kind::ExtensionTrusted, row.get::<_, Option<bool>>("trusted").map_or_else(unsaid, trusted));
}
