//! What speaks for one cluster before another that may be chosen as well (ADR-0020).
//!
//! Promises: pure, and total: of any two that are not the same by name one comes first, by the first thing in which they differ, and that is
//! the reason told. Refuses to know what is allowed: whoever asks leaves out what is not.

use super::near::{Near, Nearness};

/// Smaller is better; what stands first counts first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Merits {
    /// Something is wrong with it.
    pub(crate) in_trouble: bool,
    /// How near it is to what was wished.
    pub(crate) nearness: Nearness,
    /// It has no database ready.
    pub(crate) without_database: bool,
    /// How far it is from Holm.
    pub(crate) latency: Latency,
    /// Tenants for each thousand connections, so that a large cluster is not full sooner than a small one.
    pub(crate) crowd: u64,
}

/// How long an answer takes at the least, coarsely: what differs from look to look must not decide where a customer is for years.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Latency {
    /// Less than 10 ms: light goes 1,000 km there and back through fibre, so that it is a region or its neighbour.
    Near,
    /// Less than 40 ms: the same part of a continent.
    Around,
    /// Less than 100 ms: the same continent, or across one ocean.
    Far,
    /// 100 ms or more.
    Remote,
    /// Nobody has measured: what is known comes before.
    NotMeasured,
}

impl Latency {
    /// The class of the fastest answer.
    pub(crate) const fn of(round_trip_us: Option<u64>) -> Self {
        match round_trip_us {
            None => Self::NotMeasured,
            Some(0..10_000) => Self::Near,
            Some(10_000..40_000) => Self::Around,
            Some(40_000..100_000) => Self::Far,
            Some(_) => Self::Remote,
        }
    }
}

/// Why the one comes behind the one that was chosen.
pub(crate) fn why_behind(one: &Merits, chosen: &Merits, near: Option<&Near>, round_trip_us: Option<u64>) -> String {
    if one.in_trouble != chosen.in_trouble {
        return "it is in trouble".to_owned();
    }
    if let Some(near) = near.filter(|_| one.nearness != chosen.nearness) {
        return match one.nearness {
            Nearness::SameCountry => format!("another is nearer to {near}, which was wished"),
            Nearness::There | Nearness::Elsewhere => format!("it is not near {near}, which was wished"),
        };
    }
    if one.without_database != chosen.without_database {
        return "another has a database ready".to_owned();
    }
    if one.latency != chosen.latency {
        return format!("another is nearer to Holm: {}", away(round_trip_us));
    }
    if one.crowd != chosen.crowd {
        "another has more room".to_owned()
    } else {
        "another is as good, and comes first by its name".to_owned()
    }
}

/// How far a cluster is from Holm, in words.
pub(crate) fn away(round_trip_us: Option<u64>) -> String {
    match round_trip_us {
        Some(us) => format!("this one answers in {}", milliseconds(us)),
        None => "nobody has measured how far this one is".to_owned(),
    }
}

