//! From what the catalog has to what the API shows.

mod access;
mod answers;
mod audit;
mod node;
pub(crate) mod operation;
mod parity;
mod places;
mod reports;
mod residency;
mod statistics;
mod surveys;
mod webhook;

use holm_engine::cluster::client_certificate::{self, Particulars};
use holm_engine::doctor::{self, Finding};
use holm_engine::key::rewrap::Progress;
use holm_engine::key::rotate::Rotated;
use holm_engine::key::{self, MasterKeyUse};
use holm_store::cluster::Cluster;
use holm_store::cluster::life::Resident;
use holm_store::credential::{Credential, NamedScope};
use holm_store::environment::Environment;
use holm_store::tenant::Tenant;

use crate::view::cluster::{ClientCertificateView, ClusterDetailView};
use crate::view::{
    ClusterView, CredentialView, EnvironmentView, FindingView, KeyRotationView, KeyState, KeyView, RewrapView, RoundTripView, TenantView,
    Verdict,
};

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        Self {
            id: environment.id,
            name: environment.name,
            kind: environment.kind,
            domain: environment.domain,
            pool_size: environment.pool_size,
            migrations: environment.migrations.map(|path| path.display().to_string()),
            needs_approval: environment.needs_approval,
            created_at: environment.created_at,
        }
    }
}

impl From<Cluster> for ClusterView {
    fn from(cluster: Cluster) -> Self {
        Self {
            id: cluster.id,
            name: cluster.name,
            environment: cluster.environment,
            address: cluster.access.address.to_string(),
            server_version: version(cluster.access.server_version),
            connections_max: cluster.access.connections_max,
            place: cluster.placed.map(Into::into),
            round_trip: cluster
                .capability
                .and_then(|seen| seen.round_trip_us.map(|fastest_us| RoundTripView { fastest_us, measured_at: seen.observed_at })),
            trouble: cluster.trouble,
            created_at: cluster.created_at,
        }
    }
}

/// More than this many names help nobody.
const NAMES_SHOWN: usize = 10;

impl From<(Cluster, Vec<Resident>)> for ClusterDetailView {
    fn from((cluster, residents): (Cluster, Vec<Resident>)) -> Self {
        let (state, adopted) = (cluster.state, cluster.adopted.as_ref().map(|adopted| adopted.database.to_string()));
        let tls = &cluster.access.tls;
        let (sslmode, ssl_root_cert) = (tls.mode().as_str().to_owned(), tls.given_roots().map(|roots| roots.as_pem().to_owned()));
        // One that cannot be read was never taken.
        let shown = cluster.access.client_certificate.as_ref().and_then(|shown| client_certificate::particulars(&shown.chain).ok());
        let client_certificate = shown.map(|Particulars { subject, issuer, sha256, valid_from, valid_until }| ClientCertificateView {
            subject,
            issuer,
            sha256,
            valid_from,
            valid_until,
        });
        let capability = cluster.capability.clone();
        let copies = cluster.copies.iter().cloned().map(Into::into).collect();
        let before = cluster.changed.as_ref().map(|(before, _)| before);
        let changes = capability.as_ref().zip(before).map(|(now, before)| now.facts.differences(&before.facts)).unwrap_or_default();
        Self {
            cluster: cluster.into(),
            state,
            adopted,
            sslmode,
            ssl_root_cert,
            client_certificate,
            tenants: residents.len() as u64,
            some_tenants: residents.into_iter().take(NAMES_SHOWN).map(|resident| resident.slug).collect(),
            copies,
            capability,
            changes,
        }
    }
}

/// PostgreSQL's `server_version_num` since version 10: 150019 is 15.19.
fn version(number: u32) -> String {
    format!("{}.{}", number / 10_000, number % 10_000)
}

impl From<Tenant> for TenantView {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id,
            environment: tenant.environment,
            slug: tenant.slug,
            state: tenant.state,
            cluster: tenant.cluster,
            database: tenant.database,
            parameters: tenant.parameters.iter().map(|parameter| (parameter.name().to_owned(), parameter.value().to_owned())).collect(),
            profile: tenant.profile,
            near: tenant.near,
            limits: tenant.limits.into(),
            failure: tenant.failure,
            waits_for: None,
            expires_at: tenant.expires_at,
            created_at: tenant.created_at,
            updated_at: tenant.updated_at,
        }
    }
}

impl From<Credential> for CredentialView {
    fn from(credential: Credential) -> Self {
        let tenant = match credential.scope {
            NamedScope::App => None,
            NamedScope::Tenant(_, slug) => Some(slug),
        };
        Self {
            id: credential.id,
            name: credential.name,
            environment: credential.environment,
            tenant,
            level: credential.level,
            created_at: credential.created_at,
        }
    }
}

impl From<MasterKeyUse> for KeyView {
    fn from(key: MasterKeyUse) -> Self {
        let state = match key.state {
            key::KeyState::Current => KeyState::Current,
            key::KeyState::Former => KeyState::Former,
            key::KeyState::Retired => KeyState::Retired,
        };
        Self {
            id: key.id.to_string(),
            state,
            here: key.here,
            data_keys: key.data_keys,
            sealed_directly: key.sealed_directly,
            created_at: key.created_at,
            retired_at: key.retired_at,
        }
    }
}

impl From<Rotated> for KeyRotationView {
    fn from(rotated: Rotated) -> Self {
        Self { current: rotated.current.to_string(), former: rotated.former.to_string() }
    }
}

impl From<Progress> for RewrapView {
    fn from(progress: Progress) -> Self {
        Self { done: progress.done, left: progress.left, retired: progress.retired.iter().map(ToString::to_string).collect() }
    }
}

impl From<Finding> for FindingView {
    fn from(finding: Finding) -> Self {
        let verdict = match finding.verdict {
            doctor::Verdict::Good => Verdict::Good,
            doctor::Verdict::Warning => Verdict::Warning,
            doctor::Verdict::Bad => Verdict::Bad,
        };
        Self { check: finding.check, verdict, text: finding.text, next: finding.next }
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_version_is_shown_as_people_say_it() {
        assert_eq!(super::version(150_019), "15.19");
        assert_eq!(super::version(180_000), "18.0");
    }
}
