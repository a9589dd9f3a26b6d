//! The worker that a tenant is at home on: its clients and its server connections share one thread and need no lock.
//!
//! Promises: a tenant has one home for as long as the node runs; whoever logs in elsewhere is handed over once, after the
//! login. What is to be done on every worker is done when its answer has come.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::{Arc, OnceLock};

use holm_core::id::{ClusterId, TenantId};
use holm_core::route::RouteTable;
use tokio::sync::{mpsc, oneshot};

use super::budget::{Desk, PoolId, Seat, Whose, WorkerId};
use super::transaction::Entering;
use super::transaction::connection::Connection;
use super::transaction::inventory::{PoolUse, Which};

/// What a worker is asked to do.
pub(super) enum Command {
    /// To let a client in that another worker has logged in.
    Enter(Box<Entering>),
    /// To close every idle connection that a table forbids.
    Enforce(Arc<RouteTable>, oneshot::Sender<()>),
    /// To open a connection for one of its pools.
    Open { seat: Seat, pool: PoolId },
    /// To close a connection that nobody has.
    Close(Box<Connection>),
    /// To offer the connection that nobody has had for longest.
    Evict { desk: Arc<Desk>, worker: WorkerId, whose: Whose },
    /// To offer again what was set aside.
    Reoffer { cluster: ClusterId, whose: Whose },
    /// To say what it has.
    Survey(oneshot::Sender<Vec<PoolUse>>),
    /// To have every connection of some pools replaced; said when that has begun.
    Renew(Which, oneshot::Sender<()>),
    /// To say when none is left that is to be replaced.
    Renewed(Which, oneshot::Sender<()>),
}

/// The way to each worker.
#[derive(Default)]
pub(super) struct Homes(OnceLock<Vec<mpsc::UnboundedSender<Command>>>);

impl Homes {
    pub(super) fn open(&self, workers: Vec<mpsc::UnboundedSender<Command>>) {
        let _ = self.0.set(workers);
    }

    fn workers(&self) -> &[mpsc::UnboundedSender<Command>] {
        self.0.get().map_or(&[], Vec::as_slice)
    }

    /// The number of a tenant's worker.
    pub(super) fn of(&self, tenant: TenantId) -> usize {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(tenant.as_uuid());
        let count = u64::try_from(self.workers().len().max(1)).expect("a handful");
        usize::try_from(hash % count).expect("less than a handful")
    }

    /// How many workers there are.
    pub(super) fn count(&self) -> usize {
        self.workers().len()
    }

    /// Asks a worker. One that has ended has closed all that it had, and what it is sent is dropped.
    pub(super) fn command(&self, worker: usize, command: Command) {
        if let Some(way) = self.workers().get(worker) {
            let _ = way.send(command);
        }
    }

    /// Hands a client over; gives it back if that worker takes none any more.
    pub(super) fn hand_over(&self, worker: usize, entering: Box<Entering>) -> Result<(), Box<Entering>> {
        let Some(way) = self.workers().get(worker) else { return Err(entering) };
        way.send(Command::Enter(entering)).map_err(|error| match error.0 {
            Command::Enter(entering) => entering,
            _ => unreachable!("it is what was sent"),
        })
    }

    /// Has every worker close what a table forbids, and waits until all have.
    pub(super) async fn enforce(&self, table: &Arc<RouteTable>) {
        self.ask_all(|done| Command::Enforce(Arc::clone(table), done)).await;
    }

    /// Asks every worker, all at once, and gives what those say that have not ended.
    ///
    /// # Cancel safety
    /// Safe: what was asked is done, and nobody hears the answer.
    pub(super) async fn ask_all<T>(&self, command: impl Fn(oneshot::Sender<T>) -> Command) -> Vec<T> {
        let asked: Vec<_> = self
            .workers()
            .iter()
            .filter_map(|way| {
                let (done, answer) = oneshot::channel();
                way.send(command(done)).ok().map(|()| answer)
            })
            .collect();
        let mut answers = Vec::new();
        for answer in asked {
            // An error is a worker that has ended, and its connections with it.
            answers.extend(answer.await);
        }
        answers
    }
}
