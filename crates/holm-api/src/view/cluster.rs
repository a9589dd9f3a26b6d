//! What the API shows and takes of clusters: what each can be used for, and what is asked for with a URL.

use holm_core::capability::Capability;
use holm_core::cluster::state::ClusterState;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ClusterView;
use super::residency::{PlaceClaim, SeenCopyView};

/// All that is known of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterDetailView {
    /// As in lists.
    #[serde(flatten)]
    pub cluster: ClusterView,
    /// `joining`, `filling`, `open`, `draining` or `drained`.
    #[schema(value_type = String, example = "open")]
    pub state: ClusterState,
    /// The database that it has room for, if somebody brought one; null otherwise.
    #[schema(example = "app")]
    pub adopted: Option<String>,
    /// How it is spoken to, as in PostgreSQL: `disable`, `verify-ca` or `verify-full`.
    #[schema(example = "verify-full")]
    pub sslmode: String,
    /// The certificates, in PEM, that its own must lead to; null where those of the operating system count, or none.
    pub ssl_root_cert: Option<String>,
    /// What its server is shown if it asks who speaks; null for nothing.
    #[serde(default)]
    pub client_certificate: Option<ClientCertificateView>,
    /// How many tenants are on it.
    pub tenants: u64,
    /// Some of them, by name.
    #[schema(value_type = Vec<String>)]
    pub some_tenants: Vec<TenantSlug>,
    /// Copies of everything there that were seen: standbys, slots, an archive.
    #[serde(default)]
    pub copies: Vec<SeenCopyView>,
    /// What was seen of it last, and what follows; null when it was never seen.
    #[schema(value_type = Option<Object>)]
    pub capability: Option<Capability>,
    /// What was different the last time that something changed.
    pub changes: Vec<String>,
}

/// A certificate that a server is shown, without its key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClientCertificateView {
    /// Whom it names.
    #[schema(example = "O=an orchestra, CN=holm")]
    pub subject: String,
    /// Who issued it.
    #[schema(example = "CN=the servers' authority")]
    pub issuer: String,
    /// The SHA-256 of the certificate, in hexadecimal.
    pub sha256: String,
    /// From when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub valid_from: Timestamp,
    /// Until when.
    #[schema(value_type = String, format = DateTime)]
    pub valid_until: Timestamp,
}

/// What a cluster's server is to be shown from now on.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetClientCertificate {
    /// A certificate in PEM, and those that lead to its authority.
    pub client_cert: String,
    /// Its private key in PEM, without a passphrase. It is sealed, and shown to nobody.
    pub client_key: String,
}

/// A server to be added.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddCluster {
    /// Its name, unique over all environments.
    #[schema(example = "production-2")]
    pub name: String,
    /// Where it is, and who Holm is there.
    #[schema(example = "postgresql://holm@10.0.0.5:5432")]
    pub url: String,
    /// The password, if it is not in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// How many connections the data plane may have open to it; all but a few when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_max: Option<u32>,
    /// How it is spoken to, as in PostgreSQL and instead of the URL's: `disable`, `verify-ca` or `verify-full`. When absent,
    /// `verify-full` if there are root certificates, `disable` otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "verify-full")]
    pub sslmode: Option<String>,
    /// The certificates, in PEM, that the server's must lead to; those of the operating system when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_root_cert: Option<String>,
    /// What the server is shown if it asks who speaks, in PEM: a certificate, and those that lead to its authority. With `sslmode` that
    /// verifies alone, and with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// The certificate's private key in PEM, without a passphrase. It is sealed, and shown to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// Where it is. Without that, no tenant that has a profile is placed there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceClaim>,
}

/// How a cluster is to be reached from now on.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetClusterServer {
    /// Where it is, and who Holm is there.
    #[schema(example = "postgresql://holm@10.0.0.6:5432")]
    pub url: String,
    /// The password, if it is not in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// How it is spoken to, as when a cluster is added. When neither this nor the certificates nor the URL says anything of TLS, as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "verify-full")]
    pub sslmode: Option<String>,
    /// The certificates, in PEM, that the server's must lead to; those of the operating system when absent and `sslmode` is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_root_cert: Option<String>,
    /// What the server is shown if it asks who speaks, in PEM: a certificate, and those that lead to its authority. With `sslmode` that
    /// verifies alone, and with its key. As before when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// The certificate's private key in PEM, without a passphrase. It is sealed, and shown to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// It is another server that takes the cluster's place, with everything that was on it: one that was made anew by `pg_upgrade` or from
    /// a dump.
    #[serde(default)]
    pub replaced: bool,
    /// Why it was replaced, on one line, for the audit log; needed with `replaced`, and refused without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "upgraded to PostgreSQL 18, change 4711")]
    pub reason: Option<String>,
}

/// A cluster to be removed.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RemoveCluster {
    /// Forgets it without a look at it, and gives up the tenants that are on it.
    #[serde(default)]
    pub abandon: bool,
    /// Its name once more, if it is abandoned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<String>,
}

/// A database to be adopted.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AdoptTenant {
    /// Where the database is, and who owns it.
    #[schema(example = "postgresql://app@db.example.com:5432/app")]
    pub url: String,
    /// The password, if it is not in the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<String>,
    /// The name of the cluster that it becomes; `<environment>-<slug>` when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// How its server is spoken to, as when a cluster is added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "verify-full")]
    pub sslmode: Option<String>,
    /// The certificates, in PEM, that the server's must lead to; those of the operating system when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssl_root_cert: Option<String>,
    /// What the server is shown if it asks who speaks, in PEM: a certificate, and those that lead to its authority. With `sslmode` that
    /// verifies alone, and with its key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_cert: Option<String>,
    /// The certificate's private key in PEM, without a passphrase. It is sealed, and shown to nobody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_key: Option<String>,
    /// Where the database is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<PlaceClaim>,
    /// By which profile the tenant's copies are judged; by its environment's when absent, if that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "eea-jurisdiction")]
    pub profile: Option<String>,
}

impl std::fmt::Debug for AddCluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddCluster").field("name", &self.name).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SetClusterServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetClusterServer").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for SetClientCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetClientCertificate").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for AdoptTenant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AdoptTenant").finish_non_exhaustive()
    }
}
