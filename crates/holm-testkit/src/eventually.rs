//! Waiting for a value instead of sleeping.

use std::fmt::Debug;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};

/// Between two looks; short against what a person notices, long against what a look costs.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// What one look returns: the value, or what was seen instead.
pub trait Look {
    /// What is awaited.
    type Value;

    /// The value, or text that says what was seen.
    ///
    /// # Errors
    /// It is not there yet.
    fn value(self) -> Result<Self::Value, String>;
}

impl<T> Look for Option<T> {
    type Value = T;

    fn value(self) -> Result<T, String> {
        self.ok_or_else(|| "nothing".to_owned())
    }
}

impl<T, S: Debug> Look for Result<T, S> {
    type Value = T;

    fn value(self) -> Result<T, String> {
        self.map_err(|seen| format!("{seen:?}"))
    }
}

/// Looks until there is a value: `Some`, or `Ok`, whose `Err` says what was seen instead.
///
/// # Panics
/// Nothing came in time; says what was awaited and what was seen last.
pub async fn eventually<L: Look>(deadline: Duration, what: &str, mut look: impl AsyncFnMut() -> L) -> L::Value {
    let end = Instant::now() + deadline;
    let mut last = "nothing".to_owned();
    loop {
        match timeout_at(end, look()).await.map(Look::value) {
            Ok(Ok(value)) => return value,
            Ok(Err(seen)) => last = seen,
            Err(_) => panic!("{what}: not within {deadline:?}; a look did not end; seen before: {last}"),
        }
        assert!(Instant::now() < end, "{what}: not within {deadline:?}; seen last: {last}");
        sleep(LOOK_AGAIN).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_that_comes_is_returned() {
        let mut looks = 0;
        let seen = eventually(Duration::from_secs(1), "the third look", async || {
            looks += 1;
            if looks == 3 { Ok("there") } else { Err(looks) }
        });
        assert_eq!(seen.await, "there");
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "the moon: not within 1s; seen last: \"dark\"")]
    async fn a_value_that_does_not_come_fails_with_what_was_seen_last() {
        eventually(Duration::from_secs(1), "the moon", async || Err::<(), _>("dark")).await;
    }

    #[tokio::test(start_paused = true)]
    #[should_panic(expected = "a look did not end")]
    async fn a_look_that_hangs_fails_as_well() {
        eventually(Duration::from_secs(1), "nothing", async || std::future::pending::<Option<()>>().await).await;
    }
}
