//! What the API shows and takes: the shapes of environments, clusters, tenants, credentials and findings on the wire.
//!
//! Promises: the client reads with the same types that the server writes. A view never carries a secret, except
//! [`IssuedCredentialView`], whose purpose it is. Requests refuse fields that do not exist.

pub mod access;
pub mod answers;
pub mod audit;
pub mod certificate;
pub mod cluster;
pub mod node;
pub mod parity;
pub mod places;
pub mod reports;
pub mod residency;
pub mod statistics;
pub mod surveys;
pub mod usage;
pub mod webhook;

use std::collections::BTreeMap;

use holm_core::approval::ApprovalKind;
use holm_core::cluster::ClusterName;
use holm_core::credential::{CredentialName, Level};
use holm_core::environment::{Domain, EnvironmentKind, EnvironmentName};
use holm_core::error::Problem;
use holm_core::id::{ClusterId, CredentialId, EnvironmentId, OperationId, TenantId};
use holm_core::limits::TenantLimits;
use holm_core::role::DatabaseName;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::residency::PlacedView;
use crate::envelope::ProblemView;

pub mod operation;

/// Some of a list, in its order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ListView<T> {
    /// What is in this part.
    pub items: Vec<T>,
    /// What to give as `cursor` for the next part; null when this is the last.
    pub next: Option<String>,
}

/// Production, staging and their kin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentView {
    /// Its identity.
    #[schema(value_type = String, example = "env_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: EnvironmentId,
    /// Its name.
    #[schema(value_type = String, example = "production")]
    pub name: EnvironmentName,
    /// What it is for: `production`, `staging`, `development` or `ci`.
    #[schema(value_type = String, example = "production")]
    pub kind: EnvironmentKind,
    /// Where its tenants have their subdomains.
    #[schema(value_type = String, example = "example.com")]
    pub domain: Domain,
    /// How many databases are kept ready on each of its clusters.
    pub pool_size: u32,
    /// The directory of migrations that a new tenant starts with; null when it starts empty.
    pub migrations: Option<String>,
    /// Operations that are done there only when somebody else has agreed.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["tenant.delete"]))]
    pub needs_approval: Vec<ApprovalKind>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// A PostgreSQL server that tenants are placed on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterView {
    /// Its identity.
    #[schema(value_type = String, example = "clu_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: ClusterId,
    /// Its name.
    #[schema(value_type = String, example = "production-1")]
    pub name: ClusterName,
    /// The one environment that it belongs to.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Where it listens.
    #[schema(example = "10.0.0.4:5432")]
    pub address: String,
    /// Its PostgreSQL version.
    #[schema(example = "15.14")]
    pub server_version: String,
    /// How many connections the data plane may have open to it.
    pub connections_max: u32,
    /// Where it is said to be; null while nobody said so.
    #[serde(default)]
    pub place: Option<PlacedView>,
    /// How far it is from the control plane; null while nobody has measured.
    #[serde(default)]
    pub round_trip: Option<RoundTripView>,
    /// What is wrong with it as seen last; null when nothing is.
    #[schema(value_type = Option<ProblemView>)]
    pub trouble: Option<Problem>,
    /// When it was registered.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// How long a server took to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RoundTripView {
    /// The fastest of a few answers, in microseconds, over the connection of whoever looked.
    #[schema(example = 640)]
    pub fastest_us: u64,
    /// When that was.
    #[schema(value_type = String, format = DateTime)]
    pub measured_at: Timestamp,
}

