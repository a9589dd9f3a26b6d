//! The writing half. Every struct is taken apart by all of its fields, so that a new one cannot be forgotten here.

use std::sync::Arc;

use holm_core::cluster::Cluster;
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::{Roots, ServerTls};
use holm_core::credential::{Credential, Level, Scope};
use holm_core::environment::{Environment, EnvironmentKind};
use holm_core::limits::TenantLimits;
use holm_core::placement::{Allows, Authority, Certificate, Claims, JudgedBy, Placement, Withheld};
use holm_core::route::{Logins, Route, RouteState, RouteTable, RouteVersion, ServerLogin};
use holm_core::scram::{LoginKeys, SecondKeys, Verifier};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use uuid::Uuid;

use super::{MAGIC, SHOWN, VERSION};

/// Takes bytes, or only their number.
pub(super) trait Sink {
    fn put(&mut self, bytes: &[u8]);
}

/// How long a table is.
pub(super) struct Length(pub(super) usize);

impl Sink for Length {
    fn put(&mut self, bytes: &[u8]) {
        self.0 += bytes.len();
    }
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// A table in the order in which it is written.
pub(super) struct Parts<'a> {
    version: RouteVersion,
    environments: Vec<&'a Environment>,
    clusters: Vec<&'a Cluster>,
    credentials: Vec<&'a Credential>,
    /// With those of its former names that lead to it.
    routes: Vec<(&'a Route, Vec<&'a TenantSlug>)>,
    authority: Option<&'a Authority>,
}

impl<'a> Parts<'a> {
    pub(super) fn of(table: &'a RouteTable) -> Self {
        let mut environments: Vec<&Environment> = table.environments().map(Arc::as_ref).collect();
        environments.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let mut clusters: Vec<&Cluster> = table.clusters().map(Arc::as_ref).collect();
        clusters.sort_unstable_by_key(|cluster| cluster.id);
        let mut credentials: Vec<&Credential> = table.credentials().map(Arc::as_ref).collect();
        credentials.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        let named = table.routes().filter(|route| leads_to(table, route));
        let mut routes: Vec<_> = named.map(|route| (route.as_ref(), aliases(table, route))).collect();
        routes.sort_unstable_by_key(|(route, _)| route.tenant);
        Self { version: table.version(), environments, clusters, credentials, routes, authority: table.authority() }
    }

    pub(super) fn write(&self, out: &mut impl Sink) {
        out.put(&MAGIC);
        out.put(&VERSION.to_be_bytes());
        out.put(&self.version.0.to_be_bytes());
        list(out, &self.environments, |out, environment| write_environment(out, environment));
        list(out, &self.clusters, |out, cluster| write_cluster(out, cluster));
        list(out, &self.credentials, |out, credential| write_credential(out, credential));
        list(out, &self.routes, |out, (route, aliases)| write_route(out, route, aliases));
        match self.authority {
            None => out.put(&[0]),
            Some(Authority { key, told_at }) => {
                out.put(&[1]);
                out.put(key);
                out.put(&told_at.as_microsecond().to_be_bytes());
            }
        }
    }
}

/// Another tenant has its name when its own change could not be read.
fn leads_to(table: &RouteTable, route: &Route) -> bool {
    table.route(&route.environment, &route.slug).is_some_and(|found| found.tenant == route.tenant)
}

fn aliases<'a>(table: &RouteTable, route: &'a Route) -> Vec<&'a TenantSlug> {
    let leads = |alias: &TenantSlug| table.renamed(&route.environment, alias).is_some_and(|found| found.tenant == route.tenant);
    let mut own = Vec::new();
    for alias in &route.aliases {
        if leads(alias) && !own.contains(&alias) {
            own.push(alias);
        }
    }
    own
}

fn write_environment(out: &mut impl Sink, environment: &Environment) {
    let Environment { name, kind, domain, header_key } = environment;
    text(out, name.as_str());
    out.put(&[kind_byte(*kind)]);
    text(out, domain.as_str());
    out.put(header_key.expose());
}

fn write_cluster(out: &mut impl Sink, cluster: &Cluster) {
    let Cluster { id, name, environment, address, tls, client_certificate, connections_max } = cluster;
    uuid(out, id.as_uuid());
    text(out, name.as_str());
    text(out, environment.as_str());
    text(out, &address.host);
    out.put(&address.port.to_be_bytes());
    write_tls(out, tls, client_certificate.as_ref());
    out.put(&connections_max.to_be_bytes());
}

/// A cluster in the clear asks for no certificate: there one is left out.
fn write_tls(out: &mut impl Sink, tls: &ServerTls, shown: Option<&ClientCertificate>) {
    let (kind, roots) = match tls {
        ServerTls::Disable => (0, None),
        ServerTls::VerifyCa(roots) => (1, Some(roots)),
        ServerTls::VerifyFull(Roots::System) => (2, None),
        ServerTls::VerifyFull(Roots::Given(roots)) => (3, Some(roots)),
    };
    let shown = shown.filter(|_| tls.is_encrypted());
    out.put(&[if shown.is_some() { kind + SHOWN } else { kind }]);
    if let Some(roots) = roots {
        text(out, roots.as_pem());
    }
    if let Some(shown) = shown {
        text(out, shown.chain().as_pem());
        text(out, shown.key().expose_pem().expose());
    }
}

