//! How many connections a cluster has from us, counted exactly, and who gets them: connecting and closing ones included.

mod desk;
mod desks;
mod holders;
mod holds;
mod line;
mod opening;
mod pace;
mod refusal;
mod room;
mod scheduler;
mod seat;
mod storm;
mod tenant;
#[cfg(test)]
mod tests;
mod turn;
mod verdict;
mod waiting;

pub(super) use self::desk::{Answer, Desk, Ticketed, Verdict};
pub(super) use self::desks::Desks;
pub(super) use self::holds::Holds;
pub(super) use self::refusal::Because;
pub(super) use self::scheduler::{Counts, Event, Idle, Keep, Place, PoolId, TenantCounts, Whose, WorkerId};
pub(super) use self::seat::Seat;
