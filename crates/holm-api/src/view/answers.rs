//! Shapes of where a tenant's data is, why, and how that was decided, on the wire.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::view::residency::PlacedView;

/// A copy of a tenant's data, where it is, and what it comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhereView {
    /// What it is called among the copies of its tenant.
    #[schema(example = "primary")]
    pub copy: String,
    /// What it is.
    #[schema(example = "primary")]
    pub role: String,
    /// The cluster that it is on, or is made from.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// Where that cluster is said to be; null where nobody said.
    pub placed: Option<PlacedView>,
    /// In which regions the copy lies; empty where nobody knows.
    pub places: Vec<String>,
    /// In which countries; null where that is not known whole.
    pub countries: Option<Vec<String>>,
    /// Who signs there, as the registry calls them.
    pub contracting: Option<String>,
    /// When the server was last seen to be the one that was registered; where it is, nobody can see.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub observed_at: Option<Timestamp>,
    /// `allow`, `unknown` or `deny`; null where the tenant has no profile.
    pub outcome: Option<String>,
    /// Since when it comes to that, as far as it was noted.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub since: Option<Timestamp>,
    /// Until when that holds, if nothing changes before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
    /// What speaks against it.
    pub objections: Vec<ObjectionView>,
}

/// Where every copy of a tenant's data is, or was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WhereaboutsView {
    /// Every copy.
    pub items: Vec<WhereView>,
    /// Always null: a tenant has few copies.
    pub next: Option<String>,
    /// What is not known of the day that was asked about.
    pub notes: Vec<String>,
}

/// A rule that speaks against a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ObjectionView {
    /// Which copy.
    pub copy: String,
    /// Which rule.
    #[schema(example = "control.owners")]
    pub rule: String,
    /// Why.
    pub because: String,
}

/// Why a tenant's data is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExplanationView {
    /// Where.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Whose.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// By which profile; null, and nothing else is said.
    pub profile: Option<String>,
    /// Which version of it.
    pub profile_version: Option<u32>,
    /// Why here: each copy, with every rule.
    pub here: Vec<JudgedView>,
    /// Why not there: the other clusters of the environment.
    pub elsewhere: Vec<CandidateView>,
    /// What it rests on that it may be here; the first to end is first.
    pub rests_on: Vec<GroundView>,
    /// What would come of the fall of a mechanism, a decision or a law among these.
    pub falls: Vec<FallView>,
    /// When it was decided; null where nobody did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// What was decided then.
    pub decision: Option<DecidedView>,
    /// What is not known of the day that was asked about.
    pub notes: Vec<String>,
}

/// A copy, and what every rule came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JudgedView {
    /// Which copy.
    pub copy: String,
    /// Where its cluster is said to be.
    pub place: Option<String>,
    /// On which plan of the provider's; null where nobody said.
    #[serde(default)]
    pub plan: Option<String>,
    /// `allow`, `unknown` or `deny`.
    pub outcome: String,
    /// Each rule.
    pub findings: Vec<FindingOfRuleView>,
}

/// What a rule came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FindingOfRuleView {
    /// Which rule.
    #[schema(example = "location.countries")]
    pub rule: String,
    /// What it came to, before exceptions.
    pub outcome: String,
    /// Why.
    pub because: String,
    /// The facts that it used, and those that it missed.
    pub facts: Vec<String>,
    /// The earliest end of what it rests on.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
    /// Who answers for the exception under which it does not count.
    pub excepted_by: Option<String>,
    /// Until when.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub excepted_until: Option<Timestamp>,
}

/// A cluster that could be, or could have been, chosen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CandidateView {
    /// Its name.
    pub cluster: String,
    /// Where it is said to be.
    pub place: Option<String>,
    /// What the worst of the copies there comes to.
    pub outcome: String,
    /// How long an answer of it took at the least, in microseconds; null where nobody had measured.
    #[serde(default)]
    pub round_trip_us: Option<u64>,
    /// Why it was chosen, or was not.
    pub because: String,
    /// What speaks against it.
    pub objections: Vec<ObjectionView>,
}

/// A fact that a verdict rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct GroundView {
    /// Which.
    #[schema(example = "region:scalingo/osc-fr1.countries")]
    pub fact: String,
    /// What it says.
    pub value: Option<String>,
    /// Until when it counts, if nobody looks it up again.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// When it was looked up.
    #[schema(value_type = Option<String>, format = Date)]
    pub checked_on: Option<Date>,
    /// How sure it is.
    pub certainty: Option<String>,
    /// Where it was read, in words.
    pub source: Option<String>,
    /// Where it can be read again.
    pub url: Option<String>,
}

/// What would come of a fall.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FallView {
    /// What would be otherwise, as `what-if` takes it.
    #[schema(example = "dpf=annulled")]
    pub supposed: String,
    /// What the worst of the copies would come to.
    pub outcome: String,
    /// What would speak against them.
    pub objections: Vec<ObjectionView>,
}

/// What was decided when a tenant was placed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecidedView {
    /// The profile.
    pub profile: String,
    /// Which version.
    pub profile_version: u32,
    /// What it means, as a hash.
    pub profile_hash: String,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// Whether somebody named the cluster.
    pub asked_for: bool,
    /// Near what it was wished; null when nothing was.
    #[serde(default)]
    #[schema(example = "NO")]
    pub near: Option<String>,
    /// What was chosen.
    pub chosen: CandidateView,
    /// What was not, and why.
    pub others: Vec<CandidateView>,
}

/// A decision as a record of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// Where.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// Whose.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub decided_at: Timestamp,
    /// Who decided that version of the profile; null where it cannot be read any more.
    pub deciders: Option<Vec<String>>,
    /// What was decided.
    pub decision: DecidedView,
    /// All of it as an architecture decision record, in Markdown.
    pub markdown: String,
}
