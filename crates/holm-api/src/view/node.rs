//! Shapes of nodes on the wire.

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
}
