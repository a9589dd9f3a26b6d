//! What the console says: rows, errors and the ends of commands, gathered in a buffer that is sent in pieces.
//!
//! Promises: holds a piece and not the whole; a client that does not take a piece in time is given up, and nobody waits for it
//! but its own task.

use std::borrow::Cow;
use std::time::Duration;

use holm_core::error::Problem;
use holm_pgwire::message::{self, Column};
use tokio::time::timeout;

use crate::postgres::client::Client;
use crate::postgres::conversation::Conversation;
use crate::postgres::refusal;

/// A piece: some hundred rows.
const PIECE_LENGTH: usize = 32 * 1024;
/// For a client to take one. A person who has scrolled back in a pager takes the rest when they come back, if by then.
const PIECE_PATIENCE: Duration = Duration::from_secs(30);

/// The client is gone, or does not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Gone;

/// A value of a row; `None` is NULL.
pub(super) type Value = Option<Cow<'static, str>>;

/// A text that is always the same.
pub(super) const fn fixed(text: &'static str) -> Value {
    Some(Cow::Borrowed(text))
}

pub(super) fn text(text: impl Into<String>) -> Value {
    Some(Cow::Owned(text.into()))
}

pub(super) fn number(number: impl Into<u64>) -> Value {
    Some(Cow::Owned(number.into().to_string()))
}

pub(super) fn count(count: usize) -> Value {
    Some(Cow::Owned(count.to_string()))
}

pub(super) fn yes(is_so: bool) -> Value {
    fixed(if is_so { "1" } else { "0" })
}

/// An answer on its way.
pub(super) struct Answer<'c> {
    conversation: &'c mut Conversation<Client>,
    piece: Vec<u8>,
    /// How many values a row has.
    width: usize,
}

impl<'c> Answer<'c> {
    pub(super) const fn new(conversation: &'c mut Conversation<Client>) -> Self {
        Self { conversation, piece: Vec::new(), width: 0 }
    }

    pub(super) fn columns(&mut self, columns: &[Column]) {
        self.width = columns.len();
        message::row_description(&mut self.piece, columns);
    }

    /// A row; sends what is there when it is enough.
    ///
    /// # Cancel safety
    /// Not safe: a part may have gone out; the client must be closed then.
    pub(super) async fn row(&mut self, values: &[Value]) -> Result<(), Gone> {
        assert_eq!(values.len(), self.width, "a row has a value for each column");
        message::data_row(&mut self.piece, values.iter().map(Option::as_deref));
        if self.piece.len() < PIECE_LENGTH { Ok(()) } else { self.send().await }
    }

    pub(super) fn notice(&mut self, what: &str, detail: Option<&str>, hint: Option<&str>) {
        message::notice_response(&mut self.piece, what, detail, hint);
    }

    pub(super) fn error(&mut self, problem: &Problem) {
        self.piece.extend_from_slice(&refusal::error(problem));
    }

    pub(super) fn complete(&mut self, tag: &str) {
        message::command_complete(&mut self.piece, tag);
    }

    pub(super) fn empty(&mut self) {
        message::empty_query_response(&mut self.piece);
    }

    /// Sends the rest, and that the next command may come.
    ///
    /// # Cancel safety
    /// As with [`Self::row`].
    pub(super) async fn ready(mut self) -> Result<(), Gone> {
        message::ready_for_query(&mut self.piece);
        self.send().await
    }

    async fn send(&mut self) -> Result<(), Gone> {
        let sent = timeout(PIECE_PATIENCE, self.conversation.send(&self.piece)).await;
        self.piece.clear();
        // Other sessions of this worker come between two pieces, however fast this client takes them.
        tokio::task::yield_now().await;
        if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(Gone) }
    }

    /// The client, while nothing is being said to it.
    pub(super) const fn conversation(&mut self) -> &mut Conversation<Client> {
        self.conversation
    }
}
