//! One client with one server connection, from its first message until nothing is owed and no transaction is open.
//!
//! Promises: each direction goes on while the other is blocked; a direction holds what its sink would not take of one read,
//! and no more is read until it has. Nothing that was read from one end is in here when the lending ends as settled.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin as Still;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use holm_pgwire::exchange::{Ask, Whose};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::postgres::client::Client;
use crate::postgres::counters::{Counters, Pinned};
use crate::postgres::reset::Reset;
use crate::postgres::sessions::{Session, SessionId};
use crate::postgres::stop::{Reason, Stop};

use super::connection::Connection;
use super::down::{self, Discarded, Down, Fault};
use super::effects::Pin;
use super::numbers::{DISCARD_SEQUENCES, Numbers};
use super::pools::Member;
use super::prepared::Names;
use super::settings::Settings;
use super::up::{self, Up};

/// As in session pooling: small requests fit many times over, a bulk copy pays one system call per buffer.
const BUFFER_LENGTH: usize = 32 * 1024;

/// Answers that are owed to one client; a pipeline of that many is one that nobody reads the end of.
const OWED_MAX: usize = 32 * 1024;
/// Bytes that wait for a client, besides what a server said.
const WAITING_MAX: usize = 256 * 1024;

thread_local! {
    /// What is read, and what it becomes. One pair per worker: used within one poll, never across two.
    static BUFFERS: RefCell<(Box<[u8]>, Vec<u8>)> = RefCell::new((vec![0; BUFFER_LENGTH].into(), Vec::with_capacity(BUFFER_LENGTH + 1024)));
}

/// A client in transaction pooling, with what goes with it from server to server.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) client: Client,
    pub(super) up: Up,
    pub(super) names: Names,
    pub(super) settings: Settings,
    /// When it wants a connection to be clean.
    pub(super) reset: Reset,
    /// Why it keeps its connection.
    pub(super) pin: Option<Pin>,
    /// Counts it while it does.
    pub(super) pinned: Option<Pinned>,
    pub(super) member: Member,
}

/// Why a lending is over.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum End {
    /// Nothing is owed, no transaction is open, nothing pins the client.
    Settled,
    /// The client said goodbye.
    Terminated,
    ClientGone,
    ClientViolation(up::Refused),
    ServerGone,
    ServerViolation,
    /// The server could not be made what the client's session is.
    Unprepared,
    Stopped(Reason),
}

/// What a client did between two lendings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Woke {
    Asks,
    Terminated,
    Gone,
    Stopped(Reason),
}

/// Whether a client that asks nothing goes when the node drains.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Draining {
    Counts,
    /// Not yet: it has only just been let in.
    Waits,
}

impl Guest {
    /// Waits for the client to ask something. It has no buffer meanwhile.
    ///
    /// # Cancel safety
    /// Safe: what was read is held.
    pub(super) async fn wakes(&mut self, stop: &Stop, draining: Draining) -> Woke {
        poll_fn(|cx| {
            stop.register(cx);
            if let Some(reason) = stop.asked().filter(|reason| draining == Draining::Counts || *reason != Reason::Draining) {
                return Poll::Ready(Woke::Stopped(reason));
            }
            BUFFERS.with_borrow_mut(|(buffer, _)| {
                let mut read = ReadBuf::new(buffer);
                match ready!(Still::new(&mut self.client).poll_read(cx, &mut read)) {
                    Ok(()) if !read.filled().is_empty() => self.up.hold(read.filled()),
                    Ok(()) | Err(_) => return Poll::Ready(Woke::Gone),
                }
                Poll::Ready(if self.up.is_terminated() { Woke::Terminated } else { Woke::Asks })
            })
        })
        .await
    }
}

/// Waits for a client to leave, or to say nothing but goodbye; holds what it says, as long as that is not much.
///
/// # Cancel safety
/// Safe: what was read is held.
pub(super) async fn leaves(client: &mut Client, up: &mut Up) {
    poll_fn(|cx| {
        BUFFERS.with_borrow_mut(|(buffer, _)| {
            while up.held_length() < BUFFER_LENGTH {
                let mut read = ReadBuf::new(buffer);
                match ready!(Still::new(&mut *client).poll_read(cx, &mut read)) {
                    Ok(()) if !read.filled().is_empty() => up.hold(read.filled()),
                    Ok(()) | Err(_) => return Poll::Ready(()),
                }
                if up.is_terminated() {
                    return Poll::Ready(());
                }
            }
            Poll::Pending
        })
    })
    .await;
}

