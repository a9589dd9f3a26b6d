//! How many requests a token may make: a burst at once, then a steady rate (GCRA, ITU-T I.371, appendix I).
//!
//! Promises: one look-up and one time for each token, no timer, no task; every answer says how much is left, in the
//! headers of draft-ietf-httpapi-ratelimit-headers-07. Each process counts for itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TokenId;

use crate::Api;
use crate::envelope::Refusal;

/// What is over is forgotten when there are more than this; and everything, should that not help.
const KEYS_MAX: usize = 50_000;

/// How many, and how fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The steady rate; at least 1.
    pub per_second: u32,
    /// How many at once; at least 1.
    pub burst: u32,
}

impl Rate {
    fn interval(self) -> Duration {
        Duration::from_secs(1) / self.per_second.max(1)
    }
}

/// What one more request is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// How long to wait, if it is refused.
    pub(crate) wait: Option<Duration>,
    remaining: u32,
    /// Until as many as ever are left.
    reset: Duration,
}

/// A rate for each of many.
#[derive(Debug)]
pub(crate) struct Limiter<K> {
    rate: Rate,
    /// When each of them would have as many left as ever: GCRA's theoretical arrival time.
    full_at: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Limiter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self { rate, full_at: Mutex::default() }
    }

    /// Counts one more, unless it is refused.
    pub(crate) fn count(&self, key: K, now: Instant) -> Verdict {
        let mut all = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KEYS_MAX && !all.contains_key(&key) {
            all.retain(|_, full_at| *full_at > now);
            if all.len() >= KEYS_MAX {
                all.clear();
            }
        }
        let verdict = self.judge(all.get(&key).copied(), now);
        if verdict.wait.is_none() {
            all.insert(key, now + verdict.reset);
        }
        verdict
    }

    /// What one more would be told.
    pub(crate) fn look(&self, key: &K, now: Instant) -> Verdict {
        self.judge(self.full_at.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied(), now)
    }

    fn judge(&self, full_at: Option<Instant>, now: Instant) -> Verdict {
        let interval = self.rate.interval();
        let room = interval * self.rate.burst.max(1);
        let used = full_at.map_or(Duration::ZERO, |full_at| full_at.saturating_duration_since(now));
        let after = used + interval;
        if after > room {
            return Verdict { wait: Some(after - room), remaining: 0, reset: used };
        }
        let remaining = u32::try_from((room - after).as_nanos() / interval.as_nanos()).unwrap_or(u32::MAX);
        Verdict { wait: None, remaining, reset: after }
    }

    fn headers(&self, verdict: &Verdict, headers: &mut HeaderMap) {
        headers.insert("ratelimit-limit", self.rate.burst.max(1).into());
        headers.insert("ratelimit-remaining", verdict.remaining.into());
        headers.insert("ratelimit-reset", seconds(verdict.reset));
    }
}

/// Gives an answer if its token may make one more request.
pub(crate) async fn hold(api: &Api, token: TokenId, answer: impl Future<Output = Response>) -> Response {
    let verdict = api.tokens.count(token, Instant::now());
    let mut response = match verdict.wait {
        None => answer.await,
        Some(wait) => {
            let Rate { per_second, burst } = api.config.token_rate;
            refused(wait, &format!("a token may make {per_second} requests a second, and {burst} at once"))
        }
    };
    api.tokens.headers(&verdict, response.headers_mut());
    response
}

/// What is too much is told when it is not any more.
pub(crate) fn refused(wait: Duration, why: &str) -> Response {
    let retry_after = seconds(wait);
    let problem = Problem::new(ErrorCode::RateLimited, "too many requests")
        .because(why)
        .next(format!("wait for {} s", retry_after.to_str().unwrap_or_default()));
    let mut response = Refusal(problem).into_response();
    response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    response
}

/// Rounded up: whoever comes then is not refused again.
fn seconds(duration: Duration) -> HeaderValue {
    (duration.as_secs() + u64::from(duration.subsec_nanos() > 0)).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limiter() -> Limiter<&'static str> {
        Limiter::new(Rate { per_second: 10, burst: 3 })
    }

    #[test]
    fn a_burst_passes_then_one_for_each_interval_and_nobody_pays_for_another() {
        let (limiter, now) = (limiter(), Instant::now());
        let left: Vec<_> = (0..3).map(|_| limiter.count("anna", now).remaining).collect();
        assert_eq!(left, [2, 1, 0]);
        let refused = limiter.count("anna", now);
        assert_eq!((refused.wait, refused.reset), (Some(Duration::from_millis(100)), Duration::from_millis(300)));
        assert_eq!(limiter.count("bo", now).wait, None);
        let later = now + Duration::from_millis(100);
        assert_eq!((limiter.count("anna", later).wait, limiter.count("anna", later).wait.is_some()), (None, true));
        assert_eq!(limiter.count("anna", now + Duration::from_secs(60)).remaining, 2, "rest is not saved up beyond the burst");
    }

    #[test]
    fn being_refused_costs_nothing_so_that_who_asks_too_often_gets_through_at_the_rate() {
        let (limiter, now) = (limiter(), Instant::now());
        let passed = (0..1000).filter(|ms| limiter.count("anna", now + Duration::from_millis(*ms)).wait.is_none()).count();
        assert_eq!(passed, 3 + 9);
    }

    #[test]
    fn a_crowd_of_keys_does_not_grow_without_bound() {
        let (limiter, now) = (Limiter::new(Rate { per_second: 1, burst: 1 }), Instant::now());
        for key in 0..KEYS_MAX + 10 {
            let _ = limiter.count(key, now);
        }
        assert!(limiter.full_at.lock().unwrap().len() <= KEYS_MAX);
    }

    #[test]
    fn a_rate_of_nothing_is_the_least_there_is() {
        let limiter = Limiter::new(Rate { per_second: 0, burst: 0 });
        let now = Instant::now();
        assert_eq!(limiter.count((), now).wait, None);
        assert_eq!(limiter.count((), now).wait, Some(Duration::from_secs(1)));
    }
}
