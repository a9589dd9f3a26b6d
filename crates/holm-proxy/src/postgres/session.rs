//! One client from its first byte to its last: log in, join with a server, carry, part.
//!
//! Promises: a server connection serves the tenant it was opened for and no other; every way out releases the server, its
//! place in the budget and the entry in the registry, in that order, and names one reason.

use std::net::SocketAddr;
use std::sync::Arc;

use holm_core::error::{ErrorCode, Problem};
use holm_core::route::Admission;
use holm_pgwire::frame::STARTUP_LENGTH_MAX;
use holm_pgwire::message;
use holm_pgwire::startup::{self, Opening};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Node;
use super::budget::{Answer, Seat, Ticketed, Verdict};
use super::cancel;
use super::client::Client;
use super::closing;
use super::closing::{Goodbye, Leave, dismiss, last_words, release};
use super::console;
use super::conversation::Conversation;
use super::counters::{Disconnect, Open};
use super::login::{self, Failed, First, Proven, Who};
use super::parameters;
use super::pooling::{self, Pooling};
use super::refusal;
use super::relay::{End, Relay};
use super::reset::{self, Reset};
use super::server::{self, Server};
use super::sessions::Registered;
use super::socket::Socket;
use super::stop::Reason;
use super::transaction;

/// A client that has got in.
enum Joined {
    Own(Box<Own>),
    /// Into a pool, on this worker.
    Pooled(Box<transaction::Entering>),
    /// To the worker where its tenant is at home.
    HandedOver,
    /// To no tenant.
    Console(Box<(Conversation<Client>, console::Entered)>),
}

/// A client with a server connection of its own.
struct Own {
    open: Open,
    relay: Relay,
    registered: Registered,
    seat: Seat,
}

/// Serves one client; counts and logs how it ended.
pub(super) async fn serve(node: &Node, socket: TcpStream, peer: SocketAddr, worker: usize) {
    // The login's future is large and short-lived; a session keeps only what carrying needs.
    let ended = match Box::pin(open(node, socket, peer, worker)).await {
        Ok(Joined::Own(own)) => Box::pin(carry(*own)).await,
        Ok(Joined::Pooled(entering)) => enter(node, entering).await,
        Ok(Joined::HandedOver) => return,
        Ok(Joined::Console(entered)) => Box::pin(console::serve(node, *entered, peer)).await,
        Err(ended) => ended,
    };
    over(node, peer, ended);
}

/// Serves a client that another worker has logged in.
pub(super) async fn arrive(node: &Node, mut entering: Box<transaction::Entering>) {
    entering.arrive();
    let peer = entering.peer;
    over(node, peer, enter(node, entering).await);
}

/// Every part is in a box of its own: a client that rests keeps only what serving it needs.
async fn enter(node: &Node, entering: Box<transaction::Entering>) -> Disconnect {
    match Box::pin(let_in(node, entering)).await {
        Ok(admitted) => Box::pin(transaction::serve(node, admitted)).await,
        Err(ended) => ended,
    }
}

async fn let_in(node: &Node, entering: Box<transaction::Entering>) -> Result<transaction::Admitted, Disconnect> {
    let (peer, answer) = (entering.peer, entering.answer.clone());
    match transaction::admit(node, *entering).await {
        Ok(admitted) => Ok(admitted),
        Err(transaction::Refused::Ours(problem, client)) => {
            let words = [answer, refusal::fatal(&problem)].concat();
            Err(refuse(node, client, peer, &problem, &words).await)
        }
        Err(transaction::Refused::Servers(message, client)) => {
            last_words(client, &[answer, message].concat()).await;
            Err(Disconnect::Refused)
        }
        Err(transaction::Refused::Gone) => Err(Disconnect::ClientGone),
    }
}

fn over(node: &Node, peer: SocketAddr, ended: Disconnect) {
    node.counters.disconnect(ended);
    tracing::debug!(peer.addr = %peer, reason = ended.as_str(), "a connection ended");
}

