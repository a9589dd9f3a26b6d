//! `holm residency copy list`

use holm_api::view::residency::record::RegisteredCopyView;
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// Of which environment.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm residency copy list --env production\n  holm residency copy list --env production -o csv")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    at: Environment,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let environment = args.at.name;
    let copies: Vec<RegisteredCopyView> = context.client()?.items(&["environments", &environment, "copies"]).await?;
    Ok(Answer::list(&copies))
}

impl Row for RegisteredCopyView {
    const COLUMNS: &'static [&'static str] = &["COPY", "ROLE", "PLACE", "KEY-HOLDER", "ENVIRONMENT", "SINCE", "EVIDENCE", "PLAN"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.copy),
            Cell::of(&self.role),
            Cell::of(&self.place),
            Cell::of(&self.key_holder),
            Cell::of(&self.environment),
            Cell::time(self.kept_at),
            self.evidence.clone().into(),
            self.plan.clone().into(),
        ]
    }

    fn name(&self) -> String {
        self.copy.clone()
    }
}