/// What a sink has not taken yet.
#[derive(Debug, Default)]
struct Outbox {
    bytes: Vec<u8>,
    taken: usize,
    /// The sink may hold bytes back that it was given.
    unflushed: bool,
}

impl Outbox {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Sends what waits, then `bytes`; what is not taken waits.
    fn poll_send<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, sink: &mut W, mut bytes: &[u8]) -> io::Result<()> {
        if !self.is_empty() && self.poll_rest(cx, sink)?.is_pending() {
            self.bytes.extend_from_slice(bytes);
            return Ok(());
        }
        while !bytes.is_empty() {
            self.unflushed = true;
            match Still::new(&mut *sink).poll_write(cx, bytes)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => bytes = &bytes[taken..],
                Poll::Pending => {
                    self.bytes.extend_from_slice(bytes);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn poll_rest<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, sink: &mut W) -> io::Result<Poll<()>> {
        while let Some(rest) = self.bytes.get(self.taken..).filter(|rest| !rest.is_empty()) {
            match Still::new(&mut *sink).poll_write(cx, rest)? {
                Poll::Ready(0) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(taken) => self.taken += taken,
                Poll::Pending => return Ok(Poll::Pending),
            }
        }
        (self.bytes, self.taken) = (Vec::new(), 0);
        Ok(Poll::Ready(()))
    }

    fn poll_flush<W: AsyncWrite + Unpin>(&mut self, cx: &mut Context<'_>, sink: &mut W) -> io::Result<()> {
        if self.unflushed && Still::new(&mut *sink).poll_flush(cx)?.is_ready() {
            self.unflushed = false;
        }
        Ok(())
    }
}

/// One lending.
#[derive(Debug)]
pub(super) struct Lend {
    pub(super) connection: Box<Connection>,
    down: Down,
    to_server: Outbox,
    to_client: Outbox,
    /// The server takes nothing any more; it may have said why.
    server_is_deaf: bool,
    begun: bool,
    /// The server was asked for what it has, since the client is owed so much that it is not read from.
    flushed: bool,
}

impl Lend {
    /// Lends a connection, clean of what another client may have left, and under the settings that this one knows.
    pub(super) fn new(mut connection: Box<Connection>, guest: &mut Guest, who: SessionId) -> Self {
        guest.up.begin();
        connection.exchange.shrink();
        let mut to_server = Outbox::default();
        let mut ask = |query: &[u8]| {
            let length = u32::try_from(query.len() + 5).expect("a few settings");
            to_server.bytes.push(b'Q');
            to_server.bytes.extend_from_slice(&length.to_be_bytes());
            to_server.bytes.extend_from_slice(query);
            to_server.bytes.push(0);
            connection.exchange.ask(Ask::Query, Whose::Ours, |_| {});
        };
        let is_new_to_it = connection.last.replace(who).is_some_and(|last| last != who);
        let is_strict = guest.reset == Reset::Strict;
        let settings = if is_new_to_it && (connection.soiled || is_strict) {
            ask(b"DISCARD ALL");
            connection.known.clear();
            (connection.soiled, connection.numbers) = (false, Numbers::Nobodys);
            &connection.initial
        } else {
            if is_new_to_it {
                connection.numbers.pass_on();
            }
            if connection.numbers.are_anothers() && connection.seat.desk.asks_for_numbers.load(Ordering::Relaxed) {
                ask(DISCARD_SEQUENCES);
                connection.numbers = Numbers::Nobodys;
            }
            connection.settings.share(&guest.settings);
            &connection.settings
        };
        if let Some(query) = guest.settings.difference(settings) {
            ask(&query);
        }
        // What a strict client leaves behind is cleaned, seen or not.
        connection.soiled |= is_strict;
        Self {
            connection,
            down: Down::default(),
            to_server,
            to_client: Outbox::default(),
            server_is_deaf: false,
            begun: false,
            flushed: false,
        }
    }

    /// Whether nobody owes anything and no message is under way.
    pub(super) fn is_settled(&self, guest: &Guest) -> bool {
        self.connection.exchange.is_settled()
            && self.down.is_at_boundary()
            && guest.up.is_at_boundary()
            && self.to_server.is_empty()
            && self.to_client.is_empty()
            // TLS may hold the end of the answer back, and nobody would send it later.
            && !self.to_client.unflushed
    }

    /// Whether Terminate may be said to the server.
    pub(super) fn is_between_messages(&self, guest: &Guest) -> bool {
        self.to_server.is_empty() && guest.up.is_at_boundary()
    }

    pub(super) const fn has_told_error(&self) -> bool {
        self.down.has_told_error()
    }

    /// Carries until it is over.
    ///
    /// # Cancel safety
    /// Safe: what was read and not written is kept.
    pub(super) async fn run(&mut self, guest: &mut Guest, session: &Session, counters: &Arc<Counters>) -> End {
        poll_fn(|cx| {
            let ended = self.poll(cx, guest, &session.stop);
            if guest.pin.is_some() != guest.pinned.is_some() {
                guest.pinned = guest.pin.map(|pin| counters.pinned(pin));
                session.pinned.store(guest.pin.is_some(), Ordering::Relaxed);
            }
            ended
        })
        .await
    }

    fn poll(&mut self, cx: &mut Context<'_>, guest: &mut Guest, stop: &Stop) -> Poll<End> {
        stop.register(cx);
        let asked = stop.asked();
        if let Some(reason) = asked.filter(|reason| *reason != Reason::Draining) {
            return Poll::Ready(End::Stopped(reason));
        }
        let ended = BUFFERS.with_borrow_mut(|(buffer, out)| {
            let ended = self.carry(cx, guest, buffer, out);
            // A long text of one client is not room for all the others'.
            out.clear();
            out.shrink_to(2 * BUFFER_LENGTH);
            ended
        });
        if let Some(end) = ended {
            return Poll::Ready(end);
        }
        let settled = self.is_settled(guest);
        // A function may have seen to it, whose text nobody read. While a transaction is open it may be for that alone.
        if settled && !self.connection.settings.acts_as(&self.connection.initial) {
            guest.pin.get_or_insert(Pin::Setting);
        }
        match (settled, asked) {
            (true, Some(reason)) => Poll::Ready(End::Stopped(reason)),
            (true, None) if guest.pin.is_none() => Poll::Ready(End::Settled),
            _ => Poll::Pending,
        }
    }

    fn carry(&mut self, cx: &mut Context<'_>, guest: &mut Guest, buffer: &mut [u8], out: &mut Vec<u8>) -> Option<End> {
        loop {
            if let Some(end) = self.carry_up(cx, guest, buffer, out) {
                return Some(end);
            }
            let was_full = self.is_full();
            if let Some(end) = self.carry_down(cx, guest, buffer, out) {
                return Some(end);
            }
            if !was_full || self.is_full() {
                return None;
            }
        }
    }

    /// Whether the client is to take what it is owed before it may ask more: answers of ours cost it nothing to ask for.
    fn is_full(&self) -> bool {
        self.connection.exchange.owed() > OWED_MAX || self.to_client.bytes.len() > WAITING_MAX
    }

    fn carry_up(&mut self, cx: &mut Context<'_>, guest: &mut Guest, buffer: &mut [u8], out: &mut Vec<u8>) -> Option<End> {
        if self.server_is_deaf {
            return None;
        }
        loop {
            if self.begun && !self.to_server.is_empty() {
                match self.to_server.poll_rest(cx, &mut self.connection.stream) {
                    Ok(Poll::Ready(())) => {}
                    Ok(Poll::Pending) => return None,
                    Err(_) => {
                        self.server_is_deaf = true;
                        return None;
                    }
                }
            }
            if self.is_full() && guest.up.is_between_messages() {
                // What the server has answered may rest in its buffer until somebody asks for it.
                let flush: &[u8] = if std::mem::replace(&mut self.flushed, true) { b"" } else { b"H\0\0\0\x04" };
                let sent = self.to_server.poll_send(cx, &mut self.connection.stream, flush);
                self.server_is_deaf = sent.and_then(|()| self.to_server.poll_flush(cx, &mut self.connection.stream)).is_err();
                return None;
            }
            self.flushed = false;
            // What the client asked before it had a server comes first, and what was too much at once.
            let mut read = ReadBuf::new(buffer);
            if std::mem::replace(&mut self.begun, true) && !guest.up.is_cut() {
                match Still::new(&mut guest.client).poll_read(cx, &mut read) {
                    Poll::Pending => {
                        self.server_is_deaf = self.to_server.poll_flush(cx, &mut self.connection.stream).is_err();
                        return None;
                    }
                    Poll::Ready(Ok(())) if !read.filled().is_empty() => {}
                    Poll::Ready(_) => return Some(End::ClientGone),
                }
            }
            let input = read.filled();
            out.clear();
            let Guest { up, names, pin, member, .. } = &mut *guest;
            let Connection { exchange, known, settings, soiled, numbers, seat, .. } = &mut *self.connection;
            let (asks_for_numbers, has_acted) = (&seat.desk.asks_for_numbers, self.down.has_acted());
            let carried = member.with_statements(|statements| {
                let mut table =
                    up::Table { exchange, names, statements, known, settings, pin, soiled, numbers, asks_for_numbers, has_acted };
                up.carry(input, &mut table, out)
            });
            if let Err(why) = carried {
                return Some(End::ClientViolation(why));
            }
            if !out.is_empty() && self.to_server.poll_send(cx, &mut self.connection.stream, out).is_err() {
                self.server_is_deaf = true;
            }
            if self.down.is_between() {
                out.clear();
                down::say(&mut self.connection.exchange, out);
                if !out.is_empty() && self.to_client.poll_send(cx, &mut guest.client, out).is_err() {
                    return Some(End::ClientGone);
                }
            }
            if guest.up.is_terminated() {
                return Some(End::Terminated);
            }
            if self.server_is_deaf {
                return None;
            }
        }
    }

    fn carry_down(&mut self, cx: &mut Context<'_>, guest: &mut Guest, buffer: &mut [u8], out: &mut Vec<u8>) -> Option<End> {
        loop {
            if !self.to_client.is_empty() {
                match self.to_client.poll_rest(cx, &mut guest.client) {
                    Ok(Poll::Ready(())) => {}
                    Ok(Poll::Pending) => return None,
                    Err(_) => return Some(End::ClientGone),
                }
            }
            let mut read = ReadBuf::new(buffer);
            match Still::new(&mut self.connection.stream).poll_read(cx, &mut read) {
                Poll::Pending => return self.to_client.poll_flush(cx, &mut guest.client).is_err().then_some(End::ClientGone),
                Poll::Ready(Ok(())) if !read.filled().is_empty() => {}
                Poll::Ready(_) => return Some(End::ServerGone),
            }
            out.clear();
            let mut discarded = Discarded::default();
            let Connection { exchange, known, settings, numbers, spent, .. } = &mut *self.connection;
            let mut table = down::Table { exchange, known, settings, numbers, spent, discarded: &mut discarded };
            let carried = self.down.carry(read.filled(), &mut table, out);
            if !out.is_empty() && self.to_client.poll_send(cx, &mut guest.client, out).is_err() {
                return Some(End::ClientGone);
            }
            match carried {
                Ok(()) => {}
                Err(Fault::Violation) => return Some(End::ServerViolation),
                Err(Fault::Unprepared) => return Some(End::Unprepared),
            }
            if discarded != Discarded::Nothing {
                guest.names.clear();
                if discarded == Discarded::All {
                    guest.pin = None;
                }
            }
        }
    }

    /// Carries the rest of the message that the client is in the middle of.
    ///
    /// # Errors
    /// One end is gone, or the server breaks the protocol.
    ///
    /// # Cancel safety
    /// Not safe: the client must be closed then.
    pub(super) async fn finish_message(&mut self, guest: &mut Guest) -> io::Result<()> {
        poll_fn(|cx| {
            BUFFERS.with_borrow_mut(|(buffer, out)| {
                while !self.to_client.is_empty() || !self.down.is_between() {
                    if !self.to_client.is_empty() && self.to_client.poll_rest(cx, &mut guest.client)?.is_pending() {
                        return Poll::Pending;
                    }
                    if self.down.is_between() {
                        break;
                    }
                    // Not a byte beyond the message: what follows is not the client's any more.
                    let length = self.down.left().min(buffer.len());
                    let mut read = ReadBuf::new(&mut buffer[..length]);
                    ready!(Still::new(&mut self.connection.stream).poll_read(cx, &mut read))?;
                    if read.filled().is_empty() {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    out.clear();
                    self.down.pass(read.filled(), out);
                    self.to_client.poll_send(cx, &mut guest.client, out)?;
                }
                Poll::Ready(Ok(()))
            })
        })
        .await
    }
}
