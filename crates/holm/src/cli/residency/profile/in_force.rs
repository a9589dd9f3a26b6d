//! `holm residency profile in-force`

use holm_api::view::residency::ProfileView;
use holm_core::error::Problem;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Which versions.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm residency profile in-force\n  holm residency profile in-force --all")]
pub(in crate::cli) struct Args {
    /// Those that were in force before, too
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let kept: Vec<ProfileView> = context.client()?.items(&["residency", "profiles"]).await?;
    let shown: Vec<ProfileView> = kept.into_iter().filter(|one| args.all || one.in_force).collect();
    Ok(Answer::list(&shown))
}

impl Row for ProfileView {
    const COLUMNS: &'static [&'static str] = &["PROFILE", "VERSION", "IN-FORCE", "SINCE", "HASH", "TEXT"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            Cell::Number(self.version.into()),
            Cell::of(if self.in_force { "yes" } else { "no" }),
            Cell::time(self.kept_at),
            Cell::of(&self.hash),
            Cell::of(&self.text),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
