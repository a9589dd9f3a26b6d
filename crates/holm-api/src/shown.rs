//! From what the catalog has to what the API shows.

use holm_engine::doctor::{self, Finding};
use holm_store::cluster::Cluster;
use holm_store::credential::{Credential, NamedScope};
use holm_store::environment::Environment;
use holm_store::tenant::Tenant;

use crate::view::{ClusterView, CredentialView, EnvironmentView, FindingView, TenantView, Verdict};

impl From<Environment> for EnvironmentView {
    fn from(environment: Environment) -> Self {
        Self {
            id: environment.id,
            name: environment.name,
            kind: environment.kind,
            domain: environment.domain,
            pool_size: environment.pool_size,
            migrations: environment.migrations.map(|path| path.display().to_string()),
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
            trouble: cluster.trouble,
            created_at: cluster.created_at,
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
            failure: tenant.failure,
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
