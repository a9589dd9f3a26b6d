//! Transaction pooling: a client has a server connection from its first message until its transaction is over, and another
//! client of the same tenant and role may have it then.
//!
//! Promises: a connection goes from one client to the next only when the server owes nothing, no transaction is open, no
//! byte is on its way and nothing is known to be left behind in its session; any doubt closes it. It never leaves the pool
//! that it was opened for, and a pool is of one tenant and one role. A client that needs a session keeps its connection
//! (`effects`), and what it leaves there is discarded before anybody else gets it.
//!
//! What both kinds of pooling need is here: `pools`, `opening`, `offer`, `cleaning`. Session pooling itself is `tenure`.

mod cleaning;
pub(super) mod connection;
mod down;
mod effects;
pub(super) mod inventory;
mod lend;
mod named;
mod numbers;
pub(super) mod offer;
pub(super) mod opening;
mod pools;
mod prepared;
pub(super) mod settings;
mod tally;
pub(super) mod tenure;
mod up;
mod vintage;

use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use holm_core::error::{ErrorCode, Problem};
use holm_core::route::{Admission, RouteTable};
use holm_pgwire::frame::STARTUP_LENGTH_MAX;
use holm_pgwire::message;
use holm_pgwire::startup::SessionRequest;
use jiff::Timestamp;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::cleaning::clean;
use self::connection::Connection;
pub(super) use self::effects::Pin;
use self::lend::{Draining, End, Guest, Lend, Woke, leaves};
use self::pools::Member;
use self::prepared::Names;
use self::settings::Settings;
use self::up::Up;
use super::Node;
use super::budget::{Answer, Because, Ticketed};
use super::client::Client;
use super::closing::{self, Goodbye, Leave, last_words, release};
use super::conversation::Conversation;
use super::counters::{Disconnect, Open};
use super::pooling::Pooling;
use super::reset::Reset;
use super::sessions::{Registered, Session};
use super::{parameters, refusal, server};

/// For a client to take its last message.
const CLIENT_PATIENCE: Duration = Duration::from_secs(1);
/// For a client to ask something that was let in when the node drains: who may connect may begin.
const FIRST_WORD_PATIENCE: Duration = Duration::from_secs(1);
/// A connection that nobody has had for so long is closed.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(600);

/// A client that is in.
pub(super) struct Admitted {
    open: Open,
    guest: Guest,
    registered: Registered,
}

/// A client that has proven itself, on its way into its tenant's pool, in either kind of pooling.
pub(super) struct Entering {
    client: Client,
    /// What it sent already.
    asked: Vec<u8>,
    startup: Box<[u8]>,
    application_name: Option<Box<[u8]>>,
    /// The end of the authentication, to be sent with what follows.
    pub(super) answer: Vec<u8>,
    registered: Registered,
    reset: Reset,
    pub(super) peer: SocketAddr,
}

impl Entering {
    pub(super) fn new(
        conversation: Conversation<Client>,
        request: &SessionRequest<'_>,
        answer: Vec<u8>,
        registered: Registered,
        reset: Reset,
        peer: SocketAddr,
    ) -> Self {
        let (client, asked) = conversation.into_parts();
        let Admission { route, login, .. } = &registered.admission;
        let (startup, application_name) = match registered.caller.pooling {
            Pooling::Transaction => (
                parameters::pooled_startup_message(request, route, &login.role).into(),
                request.parameter("application_name").map(Into::into),
            ),
            Pooling::Session => (parameters::startup_message(request, route, &login.role).into(), None),
        };
        Self { client, asked, startup, application_name, answer, registered, reset, peer }
    }

    pub(super) fn pooling(&self) -> Pooling {
        self.registered.caller.pooling
    }

    /// Leaves this worker.
    pub(super) fn depart(&mut self) {
        self.client.depart();
    }

    /// Comes to this worker.
    pub(super) fn arrive(&mut self) {
        self.client.arrive();
    }

    pub(super) fn into_client(self) -> Client {
        self.client
    }
}

