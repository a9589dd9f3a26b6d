//! Shapes of the answer to where a database and a bucket could lie, on the wire.

use holm_core::environment::EnvironmentName;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Where a database and a bucket could lie, before there is either.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlacesView {
    /// As of when.
    #[schema(value_type = String, format = DateTime)]
    pub judged_at: Timestamp,
    /// What is known, as a hash.
    pub registry_hash: String,
    /// By which profile.
    #[schema(example = "eea-jurisdiction")]
    pub profile: String,
    /// Which version of it.
    pub profile_version: u32,
    /// Whose papers count; null, and nothing is on file.
    #[schema(value_type = Option<String>)]
    pub environment: Option<EnvironmentName>,
    /// For an environment of which kind.
    #[schema(example = "production")]
    pub kind: String,
    /// How many pairs there are.
    pub pairs_count: u64,
    /// Nearest first, then by where the database is and where the bucket is.
    pub pairs: Vec<PairView>,
    /// How many pairs were left out, since their database has something nearer.
    pub left_out: u64,
    /// Every place that a database can have, by place.
    pub databases: Vec<PlaceView>,
    /// Every place that a bucket can have, by place.
    pub buckets: Vec<PlaceView>,
    /// How many places are refused, or cannot be said to be allowed.
    pub refused_count: u64,
    /// What speaks against these: what cannot be said first, then by place.
    pub refused: Vec<RefusedPlaceView>,
    /// The cursor of the next part, if there is one.
    pub next: Option<String>,
}

/// A place for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PairView {
    /// `same_region`, `colocated`, `same_country` or `elsewhere`.
    pub near: String,
    /// Where the database would be.
    #[schema(example = "scalingo/osc-fr1")]
    pub database: String,
    /// Where the bucket would be.
    #[schema(example = "outscale/eu-west-2")]
    pub bucket: String,
    /// What must be there before that is allowed, and is not.
    pub needs: Vec<NeedView>,
    /// When that must be asked again at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
}

/// A place that one of the two can have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PlaceView {
    /// Where.
    pub place: String,
    /// The countries of it; null where they are not known.
    pub countries: Option<Vec<String>>,
    /// What must be there before that is allowed, and is not.
    pub needs: Vec<NeedView>,
    /// When that must be asked again at the latest.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until: Option<Timestamp>,
}

/// Something that must be there before a place is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NeedView {
    /// `plan`, `consent` (of the provider), `paper`, `assessment` or `documented_other_region`, which is an exception.
    pub kind: String,
    /// What.
    #[schema(example = "dpa with scalingo-sas")]
    pub what: String,
}

/// A place that cannot be had, or of which nobody can say it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RefusedPlaceView {
    /// For `database` or `bucket`.
    pub kept: String,
    /// Where.
    pub place: String,
    /// `deny` or `unknown`.
    pub outcome: String,
    /// All that speaks against it.
    pub against: Vec<AgainstView>,
}

/// Something that speaks against a place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AgainstView {
    /// Of which copy there.
    #[schema(example = "primary")]
    pub copy: String,
    /// The rule; null where it is about what is sold there.
    #[schema(example = "control.owners")]
    pub rule: Option<String>,
    /// `deny` or `unknown`.
    pub outcome: String,
    /// Why.
    pub because: String,
    /// The facts that it rests on, and those that are missing.
    pub facts: Vec<String>,
}
