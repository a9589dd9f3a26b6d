//! One client from its first byte to its last: log in, go to the worker where its tenant is at home, be served there.
//!
//! Promises: every way out releases the server, its place in the budget and the entry in the registry, in that order, and names
//! one reason.

use std::net::SocketAddr;

use holm_core::error::Problem;
use holm_pgwire::startup::{self, Opening};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use super::Node;
use super::cancel;
use super::client::Client;
use super::closing::last_words;
use super::console;
use super::conversation::Conversation;
use super::counters::Disconnect;
use super::login::{self, Failed, First, Proven, Who};
use super::pooling::{self, Pooling};
use super::refusal;
use super::reset::{self, Reset};
use super::socket::Socket;
use super::stop::Reason;
use super::transaction::{self, tenure};

/// A client that has got in.
enum Joined {
    /// Into a pool, on this worker.
    Pooled(Box<transaction::Entering>),
    /// To the worker where its tenant is at home.
    HandedOver,
    /// To no tenant.
    Console(Box<(Conversation<Client>, console::Entered)>),
}

/// Serves one client; counts and logs how it ended.
pub(super) async fn serve(node: &Node, socket: TcpStream, peer: SocketAddr, worker: usize) {
    // The login's future is large and short-lived; a session keeps only what carrying needs.
    let ended = match Box::pin(open(node, socket, peer, worker)).await {
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
    match entering.pooling() {
        Pooling::Transaction => match Box::pin(let_in(node, entering, transaction::admit)).await {
            Ok(admitted) => Box::pin(transaction::serve(node, *admitted)).await,
            Err(ended) => ended,
        },
        Pooling::Session => match Box::pin(let_in(node, entering, tenure::admit)).await {
            Ok(admitted) => Box::pin(tenure::serve(node, *admitted)).await,
            Err(ended) => ended,
        },
    }
}

async fn let_in<T>(
    node: &Node,
    entering: Box<transaction::Entering>,
    admit: impl AsyncFnOnce(&Node, transaction::Entering) -> Result<T, transaction::Refused>,
) -> Result<Box<T>, Disconnect> {
    let (peer, answer) = (entering.peer, entering.answer.clone());
    match admit(node, *entering).await {
        Ok(admitted) => Ok(Box::new(admitted)),
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
        Ok(wished) => go_home(node, (conversation, peer), &request, proven, wished, worker).await,
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
    (pooling, reset): (Pooling, Reset),
    worker: usize,
) -> Result<Joined, Disconnect> {
    let registered = match login::admit(node, request, &proven, pooling) {
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

async fn turn_away(node: &Node, conversation: Conversation<Client>, peer: SocketAddr, failed: Failed) -> Disconnect {
    match failed {
        Failed::Cut(why) => cut(peer, why),
        Failed::Revoked(why) => {
            node.counters.client_certificate_revoked();
            tracing::warn!(peer.addr = %peer, why, "a client's certificate was not taken");
            Disconnect::NoLogin
        }
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
        assert!(size(tenure::serve) <= 1024, "{}", size(tenure::serve));
    }
}
