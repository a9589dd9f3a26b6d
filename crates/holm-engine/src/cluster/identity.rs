//! Which server, and which database on it, an address leads to: compared with what Holm knows, by identity.
//!
//! Promises: the catalog, a server or a database that Holm has already is recognised behind another address, a pooler or
//! Holm's own proxy. Known by the identifier that `initdb` gave; where that may not be read, an advisory lock taken on one
//! side is looked for on the other.

use holm_core::capability::Authentication;
use holm_core::cluster::ServerAddress;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::placement::SystemIdentifier;
use holm_store::cluster::Cluster;
use holm_store::place;
use jiff::Timestamp;
use uuid::Uuid;

use super::capability::{Seen, Unseen};
use super::connect::{Access, Connection};
use super::trouble::ClusterError;
use crate::control::Control;
use crate::operation::digest;
use crate::secret::random;

/// A lock on a 64-bit key, as `pg_locks` shows it (PostgreSQL, 54.12).
const LIT: &str = "\
SELECT 1
FROM pg_locks
WHERE locktype = 'advisory' AND objsubid = 1
    AND classid::bigint = (($1::bigint >> 32) & 4294967295) AND objid::bigint = ($1::bigint & 4294967295)";
const LIGHT: &str = "SELECT pg_advisory_lock($1)";

/// The catalog's time, by which observations are dated.
pub(crate) async fn now(control: &Control) -> Result<Timestamp, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let now = holm_store::operation::now(&mut tx).await?;
    tx.rollback().await?;
    Ok(digest::kept(now))
}

/// What an operation holds that is about to take a name, a server or a database: a second one for it is refused at once.
pub(crate) fn claim(what: &str) -> Uuid {
    let (first, _) =
        digest::hash(format!("holm claim {what}").as_bytes()).split_first_chunk().map_or(([0; 16], ()), |(first, _)| (*first, ()));
    Uuid::from_bytes(first)
}

/// What a server is known by: what `initdb` gave it, or a stand-in made of address, database and role.
pub(crate) fn identifier(seen: &Seen, access: &Access) -> i64 {
    seen.system_identifier.unwrap_or_else(|| stand_in(seen, access))
}

fn stand_in(seen: &Seen, access: &Access) -> i64 {
    let text = format!("{}\n{}\n{}\n{}\n{}", access.address, seen.database_oid, access.home(), seen.role_oid, access.role);
    let (first, _) = digest::hash(text.as_bytes()).split_first_chunk().map_or(([0; 8], ()), |(first, _)| (*first, ()));
    i64::from_be_bytes(first)
}

/// What was seen where a cluster is, against what that is known to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Met {
    /// The same.
    Itself,
    /// The same by all that it was known by, and by now it tells which server that is.
    Named(i64),
    /// Another server, or another database on it.
    Another,
}

/// Compares what was seen at a cluster's own address, by the role that it is known by.
pub(crate) fn met(cluster: &Cluster, seen: &Seen, access: &Access) -> Met {
    if cluster.adopted.as_ref().is_some_and(|adopted| adopted.oid != seen.database_oid) {
        return Met::Another;
    }
    match seen.system_identifier {
        _ if identifier(seen, access) == cluster.system_identifier => Met::Itself,
        Some(named) if !is_by_identifier(cluster) && stand_in(seen, access) == cluster.system_identifier => Met::Named(named),
        _ => Met::Another,
    }
}

/// As the audit log says which server it is.
pub(crate) fn told(identifier: Option<i64>) -> String {
    identifier.map_or_else(|| "by address".to_owned(), |identifier| SystemIdentifier(identifier).to_string())
}

/// The identifier of the server that a cluster is, where it tells.
pub(crate) fn identifier_of(cluster: &Cluster) -> Option<i64> {
    is_by_identifier(cluster).then_some(cluster.system_identifier)
}

/// Refuses the catalog's own server.
///
/// # Errors
/// [`ErrorCode::CatalogItself`]; the catalog does not answer.
pub(crate) async fn is_not_the_catalog(control: &Control, seen: &Seen, address: &ServerAddress) -> Result<(), Problem> {
    let own = place::own(control.catalog()).await?;
    let same = match (own.system_identifier, seen.system_identifier) {
        (Some(own), Some(other)) => own == other,
        _ => {
            let beacon = place::beacon(control.catalog()).await?;
            is_lit(&seen.session, beacon.key).await.map_err(|error| at(address, &error))?
        }
    };
    if !same {
        return Ok(());
    }
    Err(Problem::new(ErrorCode::CatalogItself, format!("the server at {address} is the one that holds Holm's catalog"))
        .because("every tenant's sealed secrets are there, and a tenant's role must not be")
        .next("give tenants a server of their own"))
}

