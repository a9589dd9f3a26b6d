//! What the gateway has done, in numbers that a metrics page can read at any time.
//!
//! Promises: every request ends in exactly one outcome. Refuses labels that grow: no tenant, no path.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// Running totals since the start; the two that end in `_open` are gauges.
        #[derive(Debug, Default)]
        pub struct Counters {
            $($(#[$doc])* pub(super) $name: Count,)*
        }

        impl Counters {
            /// Every number with its name, in a fixed order.
            pub fn read(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name.get())),*]
            }
        }
    };
}

counters! {
    /// Connections that were accepted.
    connections_accepted,
    /// Connections that were turned away because there were too many.
    connections_refused,
    /// Connections that are open, tunnels included.
    connections_open,
    /// Tunnels that were opened.
    tunnels_opened,
    /// Tunnels that are open.
    tunnels_open,
    /// Requests and tunnels that a suspension cut off.
    sessions_cut,
    /// Header fields that only the gateway may set and a client did.
    headers_forged,
    /// Requests that the app answered.
    requests_forwarded,
    /// Requests without a readable host, or that are not carried.
    requests_malformed,
    /// Requests for a host that is nobody's.
    requests_unknown_host,
    /// Requests for a suspended tenant.
    requests_suspended,
    /// Requests for a deleted tenant.
    requests_deleted,
    /// Requests for a tenant that has another name now.
    requests_renamed,
    /// Requests while no app was configured.
    requests_without_app,
    /// Requests that the app could not be reached for, or that it broke off.
    requests_unanswered,
    /// Requests that the app did not answer in time.
    requests_timed_out,
    /// Requests whose client broke off or stalled while sending.
    requests_incomplete,
}

/// One number.
#[derive(Debug, Default)]
pub(super) struct Count(AtomicU64);

impl Count {
    pub(super) fn add(&self, more: usize) {
        self.0.fetch_add(u64::try_from(more).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one up until the guard is dropped.
    pub(super) fn hold(counters: &std::sync::Arc<Counters>, which: fn(&Counters) -> &Self) -> Held {
        which(counters).add(1);
        Held { counters: std::sync::Arc::clone(counters), which }
    }
}

/// One of what is open.
#[derive(Debug)]
pub(super) struct Held {
    counters: std::sync::Arc<Counters>,
    which: fn(&Counters) -> &Count,
}

impl Drop for Held {
    fn drop(&mut self) {
        (self.which)(&self.counters).0.fetch_sub(1, Ordering::Relaxed);
    }
}
