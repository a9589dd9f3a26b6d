//! `holm init`: what it does is in [`crate::catalog::init`].

use holm_core::error::Problem;

use super::context::Context;
use crate::catalog::init::{self, Initialised};
use crate::output::{Answer, Cell, Row};

/// What to make.
pub(super) use crate::catalog::init::Args;

impl Row for Initialised {
    const COLUMNS: &'static [&'static str] = &["PRINCIPAL", "TOKEN", "TOKEN FILE"];
    const BRIEF: usize = 3;

    fn cells(&self) -> Vec<Cell> {
        let file = self.token_file.as_ref().map(|path| path.display().to_string());
        vec![Cell::of(&self.principal), self.token.clone().into(), file.into()]
    }

    fn name(&self) -> String {
        self.principal.clone()
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let made = init::run(args).await?;
    context.say(&format!("✓ the catalog is ready; `{}` may do everything everywhere", made.principal));
    match &made.token_file {
        Some(path) => context.say(&format!("  the token is in {}", path.display())),
        None => context.say("  this is the only time that the token is shown"),
    }
    context.say("  keep a copy of the master key apart from the catalog; then start: `holm serve`");
    Ok(Answer::one(&made))
}
