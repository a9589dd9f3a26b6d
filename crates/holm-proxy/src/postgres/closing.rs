//! How connections end: clients are told why where a message ends, servers are left in order, and every wait is bounded.
//!
//! Promises: a server's place in the budget is free only when the server has closed its side, or when it would not within
//! the deadlines even after its statement was cancelled.

use std::io;
use std::time::Duration;

use holm_core::error::Problem;
use holm_pgwire::message::TERMINATE;
use holm_tls::Stream;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use super::cancel;
use super::client::Client;
use super::refusal;
use super::relay::{Relay, drain};
use super::sessions::{ServerKey, Session};
use super::transaction::connection::Connection;

/// For a client to take its last message. A client that does not read loses the message, not our time.
const CLIENT_PATIENCE: Duration = Duration::from_secs(1);
/// For a client to close after its last message, so that no reset overtakes it.
const LINGER: Duration = Duration::from_millis(500);
/// For a statement whose client went away. PostgreSQL itself would let it run to its end, but here it holds a connection.
const ABANDONED_GRACE: Duration = Duration::from_secs(10);
/// For a backend to notice that it should go; an idle one takes a few milliseconds.
const STOPPED_GRACE: Duration = Duration::from_millis(300);
/// For a cancel request.
const CANCEL_PATIENCE: Duration = Duration::from_secs(1);
/// For the effect of one. It is lost on a backend that has not come to read its statement yet, so that another follows.
const CANCEL_EFFECT: Duration = Duration::from_millis(500);
/// For all of them together; with the rest of the way out it stays below the patience of a shutdown.
const CANCELS_PATIENCE: Duration = Duration::from_secs(6);
/// For a server to notice that its client has left the login.
const LOGIN_GRACE: Duration = Duration::from_secs(5);

/// How much time a server gets to finish what it does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Leave {
    /// The client went by itself.
    Abandoned,
    /// The session was ended.
    Stopped,
}

/// Whether Terminate can be said to a server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Goodbye {
    /// The client has said it.
    Said,
    /// It is for us to say.
    Due,
    /// The client broke off in the middle of a message.
    Impossible,
}

/// Sends a client its last message and closes.
pub(super) async fn last_words(mut client: Client, words: &[u8]) {
    let said = async {
        client.write_all(words).await?;
        client.flush().await?;
        client.shutdown().await
    };
    if matches!(timeout(CLIENT_PATIENCE, said).await, Ok(Ok(()))) {
        let _ = timeout(LINGER, drain(&mut client)).await;
    }
}

/// Ends an open session: finishes the message under way, says why, closes the client. Gives the server connection
/// back.
pub(super) async fn dismiss(mut relay: Relay, problem: &Problem) -> Box<Connection> {
    let said = async {
        relay.finish_message().await?;
        relay.client.write_all(&refusal::fatal(problem)).await?;
        relay.client.flush().await?;
        relay.client.shutdown().await?;
        io::Result::Ok(())
    };
    // Without the end of the message there is no place for ours; the client then sees the connection break off.
    let _ = timeout(CLIENT_PATIENCE, said).await;
    relay.connection
}

/// Leaves a server in the middle of the login: it has no statement to cancel, and closes when it comes to read.
pub(super) async fn abandon(mut server: Stream) {
    end_our_side(&mut server).await;
    let _ = timeout(LOGIN_GRACE, drain(&mut server)).await;
}

/// Tells a server that nothing more comes; with TLS that is a message, which a server that is stuck may not take.
async fn end_our_side(server: &mut Stream) {
    if timeout(STOPPED_GRACE, server.shutdown()).await.is_err() {
        server.hang_up();
    }
}

/// Leaves a server: says goodbye where a message may stand, waits for it to close, cancels what it still runs if it does
/// not.
pub(super) async fn release(mut server: Stream, session: &Session, key: Option<&ServerKey>, leave: Leave, goodbye: Goodbye) {
    let said = async {
        if goodbye == Goodbye::Due {
            server.write_all(&TERMINATE).await?;
        }
        // TLS may hold back what its client said last.
        server.flush().await
    };
    let _ = timeout(STOPPED_GRACE, said).await;
    // Whoever closes first keeps the port for a minute (TIME_WAIT). We have 28,000 towards a server, it has room for us all.
    if goodbye != Goodbye::Impossible && timeout(STOPPED_GRACE, drain(&mut server)).await.is_ok() {
        return;
    }
    end_our_side(&mut server).await;
    let closed = match leave {
        Leave::Stopped => timeout(STOPPED_GRACE, drain(&mut server)).await.is_ok(),
        Leave::Abandoned => tokio::select! {
            closed = timeout(ABANDONED_GRACE, drain(&mut server)) => closed.is_ok(),
            // Nobody waits for the grace of a session that must end.
            _ = session.stop.ended() => timeout(STOPPED_GRACE, drain(&mut server)).await.is_ok(),
        },
    };
    if closed {
        return;
    }
    let ended = async {
        loop {
            if let Some(key) = key {
                let _ = timeout(CANCEL_PATIENCE, cancel::send(&session.admission.cluster, key)).await;
            }
            if timeout(CANCEL_EFFECT, drain(&mut server)).await.is_ok() {
                return;
            }
        }
    };
    if timeout(CANCELS_PATIENCE, ended).await.is_err() {
        let (tenant, cluster) = (session.admission.route.tenant, session.admission.cluster.id);
        tracing::warn!(tenant.id = %tenant, cluster.id = %cluster, "a server did not close a connection in time, however often its statement was cancelled");
    }
}
