//! What clients are told when they get no session or lose one: every text in one place.
//!
//! Promises: before authentication nothing depends on what exists; no text names a role, a database or an address of a
//! cluster, since tenants read them.

use std::fmt::Write as _;
use std::time::Duration;

use holm_core::cluster::Cluster;
use holm_core::credential::Level;
use holm_core::error::{ErrorCode, Problem};
use holm_core::placement::Withheld;
use holm_core::route::Route;
use holm_core::slug::TenantSlug;
use holm_link::certificate::Refused;
use holm_pgwire::message::{self, ErrorReport};

use super::budget::Because;
use super::sqlstate::sqlstate;
use super::stop::Reason;

/// A FATAL ErrorResponse that says a problem: message, DETAIL, HINT.
pub(super) fn fatal(problem: &Problem) -> Vec<u8> {
    response("FATAL", problem)
}

/// The same of a session that goes on.
pub(super) fn error(problem: &Problem) -> Vec<u8> {
    response("ERROR", problem)
}

fn response(severity: &str, problem: &Problem) -> Vec<u8> {
    let mut hint = String::new();
    for (i, step) in problem.next.iter().enumerate() {
        let _ = write!(hint, "{}{step}", if i > 0 { "; " } else { "" });
    }
    let report = ErrorReport {
        severity,
        code: sqlstate(problem.code),
        message: &problem.to_string(),
        detail: problem.why.as_deref(),
        hint: (!hint.is_empty()).then_some(&*hint),
    };
    let mut out = Vec::new();
    message::error_response(&mut out, &report);
    out
}

/// Wrong password, unknown user and user of another environment: one text.
pub(super) fn authentication_failed() -> Problem {
    Problem::new(ErrorCode::AuthenticationFailed, "the name or the password is wrong")
        .because("no credential of this environment has this name and this password")
        .next("take both from the credential as it was issued: postgresql://<credential>:<secret>@<host>/<tenant>")
}

/// It depends on what the client itself has shown and said, and on nothing here.
pub(super) fn certificate_for_another() -> Problem {
    Problem::new(ErrorCode::CertificateForAnother, "the client certificate is for another credential")
        .because("neither its common name nor one of its DNS names is the name that the client logs in with")
        .next("connect with the credential that the certificate was issued for, or with that credential's certificate")
}

/// Which rule it was is not said: what one address did is no other's to know.
pub(super) fn throttled(retry_after: Duration) -> Problem {
    let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
    Problem::new(ErrorCode::LoginsThrottled, "too many logins failed")
        .because("logins with this name, or from this address, failed so often of late that this one was not looked at")
        .next(format!("try again in {seconds} s, with the right name and password; an app that was given a wrong one should be stopped"))
}

/// It depends on nothing but the connection: whether the name exists is not asked yet.
pub(super) fn channel_binding_lost() -> Problem {
    Problem::new(ErrorCode::ChannelBindingLost, "the client was told that this proxy has no channel binding")
        .because("the proxy offered SCRAM-SHA-256-PLUS, and what the client received did not have it: somebody may stand between the two")
        .next("do not send the password again over this network before you know who that is")
        .next("connect with `channel_binding=require`, so that the client does not go on without")
}

pub(super) fn unknown_tenant(name: &str) -> Problem {
    let name = shown(name);
    Problem::new(ErrorCode::UnknownTenant, format!("there is no tenant `{name}` for this credential"))
        .because("the database name is the tenant's name in the credential's environment, and the credential must be for that tenant")
        .next("check the spelling of the database name, and the environment: `holm tenant list`")
}

pub(super) fn suspended(slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::TenantSuspended, format!("the tenant `{slug}` is suspended"))
        .because("an operator suspended it; its data is kept and no session is let in")
        .next(format!("ask an operator to run `holm tenant resume {slug}`"))
}

/// Whoever waited as long as anybody does.
fn paused(slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::TenantPaused, format!("the tenant `{slug}` is paused"))
        .because("an operator paused it; its transactions wait, and this one has waited as long as any does")
        .next("try again in a moment")
        .next(format!(
            "ask an operator to run `holm tenant resume {slug}`, or `RESUME {slug}` in the node's console if it was paused there"
        ))
}

pub(super) fn deleted(slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::TenantDeleted, format!("the tenant `{slug}` is deleted"))
        .because("an operator deleted it; it is kept until its grace period is over, and no session is let in")
        .next(format!("ask an operator to run `holm tenant undelete {slug}`"))
}

pub(super) fn renamed(from: &TenantSlug, to: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::TenantRenamed, format!("the tenant `{from}` is called `{to}` now"))
        .because("an operator renamed it; sessions are let in under the new name only")
        .next(format!("connect with the database name `{to}`"))
}

