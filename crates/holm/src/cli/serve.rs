//! `holm serve`: the server's command; what it does is in [`crate::serve`].

use holm_core::error::Problem;

use crate::exit::Exit;
use crate::logging::Logging;
use crate::serve;

/// The server's own options.
pub(super) use crate::serve::Args;

/// Runs until it is told to stop.
///
/// # Errors
/// What kept it from starting, or why it had to stop.
///
/// # Cancel safety
/// Must not be dropped; it listens for signals itself.
pub(super) async fn run(args: Args) -> Result<Exit, Problem> {
    Logging::from_env()?.start();
    serve::run(args).await.map(|()| Exit::Done)
}
