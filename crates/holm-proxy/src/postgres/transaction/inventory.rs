//! What a worker has in its pools, and the means to have it replaced: for who looks on or operates, and asks by message.
//!
//! Promises: pools are looked at a slice at a time, and sessions of the worker come between two; nothing waits for who asked.

use std::time::SystemTime;

use holm_core::credential::Level;
use holm_core::id::TenantId;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;

use crate::postgres::budget::PoolId;
use crate::postgres::pooling::Pooling;

use super::{close_idle, pools};

pub(in crate::postgres) use super::tally::Tallied;

/// Some tens of microseconds.
const SLICE_LENGTH: usize = 256;

/// One pool, as it was when it was looked at.
#[derive(Debug)]
pub(in crate::postgres) struct PoolUse {
    pub(in crate::postgres) id: PoolId,
    pub(in crate::postgres) tenant: TenantId,
    pub(in crate::postgres) level: Level,
    pub(in crate::postgres) pooling: Pooling,
    /// Connections that are being cleaned for whoever comes next.
    pub(in crate::postgres) cleaning: usize,
    pub(in crate::postgres) openings: usize,
    pub(in crate::postgres) idle: Vec<IdleUse>,
    pub(in crate::postgres) tallied: Tallied,
}

/// A connection that nobody has.
#[derive(Debug)]
pub(in crate::postgres) struct IdleUse {
    /// The server's number for it, if it said one.
    pub(in crate::postgres) process: Option<u32>,
    pub(in crate::postgres) since: Option<SystemTime>,
}

/// Which pools.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::postgres) enum Which {
    All,
    Tenants(TenantId),
}

impl Which {
    pub(in crate::postgres) fn has(self, tenant: TenantId) -> bool {
        match self {
            Self::All => true,
            Self::Tenants(one) => one == tenant,
        }
    }
}

/// Every pool of this worker.
pub(in crate::postgres) async fn survey() -> Vec<PoolUse> {
    let (mut found, mut from) = (Vec::new(), Some(0));
    while let Some(at) = from {
        from = pools::some(at, SLICE_LENGTH, &mut found);
        tokio::task::yield_now().await;
    }
    found
}

/// Has every connection of some pools replaced: those that nobody has are closed now, the others when they come back.
pub(in crate::postgres) fn renew(which: Which, tasks: &TaskTracker) {
    for connection in pools::outdate(which) {
        tasks.spawn(close_idle(connection));
    }
}

/// Says when no connection of some pools is left that is to be replaced; ends when nobody wants to know.
pub(in crate::postgres) async fn renewed(which: Which, mut done: oneshot::Sender<()>) {
    let vintages = pools::vintages(which);
    let all = async {
        for vintage in &vintages {
            vintage.renewed().await;
        }
    };
    // Both only look.
    let over = tokio::select! {
        () = all => true,
        () = done.closed() => false,
    };
    if over {
        let _ = done.send(());
    }
}
