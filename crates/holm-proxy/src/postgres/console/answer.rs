//! What the console says: rows, errors and the ends of commands, gathered in a buffer that is sent in pieces.
//!
//! Promises: holds a piece and not the whole; a client that does not take a piece in time is given up, and nobody waits for it
//! but its own task.

use std::borrow::Cow;
use std::time::Duration;

use holm_core::error::Problem;
use holm_pgwire::column::{Column, ColumnType, Format};
use holm_pgwire::message;
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

/// What is said to one client, on its way.
pub(super) struct Answer<'c> {
    conversation: &'c mut Conversation<Client>,
    piece: Vec<u8>,
    rows: Rows,
    /// Whether a command was answered with an error.
    is_error: bool,
}

/// The rows of one command.
#[derive(Default)]
struct Rows {
    /// What the values of each column are, and how they are written.
    columns: Vec<(ColumnType, Format)>,
    /// How many may still be sent.
    left: usize,
    /// There were more.
    are_more: bool,
}

impl<'c> Answer<'c> {
    pub(super) fn new(conversation: &'c mut Conversation<Client>) -> Self {
        Self { conversation, piece: Vec::new(), rows: Rows::default(), is_error: false }
    }

    /// Begins the answer of a command whose rows have `columns`, as a simple query has it: they are described, and come as text.
    pub(super) fn describe(&mut self, columns: Option<&[Column]>) {
        let formats = vec![Format::Text; columns.map_or(0, <[Column]>::len)];
        if let Some(columns) = columns {
            message::row_description(&mut self.piece, columns, &formats);
        }
        self.rows(columns.unwrap_or_default(), &formats, usize::MAX);
    }

    /// Begins the answer of a command whose rows were described before, in `formats`, and of which `rows_max` are wanted.
    pub(super) fn rows(&mut self, columns: &[Column], formats: &[Format], rows_max: usize) {
        let columns = columns.iter().map(|column| column.kind).zip(formats.iter().copied()).collect();
        self.rows = Rows { columns, left: rows_max, are_more: false };
        self.is_error = false;
    }

    /// A row; sends what is there when it is enough.
    ///
    /// # Cancel safety
    /// Not safe: a part may have gone out; the client must be closed then.
    pub(super) async fn row(&mut self, values: &[Value]) -> Result<(), Gone> {
        assert_eq!(values.len(), self.rows.columns.len(), "a row has a value for each column");
        let Some(left) = self.rows.left.checked_sub(1) else {
            self.rows.are_more = true;
            return Ok(());
        };
        self.rows.left = left;
        let written = values.iter().zip(&self.rows.columns).map(|(value, (kind, format))| kind.written(value.as_deref()?, *format));
        message::data_row(&mut self.piece, written);
        self.send_a_piece().await
    }

    /// Sends what is there when it is enough.
    ///
    /// # Cancel safety
    /// As with [`Self::row`].
    pub(super) async fn send_a_piece(&mut self) -> Result<(), Gone> {
        if self.piece.len() < PIECE_LENGTH { Ok(()) } else { self.send().await }
    }

    /// Where messages are put that are no rows.
    pub(super) const fn piece(&mut self) -> &mut Vec<u8> {
        &mut self.piece
    }

    /// Whether the command ended with an error.
    pub(super) const fn is_error(&self) -> bool {
        self.is_error
    }

    pub(super) fn notice(&mut self, what: &str, detail: Option<&str>, hint: Option<&str>) {
        message::notice_response(&mut self.piece, what, detail, hint);
    }

    pub(super) fn error(&mut self, problem: &Problem) {
        self.piece.extend_from_slice(&refusal::error(problem));
        self.is_error = true;
    }

    /// The command is done; or as many of its rows were sent as were asked for, and there are more.
    pub(super) fn complete(&mut self, tag: &str) {
        if self.rows.are_more { message::portal_suspended(&mut self.piece) } else { message::command_complete(&mut self.piece, tag) }
    }

    pub(super) fn empty(&mut self) {
        message::empty_query_response(&mut self.piece);
    }

    /// Sends the rest, and that the next command may come.
    ///
    /// # Cancel safety
    /// As with [`Self::row`].
    pub(super) async fn ready(&mut self) -> Result<(), Gone> {
        message::ready_for_query(&mut self.piece);
        self.send().await
    }

    /// Sends what is there.
    ///
    /// # Cancel safety
    /// As with [`Self::row`].
    pub(super) async fn send(&mut self) -> Result<(), Gone> {
        // Whoever is silent for long holds no buffer.
        let piece = std::mem::take(&mut self.piece);
        let sent = timeout(PIECE_PATIENCE, self.conversation.send(&piece)).await;
        // Other sessions of this worker come between two pieces, however fast this client takes them.
        tokio::task::yield_now().await;
        if matches!(sent, Ok(Ok(()))) { Ok(()) } else { Err(Gone) }
    }

    /// The client, while nothing is being said to it.
    pub(super) const fn conversation(&mut self) -> &mut Conversation<Client> {
        self.conversation
    }
}
