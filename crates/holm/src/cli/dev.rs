//! `holm dev`: the launcher's command; what it does is in [`crate::dev`].

use holm_core::error::Problem;

use super::context::Context;
use crate::dev;
use crate::exit::Exit;
use crate::logging::Logging;

/// The launcher's own options.
pub(super) use crate::dev::Args;

/// Runs until it is told to stop.
///
/// # Errors
/// What kept it from starting, or which of its servers ended.
///
/// # Cancel safety
/// Must not be dropped; it listens for signals itself.
pub(super) async fn run(context: &Context, args: Args) -> Result<Exit, Problem> {
    Logging::from_env()?.start();
    dev::run(args, context.dev_directory()).await.map(|()| Exit::Done)
}