/// Lets a client in, and tells it that it may begin. The first client of a pool waits for a server, whose settings it and all
/// others are told.
pub(super) async fn admit(node: &Node, entering: Entering) -> Result<Admitted, Refused> {
    let Entering { mut client, asked, startup, application_name, answer, registered, reset, .. } = entering;
    if startup.len() > STARTUP_LENGTH_MAX {
        return Err(Refused::Ours(refusal::violation("the startup parameters are too long"), client));
    }
    let kind = (registered.admission.level, Pooling::Transaction);
    let member = Member::enter(&registered.admission, kind, startup, || node.desks.number_pool());
    let mut up = Up::default();
    up.hold(&asked);
    let mut settings = match member.greeting() {
        Some(greeting) => greeting,
        None => match wait(node, &registered, &member, (&mut client, &mut up)).await {
            Ok(connection) => {
                let greeting = connection.initial.clone();
                offer::give(connection);
                greeting
            }
            Err(Denied::Failed(server::Failed::Refused(problem))) => return Err(Refused::Ours(problem, client)),
            Err(Denied::Failed(server::Failed::Passed(message))) => return Err(Refused::Servers(message, client)),
            Err(Denied::Gone) => return Err(Refused::Gone),
        },
    };
    if let Some(name) = application_name {
        settings.set(b"application_name", &name);
    }
    // Before its client can know that it is open.
    let open = node.counters.session_opened();
    if !welcome(node, &mut client, &registered, answer, &settings).await {
        return Err(Refused::Gone);
    }
    let guest = Guest { client, up, names: Names::default(), settings, reset, pin: None, pinned: None, member };
    Ok(Admitted { open, guest, registered })
}

/// Tells a client that it may begin; says whether it has heard it, and may.
async fn welcome(node: &Node, client: &mut Client, registered: &Registered, answer: Vec<u8>, settings: &Settings) -> bool {
    let mut welcome = answer;
    settings.iter().for_each(|(name, value)| message::parameter_status(&mut welcome, name, value));
    let (process, key) = node.cancels.key_of(registered);
    message::backend_key_data(&mut welcome, process, &key);
    message::ready_for_query(&mut welcome);
    let said = async {
        client.write_all(&welcome).await?;
        client.flush().await
    };
    tokio::select! {
        // A welcome that was sent in part is never continued: the client is closed.
        welcomed = timeout(server::LOGIN_TIMEOUT, said) => matches!(welcomed, Ok(Ok(()))),
        _ = registered.stop.ended() => false,
    }
}

/// Closes every idle connection of this worker that a table forbids, or that no certificate speaks for at this time, and ends every
/// opening that a table forbids.
pub(super) async fn enforce(table: &RouteTable, now: Timestamp) {
    let (openings, paused, idle) = (pools::stop_forbidden(table), pools::under_way_for_paused(table), pools::take_forbidden(table));
    join_all(idle.into_iter().chain(pools::outdate_uncertified(table, now)).map(close_idle)).await;
    // Those of a paused tenant go on, but nobody is told that it is paused while one may still get in.
    join_all(openings.iter().chain(&paused).map(CancellationToken::cancelled)).await;
}

/// Closes the connections of this worker that nobody has had for long, and those that no certificate speaks for any more.
pub(super) fn sweep(node: &Node, tasks: &TaskTracker) {
    let uncertified = pools::outdate_uncertified(&node.routes.load(), node.routes.now());
    for connection in pools::take_older_than(IDLE_MAX).into_iter().chain(uncertified) {
        tasks.spawn(close_idle(connection));
    }
}

/// Ends every opening of this worker.
pub(super) fn stop_openings() {
    pools::stop_all();
}

/// Closes every idle connection of this worker.
pub(super) async fn close_all() {
    join_all(pools::take_older_than(Duration::ZERO).into_iter().map(close_idle)).await;
}

/// Why a client was not let in.
pub(super) enum Refused {
    Ours(Problem, Client),
    Servers(Vec<u8>, Client),
    Gone,
}

