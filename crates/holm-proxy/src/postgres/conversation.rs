//! Reads whole messages and writes answers, while a connection is being set up.
//!
//! Promises: holds at most one message of the state's limit and one read beyond it; what was read too far is handed on.

use std::io;

use holm_pgwire::frame::{self, Frame, Malformed};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Holds a startup packet of any driver and a SCRAM message, in one read.
const READ_LENGTH: usize = 2048;

/// Why no message came.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error("the connection was closed")]
    Closed,
    #[error("the connection failed")]
    Failed(#[source] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A stream and what was read from it but not yet used.
#[derive(Debug)]
pub(super) struct Conversation<S> {
    pub(super) stream: S,
    inbox: Vec<u8>,
    /// Up to here the inbox is used.
    used: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, inbox: Vec::new(), used: 0 }
    }

    /// Whether bytes were read beyond the last message.
    pub(super) fn has_more(&self) -> bool {
        self.used < self.inbox.len()
    }

    /// The stream, and the bytes beyond the last message.
    pub(super) fn into_parts(mut self) -> (S, Vec<u8>) {
        self.inbox.drain(..self.used);
        (self.stream, self.inbox)
    }

    fn unused(&self) -> &[u8] {
        self.inbox.get(self.used..).unwrap_or_default()
    }

    /// The next message, whose body has at most `body_max` bytes.
    ///
    /// # Cancel safety
    /// Safe: what was read so far stays in the inbox.
    pub(super) async fn frame(&mut self, body_max: usize) -> Result<Frame<'_>, Broken> {
        let length = loop {
            match frame::scan(self.unused(), body_max)? {
                Some(frame) => break frame.whole.len(),
                None => self.fill().await?,
            }
        };
        let start = self.used;
        self.used += length;
        frame::scan(&self.inbox[start..self.used], body_max)?.ok_or(Broken::Closed)
    }

    /// The body of the next startup packet.
    ///
    /// # Cancel safety
    /// Safe: what was read so far stays in the inbox.
    pub(super) async fn startup(&mut self) -> Result<&[u8], Broken> {
        let length = loop {
            match frame::scan_startup(self.unused())? {
                Some((_, length)) => break length,
                None => self.fill().await?,
            }
        };
        let start = self.used;
        self.used += length;
        Ok(&self.inbox[start + 4..self.used])
    }

    /// Waits until the peer is gone; holds what it says meanwhile, about as much as `held_max`.
    ///
    /// # Cancel safety
    /// Safe: what was read so far stays in the inbox.
    pub(super) async fn gone(&mut self, held_max: usize) {
        while self.unused().len() < held_max {
            if self.fill().await.is_err() {
                return;
            }
        }
        std::future::pending::<()>().await;
    }

    async fn fill(&mut self) -> Result<(), Broken> {
        self.inbox.drain(..self.used);
        self.used = 0;
        self.inbox.reserve(READ_LENGTH);
        match self.stream.read_buf(&mut self.inbox).await {
            Ok(0) => Err(Broken::Closed),
            Ok(_) => Ok(()),
            Err(error) => Err(Broken::Failed(error)),
        }
    }

    /// Writes all of it, now.
    ///
    /// # Cancel safety
    /// Not safe: a part may have gone out; the connection must be closed then.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        self.stream.write_all(bytes).await.map_err(Broken::Failed)?;
        self.stream.flush().await.map_err(Broken::Failed)
    }
}
