//! How fast a tenant works, as two looks at the nodes that carry it tell.
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
    /// Of what was counted at a look, and at the one before it, if there was one, at each node that has counted.
    pub(super) fn of(nodes: &[(Counted<'_>, Option<Counted<'_>>)]) -> Self {
        let went_on = nodes.iter().filter_map(|(now, before)| {
            let then = (*before)?;
            Some((now.0.duration_since(then.0).as_secs_f64(), since(then.1, now.1)?))
        });
        let went_on: Vec<(f64, CountedView)> = went_on.collect();
        if went_on.is_empty() {
            return means(nodes.iter().map(|(now, _)| now.1));
        }
        let rates = went_on.iter().filter_map(|(seconds, did)| rate(did.transactions, *seconds)).reduce(|sum, rate| sum + rate);
        Self { rate: rates, ..means(went_on.iter().map(|(_, did)| did)) }
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

fn means<'d>(did: impl Iterator<Item = &'d CountedView> + Clone) -> Pace {
    let sum = |of: fn(&CountedView) -> u64| did.clone().map(of).fold(0, u64::saturating_add);
    let mean = |sum_us: u64, count| sum_us.checked_div(count).map(|us| Duration::from_micros(us).as_secs_f64() * 1000.0);
    let (transactions, lendings) = (sum(|did| did.transactions), sum(|did| did.lendings));
    Pace {
        rate: None,
        transaction_ms: mean(sum(|did| did.transactions_us), transactions),
        wait_ms: mean(sum(|did| did.waits_us), lendings),
    }
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
        Pace::of(&[((at(now.0), &now.1), then.as_ref().map(|(second, counted)| (at(*second), counted)))])
    }

    #[test]
    fn of_several_nodes_it_is_the_sum_of_those_that_went_on() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (few, more, many, anew) = (counted("a", 100), counted("a", 300), counted("b", 500), counted("c", 7));
        let went_on = ((at(14), &more), Some((at(10), &few)));
        // Another clock, by an hour.
        let other = ((at(3_614), &more), Some((at(3_610), &few)));
        assert_eq!(Pace::of(&[went_on, other]).rate, Some(100.0));
        let began = ((at(14), &anew), Some((at(10), &many)));
        assert_eq!(Pace::of(&[went_on, began]), Pace::of(&[went_on]));
        assert_eq!(Pace::of(&[began, ((at(14), &few), None)]), Pace { rate: None, transaction_ms: Some(2.5), wait_ms: Some(0.5) });
        assert_eq!(Pace::of(&[]), Pace::default());
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