pub(super) fn no_such_level(slug: &TenantSlug, level: Level) -> Problem {
    Problem::new(ErrorCode::LevelNotThere, format!("the database of tenant `{slug}` has no role of level `{level}`"))
        .because("it was brought with one role, its owner's, and Holm changes nothing in it")
        .next("use a credential of level `owner`")
}

/// Nobody is let in.
pub(super) fn withheld(slug: &TenantSlug, why: Withheld) -> Problem {
    Problem::new(ErrorCode::PlacementWithheld, format!("the tenant `{slug}` may not be used where its database is"))
        .because(why.as_str())
        .next(format!("ask an operator; `holm residency explain {slug}` says which rule and since when"))
}

/// Nobody else is let in.
pub(super) fn finishing(slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::PlacementWithheld, format!("the tenant `{slug}` lets in nobody else where its database is"))
        .because("its residency profile denies where its database is, and has it drained by now: sessions that are there go on")
        .next(format!("ask an operator; `holm residency explain {slug}` says which rule and since when"))
}

/// What a certificate says is not told to whoever is a tenant's client: the log has it.
pub(super) fn not_certified(slug: &TenantSlug, refused: Refused) -> Problem {
    match refused {
        Refused::Withheld(why) => withheld(slug, why),
        refused => Problem::new(ErrorCode::PlacementUnproven, format!("the server of tenant `{slug}` is not opened"))
            .because(refused.to_string())
            .next("ask an operator: this node's log says more, and `holm doctor` whether the control plane is well"),
    }
}

/// Which server answered instead is in the log.
pub(super) fn not_the_server(slug: &TenantSlug) -> Problem {
    Problem::new(ErrorCode::PlacementUnproven, format!("the server of tenant `{slug}` is not the one that it was"))
        .because("the server behind its cluster's address did not prove that it is the one which the tenant's placement certificate is for")
        .next("ask an operator: this node's log says which server answered")
}

/// Nothing came free in time. Who holds most is named to its own clients only; others hear how many.
pub(super) fn no_connection(because: Because, route: &Route, cluster: &Cluster) -> Problem {
    let (slug, name) = (&route.slug, &cluster.name);
    let full = |why: String| Problem::new(ErrorCode::NoConnectionLeft, "the tenant's cluster has no connection left").because(why);
    let operator = format!("an operator can raise connections_max of cluster `{name}`");
    match because {
        Because::Paused => paused(slug),
        Because::BudgetFull { ceiling, most, most_held, .. } => {
            let problem = full(in_use(ceiling, cluster));
            match most {
                Some(most) if most == route.tenant => problem.next(format!(
                    "the tenant `{slug}` itself holds {most_held} of them: close its sessions and transactions that are not in use, or make its app's own pool smaller"
                )),
                Some(_) => problem
                    .next("close sessions that are not in use, or make the app's own pool smaller")
                    .next(format!("another tenant holds {most_held} of them; try again in a moment")),
                None => problem.next("close sessions that are not in use, or make the app's own pool smaller"),
            }
            .next(operator)
        }
        Because::TenantMaximum { held, max, .. } => {
            let own = max < cluster.connections_max;
            let why = if own { format!("the tenant `{slug}` has all {max} connections that it may have") } else { in_use(max, cluster) };
            full(why)
                .next(format!(
                    "the tenant `{slug}` itself holds {held} of them: close its sessions and transactions that are not in use, or make its app's own pool smaller"
                ))
                .next(if own { format!("an operator can raise its maximum: `holm tenant limits {slug} --max`") } else { operator })
        }
        Because::OpeningsSlow { connecting } => full(format!("cluster `{name}` takes long to open connections: {connecting} are opening"))
            .next("try again in a moment; an operator can look at the load of the server"),
        Because::OpeningsFail { .. } | Because::OpeningFailed => server_unreachable(slug, "its connections could not be opened"),
    }
}

/// Which limit was met.
fn in_use(ceiling: u32, Cluster { name, connections_max, .. }: &Cluster) -> String {
    if ceiling >= *connections_max {
        format!("all {ceiling} connections that cluster `{name}` may have are in use (connections_max)")
    } else {
        format!("all {ceiling} connections that tenants may have on cluster `{name}` are in use (of {connections_max}, connections_max)")
    }
}

pub(super) fn names_disagree(first: (&str, &str), second: (&str, &str)) -> Problem {
    Problem::new(ErrorCode::TenantNamesDisagree, "the connection names more than one tenant")
        .because(format!("the {} says `{}` and the {} says `{}`", first.0, shown(first.1), second.0, shown(second.1)))
        .next("name the tenant once, or everywhere the same: database name, `options=-c holm.tenant=<tenant>`, host name")
}

