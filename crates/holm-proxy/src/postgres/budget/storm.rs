//! The gate against connect storms: how many connections may be opening, and which pools had better wait.
//!
//! Promises: never more than the gate's width at a time, for the cluster and for a pool. A pool that failed waits, twice as
//! long each time, and then gets one attempt at a time until one succeeds. That memory is the only one that outlives a
//! tenant's last connection and waiter (else clients that give up and come again would undo it); time ends it.

use std::collections::HashMap;
use std::time::Duration;

use super::pace::Pace;
use super::scheduler::PoolId;

#[derive(Debug, Default)]
pub(super) struct Storm {
    connecting: u32,
    failing: HashMap<PoolId, Failing>,
}

#[derive(Clone, Copy, Debug)]
struct Failing {
    failures: u32,
    phase: Phase,
    /// When the phase ends.
    until: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// No attempt.
    Waits,
    /// One attempt at a time; forgotten if nobody makes one.
    Probes,
}

impl Storm {
    pub(super) const fn connecting(&self) -> u32 {
        self.connecting
    }

    pub(super) const fn room(&self, pace: &Pace) -> u32 {
        pace.gate.saturating_sub(self.connecting)
    }

    /// Whether one more of a pool may be opened, of which `connecting` are.
    pub(super) fn admits(&self, pool: PoolId, connecting: u32, pace: &Pace) -> bool {
        let width = match self.failing.get(&pool).map(|failing| failing.phase) {
            Some(Phase::Waits) => 0,
            Some(Phase::Probes) => 1,
            None => pace.gate_of_pool,
        };
        connecting < width
    }

    /// How often in a row it failed, while it waits for that.
    pub(super) fn failures(&self, pool: PoolId) -> Option<u32> {
        self.failing.get(&pool).filter(|failing| failing.phase == Phase::Waits).map(|failing| failing.failures)
    }

    pub(super) const fn begins(&mut self) {
        self.connecting += 1;
    }

    /// Returns the alarm that is not needed any more.
    pub(super) fn succeeded(&mut self, pool: PoolId) -> Option<Duration> {
        self.connecting -= 1;
        self.failing.remove(&pool).map(|failing| failing.until)
    }

    /// Returns the alarm that is not needed any more, and the one that is.
    pub(super) fn failed(&mut self, pool: PoolId, now: Duration, pace: &Pace) -> (Option<Duration>, Duration) {
        self.connecting -= 1;
        let before = self.failing.get(&pool).copied();
        let failures = before.map_or(0, |before| before.failures).saturating_add(1);
        let wait = pace.back_off_first.saturating_mul(1 << (failures - 1).min(16)).min(pace.back_off_max);
        let until = now.saturating_add(wait);
        self.failing.insert(pool, Failing { failures, phase: Phase::Waits, until });
        (before.map(|before| before.until), until)
    }

    /// The alarm rang: the phase of a pool is over, of which `connecting` are opening. Returns the next one.
    pub(super) fn rings(&mut self, pool: PoolId, connecting: u32, now: Duration, pace: &Pace) -> Option<Duration> {
        let failing = self.failing.get_mut(&pool)?;
        if failing.phase == Phase::Probes && connecting == 0 {
            self.failing.remove(&pool);
            return None;
        }
        // An attempt under way that takes longer than the phase is not a reason to forget why there is only one.
        failing.phase = Phase::Probes;
        failing.until = now.saturating_add(pace.back_off_max);
        Some(failing.until)
    }
}
