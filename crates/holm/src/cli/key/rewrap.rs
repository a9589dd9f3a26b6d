//! `holm key rewrap`: step by step, so that Ctrl-C loses nothing and the next run goes on.

use holm_api::view::RewrapView;
use holm_core::error::{Changed, ErrorCode, Problem};
use reqwest::Method;

use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Nothing to say beyond the global options.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm key rewrap\n  holm key rewrap -o json")]
pub(in crate::cli) struct Args {}

impl Row for RewrapView {
    const COLUMNS: &'static [&'static str] = &["DONE", "LEFT", "RETIRED"];
    const BRIEF: usize = 3;

    fn cells(&self) -> Vec<Cell> {
        let number = |count: u64| Cell::Number(i64::try_from(count).unwrap_or(i64::MAX));
        vec![number(self.done), number(self.left), Cell::Text(self.retired.join(" "))]
    }

    fn name(&self) -> String {
        self.done.to_string()
    }
}

pub(super) async fn run(context: &Context, _: Args) -> Result<Answer, Problem> {
    let client = context.client()?;
    let mut whole = RewrapView { done: 0, left: 0, retired: Vec::new() };
    loop {
        let step: RewrapView = client.act(Method::POST, &["keys", "rewrap"]).await?;
        whole = RewrapView { done: whole.done + step.done, left: step.left, retired: [whole.retired, step.retired].concat() };
        if step.left == 0 {
            break;
        }
        if step.done == 0 {
            return Err(Problem::new(ErrorCode::Internal, format!("{} keys are left and none could be wrapped anew", step.left))
                .changed(Changed::Something)
                .next("see what is wrong: `holm doctor`"));
        }
        context.say(&format!("  {} wrapped anew, {} left", whole.done, whole.left));
    }
    context.say(&format!("✓ every data key is wrapped with the current master key; {} wrapped anew", whole.done));
    for retired in &whole.retired {
        context.say(&format!("  {retired} is not needed any more, except for backups of the catalog from before"));
    }
    Ok(Answer::one(&whole))
}