pub(super) fn server_unreachable(tenant: &TenantSlug, why: &str) -> Problem {
    Problem::new(ErrorCode::ServerUnreachable, format!("the server of tenant `{tenant}` cannot be reached"))
        .because(why)
        .next("try again in a moment; an operator can run `holm doctor`")
}

pub(super) fn server_lost(why: &str) -> Problem {
    Problem::new(ErrorCode::ServerUnreachable, "the connection to the tenant's server is lost")
        .because(why)
        .next("connect again, and check whether the last transaction was committed")
}

pub(super) fn no_such_pooling(word: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("there is no pooling `{}`", shown(word)))
        .because("the option `holm.pooling` says how long the session has a server connection")
        .next("give it as `session` or `transaction`, or leave it out")
}

pub(super) fn no_such_reset(word: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("there is no reset `{}`", shown(word)))
        .because("the option `holm.reset` says when a server connection is cleaned between two clients")
        .next("give it as `seen` or `strict`, or leave it out")
}

pub(super) fn tls_required() -> Problem {
    Problem::new(ErrorCode::TlsRequired, "this proxy wants TLS")
        .because("the connection is not encrypted")
        .next("connect with `sslmode=require`")
}

pub(super) fn login_timeout() -> Problem {
    Problem::new(ErrorCode::LoginTimeout, "the login took too long")
        .because("the client did not finish its login in the time that the proxy allows")
        .next("connect again; if it happens often, look at the network between app and proxy")
}

pub(super) fn replication() -> Problem {
    Problem::new(ErrorCode::NotCarried, "replication connections are not carried")
        .because("the parameter `replication` asks for a stream of the whole cluster's changes, and a cluster has many tenants")
        .next("leave `replication` out; dumps and restores work through the proxy")
}

pub(super) fn version(major: u16, minor: u16) -> Problem {
    Problem::new(ErrorCode::NotCarried, format!("protocol {major}.{minor} is not spoken here"))
        .because("the proxy speaks PostgreSQL's protocol 3.0 to 3.2")
        .next("use a client of PostgreSQL 7.4 or newer")
}

pub(super) fn violation(what: &str) -> Problem {
    Problem::new(ErrorCode::ProtocolViolation, "the client broke the protocol").because(what).next("use a PostgreSQL client of protocol 3")
}

pub(super) fn too_many_clients(clients_max: usize) -> Problem {
    Problem::new(ErrorCode::TooManyClients, "the proxy has no room for another client")
        .because(format!("it has {clients_max} sessions, as many as it may (clients_max)"))
        .next("close sessions that are not in use, or connect to another node")
}

/// Why an open session, or a login, is ended from outside.
pub(super) fn stopped(reason: Reason) -> Problem {
    let closed = |why| Problem::new(ErrorCode::SessionClosed, "the session was closed").because(why);
    match reason {
        Reason::Suspended => closed("the tenant was suspended").next("ask an operator to run `holm tenant resume`"),
        Reason::Deleted => closed("the tenant was deleted").next("ask an operator to run `holm tenant undelete`"),
        Reason::Moved => closed("the tenant's database has a new place").next("connect again"),
        Reason::Placed => {
            closed("where the tenant's database is, other things are allowed now by its residency profile").next("connect again")
        }
        Reason::Withheld => closed("the tenant's database may not be used any more where it is, by its residency profile")
            .next("ask an operator; `holm residency explain` says why"),
        Reason::Removed => closed("the tenant is gone").next("ask an operator"),
        Reason::Killed => closed("an operator ended it").next("connect again; if that takes long, ask the operator"),
        Reason::Revoked => closed("the credential was revoked or changed").next("connect with a valid credential"),
        Reason::Draining | Reason::ShuttingDown => Problem::new(ErrorCode::ShuttingDown, "the proxy is shutting down")
            .because("an operator stopped this node")
            .next("connect again; another node, or this one after its restart, will answer"),
        Reason::Evicted => Problem::new(ErrorCode::TooManyClients, "too many logins at once")
            .because("the oldest unfinished login gave way to a new one")
            .next("connect again"),
    }
}

/// Said to somebody of the console who has proven it.
pub(super) fn not_a_tenants_user(database: &str) -> Problem {
    Problem::new(ErrorCode::UnknownTenant, format!("there is no database `{}` for a user of the console", shown(database)))
        .because("a user of the console reaches the console, and no tenant")
        .next("connect with the database name `holm` or `pgbouncer`; to reach a tenant, use a credential")
}

pub(super) fn too_many_consoles() -> Problem {
    Problem::new(ErrorCode::TooManyClients, "the console has no room for another client")
        .because("it has as many as it may, and each of them is idle or waits for an answer")
        .next("close connections to the console that are not in use")
}

/// What a client said, cut so that it cannot fill a log or a screen.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(80).flat_map(char::escape_debug).collect()
}
