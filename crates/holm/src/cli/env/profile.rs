//! `holm env profile`

use holm_api::view::residency::EnvironmentProfileView;
use holm_core::error::Problem;

use crate::cli::context::{Context, Environment};
use crate::output::{Answer, Cell, Row};

/// Where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm env profile --env production")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    environment: Environment,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let path = ["environments", &args.environment.name, "profile"];
    let shown: EnvironmentProfileView = context.client()?.get(&path).await?;
    Ok(Answer::one(&shown))
}

impl Row for EnvironmentProfileView {
    const COLUMNS: &'static [&'static str] = &["ENVIRONMENT", "PROFILE"];
    const BRIEF: usize = 2;

    fn cells(&self) -> Vec<Cell> {
        vec![Cell::of(&self.environment), self.profile.clone().into()]
    }

    fn name(&self) -> String {
        self.environment.clone()
    }
}
