//! Whether a request is let in, and for which tenant.
//!
//! Promises: the decision and the session belong to one version of the route table that was still the newest when the
//! session was open, so that whoever acknowledges a newer one has seen the session.

use std::sync::Arc;

use holm_core::environment::Environment;
use holm_core::route::{Route, RouteState, RouteTable};
use http::HeaderValue;

use super::host;
use super::refusal::Refusal;
use super::sessions::{Session, Sessions};

/// The tenant that a request is for.
#[derive(Debug)]
pub(super) struct Addressee {
    /// The Host header that says so, byte for byte.
    pub(super) host: HeaderValue,
    /// Its route.
    pub(super) route: Arc<Route>,
    /// Its environment.
    pub(super) environment: Arc<Environment>,
}

/// The tenant of a host and a session for it; `newest` gives the newest table each time.
pub(super) fn admit(newest: impl Fn() -> Arc<RouteTable>, sessions: &Arc<Sessions>, host: &str) -> Result<(Addressee, Session), Refusal> {
    loop {
        let table = newest();
        let addressee = addressee(&table, host)?;
        let session = sessions.begin(addressee.route.tenant);
        // A table that came in between may forbid this, and whoever acknowledges it may not have seen the session.
        if newest().version() == table.version() {
            return Ok((addressee, session));
        }
    }
}

fn addressee(table: &RouteTable, host: &str) -> Result<Addressee, Refusal> {
    let unknown = || Refusal::UnknownHost(host.into());
    let (environment, slug) = host::tenant(table, host).ok_or_else(unknown)?;
    let Some(route) = table.route(&environment.name, &slug) else {
        let renamed = table.renamed(&environment.name, &slug).ok_or_else(unknown)?;
        return Err(Refusal::Renamed(host::of_tenant(host, environment, &renamed.slug)));
    };
    match route.state {
        // A paused one answers: only its transactions wait.
        RouteState::Serving | RouteState::Paused => {
            let host = HeaderValue::try_from(host).expect("a host name is visible ASCII");
            Ok(Addressee { host, route: Arc::clone(route), environment: Arc::clone(environment) })
        }
        RouteState::Suspended | RouteState::Deleted => Err(closed(route)),
    }
}

/// What whoever asks for a tenant that is closed is told.
pub(super) fn closed(route: &Route) -> Refusal {
    match route.state {
        RouteState::Deleted => Refusal::Deleted(route.slug.clone()),
        // A session is also ended for a tenant that has been let in again meanwhile; the next request finds it.
        RouteState::Serving | RouteState::Paused | RouteState::Suspended => Refusal::Suspended(route.slug.clone()),
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::FutureExt;
    use holm_core::credential::Level;
    use holm_core::environment::EnvironmentKind;
    use holm_core::role::RoleName;
    use holm_core::route::{RouteChange, RouteVersion, ServerLogin};
    use holm_core::scram::LoginKeys;
    use holm_core::secret::Secret;

    use super::*;

    fn table(version: u64, state: RouteState) -> Arc<RouteTable> {
        let database = "t_1".parse().unwrap();
        let login = |level| ServerLogin {
            role: RoleName::of(&database, level),
            keys: LoginKeys { client_key: Secret::new([1; 32]), server_key: Secret::new([2; 32]) },
        };
        let route = Route {
            tenant: format!("ten_{:032x}", 1).parse().unwrap(),
            slug: "goteborg".parse().unwrap(),
            environment: "production".parse().unwrap(),
            state,
            epoch: version,
            cluster: format!("clu_{:032x}", 1).parse().unwrap(),
            logins: Level::ALL.map(login).into(),
            next_logins: None,
            database,
            parameters: Box::new([]),
            limits: holm_core::limits::TenantLimits::default(),
            aliases: Box::new([]),
            placement: holm_core::placement::Placement::Withheld(holm_core::placement::Withheld::Unjudged),
        };
        let environment = Environment {
            name: "production".parse().unwrap(),
            kind: EnvironmentKind::Production,
            domain: "localhost".parse().unwrap(),
            header_key: Secret::new([0; 32]),
        };
        Arc::new(RouteTable::default().with(RouteVersion(version), [RouteChange::Environment(environment), RouteChange::Route(route)]))
    }

    #[test]
    fn a_table_that_comes_while_a_request_is_let_in_decides() {
        let tables = [table(1, RouteState::Serving), table(2, RouteState::Suspended)];
        let asked = Cell::new(0);
        let newest = || {
            asked.set(asked.get() + 1);
            Arc::clone(&tables[usize::from(asked.get() > 1)])
        };
        let sessions = Arc::default();
        assert_eq!(admit(newest, &sessions, "goteborg.localhost").unwrap_err(), Refusal::Suspended("goteborg".parse().unwrap()));
        assert_eq!(sessions.end(|_| true).now_or_never(), Some(0), "no session is left behind");
    }
}
