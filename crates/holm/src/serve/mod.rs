//! `holm serve`: one process of an installation, on a catalog and clusters that are there.
//!
//! Promises: any number of processes may serve one catalog; a change that one confirms is in force in all. SIGTERM stops in
//! order: unready, no new sessions, those that are open get time, operations go to whoever takes them up. Refuses a catalog
//! that nobody made ready (`holm init`), and to read any file that was not named.

mod config;
mod process;

use holm_core::error::Problem;

use crate::signals::Interrupts;

pub(crate) use config::Args;
use process::Process;

/// Runs until a signal, or until the node was alone for too long.
///
/// # Errors
/// What kept it from starting, or why it had to stop.
///
/// # Cancel safety
/// Must not be dropped: clients would be cut without a word.
pub(crate) async fn run(args: Args) -> Result<(), Problem> {
    let mut interrupts = Interrupts::listen()?;
    let config = args.config()?;
    let process = tokio::select! {
        // Dropping a half-started process closes its listeners; nobody was told that it is ready.
        started = Process::start(config) => started?,
        () = interrupts.next() => return Ok(()),
    };
    eprintln!("{}", process.ready());
    let ended = tokio::select! {
        why = process.ended() => Err(why),
        () = interrupts.next() => Ok(()),
    };
    eprintln!("stopping: open sessions get time to end; another signal cuts them");
    tokio::select! {
        () = process.stop() => {}
        // What is cut is rolled back by PostgreSQL, and leases end by themselves.
        () = interrupts.next() => eprintln!("cut"),
    }
    ended
}