/// The clusters that are on this server, in whatever environment.
///
/// # Errors
/// The catalog does not answer.
pub(crate) async fn known(control: &Control, seen: &Seen, access: &Access) -> Result<Vec<Cluster>, Problem> {
    let mut known = holm_store::cluster::on_server(control.catalog(), identifier(seen, access)).await?;
    // By identifier all that can be found is found when both sides have one.
    for cluster in holm_store::cluster::list(control.catalog()).await? {
        let comparable = seen.system_identifier.is_some() && is_by_identifier(&cluster);
        if !comparable && !known.iter().any(|known| known.id == cluster.id) && is_on(control, &cluster, &seen.session).await {
            known.push(cluster);
        }
    }
    Ok(known)
}

fn is_by_identifier(cluster: &Cluster) -> bool {
    use holm_core::capability::KnownBy;
    cluster.capability.as_ref().is_none_or(|capability| capability.facts.known_by == KnownBy::SystemIdentifier)
}

/// A cluster that does not answer cannot be compared, and is not what has just answered.
pub(crate) async fn is_on(control: &Control, cluster: &Cluster, session: &Connection) -> bool {
    let Ok(access) = control.access(cluster).await else { return false };
    let Ok(other) = access.maintenance().await else { return false };
    let is_same = is_same_running(&other, session).await;
    other.close().await;
    is_same
}

/// Whether two sessions are on the same running server: a lock that one takes shows to the other.
pub(crate) async fn is_same_running(one: &Connection, other: &Connection) -> bool {
    let key = i64::from_be_bytes(random::bytes());
    match one.query("light a beacon", LIGHT, &[&key]).await {
        Ok(_) => is_lit(other, key).await.unwrap_or(false),
        Err(_) => false,
    }
}

async fn is_lit(session: &Connection, key: i64) -> Result<bool, ClusterError> {
    Ok(!session.query("look for a beacon", LIT, &[&key]).await?.is_empty())
}

/// A server that was restored over another, or an address that was given away.
pub(crate) fn another_server(cluster: &Cluster) -> Problem {
    Problem::new(ErrorCode::ClusterRefused, format!("another server answers at the address of cluster `{}`", cluster.name))
        .because(match &cluster.adopted {
            None => format!("its system identifier is not the one that was registered for {}", cluster.access.address),
            Some(adopted) => format!("its system identifier, or the number of database `{}` there, is another", adopted.database),
        })
        .next(format!(
            "start the right one; if that has moved, say where to: `holm cluster set-server {} --env {} --server …`; if it was made anew with all \
             that was on the former (`pg_upgrade`, a dump that was restored), add `--replaced --reason …`",
            cluster.name, cluster.environment
        ))
}

/// A server that was known by its identifier, or by something else that is another now, and does not tell which it is.
pub(crate) fn tells_no_more(cluster: &Cluster) -> Problem {
    Problem::new(ErrorCode::ClusterRefused, format!("the server of cluster `{}` does not say any more which it is", cluster.name))
        .because(format!("what else is seen at {} is not what it was known by", cluster.access.address))
        .next("have it say so again: `GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system()` to Holm's role there")
        .next(format!("if it is another server, see `holm cluster set-server {} --help`", cluster.name))
}

/// Trouble with a server that is not a cluster yet.
pub(crate) fn at(address: &ServerAddress, error: &ClusterError) -> Problem {
    let named: holm_core::cluster::ClusterName = "new".parse().expect("a constant that is a name");
    let mut problem = error.problem(&named).changed(Changed::Nothing);
    problem.what = problem.what.replace("cluster `new`", &format!("the server at {address}"));
    problem
}

/// Why a server could not be looked at, as people are told.
pub(crate) fn unseen(unseen: &Unseen, access: &Access) -> Problem {
    let (address, role) = (&access.address, &access.role);
    match unseen {
        Unseen::Cluster(error) => at(address, error),
        Unseen::OverTlsOnly => {
            Problem::new(ErrorCode::TlsTowardsServer, format!("the server at {address} lets role `{role}` in over TLS only"))
                .because("Holm was told to speak to it in the clear")
                .next("say `sslmode=verify-full`; give the certificate that its own leads to if that is not one of the system's")
        }
        Unseen::NotScram(method) => not_scram(access, *method),
    }
}

/// Stored keys answer only to SCRAM.
pub(crate) fn not_scram(access: &Access, method: Authentication) -> Problem {
    let what = format!("the server at {} lets role `{}` in by {}", access.address, access.role, method.as_str());
    Problem::new(ErrorCode::NotScram, what)
        .because("the data plane holds keys and no passwords, and keys answer only to scram-sha-256")
        .next("set `password_encryption = scram-sha-256` there, set the role's password again, and `scram-sha-256` in `pg_hba.conf`")
}
