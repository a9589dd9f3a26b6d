//! What the API shows and takes of where data may lie.

pub mod record;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where something is said to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PlaceClaim {
    /// A provider of the registry.
    #[schema(example = "scalingo")]
    pub provider: String,
    /// A region of it.
    #[schema(example = "osc-fr1")]
    pub region: String,
    /// On which plan of the provider's, which a region may need; not known when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "business")]
    pub plan: Option<String>,
    /// What that rests on: the address of a document, or somebody's word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "order confirmation of 12 March")]
    pub evidence: Option<String>,
}

/// Where a cluster is said to be, or a copy that was seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPlace {
    /// Of a copy that was seen: `standby/walreceiver@10.0.0.9`, as `copies` of the cluster names it; the cluster itself when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "slot/reporting")]
    pub copy: Option<String>,
    /// Where.
    pub place: PlaceClaim,
}

/// A copy of everything on a cluster that was seen there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeenCopyView {
    /// What it is, and by what it is known again.
    #[schema(example = "standby/walreceiver@10.0.0.9")]
    pub copy: String,
    /// How it looked.
    #[schema(example = "receives the log at 10.0.0.9")]
    pub seen: String,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// Where it is said to be; null while nobody said so, and then it cannot be said whether it satisfies a profile.
    pub place: Option<PlacedView>,
}

/// Where something is said to be, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacedView {
    /// Provider and region.
    #[schema(example = "scalingo/osc-fr1")]
    pub place: String,
    /// On which plan of the provider's; null where nobody said.
    #[serde(default)]
    pub plan: Option<String>,
    /// What that rests on; null where nobody said.
    pub evidence: Option<String>,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
}

/// By which profile copies are to be judged.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetProfile {
    /// A profile that is in force.
    #[schema(example = "eea-jurisdiction")]
    pub profile: String,
    /// Of a tenant: also if its copies do not satisfy it, which is then told as a breach.
    #[serde(default)]
    pub in_breach: bool,
}

/// A profile to be put in force: one of these.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddProfile {
    /// The name of one that comes with Holm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "eea-jurisdiction")]
    pub shipped: Option<String>,
    /// The text of one, in TOML.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// A version of a profile that is, or was, in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProfileView {
    /// Its name.
    #[schema(example = "eea-jurisdiction")]
    pub name: String,
    /// Which version.
    pub version: u32,
    /// Whether it is the one that counts.
    pub in_force: bool,
    /// Of what it means, whatever the order in which it is written.
    pub hash: String,
    /// Since when it was in force.
    #[schema(value_type = String, format = DateTime)]
    pub kept_at: Timestamp,
    /// What it says, in TOML.
    pub text: String,
}

/// What new tenants of an environment are given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentProfileView {
    /// The environment.
    #[schema(example = "production")]
    pub environment: String,
    /// The profile; null, and tenants that ask for none have none.
    pub profile: Option<String>,
}
