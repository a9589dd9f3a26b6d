//! Advisory locks on a cluster: one maker and one remover of databases at a time, and one actor at a time for each database.
//!
//! They are taken in the maintenance database, where no tenant can connect, so that none can hold one against us. A lock
//! belongs to the session that acts under it: while the server still works off a statement of a process that died, the
//! lock is held, and when the session is gone nothing of it can act any more.
//!
//! Promises: a process that stands still (stopped, or on a machine that is gone) keeps nobody waiting for long: who works
//! under a lock says something in its session all the time ([`Connection::while_heard`] where the work is elsewhere), and
//! one that has been silent for [`SILENCE_MAX`] is ended. Refuses that for the lock of an operation, which
//! [`Acting::site`](crate::operation::acting::Acting::site) takes from its former runners by their epoch.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::connect::Connection;
use super::trouble::ClusterError;
use crate::reconcile::pool::Part;

#[cfg(test)]
mod tests;

/// "Holm" in ASCII, and a number for each part.
const MAKE: i64 = 0x486f_6c6d_0000_0001;
const REMOVE: i64 = 0x486f_6c6d_0000_0002;
const GUARD: i64 = 0x486f_6c6d_0000_0003;

/// Five times what [`Connection::while_heard`] lets pass; a mistake costs whoever it meets one more attempt.
const SILENCE_MAX: Duration = Duration::from_secs(5);

/// Between looks at a lock that somebody has.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Its key as `pg_locks` shows it: the upper half in `classid`, the lower in `objid`, and 1 in `objsubid` for a `bigint`.
/// Only in this database, where no tenant can connect: the same number in a tenant's own is another lock, and its own affair.
const STANDING_STILL: &str = "\
SELECT pg_terminate_backend(a.pid, 5000)
FROM pg_locks l
JOIN pg_stat_activity a ON a.pid = l.pid
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 AND (l.classid::bigint << 32) | l.objid::bigint = $1
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND a.pid <> pg_backend_pid() AND a.state = 'idle' AND a.state_change < clock_timestamp() - make_interval(secs => $2)";

/// Takes the cluster's lock for one part of the pool's work, if nobody has it who is at work.
pub(crate) async fn pool(admin: &Connection, part: Part) -> Result<bool, ClusterError> {
    let key = match part {
        Part::Make => MAKE,
        Part::Remove => REMOVE,
    };
    if take(admin, key).await? {
        return Ok(true);
    }
    end_the_still(admin, key).await?;
    take(admin, key).await
}

/// Waits for the lock of those who close the maintenance databases, and takes it from a process that stands still.
pub(crate) async fn guard(admin: &Connection) -> Result<(), ClusterError> {
    wait_for_the_living(admin, GUARD).await
}

/// Gives it back; closing the session does the same.
pub(crate) async fn release_guard(admin: &Connection) -> Result<(), ClusterError> {
    admin.query("release an advisory lock", "SELECT pg_advisory_unlock($1)", &[&GUARD]).await.map(drop)
}

/// Waits for the lock of an operation; the session's lock timeout ends the wait.
pub(crate) async fn one(admin: &Connection, id: Uuid) -> Result<(), ClusterError> {
    wait(admin, key(id)).await
}

/// Waits for the lock of a database or a template, as [`one`] does, and takes it from a process that stands still.
pub(crate) async fn one_from_the_still(admin: &Connection, id: Uuid) -> Result<(), ClusterError> {
    wait_for_the_living(admin, key(id)).await
}

/// Takes the lock of one database, template or tenant if nobody has it.
pub(crate) async fn try_one(admin: &Connection, id: Uuid) -> Result<bool, ClusterError> {
    take(admin, key(id)).await
}

/// Gives it back; closing the session does the same.
pub(crate) async fn release(admin: &Connection, id: Uuid) -> Result<(), ClusterError> {
    admin.query("release an advisory lock", "SELECT pg_advisory_unlock($1)", &[&key(id)]).await.map(drop)
}

async fn take(admin: &Connection, key: i64) -> Result<bool, ClusterError> {
    Ok(admin.query_one("take an advisory lock", "SELECT pg_try_advisory_lock($1)", &[&key]).await?.get(0))
}

async fn wait(admin: &Connection, key: i64) -> Result<(), ClusterError> {
    admin.query("wait for an advisory lock", "SELECT pg_advisory_lock($1)", &[&key]).await.map(drop)
}

/// By looking again and again, since whoever has it may be about to fall silent; the last wait ends with the lock timeout.
async fn wait_for_the_living(admin: &Connection, key: i64) -> Result<(), ClusterError> {
    let deadline = Instant::now() + SILENCE_MAX * 2;
    while !take(admin, key).await? {
        if Instant::now() >= deadline {
            return wait(admin, key).await;
        }
        end_the_still(admin, key).await?;
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

async fn end_the_still(admin: &Connection, key: i64) -> Result<(), ClusterError> {
    admin.query("end sessions of a process that stands still", STANDING_STILL, &[&key, &SILENCE_MAX.as_secs_f64()]).await.map(drop)
}

/// Half of a UUID. The ids are version 7, whose random half is the second; two that meet only wait for each other.
fn key(id: Uuid) -> i64 {
    i64::from_be_bytes(id.as_u64_pair().1.to_be_bytes())
}
