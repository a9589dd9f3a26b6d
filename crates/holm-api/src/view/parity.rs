//! Shapes of how two environments differ, and of what is accepted of it, on the wire.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::view::residency::PlacedView;

/// What two environments have that could make something work in one and fail in the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ParityView {
    /// The first.
    #[schema(value_type = String, example = "staging")]
    pub environment: EnvironmentName,
    /// The second.
    #[schema(value_type = String, example = "production")]
    pub with: EnvironmentName,
    /// When their servers were asked.
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    /// What it comes to without what is waived: `may_break`, `unknown` or `clear`.
    #[schema(example = "may_break")]
    pub verdict: String,
    /// Their servers.
    pub servers: Vec<ComparedView>,
    /// What differs, and what nobody can say; what may break first.
    pub differences: Vec<DifferenceView>,
    /// What was not compared.
    pub not_compared: Vec<NotComparedView>,
}

/// A server that was compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ComparedView {
    /// Its environment.
    #[schema(value_type = String)]
    pub environment: EnvironmentName,
    /// Its cluster.
    #[schema(value_type = String, example = "staging-1")]
    pub cluster: ClusterName,
    /// Whether it is one database that somebody brought.
    pub adopted: bool,
    /// Where it is said to be; null where nobody said.
    pub placed: Option<PlacedView>,
    /// PostgreSQL's version, as it was seen just now; null where nobody could look.
    #[schema(example = "15.14")]
    pub server_version: Option<String>,
    /// Why nobody could look.
    pub trouble: Option<String>,
}

/// A difference, or something of which nobody can say whether it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DifferenceView {
    /// In what.
    #[schema(example = "parameter/TimeZone")]
    pub id: String,
    /// `differs` or `unknown`.
    #[schema(example = "differs")]
    pub outcome: String,
    /// `may_break` or `may_differ`.
    #[schema(example = "may_break")]
    pub severity: String,
    /// Why it matters.
    pub why: String,
    /// What the servers of the first environment have.
    pub here: Vec<ServerValueView>,
    /// And those of the second.
    pub there: Vec<ServerValueView>,
    /// Who accepts it, and until when; null where nobody does.
    pub waiver: Option<WaiverView>,
}

/// What a server has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ServerValueView {
    /// Which.
    #[schema(value_type = String, example = "staging-1")]
    pub cluster: ClusterName,
    /// What it has; null where nobody knows, and where there is nothing to compare.
    #[schema(example = "UTC")]
    pub value: Option<String>,
    /// Why nobody knows.
    pub unknown: Option<String>,
}

/// Something that was not compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotComparedView {
    /// What.
    #[schema(example = "object storage")]
    pub what: String,
    /// Why not.
    pub because: String,
}

/// A waiver to be granted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantWaiver {
    /// With which environment.
    #[schema(example = "production")]
    pub with: String,
    /// Which difference, as the report calls it.
    #[schema(example = "parameter/TimeZone")]
    pub difference: String,
    /// Who answers for it: a name or an office.
    #[schema(example = "platform")]
    pub owner: String,
    /// Why it may be so.
    pub reason: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime, example = "2027-03-01T00:00:00Z")]
    pub until: Timestamp,
}

/// A waiver that was granted, and that nobody revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WaiverView {
    /// Its identity.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// Between this environment.
    #[schema(value_type = String, example = "staging")]
    pub environment: EnvironmentName,
    /// And that one.
    #[schema(value_type = String, example = "production")]
    pub with: EnvironmentName,
    /// Which difference.
    #[schema(example = "parameter/TimeZone")]
    pub difference: String,
    /// What the servers of the first had: it is for that and for nothing else. Null is what nobody knew.
    pub here: Vec<Option<String>>,
    /// And those of the second.
    pub there: Vec<Option<String>>,
    /// Who answers for it.
    pub owner: String,
    /// Why it may be so.
    pub reason: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Whether that was already.
    pub ended: bool,
    /// When it was granted.
    #[schema(value_type = String, format = DateTime)]
    pub granted_at: Timestamp,
}
