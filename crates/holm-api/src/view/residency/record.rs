//! What the API shows and takes of what an installation is told: facts of its own, papers, registered copies, exceptions.

use holm_core::environment::EnvironmentName;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Facts to be put in force.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddFacts {
    /// What to call them; those of that name are replaced.
    #[schema(example = "umea-hall")]
    pub name: String,
    /// What they say, in TOML, laid over what Holm ships and over texts whose names come before.
    pub text: String,
}

/// A text of facts in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FactsView {
    /// Its name.
    #[schema(example = "umea-hall")]
    pub name: String,
    /// Since when it is in force.
    #[schema(value_type = String, format = DateTime)]
    pub kept_at: Timestamp,
    /// What it says, in TOML.
    pub text: String,
}

/// A text of facts that was put in force or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangedFactsView {
    /// The text.
    pub facts: FactsView,
    /// What comes of it and was perhaps not meant: cases of profiles that come out otherwise, places that nobody knows any more.
    pub notes: Vec<String>,
}

/// A contract, clause or assessment to be put on file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddPaper {
    /// What it is: `dpa`, `scc_m2`, or what a profile asks for by name; `assessment` is one of transfers to a country.
    #[schema(example = "dpa")]
    pub kind: String,
    /// With whom, as the registry calls them; of an assessment absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "scalingo-sas")]
    pub with: Option<String>,
    /// Of an assessment, the country that data is transferred to (ISO 3166-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "US")]
    pub country: Option<String>,
    /// The first day on which it holds; of an assessment, when it was done.
    #[schema(value_type = String, format = Date, example = "2026-03-12")]
    pub signed_on: Date,
    /// The first day on which it no longer does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = Date)]
    pub ends_on: Option<Date>,
    /// Which edition of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edition: Option<String>,
    /// SHA-256 of the document, in 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document_sha256: Option<String>,
    /// The only environment that it is for; all, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "production")]
    pub environment: Option<String>,
}

/// A contract, clause or assessment on file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaperView {
    /// Its identity.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// What it is.
    #[schema(example = "dpa")]
    pub kind: String,
    /// With whom, as the registry calls them; of an assessment null.
    #[schema(example = "scalingo-sas")]
    pub with: Option<String>,
    /// Of an assessment, the country that data is transferred to.
    pub country: Option<String>,
    /// The only environment that it is for; null, and it is for all.
    #[schema(value_type = Option<String>)]
    pub environment: Option<EnvironmentName>,
    /// The first day on which it holds.
    #[schema(value_type = String, format = Date)]
    pub signed_on: Date,
    /// The first day on which it no longer does.
    #[schema(value_type = Option<String>, format = Date)]
    pub ends_on: Option<Date>,
    /// Which edition of it.
    pub edition: Option<String>,
    /// SHA-256 of the document.
    pub document_sha256: Option<String>,
    /// When it was put on file.
    #[schema(value_type = String, format = DateTime)]
    pub kept_at: Timestamp,
}

/// A copy to be registered.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddCopy {
    /// What it is: `bucket`, `log`, `processing`.
    #[schema(example = "log")]
    pub role: String,
    /// What to call it, after what it is.
    #[schema(example = "grafana")]
    pub name: String,
    /// A provider of the registry.
    #[schema(example = "ovh")]
    pub provider: String,
    /// A region of it.
    #[schema(example = "GRA")]
    pub region: String,
    /// On which plan of the provider's, which a region may need; not known when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What that rests on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<String>,
    /// Who holds its keys; the provider, when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(example = "client_side")]
    pub key_holder: Option<String>,
    /// Also if a profile that is used there denies it, or cannot say; that is then told as a breach.
    #[serde(default)]
    pub in_breach: bool,
}

/// A copy that is registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RegisteredCopyView {
    /// In which environment.
    #[schema(value_type = String)]
    pub environment: EnvironmentName,
    /// What it is called among the copies of a tenant.
    #[schema(example = "log-grafana")]
    pub copy: String,
    /// What it is.
    #[schema(example = "log")]
    pub role: String,
    /// Where it is said to be.
    #[schema(example = "ovh/GRA")]
    pub place: String,
    /// On which plan of the provider's; null where nobody said.
    #[serde(default)]
    pub plan: Option<String>,
    /// Who holds its keys.
    #[schema(example = "provider")]
    pub key_holder: String,
    /// What that rests on.
    pub evidence: Option<String>,
    /// Since when it is registered.
    #[schema(value_type = String, format = DateTime)]
    pub kept_at: Timestamp,
}

/// An exception to be granted.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantException {
    /// Which copy.
    #[schema(example = "primary")]
    pub copy: String,
    /// Which rule.
    #[schema(example = "control.affiliates")]
    pub rule: String,
    /// Who answers for it: a name or an office.
    #[schema(example = "data protection officer")]
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// What is done instead.
    pub measure: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime, example = "2027-03-01T00:00:00Z")]
    pub until: Timestamp,
}

/// An exception that was granted, and that nobody revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExceptionView {
    /// Its identity.
    #[schema(value_type = String)]
    pub id: Uuid,
    /// In which environment.
    #[schema(value_type = String)]
    pub environment: EnvironmentName,
    /// Of which tenant.
    #[schema(value_type = String)]
    pub tenant: TenantSlug,
    /// For which copy.
    #[schema(example = "primary")]
    pub copy: String,
    /// From which rule.
    #[schema(example = "control.affiliates")]
    pub rule: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it is needed.
    pub reason: String,
    /// What is done instead.
    pub measure: String,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Whether that was already.
    pub ended: bool,
    /// When it was granted.
    #[schema(value_type = String, format = DateTime)]
    pub granted_at: Timestamp,
}
