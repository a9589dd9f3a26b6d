//! How fast the scheduler takes and gives: the numbers behind its promises.
//!
//! The defaults are what `tests/workload.rs` showed, whose figures are there.

use std::time::Duration;

/// What one may want to turn when a cluster is unlike the one of the simulation (`tests/workload.rs`).
#[derive(Clone, Copy, Debug)]
pub(in crate::postgres) struct Pace {
    /// For so long a new connection serves its own tenant's waiters, times the tenant's weight, before it is closed for
    /// another tenant's.
    pub(in crate::postgres) slice: Duration,
    /// An idle connection is not closed for a tenant without any before it was idle for so long.
    pub(in crate::postgres) linger: Duration,
    /// An idle connection is not closed for a tenant that holds more than its own before it was idle for so long: what
    /// a crowd of one tenant does not take from quiet ones.
    pub(in crate::postgres) surplus_after: Duration,
    /// A waiting tenant that got nothing for so long is served as if it had no connection: its own are stuck.
    pub(in crate::postgres) patience: Duration,
    /// How many connections to the cluster may be opening at a time.
    pub(in crate::postgres) gate: u32,
    /// How many of one pool.
    pub(in crate::postgres) gate_of_pool: u32,
    /// How long a pool waits after its first failed opening; twice as long after each further one.
    pub(in crate::postgres) back_off_first: Duration,
    pub(in crate::postgres) back_off_max: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            // Shorter ones cut tenants off before all their waiters are served, longer ones are longer to wait for.
            slice: Duration::from_millis(100),
            // Twenty transactions, or four openings: who comes again does so by then, and few openings are saved by more.
            linger: Duration::from_millis(20),
            // Longer than a quiet client pauses; a crowd waits so long for what nobody uses any more.
            surplus_after: Duration::from_secs(5),
            // Ten slices.
            patience: Duration::from_secs(1),
            // Two cores are busy with four; with eight, nobody else gets any work done.
            gate: 4,
            // Half the gate, so that no pool can fill it.
            gate_of_pool: 2,
            back_off_first: Duration::from_millis(50),
            back_off_max: Duration::from_secs(2),
        }
    }
}
