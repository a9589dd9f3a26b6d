//! What becomes of a connection that nobody needs now: to a waiter, among the idle ones, or closed.
//!
//! Promises: on the worker of its pool, and at once; nothing here waits. The desk is told only while it listens, or asks.

use std::sync::Arc;

use holm_core::id::ClusterId;

use crate::postgres::budget::{Answer, Desk, Event, Idle, Keep, Verdict, Whose, WorkerId};
use crate::postgres::pooling::Pooling;

use super::connection::Connection;
use super::pools::{self, Aside};

/// Gives a connection back.
pub(in crate::postgres) fn give(connection: Box<Connection>) {
    if connection.bottle.is_outdated() {
        connection.dismiss();
    } else if connection.seat.desk.listens() {
        let verdict = connection.seat.released();
        follow(verdict, connection);
    } else {
        pools::put(connection, Aside::No);
    }
}

/// Gives a connection back that a session had, and nobody may need again for long: it is kept only while nobody on the cluster
/// waits for one.
pub(super) fn give_after_session(connection: Box<Connection>) {
    if connection.bottle.is_outdated() || !connection.seat.desk.listens() {
        return give(connection);
    }
    match connection.seat.released() {
        Verdict::Keep => connection.dismiss(),
        verdict => follow(verdict, connection),
    }
}

/// Does what was said of a connection in hand. A waiter that is gone leaves it to the next.
pub(super) fn follow(mut verdict: Verdict, mut connection: Box<Connection>) {
    loop {
        match verdict {
            Verdict::Keep => return pools::put(connection, Aside::No),
            Verdict::SetAside => return pools::put(connection, Aside::Yes),
            Verdict::Close => return connection.dismiss(),
            Verdict::Hand(waiter) => match waiter.map(|waiter| waiter.send(Answer::Given(connection))) {
                Some(Err(Answer::Given(back))) => connection = back,
                _ => return,
            },
        }
        verdict = connection.seat.released();
    }
}

/// Has what was set aside offered again.
pub(in crate::postgres) fn reoffer(cluster: ClusterId, whose: Whose) {
    pools::reoffer(cluster, whose);
}

/// Offers the idle connection of this worker that nobody has had for longest.
pub(in crate::postgres) fn evict(desk: &Arc<Desk>, worker: WorkerId, whose: Whose) {
    let oldest = pools::oldest(desk.cluster, whose);
    let idle = oldest.as_ref().map(|oldest| {
        let keep = match oldest.pooling {
            Pooling::Transaction => Keep::Transaction,
            Pooling::Session => Keep::Session,
        };
        Idle { place: oldest.place, since: desk.at(oldest.since), keep }
    });
    let verdict = desk.tell(Event::Offered { worker, whose, idle });
    let Some(oldest) = oldest else { return };
    match verdict {
        Some(Verdict::Keep) => oldest.leave(Aside::No),
        Some(Verdict::SetAside) => oldest.leave(Aside::Yes),
        Some(verdict) => follow(verdict, oldest.take()),
        None => oldest.take().dismiss(),
    }
}
