//! About when a question of residency is.

use holm_core::error::Problem;
use holm_engine::residency::as_of::AsOf;
use serde::Deserialize;
use utoipa::IntoParams;

/// About when, and by what.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct AsOfParams {
    /// What was in force then: a day, of which the end is meant in UTC, or a time; now when absent.
    #[param(example = "2026-03-03")]
    as_of: Option<String>,
    /// What Holm had been told by then: a day or a time; now when absent. Only with `as_of`.
    #[param(example = "2026-03-03")]
    known_at: Option<String>,
}

impl AsOfParams {
    pub(crate) fn read(&self) -> Result<AsOf, Problem> {
        read(self.as_of.as_deref(), self.known_at.as_deref())
    }
}

pub(crate) fn read(as_of: Option<&str>, known_at: Option<&str>) -> Result<AsOf, Problem> {
    AsOf::parse(as_of, known_at)
}
