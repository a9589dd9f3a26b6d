//! Why a waiter goes away without a connection: enough for an error that says who has them.

use holm_core::id::TenantId;

use super::scheduler::{PoolId, Scheduler, Ticket};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::postgres) enum Because {
    /// The tenant is paused.
    Paused,
    /// The tenant has all that it may have, `most_held` of them in the pool `most`.
    TenantMaximum { held: u32, max: u32, most: Option<PoolId>, most_held: u32 },
    /// The cluster has all that it may have, `most_held` of them the tenant `most`.
    BudgetFull { used: u32, ceiling: u32, most: Option<TenantId>, most_held: u32 },
    /// The pool's openings failed, so often in a row.
    OpeningsFail { failures: u32 },
    /// There was a place, but the cluster takes long to open connections.
    OpeningsSlow { connecting: u32 },
    /// The opening failed, and not in passing.
    OpeningFailed,
}

impl Scheduler {
    /// Why this one's deadline passed.
    pub(super) fn because(&self, ticket: Ticket) -> Because {
        let pool = self.waiters[&ticket].pool;
        let tenant = &self.tenants[&self.pools[&pool].tenant];
        let (held, max) = (tenant.count(), tenant.limits.max);
        if tenant.limits.are_of_a_pause() {
            Because::Paused
        } else if let Some(failures) = self.storm.failures(pool) {
            Because::OpeningsFail { failures }
        } else if held >= max {
            let most = tenant.pools.most();
            Because::TenantMaximum { held, max, most: most.map(|(pool, _)| pool), most_held: most.map_or(0, |(_, held)| held) }
        } else if self.used >= self.ceiling {
            let most = self.holders.most();
            let (used, ceiling, most_held) = (self.used, self.ceiling, most.map_or(0, |(_, held)| held));
            Because::BudgetFull { used, ceiling, most: most.map(|(tenant, _)| tenant), most_held }
        } else {
            Because::OpeningsSlow { connecting: self.storm.connecting() }
        }
    }
}