fn write_credential(out: &mut impl Sink, credential: &Credential) {
    let Credential { id, name, environment, scope, level, verifier, retiring } = credential;
    text(out, name.as_str());
    uuid(out, id.as_uuid());
    text(out, environment.as_str());
    match scope {
        Scope::App => out.put(&[0]),
        Scope::Tenant(tenant) => {
            out.put(&[1]);
            uuid(out, tenant.as_uuid());
        }
    }
    out.put(&[level_byte(*level)]);
    let Verifier { salt, iterations, stored_key, server_key } = verifier;
    bytes(out, salt);
    out.put(&iterations.to_be_bytes());
    keys(out, stored_key, server_key);
    match retiring {
        None => out.put(&[0]),
        Some(SecondKeys { stored_key, server_key }) => {
            out.put(&[1]);
            keys(out, stored_key, server_key);
        }
    }
}

fn write_route(out: &mut impl Sink, route: &Route, leading: &[&TenantSlug]) {
    let Route {
        tenant,
        slug,
        environment,
        state,
        epoch,
        cluster,
        database,
        logins,
        next_logins,
        parameters,
        limits,
        aliases: _,
        placement,
    } = route;
    uuid(out, tenant.as_uuid());
    text(out, slug.as_str());
    text(out, environment.as_str());
    out.put(&[state_byte(*state)]);
    out.put(&epoch.to_be_bytes());
    uuid(out, cluster.as_uuid());
    text(out, database.as_str());
    write_logins(out, logins);
    match next_logins {
        None => out.put(&[0]),
        Some(next) => {
            out.put(&[1]);
            write_logins(out, next);
        }
    }
    list(out, parameters, |out, parameter| {
        text(out, parameter.name());
        text(out, parameter.value());
    });
    write_limits(out, *limits);
    list(out, leading, |out, alias| text(out, alias.as_str()));
    write_placement(out, placement);
}

fn write_placement(out: &mut impl Sink, placement: &Placement) {
    match placement {
        Placement::Withheld(Withheld::Unjudged) => out.put(&[0]),
        Placement::Withheld(Withheld::Blocked) => out.put(&[1]),
        Placement::Certified(certificate) => {
            out.put(&[2]);
            write_certificate(out, certificate);
        }
    }
}

fn write_certificate(out: &mut impl Sink, Certificate { claims, signer, signature }: &Certificate) {
    let Claims { tenant, cluster, server, judged_by, allows, issued_at, expires_at } = claims;
    uuid(out, tenant.as_uuid());
    uuid(out, cluster.as_uuid());
    match server {
        None => out.put(&[0]),
        Some(server) => {
            out.put(&[1]);
            out.put(&server.0.to_be_bytes());
        }
    }
    match judged_by {
        None => out.put(&[0]),
        Some(JudgedBy { profile, registry }) => {
            out.put(&[1]);
            out.put(profile);
            out.put(registry);
        }
    }
    out.put(&[match allows {
        Allows::All => 1,
        Allows::Reading => 2,
        Allows::Finishing => 3,
        Allows::FinishingReading => 4,
    }]);
    out.put(&issued_at.as_second().to_be_bytes());
    out.put(&expires_at.as_second().to_be_bytes());
    out.put(signer);
    out.put(signature);
}

fn write_limits(out: &mut impl Sink, limits: TenantLimits) {
    out.put(&limits.min().to_be_bytes());
    match limits.max() {
        None => out.put(&[0]),
        Some(max) => {
            out.put(&[1]);
            out.put(&max.to_be_bytes());
        }
    }
    out.put(&limits.weight().to_be_bytes());
}

fn write_logins(out: &mut impl Sink, logins: &Logins) {
    match logins {
        Logins::Each(each) => {
            out.put(&[1]);
            each.iter().for_each(|login| write_login(out, login));
        }
        Logins::Owner(login) => {
            out.put(&[2]);
            write_login(out, login);
        }
    }
}

fn write_login(out: &mut impl Sink, login: &ServerLogin) {
    let ServerLogin { role, keys: LoginKeys { client_key, server_key } } = login;
    text(out, role.as_str());
    keys(out, client_key, server_key);
}

const fn kind_byte(kind: EnvironmentKind) -> u8 {
    match kind {
        EnvironmentKind::Production => 1,
        EnvironmentKind::Staging => 2,
        EnvironmentKind::Development => 3,
        EnvironmentKind::Ci => 4,
    }
}

const fn level_byte(level: Level) -> u8 {
    match level {
        Level::Owner => 1,
        Level::Rw => 2,
        Level::Ro => 3,
    }
}

const fn state_byte(state: RouteState) -> u8 {
    match state {
        RouteState::Serving => 1,
        RouteState::Suspended => 2,
        RouteState::Deleted => 3,
        RouteState::Paused => 4,
    }
}

fn uuid(out: &mut impl Sink, uuid: Uuid) {
    out.put(uuid.as_bytes());
}

fn keys(out: &mut impl Sink, one: &Secret<[u8; 32]>, two: &Secret<[u8; 32]>) {
    out.put(one.expose());
    out.put(two.expose());
}

fn text(out: &mut impl Sink, text: &str) {
    bytes(out, text.as_bytes());
}

fn bytes(out: &mut impl Sink, bytes: &[u8]) {
    count(out, bytes.len());
    out.put(bytes);
}

fn list<S: Sink, T>(out: &mut S, items: &[T], mut write: impl FnMut(&mut S, &T)) {
    count(out, items.len());
    items.iter().for_each(|item| write(out, item));
}

fn count(out: &mut impl Sink, count: usize) {
    let count = u32::try_from(count).expect("nothing in a table that fits into memory has 2^32 parts");
    out.put(&count.to_be_bytes());
}
