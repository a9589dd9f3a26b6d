//! How fast a tenant works, as two looks at it tell.
//!
//! Promises: a rate is told only of a count that went on from one look to the other; one that began anew in between, wholly or in
//! part, has none, and never a negative one or a guess. A mean is of what happened between the two looks; where they cannot
//! be subtracted, of all that was counted.

use std::time::Duration;

use holm_api::view::usage::CountedView;
use jiff::Timestamp;

/// What is told of one tenant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    /// Transactions a second.
    pub(super) rate: Option<f64>,
    /// How long one took, waits included.
    pub(super) transaction_ms: Option<f64>,
    /// How long clients waited, for each server connection that one was given.
    pub(super) wait_ms: Option<f64>,
}

impl Pace {
    /// Of what was counted at a look, and at the one before it, if there was one.
    pub(super) fn of(now: Counted<'_>, before: Option<Counted<'_>>) -> Self {
        let went_on = before.and_then(|then| since(then.1, now.1).map(|did| (now.0.duration_since(then.0).as_secs_f64(), did)));
        match went_on {
            Some((seconds, did)) => Self { rate: rate(did.transactions, seconds), ..means(&did) },
            None => means(now.1),
        }
    }
}

/// When, and what.
pub(super) type Counted<'c> = (Timestamp, &'c CountedView);

/// How many a second; none where no time went by.
pub(super) fn rate(count: u64, seconds: f64) -> Option<f64> {
    let count = u32::try_from(count).ok()?;
    (seconds > 0.0).then(|| f64::from(count) / seconds)
}

/// What happened between two looks at one count; none if they are of different ones, or it went back.
fn since(then: &CountedView, now: &CountedView) -> Option<CountedView> {
    if now.series != then.series {
        return None;
    }
    Some(CountedView {
        series: now.series.clone(),
        transactions: now.transactions.checked_sub(then.transactions)?,
        transactions_us: now.transactions_us.checked_sub(then.transactions_us)?,
        lendings: now.lendings.checked_sub(then.lendings)?,
        waits_us: now.waits_us.checked_sub(then.waits_us)?,
    })
}

fn means(did: &CountedView) -> Pace {
    let mean = |sum_us: u64, count| sum_us.checked_div(count).map(|us| Duration::from_micros(us).as_secs_f64() * 1000.0);
    Pace { rate: None, transaction_ms: mean(did.transactions_us, did.transactions), wait_ms: mean(did.waits_us, did.lendings) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(series: &str, transactions: u64) -> CountedView {
        CountedView {
            series: series.to_owned(),
            transactions,
            transactions_us: transactions * 2_500,
            lendings: transactions * 2,
            waits_us: transactions * 1_000,
        }
    }

    fn pace(then: Option<(i64, CountedView)>, now: (i64, CountedView)) -> Pace {
        let at = |second| Timestamp::from_second(second).unwrap();
        Pace::of((at(now.0), &now.1), then.as_ref().map(|(second, counted)| (at(*second), counted)))
    }

    #[test]
    fn two_looks_at_one_count_tell_a_rate_and_the_means_of_what_was_in_between() {
        let mut now = counted("a", 300);
        // 200 transactions that took 8 ms each, after 100 of 2.5 ms.
        now.transactions_us = 250_000 + 1_600_000;
        let told = pace(Some((10, counted("a", 100))), (14, now));
        assert_eq!(told, Pace { rate: Some(50.0), transaction_ms: Some(8.0), wait_ms: Some(0.5) });
        let rests = pace(Some((10, counted("a", 100))), (14, counted("a", 100)));
        assert_eq!(rests, Pace { rate: Some(0.0), transaction_ms: None, wait_ms: None });
    }

    #[test]
    fn one_look_tells_no_rate_and_the_means_of_all() {
        let told = pace(None, (14, counted("a", 300)));
        assert_eq!(told, Pace { rate: None, transaction_ms: Some(2.5), wait_ms: Some(0.5) });
        assert_eq!(pace(None, (14, counted("a", 0))), Pace::default());
    }

    #[test]
    fn a_count_that_began_anew_has_no_rate_whether_it_is_less_or_more_now() {
        for many in [0, 99, 100, 5_000] {
            assert_eq!(pace(Some((10, counted("a", 100))), (14, counted("b", many))).rate, None, "{many}");
        }
        assert_eq!(pace(Some((10, counted("a", 100))), (14, counted("a", 99))).rate, None, "nothing is negative");
        let mut slower = counted("a", 200);
        slower.waits_us = 0;
        assert_eq!(pace(Some((10, counted("a", 100))), (14, slower)).rate, None, "nor is a part of it");
        for now in [10, 9] {
            assert_eq!(pace(Some((10, counted("a", 100))), (now, counted("a", 200))).rate, None, "no time went by");
        }
    }
}
