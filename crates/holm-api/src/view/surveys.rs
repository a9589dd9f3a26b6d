//! Shapes of answers about many tenants or many places, on the wire.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::envelope::ProblemView;
use crate::view::answers::ObjectionView;
use crate::view::residency::PlacedView;

/// Every profile in force at every place that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixView {
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    pub judged_at: Timestamp,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// Whose papers count; null, and those count that are for every environment.
    #[schema(value_type = Option<String>)]
    pub environment: Option<EnvironmentName>,
    /// By profile, then by place.
    pub rows: Vec<MatrixRowView>,
    /// What is not known of the day that was asked about.
    pub notes: Vec<String>,
}

/// A profile at a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MatrixRowView {
    /// The profile.
    #[schema(example = "eea-jurisdiction")]
    pub profile: String,
    /// Which version.
    pub profile_version: u32,
    /// The place.
    #[schema(example = "scalingo/osc-fr1")]
    pub place: String,
    /// Its countries; null where they are not known.
    pub countries: Option<Vec<String>>,
    /// What the worst copy of a tenant comes to there: `allow`, `unknown` or `deny`.
    pub outcome: String,
    /// The first objection that is as bad as that.
    pub objection: Option<ObjectionView>,
    /// Clusters of the environment there that come to something else, by what was seen on them.
    pub otherwise: Vec<OtherwiseView>,
}

/// A cluster that comes to something else than its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OtherwiseView {
    /// Which.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// What the worst copy of a tenant comes to there: `allow`, `unknown` or `deny`.
    pub outcome: String,
    /// The first objection that is as bad as that.
    pub objection: Option<ObjectionView>,
}

/// What would come of it if facts were otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhatIfView {
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    pub judged_at: Timestamp,
    /// What is known, as a hash.
    pub registry_hash: String,
    /// The same as it is supposed to be.
    pub supposed_hash: String,
    /// Each fact that is supposed.
    pub supposed: Vec<SupposedView>,
    /// How many copies would come to something else.
    pub changes_count: u64,
    /// Copies that would come to something else, production first: a part of them.
    pub changes: Vec<ChangeView>,
    /// How many copies would come to the same.
    pub unchanged: u64,
    /// How many steps the plan has.
    pub plan_count: u64,
    /// What to do, in this order: a part of it.
    pub plan: Vec<PlanStepView>,
    /// Tenants that nobody judges, since they have no profile.
    pub without_profile: u64,
    /// Tenants that cannot be judged, since nobody said where their cluster is.
    pub without_place: u64,
    /// Copies that were seen on clusters and cannot be judged, since nobody said where they are.
    pub unplaced: Vec<UnplacedView>,
    /// For the part after this one; null in the last. When the answer is another by then, the cursor is refused.
    pub next: Option<String>,
}

/// A copy of everything on a cluster that cannot be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnplacedView {
    /// Where.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Of what.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// What it is called; `not-looked` where nobody has looked yet whether there are any.
    #[schema(example = "slot-reporting")]
    pub copy: String,
}

/// A fact that is supposed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SupposedView {
    /// Which.
    #[schema(example = "mechanism:dpf.status")]
    pub fact: String,
    /// What it would be.
    #[schema(example = "annulled")]
    pub is: String,
}

/// A copy that would come to something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// Where.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Whose.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// Which copy.
    pub copy: String,
    /// The cluster that it is on, or is made from.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// Where that is.
    pub place: String,
    /// The profile that says so.
    pub profile: String,
    /// What it comes to now.
    pub before: String,
    /// What it would come to.
    pub after: String,
    /// The rules that make the difference.
    pub differences: Vec<RuleDifferenceView>,
}

/// A rule that would come to something else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RuleDifferenceView {
    /// Which.
    pub rule: String,
    /// What it comes to now.
    pub before: String,
    /// What it would come to.
    pub after: String,
    /// Why it would.
    pub because: String,
    /// The supposed facts that it used.
    pub facts: Vec<String>,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlanStepView {
    /// Where.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// For whom.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// Every copy that moves in this step.
    pub copies: Vec<String>,
    /// Copies of everything on that cluster that could not stay: the tenant leaves them behind.
    pub left: Vec<String>,
    /// From which cluster.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// Where that is.
    pub from: String,
    /// The cluster to move to; null where none of the environment is allowed.
    pub to: Option<String>,
    /// Others that would do.
    pub or: Vec<String>,
    /// Clusters that would not, and why; only where none would.
    pub refused: Vec<RefusedView>,
}

/// A cluster that a copy cannot move to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedView {
    /// Which.
    pub cluster: String,
    /// Why.
    pub because: Vec<String>,
}

/// What is on a server to which something happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct BreachScopeView {
    /// The server.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// Of which environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// Where it is said to be; null where nobody said.
    pub placed: Option<PlacedView>,
    /// In which countries that is; null where it is not known.
    pub countries: Option<Vec<String>>,
    /// How many tenants have a database there.
    pub tenants_count: u64,
    /// How many copies of their data are on the server itself.
    pub copies_on_server: u64,
    /// How many copies were made from what is there, and lie elsewhere or with the provider; null where that is not known.
    pub copies_made_from_it: Option<u64>,
    /// Why countries, and copies that were made from what is there, are not known: what is in force cannot be read; null when it can.
    #[serde(default)]
    #[schema(value_type = Option<ProblemView>)]
    pub not_known: Option<Problem>,
    /// Databases there that nobody has any more, and that are not dropped yet: they may hold data of tenants that are gone.
    pub databases_to_be_dropped: u64,
    /// Since when somebody knows of it, as the request says.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub known_since: Option<Timestamp>,
    /// 72 hours later (GDPR Art. 33(1)).
    #[schema(value_type = Option<String>, format = DateTime)]
    pub notify_by: Option<Timestamp>,
    /// Whether that is over.
    pub is_over: Option<bool>,
    /// Whose data is there, by name: a part of them.
    pub tenants: Vec<AffectedView>,
    /// For the part after this one; null in the last.
    #[serde(default)]
    pub next: Option<String>,
    /// What was seen to copy the whole server; what is gone comes last.
    pub elsewhere: Vec<ElsewhereView>,
}

/// A tenant with a database on the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AffectedView {
    /// Whose.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// Where it is in its life; also one that is deleted with grace has its data there.
    pub state: String,
    /// By which profile it is judged, if any.
    pub profile: Option<String>,
    /// Its database there.
    pub database: String,
    /// Since when it is there.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Its copies.
    pub copies: Vec<AffectedCopyView>,
}

/// A copy of its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AffectedCopyView {
    /// What it is.
    pub role: String,
    /// Whether it is on the server itself; one that is not was made from what is.
    pub on_server: bool,
    /// In which regions it lies; empty where nobody knows.
    pub places: Vec<String>,
    /// In which countries; null where that is not known whole.
    pub countries: Option<Vec<String>>,
}

/// Something that was seen to copy the whole server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ElsewhereView {
    /// `standby`, `slot` or `archive`.
    pub kind: String,
    /// What it is called there.
    pub name: String,
    /// Where somebody said that it is.
    pub place: Option<String>,
    /// When it was first seen.
    #[schema(value_type = String, format = DateTime)]
    pub first_seen_at: Timestamp,
    /// When it was last seen to look otherwise than before, or to be back.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// When it was found to be there no more; null while it is there.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub gone_at: Option<Timestamp>,
}
