//! One entry for each kind of operation: what the proofs need to know of it.

use futures_util::future::LocalBoxFuture;
use holm_core::id::{ClusterId, OperationId, TenantId};
use holm_core::role::DatabaseName;
use holm_engine::control::Control;
use holm_engine::operation::probe;
use holm_store::tenant::Tenant;

use crate::servers::Lent;
use crate::snapshot::Snapshot;
use crate::world::World;

mod cluster_add;
mod cluster_drain;
mod cluster_remove;
mod cluster_rotate_roles;
mod credential_rotate;
mod tenant_adopt;
mod tenant_copy;
mod tenant_delete;
mod tenant_rename;
mod tenant_rotate_roles;

/// An operation, as the proofs see it.
pub(crate) struct Subject {
    /// `tenant.delete`.
    pub(crate) kind: &'static str,
    /// It is about more than its own stage, so that no two can be under way in one world.
    pub(crate) alone: bool,
    /// Makes what it is to work on; the number tells stages apart, `tenant-7`.
    pub(crate) stage: for<'a> fn(&'a World, usize) -> LocalBoxFuture<'a, Stage>,
    /// Asks for it. The control plane is open and not started: nothing is carried out yet.
    pub(crate) request: for<'a> fn(&'a Control, &'a Stage) -> LocalBoxFuture<'a, OperationId>,
    /// Panics unless the world is wholly what the operation was to make of it.
    pub(crate) succeeded: for<'a> fn(&'a World, &'a Stage) -> LocalBoxFuture<'a, ()>,
}

/// What an operation works on, and what must be exactly as before when it was undone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage {
    pub(crate) number: usize,
    pub(crate) tenants: Vec<TenantId>,
    pub(crate) databases: Vec<DatabaseName>,
    pub(crate) clusters: Vec<ClusterId>,
    /// The server that it has to itself, if it has one.
    pub(crate) server: Option<Lent>,
    /// Where what somebody brings is.
    pub(crate) url: String,
    /// What it is to make, by names, since it has no identity before it is asked for: nothing, when it was undone.
    pub(crate) made: Option<Look>,
    /// What it only reads: exactly as before, also when it succeeded.
    pub(crate) only_read: Option<Look>,
}

/// A look at something of a stage's.
pub(crate) type Look = for<'a> fn(&'a World, &'a Stage) -> LocalBoxFuture<'a, Snapshot>;

impl Stage {
    /// One tenant with its database.
    pub(crate) fn tenant(number: usize, tenant: &Tenant) -> Self {
        Self { number, tenants: vec![tenant.id], databases: tenant.database.iter().cloned().collect(), ..Self::default() }
    }
}

/// All of them.
pub(crate) const SUBJECTS: &[Subject] = &[
    tenant_delete::SUBJECT,
    tenant_copy::SUBJECT,
    tenant_adopt::SUBJECT,
    tenant_rename::SUBJECT,
    tenant_rotate_roles::SUBJECT,
    credential_rotate::SUBJECT,
    cluster_rotate_roles::SUBJECT,
    cluster_add::SUBJECT,
    cluster_drain::SUBJECT,
    cluster_remove::SUBJECT,
];

impl Subject {
    /// Its steps, as the engine has them.
    pub(crate) fn listed(&self) -> probe::Listed {
        probe::catalogue().into_iter().find(|listed| listed.kind == self.kind).expect("a subject is of a kind that there is")
    }
}

#[test]
fn every_operation_that_exists_is_proven_and_nothing_else_is() {
    let mut exist: Vec<_> = probe::catalogue().into_iter().map(|listed| listed.kind).collect();
    let mut proven: Vec<_> = SUBJECTS.iter().map(|subject| subject.kind).collect();
    exist.sort_unstable();
    exist.dedup();
    proven.sort_unstable();
    assert_eq!(proven, exist, "each operation needs one entry in `SUBJECTS`; the top of `main.rs` says how");
}
