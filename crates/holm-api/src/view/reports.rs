//! Shapes of reports for people who answer for personal data, on the wire.

use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Every company in the chain of the places that an environment uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubProcessorsView {
    /// Of which environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// The places in use, those of backups included.
    pub places: Vec<String>,
    /// By provider, then in the order of the chain.
    pub companies: Vec<CompanyView>,
    /// What is not known, and would perhaps add to the list.
    pub gaps: Vec<String>,
}

/// A company, and why it is in the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CompanyView {
    /// What the registry calls it.
    #[schema(example = "scalingo-sas")]
    pub entity: String,
    /// What it is called.
    pub name: String,
    /// Where it is established; null where nobody knows.
    pub established_in: Option<String>,
    /// Who owns it, with their countries.
    pub owners: Vec<String>,
    /// Of which provider's chain.
    #[schema(example = "scalingo")]
    pub provider: String,
    /// How many links from the provider: 0 signs the contract.
    pub link: u32,
    /// What it is there for.
    #[schema(example = "infrastructure")]
    pub purpose: String,
    /// How much it can see.
    #[schema(example = "content")]
    pub reach: String,
    /// From where it works.
    pub countries: Vec<String>,
    /// The fact that says so.
    pub fact: String,
    /// Where that was read.
    pub source: String,
    /// Where it can be read again.
    pub url: Option<String>,
    /// When.
    #[schema(value_type = String, format = Date)]
    pub checked_on: Date,
    /// How sure it is.
    pub certainty: String,
}

/// The part of a record of processing activities that Holm knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProcessingRecordView {
    /// Of which environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// What that is for.
    #[schema(value_type = String, example = "production")]
    pub kind: EnvironmentKind,
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    pub as_of: Timestamp,
    /// What was known, as a hash.
    pub registry_hash: String,
    /// What Holm does not know, and somebody has to write beside it.
    pub not_in_it: Vec<String>,
    /// How many tenants it is about.
    pub tenants_count: u64,
    /// By name: a part of them.
    pub tenants: Vec<RecordedTenantView>,
    /// For the part after this one; null in the last. Parts with another `registry_hash` are of another record.
    pub next: Option<String>,
}

/// What there is of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedTenantView {
    /// Whose.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// The profile; null, and nothing is judged.
    pub profile: Option<String>,
    /// Which version.
    pub profile_version: Option<u32>,
    /// What it is about.
    pub profile_title: Option<String>,
    /// The cluster of its database.
    pub cluster: String,
    /// Where that is said to be.
    pub place: Option<String>,
    /// Who signs there.
    pub contracting: Option<String>,
    /// Every copy.
    pub copies: Vec<RecordedCopyView>,
}

/// A copy of its data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RecordedCopyView {
    /// What it is.
    pub role: String,
    /// In which regions it lies; empty where nobody knows.
    pub places: Vec<String>,
    /// In which countries; null where that is not known whole.
    pub countries: Option<Vec<String>>,
    /// Whether it satisfies the profile: `allow`, `unknown` or `deny`; null without one.
    pub outcome: Option<String>,
    /// Until when that holds, if nothing changes before.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
    /// What the profile's rules say of transfers to third countries.
    pub transfers: Vec<TransferView>,
    /// By which facts.
    pub facts: Vec<String>,
    /// What is known of how long it is kept.
    pub retention: Vec<RetentionView>,
}

/// What a rule says of transfers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferView {
    /// Which rule.
    #[schema(example = "transfer.mechanism")]
    pub rule: String,
    /// What it comes to.
    pub outcome: String,
    /// Why.
    pub because: String,
}

/// What is known of how long something is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RetentionView {
    /// The fact.
    pub fact: String,
    /// What it says, in days.
    pub value: String,
    /// Where it was read.
    pub source: String,
    /// When.
    #[schema(value_type = String, format = Date)]
    pub checked_on: Date,
}
