//! Tenants whose transactions wait on this node alone, by an operator's word in its console.
//!
//! Promises: in memory, and of this node; what the route table says of a pause is neither changed nor hidden by it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use holm_core::id::TenantId;

#[derive(Debug, Default)]
pub(in crate::postgres) struct Holds {
    /// Whether there is one at all: nearly always there is none.
    any: AtomicBool,
    tenants: RwLock<HashSet<TenantId>>,
}

impl Holds {
    pub(in crate::postgres) fn has(&self, tenant: TenantId) -> bool {
        self.any.load(Ordering::Acquire) && self.tenants().contains(&tenant)
    }

    /// Whether it was not there yet.
    pub(in crate::postgres) fn add(&self, tenant: TenantId) -> bool {
        let mut tenants = self.tenants_mut();
        self.any.store(true, Ordering::Release);
        tenants.insert(tenant)
    }

    /// Whether it was there.
    pub(in crate::postgres) fn remove(&self, tenant: TenantId) -> bool {
        let mut tenants = self.tenants_mut();
        let was_there = tenants.remove(&tenant);
        self.any.store(!tenants.is_empty(), Ordering::Release);
        was_there
    }

    /// Every one, in no order.
    pub(in crate::postgres) fn all(&self) -> Vec<TenantId> {
        self.tenants().iter().copied().collect()
    }

    /// Forgets those that are gone, so that words of operators do not gather.
    pub(in crate::postgres) fn keep(&self, is_there: impl Fn(TenantId) -> bool) {
        let mut tenants = self.tenants_mut();
        tenants.retain(|tenant| is_there(*tenant));
        self.any.store(!tenants.is_empty(), Ordering::Release);
    }

    fn tenants(&self) -> RwLockReadGuard<'_, HashSet<TenantId>> {
        // Every change is one step of the set's own.
        self.tenants.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn tenants_mut(&self) -> RwLockWriteGuard<'_, HashSet<TenantId>> {
        self.tenants.write().unwrap_or_else(PoisonError::into_inner)
    }
}
