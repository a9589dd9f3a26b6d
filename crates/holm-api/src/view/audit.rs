//! Shapes of the audit log on the wire.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An entry of the audit log. Everything that its hash covers is here, so that a copy can be verified.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntryView {
    /// Its number; none is missing.
    pub seq: i64,
    /// When, by the catalog's clock.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `principal` or `system`.
    #[schema(example = "principal")]
    pub actor_kind: String,
    /// The principal; null for Holm itself.
    pub actor_id: Option<String>,
    /// Who, by the name they had.
    #[schema(example = "anna")]
    pub actor: String,
    /// What: a noun and a verb.
    #[schema(example = "tenant.suspend")]
    pub action: String,
    /// Where; null when it is of no single environment.
    #[schema(example = "production")]
    pub environment: Option<String>,
    /// To what kind of thing.
    #[schema(example = "tenant")]
    pub subject_kind: String,
    /// To which, by its id.
    #[schema(example = "ten_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub subject: String,
    /// Why, if somebody said.
    pub reason: Option<String>,
    /// What else, as JSON in text: byte by byte what was hashed.
    #[schema(example = "{}")]
    pub detail: String,
    /// The encoding of the hash.
    pub version: i16,
    /// The hash of the entry before, in hex.
    pub previous_hash: String,
    /// Its own.
    pub hash: String,
}

/// What a walk along the whole audit log found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct AuditVerdictView {
    /// Whether everything is as it was written.
    pub intact: bool,
    /// How many entries fit, from the first on.
    pub entries: i64,
    /// How many signed checkpoints outside of the catalog were compared.
    pub checkpoints: usize,
    /// Lines of the file of checkpoints whose signature is not of this installation, or that cannot be read.
    pub checkpoints_unreadable: usize,
    /// The first entry that does not fit; null when all do.
    pub broken_at: Option<i64>,
    /// What is wrong there; null when nothing is.
    #[schema(example = "entry 4711 was edited")]
    pub finding: Option<String>,
}

/// A signed note of where the audit log ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CheckpointView {
    /// The number of the last entry.
    pub seq: i64,
    /// Its hash, in hex.
    pub hash: String,
    /// When it was noted.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}
