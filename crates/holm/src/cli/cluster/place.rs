//! Where a server is, on a command line: a provider and a region, both or neither.

use holm_api::view::residency::PlaceClaim;

/// Where it is.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Place {
    /// Whose machines it is on: `holm provider list`
    #[arg(long, value_name = "PROVIDER", requires = "region")]
    provider: Option<String>,
    /// In which region of theirs: `holm provider show PROVIDER`
    #[arg(long, value_name = "REGION", requires = "provider")]
    region: Option<String>,
    /// On which plan of theirs, which a region may need
    #[arg(long, value_name = "PLAN", requires = "provider")]
    plan: Option<String>,
    /// What that rests on: the address of a document, or somebody's word
    #[arg(long, value_name = "TEXT", requires = "provider")]
    evidence: Option<String>,
}

impl Place {
    pub(in crate::cli) fn claim(self) -> Option<PlaceClaim> {
        let (provider, region) = self.provider.zip(self.region)?;
        Some(PlaceClaim { provider, region, plan: self.plan, evidence: self.evidence })
    }
}
