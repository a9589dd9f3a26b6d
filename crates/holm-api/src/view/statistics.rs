//! Shapes of numbers about many tenants, on the wire.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What numbers are wanted for, and of which groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskStatistics {
    /// What they are wanted for, 1 to 200 characters on one line. The audit log keeps it for ever: no names of customers or of people.
    #[schema(example = "capacity for 2027", min_length = 1, max_length = 200)]
    pub purpose: String,
    /// By what tenants are put together: `cluster`, `region` or `profile`; all as one when absent.
    #[serde(default)]
    #[schema(example = "region")]
    pub by: Option<String>,
    /// How many tenants a group has at the least: 3 to 1000, 5 when absent.
    #[serde(default)]
    #[schema(minimum = 3, maximum = 1000)]
    pub at_least: Option<u32>,
}

/// Numbers about the tenants of an environment that tell of none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StatisticsView {
    /// Of where.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// When the clusters were asked.
    #[schema(value_type = String, format = DateTime)]
    pub asked_at: Timestamp,
    /// What for, as the audit log has it.
    #[schema(example = "capacity for 2027")]
    pub purpose: String,
    /// By what tenants were put together; null for all as one.
    #[schema(example = "region")]
    pub by: Option<String>,
    /// How many tenants a group has at the least.
    pub at_least: u16,
    /// All that were counted.
    pub total: SumsView,
    /// Groups that have enough tenants, by name.
    pub groups: Vec<GroupView>,
    /// The other groups as one; null where there are none, or nothing is told.
    pub others: Option<OthersView>,
    /// Whose tenants were not counted.
    pub not_counted: Vec<NotCountedView>,
}

/// Some tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SumsView {
    /// How many they are.
    pub tenants: u64,
    /// What is told of each measure, and why not.
    pub figures: Vec<FigureView>,
}

/// What is told of one measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FigureView {
    /// `size_bytes`, or, since the database's statistics were last reset: `transactions`, `rows_returned`, `rows_written`, `temp_bytes`.
    #[schema(example = "size_bytes")]
    pub measure: String,
    /// Of all of these tenants; null where it is withheld.
    pub sum: Option<u64>,
    /// That, through their number.
    pub mean: Option<u64>,
    /// Null where it is told; else `too_few`, `dominated` or `would_tell`.
    #[schema(example = "dominated")]
    pub withheld: Option<String>,
    /// Why it is withheld, for people.
    pub because: Option<String>,
}

/// A group with enough tenants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroupView {
    /// The cluster, the place or the profile; null where nobody said which.
    #[schema(example = "scalingo/osc-fr1")]
    pub name: Option<String>,
    /// Its tenants.
    pub counted: SumsView,
}

/// Groups that are not told by themselves. What they are called is not told either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OthersView {
    /// How many groups they are.
    pub groups: u64,
    /// Why they are here, for people.
    pub because: String,
    /// Their tenants.
    pub counted: SumsView,
}

/// Tenants of a cluster that were not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NotCountedView {
    /// Where they are.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// How many.
    pub tenants: u64,
    /// Why not.
    pub because: String,
}
