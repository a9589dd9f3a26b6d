//! What a server can be used for, observed: one login by SCRAM, one question about TLS, one session that only reads.
//!
//! Promises: it changes nothing and needs no rights; what may not be read there is left out and said so. What follows from
//! the facts is decided in `holm_core::capability`.

use holm_core::capability::{Authentication, Capability, Facts, KnownBy};
use holm_core::role::DatabaseName;
use holm_core::scram::LoginKeys;
use holm_store::cluster::PublicBefore;
use jiff::Timestamp;
use tokio_postgres::Row;

use super::connect::{Access, Connection};
use super::encrypted;
use super::guard;
use super::handshake::{self, Handshake, Shaken};
use super::trouble::ClusterError;

/// `$1` is the database whose encoding and collation count: the one new ones are made from, or the adopted one.
const FACTS: &str = "\
SELECT current_setting('server_version_num')::int AS version,
    r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolreplication, r.oid::bigint AS role_oid,
    current_setting('wal_level') AS wal_level,
    ARRAY(SELECT name::text FROM pg_available_extensions ORDER BY name) AS extensions,
    current_setting('max_connections')::int AS connections_max,
    current_setting('superuser_reserved_connections')::int + coalesce(current_setting('reserved_connections', true)::int, 0) AS reserved,
    pg_is_in_recovery() AS standby,
    current_setting('default_transaction_read_only')::bool AS read_only,
    pg_encoding_to_char(d.encoding)::text AS encoding, d.datcollate::text AS collation,
    CASE coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') WHEN 'i' THEN 'icu' WHEN 'b' THEN 'builtin' ELSE 'libc' END AS provider,
    current_setting('password_encryption') AS password_encryption,
    has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS identified,
    pg_has_role(r.oid, here.datdba, 'USAGE') AS owns, here.oid::bigint AS database_oid
FROM pg_roles r, pg_database d, pg_database here
WHERE r.rolname = current_user AND d.datname = $1 AND here.datname = current_database()";
const IDENTIFIER: &str = "SELECT system_identifier FROM pg_catalog.pg_control_system()";
/// A superuser's only; those who may not read it have none.
const HBA: &str = "SELECT DISTINCT auth_method::text FROM pg_hba_file_rules WHERE error IS NULL AND type <> 'local' ORDER BY 1";
/// What new databases are cloned from.
const PRISTINE: &str = "template0";

/// A server as it was seen.
pub(crate) struct Seen {
    pub(crate) capability: Capability,
    /// Of the server; none where it may not be read.
    pub(crate) system_identifier: Option<i64>,
    /// Of the database that was entered.
    pub(crate) database_oid: u32,
    /// Of the role.
    pub(crate) role_oid: u32,
    /// Whether the role is the owner of that database, or may act as it.
    pub(crate) owns: bool,
    /// What everyone may do in the maintenance databases.
    pub(crate) public: Vec<PublicBefore>,
    /// What the data plane could log in with as that role.
    pub(crate) keys: Option<LoginKeys>,
    /// For more questions.
    pub(crate) session: Connection,
}

/// Looks at a server.
///
/// # Cancel safety
/// Safe: it only reads.
pub(crate) async fn observe(access: &Access, now: Timestamp) -> Result<Seen, Unseen> {
    let tls = handshake::offers_tls(&access.address).await?;
    let Shaken { handshake, tls_key } = match handshake::shake(access).await {
        Err(error) if tls && error.wants_tls() => return Err(Unseen::OverTlsOnly),
        other => other?,
    };
    let authentication = handshake.authentication();
    // A driver would answer to these with the password itself.
    if matches!(authentication, Authentication::Password | Authentication::Md5 | Authentication::Other) {
        return Err(Unseen::NotScram(authentication));
    }
    let session = access.maintenance().await?;
    let model = access.home.as_ref().map_or(PRISTINE, DatabaseName::as_str);
    let row = session.query_one("ask what the server is", FACTS, &[&model]).await?;
    let identifier = if row.get("identified") {
        Some(session.query_one("ask which server it is", IDENTIFIER, &[]).await?.get::<_, i64>(0))
    } else {
        None
    };
    let hba = if row.get("rolsuper") { session.query("read pg_hba.conf", HBA, &[]).await? } else { Vec::new() };
    let public = guard::public(&session).await?;
    let tls_key = tls_key.map(|key| key.iter().map(|byte| format!("{byte:02x}")).collect());
    let facts = Facts { tls_key, ..facts(&row, &hba, identifier.is_some(), tls, authentication) };
    let mut capability = facts.judged(now);
    capability.notes.extend(encrypted::in_the_clear(&access.address, &access.tls));
    capability.round_trip_us = u64::try_from(session.round_trip().await?.as_micros()).ok();
    Ok(Seen {
        capability,
        system_identifier: identifier,
        database_oid: oid(&row, "database_oid"),
        role_oid: oid(&row, "role_oid"),
        owns: row.get("owns"),
        public,
        keys: match handshake {
            Handshake::Scram(keys) => Some(keys),
            Handshake::Otherwise(_) => None,
        },
        session,
    })
}

/// Why a server could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unseen {
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// It lets in over TLS only.
    #[error("it lets in over TLS only")]
    OverTlsOnly,
    /// It wants what must not be sent.
    #[error("it wants to be logged in to by {}", .0.as_str())]
    NotScram(Authentication),
}

fn facts(row: &Row, hba: &[Row], identified: bool, tls: bool, authentication: Authentication) -> Facts {
    let count = |name: &str| row.get::<_, i32>(name).unsigned_abs();
    Facts {
        server_version: count("version"),
        superuser: row.get("rolsuper"),
        createdb: row.get("rolcreatedb"),
        createrole: row.get("rolcreaterole"),
        replication: row.get("rolreplication"),
        wal_level: row.get("wal_level"),
        extensions: row.get("extensions"),
        connections_max: count("connections_max"),
        connections_reserved: count("reserved"),
        standby: row.get("standby"),
        read_only: row.get("read_only"),
        encoding: row.get("encoding"),
        collation: row.get("collation"),
        locale_provider: row.get("provider"),
        password_encryption: row.get("password_encryption"),
        authentication,
        hba_methods: hba.iter().map(|row| row.get(0)).collect(),
        tls,
        tls_key: None,
        known_by: if identified { KnownBy::SystemIdentifier } else { KnownBy::Address },
    }
}

fn oid(row: &Row, name: &str) -> u32 {
    u32::try_from(row.get::<_, i64>(name)).expect("an oid has 32 bits")
}
