//! Which tenant a connection names: database name, `options=-c holm.tenant=…` and the host name of TLS must agree.
//!
//! Promises: a name that is there counts. The one exception is a database name that a driver filled in by itself: empty, or
//! equal to the user name (as PostgreSQL's own rule for a missing one has it) while another place names a tenant.

use holm_core::error::Problem;
use holm_core::slug::TenantSlug;
use holm_pgwire::options::{self, Switch};
use holm_pgwire::startup::SessionRequest;

use super::refusal;

/// The setting that names a tenant.
pub(super) const TENANT_SETTING: &[u8] = b"holm.tenant";

/// The names in a startup packet. Bytes that are not UTF-8 are no tenant's name, whatever replaces them.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Names {
    pub(super) user: String,
    database: String,
    /// More than one if the client says it more than once.
    settings: Vec<String>,
}

impl Names {
    pub(super) fn of(request: &SessionRequest<'_>) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let parameter = |name| request.parameter(name).map(text).unwrap_or_default();
        let switches = options::parse(request.parameter("options").unwrap_or_default());
        let in_options = switches.iter().filter_map(|switch| match switch {
            Switch::Setting { name, value } if name == TENANT_SETTING => Some(text(value)),
            _ => None,
        });
        // A driver that sends settings as startup parameters names a tenant that way too.
        let direct = request.parameters.iter().filter(|(name, _)| name.eq_ignore_ascii_case(TENANT_SETTING)).map(|(_, value)| text(value));
        Self { user: parameter("user"), database: parameter("database"), settings: in_options.chain(direct).collect() }
    }

    /// The one tenant that is named; `host` is the tenant that the host name means under the environment's domain.
    ///
    /// # Errors
    /// HOLM-5005 with the first two that disagree.
    pub(super) fn tenant(&self, host: Option<&TenantSlug>) -> Result<String, Problem> {
        let mut named: Vec<(&str, &str)> = Vec::new();
        named.extend(host.map(|slug| ("host name", slug.as_str())));
        named.extend(self.settings.iter().map(|name| ("setting `holm.tenant`", name.as_str())));
        let filled_in = self.database.is_empty() || self.database == self.user;
        if named.is_empty() || !filled_in {
            let database = if self.database.is_empty() { &self.user } else { &self.database };
            named.push(("database name", database));
        }
        match named.iter().find(|(_, name)| *name != named[0].1) {
            Some(other) => Err(refusal::names_disagree(named[0], *other)),
            None => Ok(named[0].1.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use holm_core::error::ErrorCode;
    use holm_pgwire::startup::NEWEST;

    fn check(database: Option<&str>, options: Option<&str>, host: Option<&str>, expected: Result<&str, (&str, &str)>) {
        let mut parameters = vec![(&b"user"[..], &b"app"[..])];
        parameters.extend(database.map(|name| (&b"database"[..], name.as_bytes())));
        parameters.extend(options.map(|text| (&b"options"[..], text.as_bytes())));
        let names = Names::of(&SessionRequest { version: NEWEST, parameters, extensions: vec![] });
        let host: Option<TenantSlug> = host.map(|slug| slug.parse().unwrap());
        match (names.tenant(host.as_ref()), expected) {
            (Ok(tenant), Ok(expected)) => assert_eq!(tenant, expected),
            (Err(problem), Err((first, second))) => {
                assert_eq!(problem.code, ErrorCode::TenantNamesDisagree);
                let why = problem.why.unwrap();
                assert!(why.contains(first) && why.contains(second), "{why}");
            }
            (got, expected) => panic!("{database:?} {options:?} {host:?}: {got:?}, not {expected:?}"),
        }
    }

    #[test]
    fn every_place_that_names_a_tenant_must_name_the_same() {
        check(Some("malmo"), None, None, Ok("malmo"));
        check(None, None, None, Ok("app"));
        check(Some(""), None, None, Ok("app"));
        check(Some("app"), None, None, Ok("app"));
        check(None, Some("-c holm.tenant=malmo"), None, Ok("malmo"));
        check(Some("app"), Some("--holm.tenant=malmo"), None, Ok("malmo"));
        check(Some("app"), None, Some("malmo"), Ok("malmo"));
        check(Some("malmo"), Some("-cholm.tenant=malmo"), Some("malmo"), Ok("malmo"));
        check(Some("malmo"), Some("-c holm.tenant=lund"), None, Err(("`malmo`", "`lund`")));
        check(Some("malmo"), None, Some("lund"), Err(("`malmo`", "`lund`")));
        check(None, Some("-c holm.tenant=malmo"), Some("lund"), Err(("`malmo`", "`lund`")));
        check(None, Some("-c holm.tenant=malmo -c holm.tenant=lund"), None, Err(("`malmo`", "`lund`")));
        check(Some("malmo"), Some("-c HOLM.tenant=Malmo"), None, Err(("`malmo`", "`Malmo`")));
    }
}