/// `0.6 ms`, `23 ms`: below ten a digit behind the point tells something.
pub fn milliseconds(us: u64) -> String {
    if us < 10_000 { format!("{}.{} ms", us / 1_000, us % 1_000 / 100) } else { format!("{} ms", us / 1_000) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BEST: Merits = Merits { in_trouble: false, nearness: Nearness::There, without_database: false, latency: Latency::Near, crowd: 0 };

    fn no() -> Near {
        Near::kept("NO").unwrap()
    }

    #[test]
    fn trouble_counts_before_a_wish_a_wish_before_a_ready_database_that_before_the_way_and_the_way_before_room() {
        let worse = |change: fn(&mut Merits)| {
            let mut merits = BEST;
            change(&mut merits);
            merits
        };
        // From what counts least to what counts most; each with all that counts less against it.
        let ladder = [
            worse(|it| it.crowd = u64::MAX),
            worse(|it| (it.latency, it.crowd) = (Latency::Around, u64::MAX)),
            worse(|it| (it.latency, it.crowd) = (Latency::NotMeasured, u64::MAX)),
            worse(|it| (it.without_database, it.latency, it.crowd) = (true, Latency::NotMeasured, u64::MAX)),
        ];
        let best_but = [
            worse(|it| it.latency = Latency::Around),
            worse(|it| it.without_database = true),
            worse(|it| it.nearness = Nearness::SameCountry),
            worse(|it| it.in_trouble = true),
        ];
        assert!(ladder.is_sorted() && BEST < ladder[0]);
        assert!(ladder[0] < best_but[0], "the way counts before room");
        assert!(ladder[2] < best_but[1], "a database that is ready before the way");
        assert!(ladder[3] < best_but[2], "a wish before a database that is ready");
        let far_from_the_wish = Merits { nearness: Nearness::Elsewhere, ..ladder[3] };
        assert!(best_but[2] < far_from_the_wish && far_from_the_wish < best_but[3], "trouble before a wish");
    }

    #[test]
    fn the_first_thing_in_which_two_differ_is_the_reason() {
        let near = no();
        let behind = |change: fn(&mut Merits), us| {
            let mut one = BEST;
            change(&mut one);
            why_behind(&one, &BEST, Some(&near), us)
        };
        assert_eq!(behind(|it| (it.in_trouble, it.crowd) = (true, 7), None), "it is in trouble");
        assert_eq!(behind(|it| (it.nearness, it.crowd) = (Nearness::Elsewhere, 7), None), "it is not near NO, which was wished");
        assert_eq!(behind(|it| it.nearness = Nearness::SameCountry, None), "another is nearer to NO, which was wished");
        assert_eq!(behind(|it| it.without_database = true, None), "another has a database ready");
        assert_eq!(behind(|it| it.latency = Latency::Around, Some(23_400)), "another is nearer to Holm: this one answers in 23 ms");
        assert_eq!(
            behind(|it| it.latency = Latency::NotMeasured, None),
            "another is nearer to Holm: nobody has measured how far this one is"
        );
        assert_eq!(behind(|it| it.crowd = 1, None), "another has more room");
        assert_eq!(behind(|_| (), None), "another is as good, and comes first by its name");
        assert_eq!(away(Some(340)), "this one answers in 0.3 ms");
        assert_eq!([9_990, 10_999].map(milliseconds), ["9.9 ms", "10 ms"]);
    }

    #[test]
    fn what_nobody_measured_is_behind_what_is_far() {
        let classes = [Some(0), Some(9_999), Some(10_000), Some(39_999), Some(40_000), Some(99_999), Some(100_000), Some(u64::MAX), None];
        let of: Vec<Latency> = classes.into_iter().map(Latency::of).collect();
        use Latency::{Around, Far, Near, NotMeasured, Remote};
        assert_eq!(of, [Near, Near, Around, Around, Far, Far, Remote, Remote, NotMeasured]);
        assert!(of.is_sorted());
    }

    fn merits() -> impl Strategy<Value = Merits> {
        let nearness = prop::sample::select(vec![Nearness::There, Nearness::SameCountry, Nearness::Elsewhere]);
        (any::<bool>(), nearness, any::<bool>(), prop::option::of(0_u64..200_000), 0_u64..4).prop_map(
            |(in_trouble, nearness, without_database, us, crowd)| Merits {
                in_trouble,
                nearness,
                without_database,
                latency: Latency::of(us),
                crowd,
            },
        )
    }

    proptest! {
        #[test]
        fn a_reason_is_told_of_every_one_that_is_behind_and_it_is_one_in_which_they_differ(one in merits(), other in merits()) {
            let (chosen, behind) = if one <= other { (one, other) } else { (other, one) };
            let why = why_behind(&behind, &chosen, Some(&no()), Some(50_000));
            prop_assert_eq!(why.contains("trouble"), behind.in_trouble && !chosen.in_trouble);
            if why.contains("wished") {
                prop_assert!(behind.nearness > chosen.nearness && behind.in_trouble == chosen.in_trouble);
            }
            if why.contains("room") {
                prop_assert!(behind.crowd > chosen.crowd && behind.latency == chosen.latency);
            }
            prop_assert_eq!(why.contains("by its name"), behind == chosen);
        }

        #[test]
        fn faster_is_never_worse(fast in 0_u64..1_000_000, more in 0_u64..1_000_000) {
            prop_assert!(Latency::of(Some(fast)) <= Latency::of(Some(fast + more)));
            prop_assert!(Latency::of(Some(fast)) < Latency::of(None));
        }
    }
}