async fn open(node: &Node, socket: TcpStream, peer: SocketAddr, worker: usize) -> Result<Joined, Disconnect> {
    let mut conversation = Conversation::new(Client::Plain(Socket::Here(socket)));
    let deadline = Instant::now() + node.login_timeout;
    let place = node.half_open.enter();

    // Both may be dropped half-way: the connection is closed then.
    let first = tokio::select! {
        biased;
        _ = place.stop.ended() => return Err(cut(peer, "a login that had sent nothing useful yet gave way")),
        first = timeout_at(deadline, login::first_packet(node, &mut conversation)) =>
            first.unwrap_or(Err(Failed::Cut("the client did not send its startup packet in time"))),
    };
    let packet = match first {
        Ok(First::Session(packet)) => packet,
        Ok(First::Cancel { process, key }) => {
            drop(place);
            cancel::handle(node, peer.ip(), process, &key).await;
            return Err(Disconnect::CancelRequest);
        }
        Err(failed) => return Err(turn_away(node, conversation, peer, failed).await),
    };
    let Ok(Opening::Session(request)) = startup::parse(&packet) else { return Err(Disconnect::NoLogin) };
    let proven = tokio::select! {
        biased;
        reason = place.stop.ended() => Err(Failed::Refused(refusal::stopped(reason))),
        proven = timeout_at(deadline, login::prove(node, &mut conversation, &request, peer)) =>
            proven.unwrap_or_else(|_| Err(Failed::Refused(refusal::login_timeout()))),
    };
    let proven = match proven {
        Ok(Who::Credential(proven)) => proven,
        Ok(Who::Console(entered)) => return Ok(Joined::Console(Box::new((conversation, entered)))),
        Err(failed) => return Err(turn_away(node, conversation, peer, failed).await),
    };
    drop(place);
    let wished =
        pooling::of(&request, proven.credential.level, node.pooling).and_then(|pooling| Ok((pooling, reset::of(&request, node.reset)?)));
    match wished {
        Ok((Pooling::Session, _)) => join(node, conversation, &request, proven, peer).await,
        Ok((Pooling::Transaction, reset)) => go_home(node, (conversation, peer), &request, proven, reset, worker).await,
        Err(problem) => {
            let words = [proven.answer, refusal::fatal(&problem)].concat();
            Err(refuse(node, conversation.stream, peer, &problem, &words).await)
        }
    }
}

/// Lets a client that has proven itself go to the worker where its tenant is at home.
async fn go_home(
    node: &Node,
    (conversation, peer): (Conversation<Client>, SocketAddr),
    request: &startup::SessionRequest<'_>,
    proven: Proven,
    reset: Reset,
    worker: usize,
) -> Result<Joined, Disconnect> {
    let registered = match login::admit(node, request, &proven, Pooling::Transaction) {
        Ok(registered) => registered,
        Err(problem) => {
            let words = [proven.answer, refusal::fatal(&problem)].concat();
            return Err(refuse(node, conversation.stream, peer, &problem, &words).await);
        }
    };
    let home = node.homes.of(registered.admission.route.tenant);
    let mut entering = Box::new(transaction::Entering::new(conversation, request, proven.answer, registered, reset, peer));
    if home == worker {
        return Ok(Joined::Pooled(entering));
    }
    entering.depart();
    match node.homes.hand_over(home, entering) {
        Ok(()) => Ok(Joined::HandedOver),
        Err(mut entering) => {
            entering.arrive();
            let words = [entering.answer.clone(), refusal::fatal(&refusal::stopped(Reason::ShuttingDown))].concat();
            last_words(entering.into_client(), &words).await;
            Err(Disconnect::Stopped)
        }
    }
}

/// Opens the server connection of a client that has proven itself, and tells the client that it may begin.
async fn join(
    node: &Node,
    mut conversation: Conversation<Client>,
    request: &startup::SessionRequest<'_>,
    proven: Proven,
    peer: SocketAddr,
) -> Result<Joined, Disconnect> {
    let answer = proven.answer.clone();
    let (registered, seat, server) = match reach(node, request, &proven).await {
        Ok(reached) => reached,
        Err(server::Failed::Refused(problem)) => {
            let words = [answer, refusal::fatal(&problem)].concat();
            return Err(refuse(node, conversation.stream, peer, &problem, &words).await);
        }
        Err(server::Failed::Passed(message)) => {
            last_words(conversation.into_parts().0, &[answer, message].concat()).await;
            return Err(Disconnect::Refused);
        }
    };
    // Before its client can know that it is open.
    let open = node.counters.session_opened();
    let mut welcome = answer;
    welcome.extend_from_slice(&server.greeting);
    let (process, key) = node.cancels.key_of(&registered);
    message::backend_key_data(&mut welcome, process, &key);
    message::ready_for_query(&mut welcome);
    let deadline = Instant::now() + server::LOGIN_TIMEOUT;
    let welcomed = tokio::select! {
        // A welcome that was sent in part is never continued: the client is closed.
        welcomed = timeout_at(deadline, conversation.send(&welcome)) => matches!(welcomed, Ok(Ok(()))),
        _ = registered.stop.ended() => false,
    };
    if !welcomed {
        release(server.stream, &registered, registered.server_key.load().as_deref(), Leave::Abandoned, Goodbye::Due).await;
        return Err(Disconnect::ClientGone);
    }
    match Relay::new(conversation.into_parts(), (server.stream, server.rest)) {
        (relay, None) => Ok(Joined::Own(Box::new(Own { open, relay, registered, seat }))),
        (relay, Some(end)) => Err(part(relay, &registered, end).await),
    }
}

