//! What has to be done now and then, by one of the processes: when it is due, who has it in hand, what came of it.
//!
//! Promises: of any number of processes that ask, one gets it; who died with it in hand holds it up no longer than it asked
//! for. Refuses the clocks of the processes: the catalog's decides.

use std::time::Duration;

use holm_core::error::Problem;
use jiff::Timestamp;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{self, column};

/// A piece of work in this process' hands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Which.
    pub name: String,
    /// Which time this is.
    pub turn: i64,
}

/// How a piece of work stands.
#[derive(Clone, Debug)]
pub struct Scheduled {
    /// Which.
    pub name: String,
    /// When it is due.
    pub due_at: Timestamp,
    /// How often it was taken in hand.
    pub turns: u64,
    /// When it was done last.
    pub ended_at: Option<Timestamp>,
    /// Why it was not done the last time.
    pub problem: Option<Problem>,
}

const ADD: &str = "INSERT INTO schedule (name) SELECT unnest($1::text[]) ON CONFLICT DO NOTHING";
const NEXT: &str = "\
SELECT (extract(epoch FROM min(due_at) - clock_timestamp()) * 1000)::bigint AS due_in_ms
FROM schedule
WHERE name = ANY($1)";
const TAKE: &str = "\
WITH due AS (
    SELECT name
    FROM schedule
    WHERE name = ANY($1) AND due_at <= now()
    ORDER BY due_at, name
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
UPDATE schedule s
SET due_at = now() + $3::bigint * interval '1 millisecond', turn = s.turn + 1, runner = $2, begun_at = now()
FROM due
WHERE s.name = due.name
RETURNING s.name, s.turn";
/// Counted from the beginning, so that a period is a period.
const DONE: &str = "\
UPDATE schedule
SET due_at = begun_at + $3::bigint * interval '1 millisecond', ended_at = now(), problem = $4
WHERE name = $1 AND turn = $2";
const LIST: &str = "SELECT name, due_at, turn, ended_at, problem FROM schedule ORDER BY name";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[ADD, NEXT, TAKE, DONE, LIST];

/// Sees to it that the names are there; a new one is due at once.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn add(catalog: &Catalog, names: &[&str]) -> Result<(), StoreError> {
    catalog.session().await?.execute(ADD, &[&names]).await.map(drop)
}

/// How long until one of the names is due: zero if one is, `None` if there is none.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn due_in(catalog: &Catalog, names: &[&str]) -> Result<Option<Duration>, StoreError> {
    let row = catalog.session().await?.query_one(NEXT, &[&names]).await?;
    let due: Option<i64> = column::get(&row, "due_in_ms")?;
    Ok(due.map(|millis| Duration::from_millis(u64::try_from(millis).unwrap_or(0))))
}

/// Takes the one that is due longest in hand, for so long at the most.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Must not be dropped: what was taken would wait until `at_most` is over.
pub async fn take(catalog: &Catalog, names: &[&str], runner: &str, at_most: Duration) -> Result<Option<Taken>, StoreError> {
    let row = catalog.session().await?.query_opt(TAKE, &[&names, &runner, &millis(at_most)?]).await?;
    row.map(|row| Ok(Taken { name: column::get(&row, "name")?, turn: column::get(&row, "turn")? })).transpose()
}

/// Says what came of it; it is due again `next` after it was begun. Returns whether it was still in these hands.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe.
pub async fn done(catalog: &Catalog, taken: &Taken, next: Duration, problem: Option<&Problem>) -> Result<bool, StoreError> {
    let problem = problem.map(row::problem);
    Ok(catalog.session().await?.execute(DONE, &[&taken.name, &taken.turn, &millis(next)?, &problem]).await? > 0)
}

/// How everything stands.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<Scheduled>, StoreError> {
    let rows = catalog.session().await?.query(LIST, &[]).await?;
    rows.iter()
        .map(|row| {
            Ok(Scheduled {
                name: column::get(row, "name")?,
                due_at: column::get(row, "due_at")?,
                turns: column::count_big(row, "turn")?,
                ended_at: column::get(row, "ended_at")?,
                problem: column::problem(row, "problem")?,
            })
        })
        .collect()
}

fn millis(time: Duration) -> Result<i64, StoreError> {
    i64::try_from(time.as_millis()).map_err(|error| StoreError::Fault(error.into()))
}
