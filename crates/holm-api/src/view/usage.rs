//! Shapes of who uses a process, on the wire.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who uses the nodes: what the process that answers carries, and what each other one that lives says that it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct UsageView {
    /// Whose tenants.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// When the process that answers was looked at.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What that process is called; null when it is known to no other.
    #[serde(default)]
    #[schema(example = "stockholm-1")]
    pub node: Option<String>,
    /// What it carries; null when it carries no sessions.
    pub carried: Option<CarriedView>,
    /// The other nodes that live and carry sessions, by name.
    #[serde(default)]
    pub others: Vec<NodeUseView>,
}

/// Who uses another node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct NodeUseView {
    /// What it is called.
    #[schema(example = "oslo-1")]
    pub node: String,
    /// What it says; null when it did not answer in time.
    pub said: Option<SaidView>,
}

/// What a node says of itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SaidView {
    /// When it looked, by its own clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What it carries.
    pub carried: CarriedView,
}

/// What a process carries.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CarriedView {
    /// Open sessions of the environment's tenants.
    pub sessions: u64,
    /// Transactions in transaction pooling since the process started, of all environments.
    pub transactions: u64,
    /// Clients in transaction pooling that keep their server connection now, of all environments.
    pub pinned: u64,
    /// The clusters that a session has asked for, by name.
    pub clusters: Vec<ClusterUseView>,
    /// The busiest tenants: those whose clients wait first, then those with most connections, then with most sessions.
    pub tenants: Vec<TenantUseView>,
    /// How many other tenants have a session, a connection or a client that waits.
    pub others: u64,
}

/// What a cluster's connections are used for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ClusterUseView {
    /// Which.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// Connections that its tenants may have together.
    #[schema(example = 95)]
    pub max: u32,
    /// Those that there are, opening and closing ones included.
    #[schema(example = 40)]
    pub used: u32,
    /// Those that are being opened.
    pub opening: u32,
    /// Those that are being closed.
    pub closing: u32,
    /// Clients that wait for one.
    pub waiting: u64,
}

/// What one tenant has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TenantUseView {
    /// Its name.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// Its cluster.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// Clients that are logged in, idle ones included.
    pub sessions: u32,
    /// Those of them in transaction pooling that keep their server connection now.
    pub pinned: u32,
    /// Clients that wait for a server connection.
    pub waiting: u32,
    /// Open server connections, those that nobody uses at the moment included.
    pub connections: u32,
    /// Those that are being opened.
    pub opening: u32,
    /// Those that are being closed.
    pub closing: u32,
    /// As many as it may have; 0 while it is paused and in use.
    #[schema(example = 20)]
    pub max: u32,
    /// What its clients in transaction pooling have done; null when it has none, and had none of late.
    pub counted: Option<CountedView>,
}

/// What a tenant's clients in transaction pooling have done since counting began, which is anew when nobody has used it for some
/// minutes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CountedView {
    /// Of which series the numbers are. Two looks may be subtracted where this is the same, and never otherwise: some of what was
    /// counted has begun anew in between.
    #[schema(example = "5be0cd19137e2179")]
    pub series: String,
    /// Transactions, from beginning to end.
    pub transactions: u64,
    /// How long these took, waits included, in microseconds.
    pub transactions_us: u64,
    /// How often a client was given a server connection.
    pub lendings: u64,
    /// How long clients waited for one, at their login and in vain too, in microseconds; most find one at once.
    pub waits_us: u64,
}
