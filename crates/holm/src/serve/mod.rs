//! `holm serve`: one process of an installation, on a catalog and clusters that are there.
//!
//! Promises: any number of processes may serve one catalog; a change that one confirms is in force in all. SIGTERM stops in
//! order: unready, no new sessions, those that are open get time, operations go to whoever takes them up. SIGHUP has the
//! certificate's files read again, which happens by itself within seconds. Refuses a catalog that nobody made ready
//! (`holm init`), and to read any file that was not named. A node with a data directory goes on, and starts, while the catalog
//! is away, for four days less an hour.

mod carrying;
mod config;
mod governing;
mod kept;
mod link;
mod node_key;
mod process;
mod standing;

use holm_core::error::Problem;

use crate::signals::{Hangups, Interrupts};

pub(crate) use config::Args;
pub(crate) use node_key::NodeKey;
use process::Process;

/// Runs until a signal, or until the node was alone for too long.
///
/// # Errors
/// What kept it from starting, or why it had to stop.
///
/// # Cancel safety
/// Must not be dropped: clients would be cut without a word.
pub(crate) async fn run(args: Args) -> Result<(), Problem> {
    let (mut interrupts, mut hangups) = (Interrupts::listen()?, Hangups::listen()?);
    let config = args.config()?;
    let mut process = tokio::select! {
        // Dropping a half-started process closes its listeners; nobody was told that it is ready.
        started = Process::start(config) => started?,
        () = interrupts.next() => return Ok(()),
    };
    eprintln!("{}", process.ready());
    let ended = loop {
        tokio::select! {
            why = process.ended() => {
                process.hurry(&why);
                break Err(why);
            }
            () = interrupts.next() => break Ok(()),
            () = hangups.next() => process.read_tls_again().await,
        }
    };
    eprintln!("stopping: open sessions get time to end; another signal cuts them");
    tokio::select! {
        () = process.stop() => {}
        // What is cut is rolled back by PostgreSQL, and leases end by themselves.
        () = interrupts.next() => eprintln!("cut"),
    }
    ended
}
