//! What a server is told in the StartupMessage: our role and database, the tenant's parameters, then the client's own.
//!
//! Promises: the client's `user`, `database` and `replication` never get through, nor anything that is meant for Holm. A
//! tenant's parameters come first, so that a client may say otherwise for its own session (R79). Where the tenant may only be read,
//! that comes last: a server then says so in words that drivers know, before its role is refused something.

use holm_core::role::RoleName;
use holm_core::route::Route;
use holm_pgwire::message;
use holm_pgwire::options::{self, Switch};
use holm_pgwire::startup::SessionRequest;

/// Parameters that are not passed on as they are.
const OURS: [&[u8]; 5] = [b"user", b"database", b"replication", b"options", b"schema"];

fn is_for_holm(name: &[u8]) -> bool {
    name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(b"holm."))
}

/// What a connection's options say last of a setting of Holm's.
pub(super) fn for_holm(request: &SessionRequest<'_>, setting: &str) -> Option<Vec<u8>> {
    let switches = options::parse(request.parameter("options").unwrap_or_default());
    switches.into_iter().rev().find_map(|switch| match switch {
        Switch::Setting { name, value } if name.eq_ignore_ascii_case(setting.as_bytes()) => Some(value.to_vec()),
        _ => None,
    })
}

/// The StartupMessage for one session.
pub(super) fn startup_message(request: &SessionRequest<'_>, route: &Route, role: &RoleName) -> Vec<u8> {
    message_of(request, route, role, &OURS)
}

/// The StartupMessage for a connection that sessions share which differ in nothing but the application's name.
pub(super) fn pooled_startup_message(request: &SessionRequest<'_>, route: &Route, role: &RoleName) -> Vec<u8> {
    message_of(request, route, role, &[&OURS[..], &[b"application_name"]].concat())
}

fn message_of(request: &SessionRequest<'_>, route: &Route, role: &RoleName, left_out: &[&[u8]]) -> Vec<u8> {
    let options = server_options(request, route);
    let schema = search_path(request);
    let mut parameters: Vec<(&[u8], &[u8])> = vec![(b"user", role.as_str().as_bytes()), (b"database", route.database.as_str().as_bytes())];
    if !options.is_empty() {
        parameters.push((b"options", &options));
    }
    if let Some(schema) = &schema {
        parameters.push((b"search_path", schema));
    }
    let own = request.parameters.iter().filter(|(name, _)| !left_out.contains(name) && !is_for_holm(name));
    parameters.extend(own);
    if route.is_reading() {
        parameters.push((b"default_transaction_read_only", b"on"));
    }
    let mut out = Vec::new();
    message::startup(&mut out, parameters);
    out
}

fn server_options(request: &SessionRequest<'_>, route: &Route) -> Vec<u8> {
    let mut switches: Vec<Switch> = route.parameters.iter().map(|p| Switch::setting(p.name(), p.value())).collect();
    let own = options::parse(request.parameter("options").unwrap_or_default());
    switches.extend(own.into_iter().filter(|switch| !matches!(switch, Switch::Setting { name, .. } if is_for_holm(name))));
    options::write(&switches)
}

/// `?schema=x` (R33), which Prisma's URLs carry and some drivers send on, as one quoted identifier. An explicit
/// `search_path` says more and so counts instead.
fn search_path(request: &SessionRequest<'_>) -> Option<Vec<u8>> {
    let schema = request.parameter("schema").filter(|schema| !schema.is_empty())?;
    if request.parameters.iter().any(|(name, _)| name.eq_ignore_ascii_case(b"search_path")) {
        return None;
    }
    let mut quoted = vec![b'"'];
    for &byte in schema {
        if byte == b'"' {
            quoted.push(b'"');
        }
        quoted.push(byte);
    }
    quoted.push(b'"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use holm_core::credential::Level;
    use holm_core::parameter::TenantParameter;
    use holm_core::route::{RouteState, ServerLogin};
    use holm_core::scram::LoginKeys;
    use holm_core::secret::Secret;
    use holm_pgwire::startup::{self, NEWEST, Opening};

    fn route(parameters: &[(&str, &str)]) -> Route {
        let login = |level: Level| ServerLogin {
            role: format!("t_1_{level}").parse().unwrap(),
            keys: LoginKeys { client_key: Secret::new([0; 32]), server_key: Secret::new([0; 32]) },
        };
        Route {
            tenant: "ten_00000000000000000000000000000001".parse().unwrap(),
            slug: "malmo".parse().unwrap(),
            environment: "production".parse().unwrap(),
            state: RouteState::Serving,
            epoch: 1,
            cluster: "clu_00000000000000000000000000000001".parse().unwrap(),
            database: "t_1".parse().unwrap(),
            logins: Level::ALL.map(login).into(),
            next_logins: None,
            parameters: parameters.iter().map(|(name, value)| TenantParameter::new(name, value).unwrap()).collect(),
            limits: holm_core::limits::TenantLimits::default(),
            aliases: Box::new([]),
            placement: holm_core::placement::Placement::Withheld(holm_core::placement::Withheld::Unjudged),
        }
    }

    fn check(client: &[(&str, &str)], tenant: &[(&str, &str)], expected: &str) {
        let parameters = client.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes())).collect();
        let request = SessionRequest { version: NEWEST, parameters, extensions: vec![] };
        let route = route(tenant);
        let message = startup_message(&request, &route, &route.login(Level::Rw).unwrap().role);
        let Ok(Opening::Session(sent)) = startup::parse(&message[4..]) else { panic!("{message:?}") };
        let mut text = String::new();
        for (name, value) in sent.parameters {
            let _ = write!(text, "{}={} | ", String::from_utf8_lossy(name), String::from_utf8_lossy(value));
        }
        assert_eq!(text.trim_end_matches(" | "), format!("user=t_1_rw | database=t_1{expected}"));
    }

    #[test]
    fn who_and_where_is_never_the_clients_to_say() {
        check(&[("user", "postgres"), ("database", "template1"), ("replication", "database")], &[], "");
        check(&[("application_name", "x"), ("DateStyle", "ISO")], &[], " | application_name=x | DateStyle=ISO");
        check(&[("options", "-c holm.tenant=malmo"), ("holm.tenant", "malmo"), ("Holm.X", "1")], &[], "");
    }

    #[test]
    fn r79_a_tenants_parameters_come_before_the_clients_own() {
        let tenant = [("work_mem", "8MB"), ("statement_timeout", "5 s")];
        check(
            &[("options", "-c holm.tenant=malmo --work-mem=1MB -e")],
            &tenant,
            r" | options=-c work_mem=8MB -c statement_timeout=5\ s -c work_mem=1MB -e",
        );
    }

    #[test]
    fn r33_schema_becomes_search_path_as_one_identifier() {
        check(&[("schema", "public")], &[], r#" | search_path="public""#);
        check(&[("schema", r#"a", "b"#)], &[], r#" | search_path="a"", ""b""#);
        check(&[("schema", "")], &[], "");
        check(&[("schema", "a"), ("search_path", "b, c")], &[], " | search_path=b, c");
    }
}
