//! The signals that ask a server process to stop, or to read its files again.

use holm_core::error::{ErrorCode, Problem};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, from the moment that this is made.
pub(crate) struct Interrupts {
    interrupt: Signal,
    terminate: Signal,
}

impl Interrupts {
    /// Begins to listen; the signals no longer end the process by themselves.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> Result<Self, Problem> {
        Ok(Self { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    /// Waits for the next one. Cancel safe: a signal stays pending.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// SIGHUP, from the moment that this is made.
pub(crate) struct Hangups(Signal);

impl Hangups {
    /// Begins to listen; the signal no longer ends the process.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn listen() -> Result<Self, Problem> {
        listen(SignalKind::hangup()).map(Self)
    }

    /// Waits for the next one. Cancel safe: a signal stays pending.
    pub(crate) async fn next(&mut self) {
        let _ = self.0.recv().await;
    }
}

fn listen(kind: SignalKind) -> Result<Signal, Problem> {
    signal(kind).map_err(|error| Problem::new(ErrorCode::Internal, "cannot listen for signals").because(error))
}
