//! Carries bytes between one client and its server, both ways at once.
//!
//! Promises: each direction goes on while the other is blocked; a direction holds at most one buffer's worth that its sink
//! would not take, and an idle session holds none. Bytes go on unchanged as soon as they are read: one read, one write.
//! Follows message boundaries, so that a session can be ended between two messages, and knows when it is outside a
//! transaction, and whether the server connection may serve somebody else afterwards: a client's goodbye is kept back then.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use holm_pgwire::message::TERMINATE;
use holm_pgwire::track::Tracker;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

use super::client::Client;
use super::closing::Goodbye;
use super::stop::{Reason, Stop};
use super::talk::{FromClient, FromServer, Heard, Talk};
use super::transaction::connection::Connection;

/// What a worker reads at once, for whichever session is ready. Small requests fit many times over; a bulk copy pays one
/// system call per buffer.
const BUFFER_LENGTH: usize = 32 * 1024;

thread_local! {
    /// One per worker: used between a read and the write that follows it, never across an await.
    static BUFFER: RefCell<Box<[u8]>> = RefCell::new(vec![0; BUFFER_LENGTH].into());
}

/// Why carrying ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    ClientGone,
    ClientViolation,
    ServerGone,
    ServerViolation,
    Stopped(Reason),
}

/// The two ends and what is known of the traffic between them.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) client: Client,
    pub(super) connection: Box<Connection>,
    up: Lane,
    down: Lane,
    talk: Talk,
}

/// One direction.
#[derive(Debug, Default)]
struct Lane {
    tracker: Tracker,
    /// What the sink has not taken yet.
    pending: Vec<u8>,
    /// How much of `pending` it has taken.
    taken: usize,
    /// Type of the message that began last.
    last: u8,
    /// Whether the sink may hold bytes back that it was given.
    unflushed: bool,
    /// The sink takes nothing any more.
    closed: bool,
    /// What came last was no message, so that nobody knows where one would begin.
    lost: bool,
    /// The source has said goodbye, and the sink was not told.
    goodbye_kept: bool,
}

enum LaneEnd {
    SourceClosed,
    SinkClosed,
    Malformed,
}

impl Lane {
    fn give(&mut self, bytes: Vec<u8>, heard: &mut impl Heard) -> Result<(), ()> {
        self.follow(&bytes, heard)?;
        self.pending = bytes;
        Ok(())
    }

    fn follow(&mut self, bytes: &[u8], heard: &mut impl Heard) -> Result<(), ()> {
        let (last, fresh) = (&mut self.last, self.tracker.next_boundary());
        let followed = self.tracker.advance(bytes, |tag, first| {
            *last = tag;
            heard.begun(tag, first);
        });
        heard.passed(fresh.and_then(|fresh| bytes.get(fresh..)).unwrap_or_default());
        self.lost |= followed.is_err();
        followed.map_err(|_| ())
    }

    fn at_boundary(&self) -> bool {
        self.pending.is_empty() && !self.lost && self.tracker.at_boundary()
    }

    /// Moves bytes until the source has no more or the sink takes no more; then a wake-up is registered with whichever it is.
    fn poll_carry<R: AsyncRead + Unpin, W: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        (source, sink): (&mut R, &mut W),
        buffer: &mut [u8],
        heard: &mut impl Heard,
    ) -> Poll<LaneEnd> {
        loop {
            if !self.pending.is_empty() && ready!(self.poll_pending(cx, sink)).is_err() {
                return Poll::Ready(LaneEnd::SinkClosed);
            }
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut *source).poll_read(cx, &mut read) {
                Poll::Pending => {
                    if self.unflushed {
                        match Pin::new(&mut *sink).poll_flush(cx) {
                            Poll::Ready(Ok(())) => self.unflushed = false,
                            Poll::Ready(Err(_)) => return Poll::Ready(LaneEnd::SinkClosed),
                            Poll::Pending => {}
                        }
                    }
                    return Poll::Pending;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(LaneEnd::SourceClosed),
                Poll::Ready(Ok(())) => {}
            }
            let bytes = read.filled();
            if bytes.is_empty() {
                return Poll::Ready(LaneEnd::SourceClosed);
            }
            let begins_message = self.tracker.at_boundary();
            if self.follow(bytes, heard).is_err() {
                return Poll::Ready(LaneEnd::Malformed);
            }
            if begins_message && bytes == TERMINATE && heard.keeps_goodbye() {
                self.goodbye_kept = true;
                return Poll::Ready(LaneEnd::SourceClosed);
            }
            self.unflushed = true;
            match Pin::new(&mut *sink).poll_write(cx, bytes) {
                Poll::Ready(Ok(taken)) if taken == bytes.len() => {}
                Poll::Ready(Ok(taken)) => self.pending.extend_from_slice(&bytes[taken..]),
                Poll::Ready(Err(_)) => return Poll::Ready(LaneEnd::SinkClosed),
                Poll::Pending => self.pending.extend_from_slice(bytes),
            }
        }
    }

    fn poll_pending<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, sink: &mut W) -> Poll<io::Result<()>> {
        self.unflushed = true;
        while let Some(rest) = self.pending.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut *sink).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                taken => self.taken += taken,
            }
        }
        // The memory goes too: an idle session holds no buffer.
        self.pending = Vec::new();
        self.taken = 0;
        Poll::Ready(Ok(()))
    }
}

