//! `holm op pause`, `resume`, `retry`, `proceed`: one word to an operation, heeded at its next safe point.

use holm_api::view::operation::OperationView;
use holm_core::error::Problem;
use reqwest::Method;

use super::Id;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm op pause op_0198c0ffee00700080000000000000aa")]
pub(in crate::cli) struct Pause {
    #[command(flatten)]
    pub(super) operation: Id,
}

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm op resume op_0198c0ffee00700080000000000000aa")]
pub(in crate::cli) struct Resume {
    #[command(flatten)]
    pub(super) operation: Id,
}

/// Which.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  holm op retry op_0198c0ffee00700080000000000000aa")]
pub(in crate::cli) struct Retry {
    #[command(flatten)]
    pub(super) operation: Id,
}

/// Which.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holm op proceed op_0198c0ffee00700080000000000000aa\n\nAfter the grace period of a deletion nothing comes back."
)]
pub(in crate::cli) struct Proceed {
    #[command(flatten)]
    pub(super) operation: Id,
}

pub(super) async fn say(context: &Context, operation: &Id, word: &str, done: &str) -> Result<Answer, Problem> {
    let told: OperationView = context.client()?.change(Method::POST, &operation.path(&[word]), &[], None).await?;
    context.say(&format!("✓ `{}` of {} {done}", told.kind, told.subject));
    Ok(Answer::one(&told).operation(told.id))
}
