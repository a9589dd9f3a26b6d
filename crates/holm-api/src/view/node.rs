//! Shapes of nodes on the wire.

use holm_core::environment::EnvironmentName;
use holm_core::id::NodeId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A run of a process on the catalog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeView {
    /// Its identity.
    #[schema(value_type = String, example = "node_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: NodeId,
    /// What people call it.
    #[schema(example = "stockholm-1")]
    pub name: String,
    /// `all`, `control` or `data`.
    #[schema(example = "all")]
    pub role: String,
    /// Which Holm it is.
    #[schema(example = "1.2.0")]
    pub holm_version: String,
    /// Which version of the routes its data plane uses.
    pub route_version: u64,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub started_at: Timestamp,
    /// For how many seconds it was not heard of.
    pub silent_seconds: u64,
    /// Whether it was heard of so lately that changes wait for it.
    pub lives: bool,
    /// The one environment that it is told of; null for all of them.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "production")]
    pub environment: Option<EnvironmentName>,
}

/// A node of the data plane to be let in.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNode {
    /// What to call it.
    #[schema(example = "stockholm-1")]
    pub name: String,
    /// The public half of its key: 32 bytes of X25519, in base64.
    pub public_key: String,
    /// The one environment that it is told of, for good; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "production")]
    pub environment: Option<String>,
}

/// What a node that was let in has to know beside its own key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AddedNodeView {
    /// What people call it.
    #[schema(example = "stockholm-1")]
    pub name: String,
    /// Its identity: 32 hex digits.
    pub node: String,
    /// Whose node it is.
    pub installation: String,
    /// The public half of the key of the control plane, in base64.
    pub control_key: String,
}

/// A node of the data plane that is let in by its key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeKeyView {
    /// What people call it.
    #[schema(example = "stockholm-1")]
    pub name: String,
    /// The public half of its key, in base64.
    pub public_key: String,
    /// The one environment that it is told of; null for all of them.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "production")]
    pub environment: Option<EnvironmentName>,
    /// When it was let in.
    #[schema(value_type = String, format = DateTime)]
    pub added_at: Timestamp,
}