impl Relay {
    /// Joins a client and a server; `asked` are bytes that were read too early and go first. Gives the reason to part at once if
    /// they are not messages.
    pub(super) fn new((client, asked): (Client, Vec<u8>), connection: Box<Connection>) -> (Self, Option<End>) {
        let mut relay = Self { client, connection, up: Lane::default(), down: Lane::default(), talk: Talk::default() };
        let given = relay.up.give(asked, &mut FromClient(&mut relay.talk));
        (relay, given.is_err().then_some(End::ClientViolation))
    }

    /// Whether the client said Terminate.
    pub(super) const fn is_terminated(&self) -> bool {
        self.up.last == b'X'
    }

    /// How the server can be left.
    pub(super) fn goodbye(&self) -> Goodbye {
        match (self.is_terminated() && !self.up.goodbye_kept, self.up.at_boundary()) {
            (true, _) => Goodbye::Said,
            (false, true) => Goodbye::Due,
            (false, false) => Goodbye::Impossible,
        }
    }

    /// Whether the last message to the client was an error, and so tells it why the connection ends.
    pub(super) const fn has_told_error(&self) -> bool {
        self.down.last == b'E'
    }

    /// Whether nobody owes an answer and no transaction is open.
    fn is_idle(&self) -> bool {
        self.talk.is_over() && self.up.at_boundary() && self.down.at_boundary()
    }

    /// Whether the server connection is as good as cleaned: nothing was left half done on it, all that it said was understood,
    /// and the server was not told that its client goes.
    pub(super) fn can_be_handed_on(&self) -> bool {
        let unaware = self.up.goodbye_kept || !self.is_terminated();
        self.is_idle() && unaware && !self.up.closed && !self.talk.is_doubtful()
    }

    /// Carries until one end is gone or the session is asked to end.
    ///
    /// # Cancel safety
    /// Safe: what was read but not written stays in the lane.
    pub(super) async fn run(&mut self, stop: &Stop) -> End {
        poll_fn(|cx| self.poll(cx, stop)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>, stop: &Stop) -> Poll<End> {
        stop.register(cx);
        match stop.asked() {
            None | Some(Reason::Draining) => {}
            Some(reason) => return Poll::Ready(End::Stopped(reason)),
        }
        if let Some(end) = BUFFER.with_borrow_mut(|buffer| self.carry(cx, buffer)) {
            return Poll::Ready(end);
        }
        match stop.asked() {
            Some(reason) if reason != Reason::Draining || self.is_idle() => Poll::Ready(End::Stopped(reason)),
            _ => Poll::Pending,
        }
    }

    fn carry(&mut self, cx: &mut Context<'_>, buffer: &mut [u8]) -> Option<End> {
        let Self { client, connection, up, down, talk } = self;
        let Connection { stream: server, settings, .. } = &mut **connection;
        if !up.closed {
            match up.poll_carry(cx, (client, server), buffer, &mut FromClient(talk)) {
                Poll::Ready(LaneEnd::SourceClosed) => return Some(End::ClientGone),
                Poll::Ready(LaneEnd::Malformed) => return Some(End::ClientViolation),
                // The server may have said why before it closed; that comes down the other lane, and then its end.
                Poll::Ready(LaneEnd::SinkClosed) => up.closed = true,
                Poll::Pending => {}
            }
        }
        match down.poll_carry(cx, (server, client), buffer, &mut FromServer::new(talk, settings)) {
            Poll::Ready(LaneEnd::SourceClosed) => Some(End::ServerGone),
            Poll::Ready(LaneEnd::Malformed) => Some(End::ServerViolation),
            Poll::Ready(LaneEnd::SinkClosed) => Some(End::ClientGone),
            Poll::Pending => None,
        }
    }

    /// Carries the rest of the message that the client is in the middle of, and nothing after it.
    ///
    /// # Errors
    /// One end is gone, or the message does not come from where messages come.
    ///
    /// # Cancel safety
    /// Not safe: the client may have got a part that is not accounted for; it must be closed then.
    pub(super) async fn finish_message(&mut self) -> io::Result<()> {
        let pending = std::mem::take(&mut self.down.pending);
        self.client.write_all(pending.get(self.down.taken..).unwrap_or_default()).await?;
        self.down.taken = 0;
        let mut piece = Vec::new();
        while !self.down.tracker.at_boundary() {
            piece.resize(self.down.tracker.certain().min(BUFFER_LENGTH), 0);
            let length = self.connection.stream.read(&mut piece).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let bytes = piece.get(..length).unwrap_or_default();
            let mut heard = FromServer::new(&mut self.talk, &mut self.connection.settings);
            self.down.follow(bytes, &mut heard).map_err(|()| io::Error::from(io::ErrorKind::InvalidData))?;
            self.client.write_all(bytes).await?;
        }
        self.client.flush().await
    }
}

/// Reads and forgets until the peer has closed.
pub(super) async fn drain<R: AsyncRead + Unpin>(source: &mut R) {
    poll_fn(|cx| {
        BUFFER.with_borrow_mut(|buffer| {
            loop {
                let mut read = ReadBuf::new(buffer);
                match ready!(Pin::new(&mut *source).poll_read(cx, &mut read)) {
                    Ok(()) if !read.filled().is_empty() => {}
                    Ok(()) | Err(_) => return Poll::Ready(()),
                }
            }
        })
    })
    .await;
}
