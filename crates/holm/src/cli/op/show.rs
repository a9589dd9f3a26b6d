//! `holm op show`

use holm_api::view::operation::OperationDetailView;
use holm_core::error::Problem;

use super::Id;
use crate::cli::context::Context;
use crate::output::Answer;

/// Which.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  holm op show op_0198c0ffee00700080000000000000aa\n  holm op show op_0198c0ffee00700080000000000000aa -o json"
)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    operation: Id,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let shown: OperationDetailView = context.client()?.get(&args.operation.path(&[])).await?;
    Ok(Answer::one(&shown).operation(shown.operation.id))
}