/// Serves a client until it goes or has to. What happens once, or seldom, is in a box of its own: a client that rests costs no
/// more than the way on from there.
pub(super) async fn serve(node: &Node, admitted: Admitted) -> Disconnect {
    // In this order, so that a session that is not counted any more has no place either.
    let Admitted { open: _open, mut guest, registered } = admitted;
    let mut is_new = true;
    loop {
        let has_asked = !guest.up.is_at_boundary();
        let woke = match std::mem::take(&mut is_new) {
            _ if has_asked => Woke::Asks,
            true => Box::pin(first_word(&mut guest, &registered)).await,
            false => guest.wakes(&registered.stop, Draining::Counts).await,
        };
        match woke {
            Woke::Asks => {}
            Woke::Terminated => return Disconnect::Terminated,
            Woke::Gone => return Disconnect::ClientGone,
            Woke::Stopped(reason) => {
                Box::pin(last_words(guest.client, &refusal::fatal(&refusal::stopped(reason)))).await;
                return Disconnect::Stopped;
            }
        }
        let begun = Instant::now();
        let connection = match guest.member.take() {
            Some(connection) => connection,
            None => match Box::pin(wait(node, &registered, &guest.member, (&mut guest.client, &mut guest.up))).await {
                Ok(connection) => connection,
                Err(Denied::Gone) => return Disconnect::ClientGone,
                Err(Denied::Failed(failed)) => {
                    let words = match failed {
                        server::Failed::Refused(problem) => {
                            node.counters.refuse(problem.code);
                            refusal::fatal(&problem)
                        }
                        server::Failed::Passed(message) => message,
                    };
                    Box::pin(last_words(guest.client, &words)).await;
                    return Disconnect::Refused;
                }
            },
        };
        registered.server_key.store(connection.key.clone());
        guest.member.tally.lent();
        let mut lend = Lend::new(connection, &mut guest, registered.id);
        let end = lend.run(&mut guest, &registered, &node.counters).await;
        // First nobody finds the connection by this session any more, then is asked whether somebody just has.
        registered.server_key.store(None);
        if registered.cancelling.load(Ordering::SeqCst) {
            lend.connection.spent = true;
        }
        match end {
            End::Settled => {
                guest.settings = lend.connection.settings.clone();
                put_back(lend.connection, &registered).await;
                let took = begun.elapsed();
                node.counters.transactions.add(took);
                guest.member.tally.transaction(took);
            }
            end => return Box::pin(part(lend, &mut guest, &registered, end)).await,
        }
    }
}

/// What a client does first.
async fn first_word(guest: &mut Guest, session: &Session) -> Woke {
    match timeout(FIRST_WORD_PATIENCE, guest.wakes(&session.stop, Draining::Waits)).await {
        Ok(woke) => woke,
        Err(_) => guest.wakes(&session.stop, Draining::Counts).await,
    }
}

async fn put_back(connection: Box<Connection>, session: &Session) {
    if connection.spent { Box::pin(close(connection, session, Leave::Stopped, Goodbye::Due)).await } else { offer::give(connection) }
}

