//! `holm residency decision`: an architecture decision record, for the folder where people keep theirs.

use holm_api::view::answers::DecisionView;
use holm_core::error::Problem;

use super::{Named, shown};
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Whose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency decision goteborg --env production > docs/adr/0042-goteborg.md")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let decision: DecisionView = context.client()?.get(&args.tenant.path("decision")).await?;
    Ok(Answer::text(shown(&decision.markdown), &decision))
}

impl Row for DecisionView {
    const COLUMNS: &'static [&'static str] = &["TENANT", "ENVIRONMENT", "DECIDED", "CLUSTER", "PLACE", "PROFILE", "VERSION", "BECAUSE"];
    const BRIEF: usize = 7;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.tenant),
            Cell::of(&self.environment),
            Cell::time(self.decided_at),
            Cell::of(&self.decision.chosen.cluster),
            self.decision.chosen.place.clone().into(),
            Cell::of(&self.decision.profile),
            Cell::Number(self.decision.profile_version.into()),
            Cell::of(&self.decision.chosen.because),
        ]
    }

    fn name(&self) -> String {
        self.tenant.to_string()
    }
}