async fn reach(node: &Node, request: &startup::SessionRequest<'_>, proven: &Proven) -> Result<(Registered, Seat, Server), server::Failed> {
    let registered = login::admit(node, request, proven, Pooling::Session).map_err(server::Failed::Refused)?;
    let Admission { route, cluster, login } = &registered.admission;
    let startup = parameters::startup_message(request, route, &login.role);
    if startup.len() > STARTUP_LENGTH_MAX {
        // The server would close without a word.
        return Err(server::Failed::Refused(refusal::violation("the startup parameters are too long")));
    }
    // Nobody else ever waits in its pool.
    let waits = registered.waits();
    let mut waiting = node.desks.of(cluster).want(node.desks.number_pool(), route.tenant, Ticketed::Own, node.wait_for_session);
    // Both are safe to drop: an answer that was not taken is given back.
    let answer = tokio::select! {
        answer = waiting.answer() => answer,
        reason = registered.stop.ended() => return Err(server::Failed::Refused(refusal::stopped(reason))),
    };
    drop(waits);
    let mut seat = match answer {
        Answer::MayOpen(seat) => seat,
        Answer::Refused(because) => return Err(server::Failed::Refused(refusal::no_connection(because, route, cluster))),
        Answer::Given(_) => unreachable!("only members of a pool are given connections"),
    };
    let latest = || node.routes.load().route_of(route.tenant).cloned();
    let begun = Instant::now();
    let mut server = match server::open((cluster, route), proven.credential.level, &startup, &registered.stop, latest).await {
        Ok(server) => {
            node.counters.connects.add(begun.elapsed());
            server
        }
        Err(failed) => {
            seat.failed();
            return Err(failed);
        }
    };
    if matches!(seat.opened(), Verdict::Close) {
        // The budget shrank meanwhile, or what the tenant may have of it.
        closing::abandon(server.stream).await;
        let because = seat.desk.full(route.tenant);
        return Err(server::Failed::Refused(refusal::no_connection(because, route, cluster)));
    }
    // Born with one tenant: the connection that was just opened and the session that gets it are of the same.
    if server.tenant != route.tenant {
        return Err(server::Failed::Refused(Problem::new(ErrorCode::Internal, "a server connection of another tenant was refused")));
    }
    if let Some(key) = server.key.take() {
        registered.server_key.store(Some(Arc::new(key)));
    }
    drop(waiting);
    Ok((registered, seat, server))
}

async fn carry(own: Own) -> Disconnect {
    // In this order, so that a session that is not counted any more has no place either.
    let Own { open: _open, mut relay, registered, seat } = own;
    let end = relay.run(&registered.stop).await;
    let ended = part(relay, &registered, end).await;
    drop(seat);
    ended
}

/// Ends a session: the client first, then the server.
async fn part(relay: Relay, session: &Registered, end: End) -> Disconnect {
    let (terminated, goodbye) = (relay.is_terminated(), relay.goodbye());
    match end {
        End::ClientGone => {
            let Relay { client, server, .. } = relay;
            drop(client);
            release(server, session, session.server_key.load().as_deref(), Leave::Abandoned, goodbye).await;
            if terminated { Disconnect::Terminated } else { Disconnect::ClientGone }
        }
        End::ServerGone if terminated => Disconnect::Terminated,
        End::ServerGone if relay.has_told_error() => {
            last_words(relay.client, &[]).await;
            Disconnect::ServerGone
        }
        End::ServerGone => {
            dismiss(relay, &refusal::server_lost("the server closed the connection")).await;
            Disconnect::ServerGone
        }
        End::ServerViolation => {
            tracing::warn!(tenant.id = %session.admission.route.tenant, "a server broke the protocol");
            let Relay { client, server, .. } = relay;
            drop(client);
            release(server, session, session.server_key.load().as_deref(), Leave::Stopped, goodbye).await;
            Disconnect::ServerViolation
        }
        End::ClientViolation => {
            let server = dismiss(relay, &refusal::violation("a message has an impossible length")).await;
            release(server, session, session.server_key.load().as_deref(), Leave::Stopped, goodbye).await;
            Disconnect::ClientViolation
        }
        End::Stopped(reason) => {
            let server = dismiss(relay, &refusal::stopped(reason)).await;
            release(server, session, session.server_key.load().as_deref(), Leave::Stopped, goodbye).await;
            Disconnect::Stopped
        }
    }
}

async fn turn_away(node: &Node, conversation: Conversation<Client>, peer: SocketAddr, failed: Failed) -> Disconnect {
    match failed {
        Failed::Cut(why) => cut(peer, why),
        Failed::Refused(problem) => refuse(node, conversation.stream, peer, &problem, &refusal::fatal(&problem)).await,
    }
}

async fn refuse(node: &Node, client: Client, peer: SocketAddr, problem: &Problem, words: &[u8]) -> Disconnect {
    node.counters.refuse(problem.code);
    tracing::info!(peer.addr = %peer, code = %problem.code, "a client was refused");
    last_words(client, words).await;
    Disconnect::Refused
}

fn cut(peer: SocketAddr, why: &'static str) -> Disconnect {
    tracing::debug!(peer.addr = %peer, why, "a connection was cut");
    Disconnect::NoLogin
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size<'n, T, F>(_: impl FnOnce(&'n Node, T) -> F) -> usize {
        size_of::<F>()
    }

    #[test]
    fn a_client_that_rests_keeps_little_more_than_what_is_known_of_it() {
        // What happens once, or seldom, belongs in a box of its own; a future is as large as its largest step.
        assert!(size(arrive) <= 512, "{}", size(arrive));
        assert!(size(transaction::serve) <= 1024, "{}", size(transaction::serve));
    }
}