/// Ends a session in the middle of a lending: the client first, then the server.
async fn part(mut lend: Lend, guest: &mut Guest, session: &Session, end: End) -> Disconnect {
    let goodbye = if lend.is_between_messages(guest) { Goodbye::Due } else { Goodbye::Impossible };
    let (dismissed, leave, disconnect) = match end {
        End::Settled | End::Terminated | End::ClientGone => {
            let settled = lend.is_settled(guest);
            let Lend { connection, .. } = lend;
            drop(std::mem::replace(&mut guest.client, Client::Away));
            if settled && guest.pin.is_some() {
                // At once: locks and listening end with their client.
                match clean(connection).await {
                    Ok(connection) => put_back(connection, session).await,
                    Err(connection) => close(connection, session, Leave::Stopped, Goodbye::Due).await,
                }
            } else if settled {
                put_back(connection, session).await;
            } else {
                close(connection, session, Leave::Abandoned, goodbye).await;
            }
            return if end == End::ClientGone { Disconnect::ClientGone } else { Disconnect::Terminated };
        }
        End::ServerGone if lend.has_told_error() => (None, Leave::Stopped, Disconnect::ServerGone),
        End::ServerGone => (Some(refusal::server_lost("the server closed the connection")), Leave::Stopped, Disconnect::ServerGone),
        End::ServerViolation => {
            tracing::warn!(tenant.id = %session.admission.route.tenant, "a server broke the protocol");
            (None, Leave::Stopped, Disconnect::ServerViolation)
        }
        End::Unprepared => {
            let why = "the server did not take this session's settings; what was asked since may have been done or not";
            (Some(refusal::server_lost(why)), Leave::Stopped, Disconnect::ServerGone)
        }
        End::ClientViolation(what) => (Some(refusal::violation(&what.to_string())), Leave::Stopped, Disconnect::ClientViolation),
        End::Stopped(reason) => (Some(refusal::stopped(reason)), Leave::Stopped, Disconnect::Stopped),
    };
    // Without the end of the message there is no place for ours; the client then sees the connection break off.
    let between = dismissed.is_some() && matches!(timeout(CLIENT_PATIENCE, lend.finish_message(guest)).await, Ok(Ok(())));
    let client = std::mem::replace(&mut guest.client, Client::Away);
    let words = dismissed.filter(|_| between).map(|problem| refusal::fatal(&problem)).unwrap_or_default();
    if end != End::ServerViolation {
        last_words(client, &words).await;
    }
    close(lend.connection, session, leave, goodbye).await;
    disconnect
}

/// Closes a connection; its place in the budget is free when the server has closed its side.
async fn close(connection: Box<Connection>, session: &Session, leave: Leave, goodbye: Goodbye) {
    let Connection { stream, key, seat, bottle, .. } = *connection;
    release(stream, session, key.as_deref(), leave, goodbye).await;
    drop(seat);
    drop(bottle);
}

/// Closes a connection that nobody has.
pub(super) async fn close_idle(connection: Box<Connection>) {
    let Connection { mut stream, seat, bottle, .. } = *connection;
    let _ = stream.write_all(&message::TERMINATE).await;
    closing::abandon(stream).await;
    drop(seat);
    drop(bottle);
}

/// Why a client has no connection.
enum Denied {
    Failed(server::Failed),
    /// It left while it waited.
    Gone,
}

/// A connection of the pool: the next that is free, or a new one.
async fn wait(node: &Node, session: &Session, member: &Member, (client, up): (&mut Client, &mut Up)) -> Result<Box<Connection>, Denied> {
    let Admission { route, cluster, .. } = &session.admission;
    let begun = Instant::now();
    let _waits = session.waits();
    let (ticketed, patience) = match session.caller.pooling {
        Pooling::Transaction => (Ticketed::Transaction, node.wait),
        Pooling::Session => (Ticketed::Session, node.wait_for_session),
    };
    let mut waiting = node.desks.of(cluster).want(member.id, route.tenant, ticketed, patience);
    // All are safe to drop: what was read is held, and an answer that was not taken is given back.
    let answer = tokio::select! {
        answer = waiting.answer() => answer,
        reason = session.stop.ended() => return Err(Denied::Failed(server::Failed::Refused(refusal::stopped(reason)))),
        () = leaves(client, up) => return Err(Denied::Gone),
    };
    let waited = begun.elapsed();
    if ticketed == Ticketed::Transaction {
        node.counters.waits.add(waited);
        member.tally.waited(waited);
    }
    match answer {
        Answer::Given(connection) if connection.tenant == member.tenant() => Ok(connection),
        Answer::Given(connection) => {
            connection.dismiss();
            Err(Denied::Failed(server::Failed::Refused(Problem::new(
                ErrorCode::Internal,
                "a server connection of another tenant was refused",
            ))))
        }
        Answer::Refused(because) => Err(Denied::Failed(match (because, member.failure()) {
            (Because::OpeningFailed | Because::OpeningsFail { .. }, Some(failed)) => failed,
            (because, _) => server::Failed::Refused(refusal::no_connection(because, route, cluster)),
        })),
    }
}
