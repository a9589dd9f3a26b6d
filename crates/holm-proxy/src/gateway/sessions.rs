//! What the gateway is carrying right now, by tenant, so that a suspension ends it.
//!
//! Promises: when [`Sessions::end`] returns, nothing that was open for the tenants it was asked about is open any more.
//! A tenant that nobody uses has no entry.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use holm_core::id::TenantId;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, WaitForCancellationFuture};

/// Every request and tunnel that is open.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<Open>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct Open {
    last: u64,
    tenants: HashMap<TenantId, HashMap<u64, CancellationToken>>,
}

/// One request or tunnel of a tenant; over when dropped.
#[derive(Debug)]
pub(super) struct Session {
    sessions: Arc<Sessions>,
    tenant: TenantId,
    number: u64,
    stop: CancellationToken,
}

/// The session was stopped before it got as far as that.
#[derive(Debug)]
pub(super) struct Stopped;

impl Sessions {
    fn open(&self) -> MutexGuard<'_, Open> {
        // A panic while holding the map leaves it whole: every change is one insert or one remove.
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a session. The caller must look at the route again afterwards, since it may have changed in between.
    pub(super) fn begin(self: &Arc<Self>, tenant: TenantId) -> Session {
        let stop = CancellationToken::new();
        let mut open = self.open();
        open.last += 1;
        let number = open.last;
        open.tenants.entry(tenant).or_default().insert(number, stop.clone());
        Session { sessions: Arc::clone(self), tenant, number, stop }
    }

    /// Stops every session of the tenants that are forbidden and returns when they are over; says how many there were.
    ///
    /// # Cancel safety
    /// The sessions stop all the same.
    pub(super) async fn end(&self, forbidden: impl Fn(TenantId) -> bool) -> usize {
        let stopped = self.stop(forbidden);
        let mut ended = std::pin::pin!(self.ended.notified());
        loop {
            // Subscribed before looking, so that none can end unseen in between.
            ended.as_mut().enable();
            let over = {
                let open = self.open();
                stopped.iter().all(|(tenant, number)| open.tenants.get(tenant).is_none_or(|sessions| !sessions.contains_key(number)))
            };
            if over {
                return stopped.len();
            }
            ended.as_mut().await;
            ended.set(self.ended.notified());
        }
    }

    fn stop(&self, forbidden: impl Fn(TenantId) -> bool) -> Vec<(TenantId, u64)> {
        let open = self.open();
        let mut stopped = Vec::new();
        for (tenant, sessions) in open.tenants.iter().filter(|(tenant, _)| forbidden(**tenant)) {
            for (number, stop) in sessions {
                stop.cancel();
                stopped.push((*tenant, *number));
            }
        }
        stopped
    }
}

impl Session {
    /// Done when the session has to stop.
    pub(super) fn stopped(&self) -> WaitForCancellationFuture<'_> {
        self.stop.cancelled()
    }

    /// From now on the session is stopped by cancelling `stop`.
    ///
    /// # Errors
    /// [`Stopped`] if that has been asked for already.
    pub(super) fn stop_by(&mut self, stop: CancellationToken) -> Result<(), Stopped> {
        let mut open = self.sessions.open();
        if self.stop.is_cancelled() {
            return Err(Stopped);
        }
        if let Some(known) = open.tenants.get_mut(&self.tenant).and_then(|sessions| sessions.get_mut(&self.number)) {
            *known = stop.clone();
        }
        drop(open);
        self.stop = stop;
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let mut open = self.sessions.open();
        if let Some(sessions) = open.tenants.get_mut(&self.tenant) {
            sessions.remove(&self.number);
            if sessions.is_empty() {
                open.tenants.remove(&self.tenant);
            }
        }
        drop(open);
        self.sessions.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn tenant(number: u8) -> TenantId {
        format!("ten_{number:032x}").parse().unwrap()
    }

    #[tokio::test]
    async fn ending_waits_for_the_forbidden_sessions_and_for_no_other() {
        let sessions = Arc::new(Sessions::default());
        let (one, two, other) = (sessions.begin(tenant(1)), sessions.begin(tenant(1)), sessions.begin(tenant(2)));
        let mut end = Box::pin(sessions.end(|asked| asked == tenant(1)));
        assert!(end.as_mut().now_or_never().is_none());
        assert!(one.stopped().now_or_never().is_some() && two.stopped().now_or_never().is_some());
        assert!(other.stopped().now_or_never().is_none());
        drop(one);
        assert!(end.as_mut().now_or_never().is_none());
        drop(two);
        assert_eq!(end.await, 2);
        drop(other);
        assert!(sessions.open().tenants.is_empty(), "a tenant that nobody uses has no entry");
    }

    #[test]
    fn a_session_that_was_stopped_cannot_go_on_as_something_else() {
        let sessions = Arc::new(Sessions::default());
        let mut session = sessions.begin(tenant(1));
        let tunnel = CancellationToken::new();
        session.stop_by(tunnel.clone()).unwrap();
        assert_eq!(sessions.stop(|_| true).len(), 1);
        assert!(tunnel.is_cancelled());
        assert!(session.stop_by(CancellationToken::new()).is_err());
    }
}