/// One customer in one environment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TenantView {
    /// Its identity, for ever.
    #[schema(value_type = String, example = "ten_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: TenantId,
    /// Its environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Its name there.
    #[schema(value_type = String, example = "goteborg")]
    pub slug: TenantSlug,
    /// `creating`, `serving`, `paused`, `suspended` or `failed`.
    #[schema(value_type = String, example = "serving")]
    pub state: TenantState,
    /// Where its database is; null until it has one.
    #[schema(value_type = Option<String>, example = "production-1")]
    pub cluster: Option<ClusterName>,
    /// PostgreSQL's name for its database; null until it has one.
    #[schema(value_type = Option<String>)]
    pub database: Option<DatabaseName>,
    /// By which profile its copies are judged; null, and they are not.
    #[serde(default)]
    #[schema(example = "eea-jurisdiction")]
    pub profile: Option<String>,
    /// Near what its database was wished when it was made; null when nothing was.
    #[serde(default)]
    #[schema(example = "NO")]
    pub near: Option<String>,
    /// Its own PostgreSQL parameters.
    pub parameters: BTreeMap<String, String>,
    /// How many of its cluster's connections it may have.
    #[serde(default)]
    pub limits: LimitsView,
    /// Why it could not be created; null otherwise.
    #[schema(value_type = Option<ProblemView>)]
    pub failure: Option<Problem>,
    /// Why no cluster may have its database, by its profile or since none takes tenants, while it waits for one; null otherwise, and in lists.
    #[serde(default)]
    #[schema(value_type = Option<ProblemView>)]
    pub waits_for: Option<Problem>,
    /// When it is deleted by itself, with all that it has; null when it is not.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// How many of its cluster's connections a tenant may have, and its share against others'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LimitsView {
    /// Nobody takes these from it while it uses them, and it goes before all who have theirs.
    #[schema(example = 2)]
    pub min: u32,
    /// It has no more than these; null when it may have all that the cluster has.
    #[schema(example = 20)]
    pub max: Option<u32>,
    /// Its share against other tenants that wait: 1 to 100.
    #[schema(example = 1)]
    pub weight: u32,
}

impl Default for LimitsView {
    fn default() -> Self {
        TenantLimits::default().into()
    }
}

impl From<TenantLimits> for LimitsView {
    fn from(limits: TenantLimits) -> Self {
        Self { min: limits.min(), max: limits.max(), weight: limits.weight() }
    }
}

/// What is to be different about a tenant's limits; what is not named stays.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LimitTenant {
    /// Everything that is not named is as with a new tenant: no minimum, all that the cluster has, weight 1.
    #[serde(default)]
    pub reset: bool,
    /// Its minimum. Those of a cluster's tenants fit together into what these share.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 2)]
    pub min: Option<u32>,
    /// Its maximum; null for all that the cluster has.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "named")]
    #[schema(value_type = Option<u32>, example = 20)]
    pub max: Option<Option<u32>>,
    /// Its weight: 1 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub weight: Option<u32>,
}

/// Tells null from absent.
fn named<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// What a new tenant is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateTenant {
    /// Its name: one DNS label in lower-case ASCII.
    #[schema(example = "goteborg")]
    pub slug: String,
    /// The cluster to place it on; any of the environment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// PostgreSQL parameters of its own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, String>,
    /// Have it deleted by itself after this time, seven days at the most; not in production. Where pipelines run, an hour
    /// when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "1h")]
    pub ttl: Option<String>,
    /// By which profile its copies are judged; by its environment's when absent, if that has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "eea-jurisdiction")]
    pub profile: Option<String>,
    /// Near what its database is wished: a country by its code, or a region of a provider. It chooses among the clusters that the profile
    /// allows, and allows none; with `cluster` there is nothing to choose, and both are refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "NO")]
    pub near: Option<String>,
}

/// How a tenant is to be called.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameTenant {
    /// Its new name: one DNS label in lower-case ASCII.
    #[schema(example = "vast")]
    pub to: String,
    /// How long the old name is kept for it: `30d` when absent, `0` for not at all, a year at the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "30d")]
    pub grace: Option<String>,
    /// Why; kept with the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a copy is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CopyTenant {
    /// Its name: one DNS label in lower-case ASCII.
    #[schema(example = "goteborg-test")]
    pub slug: String,
    /// The cluster to place it on, of the same environment; that of the tenant that is copied when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// Have it deleted by itself after this time, as with a new tenant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "2d")]
    pub ttl: Option<String>,
    /// Why; kept with the operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// How long a tenant is to live.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ExtendTenant {
    /// From now on, seven days at the most.
    #[schema(example = "2h")]
    pub ttl: String,
}

