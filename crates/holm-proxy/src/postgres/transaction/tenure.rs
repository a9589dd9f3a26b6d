//! Session pooling: a client has a server connection of its pool for as long as it stays.
//!
//! Promises: a connection goes on to another client only when its last one left nothing half done, and the server has said that
//! all it had was discarded (`cleaning`); any doubt closes it. The next one is of the same tenant, level, route and startup
//! parameters, and in session pooling too. Who leaves does not wait for the cleaning, and nobody has the connection meanwhile.
//! What discarding does not undo is listed in `docs/reference/pooling.md`.

use std::sync::atomic::Ordering;

use holm_pgwire::frame::STARTUP_LENGTH_MAX;

use crate::postgres::Node;
use crate::postgres::closing::{Goodbye, Leave, dismiss, last_words};
use crate::postgres::counters::{Disconnect, Left, Open};
use crate::postgres::pooling::Pooling;
use crate::postgres::refusal;
use crate::postgres::relay::{End, Relay};
use crate::postgres::server;
use crate::postgres::sessions::Registered;

use super::cleaning::clean;
use super::connection::Connection;
use super::pools::Member;
use super::up::Up;
use super::{Denied, Entering, Refused, close, offer, wait, welcome};

/// A client that is in, with its server connection.
pub(in crate::postgres) struct Admitted {
    open: Open,
    relay: Relay,
    /// It is to part at once.
    end: Option<End>,
    registered: Registered,
    member: Member,
}

/// Gives a client a server connection, and tells it that it may begin.
pub(in crate::postgres) async fn admit(node: &Node, entering: Entering) -> Result<Admitted, Refused> {
    let Entering { mut client, asked, startup, answer, registered, .. } = entering;
    if startup.len() > STARTUP_LENGTH_MAX {
        // The server would close without a word.
        return Err(Refused::Ours(refusal::violation("the startup parameters are too long"), client));
    }
    let kind = (registered.admission.level, Pooling::Session);
    let member = Member::enter(&registered.admission, kind, startup, || node.desks.number_pool());
    let mut up = Up::default();
    up.hold(&asked);
    let connection = match member.take() {
        Some(connection) => connection,
        None => match wait(node, &registered, &member, (&mut client, &mut up)).await {
            Ok(connection) => connection,
            Err(Denied::Failed(server::Failed::Refused(problem))) => return Err(Refused::Ours(problem, client)),
            Err(Denied::Failed(server::Failed::Passed(message))) => return Err(Refused::Servers(message, client)),
            Err(Denied::Gone) => return Err(Refused::Gone),
        },
    };
    registered.server_key.store(connection.key.clone());
    member.tally.lent();
    // Before its client can know that it is open.
    let open = node.counters.session_opened();
    if !welcome(node, &mut client, &registered, answer, &connection.settings).await {
        drop(client);
        leave(node, connection, &registered, &member).await;
        return Err(Refused::Gone);
    }
    let (relay, end) = Relay::new((client, up.take_held()), connection);
    Ok(Admitted { open, relay, end, registered, member })
}

/// Serves a client until it goes or has to.
pub(in crate::postgres) async fn serve(node: &Node, admitted: Admitted) -> Disconnect {
    // In this order, so that a session that is not counted any more has given its connection back.
    let Admitted { open: _open, mut relay, end, registered, member } = admitted;
    let end = match end {
        Some(end) => end,
        None => relay.run(&registered.stop).await,
    };
    Box::pin(part(node, relay, &registered, &member, end)).await
}

/// Ends a session: the client first, then the server.
async fn part(node: &Node, relay: Relay, session: &Registered, member: &Member, end: End) -> Disconnect {
    let (terminated, goodbye, clean) = (relay.is_terminated(), relay.goodbye(), relay.can_be_handed_on());
    match end {
        End::ClientGone => {
            let Relay { client, connection, .. } = relay;
            drop(client);
            if clean {
                leave(node, connection, session, member).await;
            } else {
                node.counters.left(Left::Closed);
                close(connection, session, Leave::Abandoned, goodbye).await;
            }
            if terminated { Disconnect::Terminated } else { Disconnect::ClientGone }
        }
        End::ServerGone if terminated => {
            node.counters.left(Left::Closed);
            Disconnect::Terminated
        }
        End::ServerGone if relay.has_told_error() => {
            last_words(relay.client, &[]).await;
            Disconnect::ServerGone
        }
        End::ServerGone => {
            drop(dismiss(relay, &refusal::server_lost("the server closed the connection")).await);
            Disconnect::ServerGone
        }
        End::ServerViolation => {
            tracing::warn!(tenant.id = %session.admission.route.tenant, "a server broke the protocol");
            let Relay { client, connection, .. } = relay;
            drop(client);
            close(connection, session, Leave::Stopped, goodbye).await;
            Disconnect::ServerViolation
        }
        End::ClientViolation => {
            let connection = dismiss(relay, &refusal::violation("a message has an impossible length")).await;
            close(connection, session, Leave::Stopped, goodbye).await;
            Disconnect::ClientViolation
        }
        End::Stopped(reason) => {
            let connection = dismiss(relay, &refusal::stopped(reason)).await;
            close(connection, session, Leave::Stopped, goodbye).await;
            Disconnect::Stopped
        }
    }
}

/// Has a connection cleaned whose client has gone, and gives it back.
async fn leave(node: &Node, mut connection: Box<Connection>, session: &Registered, member: &Member) {
    // First nobody finds the connection by this session any more, then is asked whether somebody just has.
    session.server_key.store(None);
    let is_cancelled = session.cancelling.load(Ordering::SeqCst);
    let is_wanted = !is_cancelled && !connection.bottle.is_outdated() && connection.is_quiet() && may_go_on(node, session, member);
    if is_wanted {
        let cleans = member.cleans();
        let cleaned = clean(connection).await;
        drop(cleans);
        match cleaned {
            // A table that forbids it may have come meanwhile; it waits until this session is gone.
            Ok(cleaned) if may_go_on(node, session, member) => {
                node.counters.left(Left::HandedOn);
                return offer::give_after_session(cleaned);
            }
            Ok(other) | Err(other) => connection = other,
        }
    }
    node.counters.left(Left::Closed);
    close(connection, session, Leave::Stopped, Goodbye::Due).await;
}

/// Whether anybody may have a connection of this session's pool.
fn may_go_on(node: &Node, session: &Registered, member: &Member) -> bool {
    session.stop.asked().is_none() && !member.is_outrun_by(&node.routes.load())
}