/// What an app presents to the proxy, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CredentialView {
    /// Its identity.
    #[schema(value_type = String, example = "cred_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: CredentialId,
    /// The user name.
    #[schema(value_type = String, example = "booking-rw")]
    pub name: CredentialName,
    /// The only environment it is good for.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// The only tenant it is good for; null when it is good for any tenant of its environment.
    #[schema(value_type = Option<String>, example = "goteborg")]
    pub tenant: Option<TenantSlug>,
    /// `owner`, `rw` or `ro`.
    #[schema(value_type = String, example = "rw")]
    pub level: Level,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}

/// What a new credential is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateCredential {
    /// The user name, unique over all environments.
    #[schema(example = "booking-rw")]
    pub name: String,
    /// `owner`, `rw` or `ro`.
    #[schema(example = "rw")]
    pub level: String,
    /// The only tenant that it may use; any of the environment when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
}

/// A credential at the only moment at which its secret is known.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedCredentialView {
    /// The credential.
    pub credential: CredentialView,
    /// Its password. It is not stored and cannot be shown again.
    pub secret: String,
}

impl std::fmt::Debug for IssuedCredentialView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedCredentialView").field("credential", &self.credential).field("secret", &"[redacted]").finish()
    }
}

/// A new secret for a credential.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RotateCredential {
    /// How long the old secret stays good: `24h` when absent, `31d` at the most.
    #[serde(default)]
    #[schema(example = "24h")]
    pub overlap: Option<String>,
}

/// A credential with two secrets, at the only moment at which the new one is known.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RotatedCredentialView {
    /// The user name.
    #[schema(value_type = String, example = "booking-rw")]
    pub name: CredentialName,
    /// Its environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Its new password. It is not stored and cannot be shown again.
    pub secret: String,
    /// What ends the old one.
    #[schema(value_type = String, example = "op_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub operation: OperationId,
}

impl std::fmt::Debug for RotatedCredentialView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RotatedCredentialView").field("name", &self.name).field("secret", &"[redacted]").finish_non_exhaustive()
    }
}

/// A credential that is good for nothing any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevokedCredentialView {
    /// The user name.
    #[schema(value_type = String, example = "booking-rw")]
    pub name: CredentialName,
    /// The environment that it was good for.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
}

/// Where a master key is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyState {
    /// New data keys are wrapped with it.
    Current,
    /// It is still named: keep it.
    Former,
    /// Nothing in the catalog names it.
    Retired,
}

impl KeyState {
    /// The word that people read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Current => "current",
            Self::Former => "former",
            Self::Retired => "retired",
        }
    }
}

/// A master key, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyView {
    /// Its name, which tells nothing of the key.
    #[schema(example = "4f1d22c09b7e3a55")]
    pub id: String,
    /// Where it is in its life.
    pub state: KeyState,
    /// Whether the process that answers has it.
    pub here: bool,
    /// Data keys that are wrapped with it.
    pub data_keys: u64,
    /// Secrets that an older Holm sealed with it directly.
    pub sealed_directly: u64,
    /// When it became current.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When nothing named it any more; null until then.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub retired_at: Option<Timestamp>,
}

/// What a rotation did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct KeyRotationView {
    /// What new data keys are wrapped with from now on.
    #[schema(example = "b03e5d18c2f6aa91")]
    pub current: String,
    /// What they were wrapped with before; it is still needed.
    #[schema(example = "4f1d22c09b7e3a55")]
    pub former: String,
}

/// What one step of wrapping anew did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RewrapView {
    /// How many were wrapped anew.
    pub done: u64,
    /// How many are left.
    pub left: u64,
    /// Master keys that nothing names any more since this step.
    pub retired: Vec<String>,
}

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As it should be.
    Good,
    /// Works, but somebody should look.
    Warning,
    /// Does not work.
    Bad,
}

impl Verdict {
    /// The word that people read.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Bad => "bad",
        }
    }
}

/// One thing that the doctor looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// What was looked at.
    #[schema(example = "cluster production-1")]
    pub check: String,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub text: String,
    /// What to do; null when nothing.
    pub next: Option<String>,
}

/// Whether the server is alive or ready.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ProbeView {
    /// `alive` or `ready`.
    #[schema(example = "ready")]
    pub status: String,
    /// The server's version.
    pub version: String,
}
