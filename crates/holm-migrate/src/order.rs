//! The two orders in which migrations are sorted: by bytes (Holm), and by JavaScript's `localeCompare` (Prisma).
//!
//! Promises: [`disagreement`] is `None` only when both give the same order. Refuses to guess: names that differ first in a
//! letter outside ASCII, whose place depends on the locale of the machine that runs Prisma, count as a disagreement.

use std::cmp::Ordering;

/// ASCII as CLDR's root collation orders it (Unicode CLDR, `allkeys_CLDR.txt`), letters in lower case; `localeCompare`
/// uses it in every locale that does not tailor ASCII.
const ROOT_ORDER: &str = " _-,;:!?.'\"()[]{}@*/\\&#%`^+<=>|~$0123456789abcdefghijklmnopqrstuvwxyz";

/// The first neighbours, of names in byte order, that `localeCompare` would swap or that it cannot be predicted for.
pub(crate) fn disagreement<'a>(names: &[&'a str]) -> Option<(&'a str, &'a str)> {
    names.windows(2).map(|pair| (pair[0], pair[1])).find(|(a, b)| locale_order(a, b) != Some(Ordering::Less))
}

/// `a.localeCompare(b)`; `None` where a character outside ASCII decides.
fn locale_order(a: &str, b: &str) -> Option<Ordering> {
    let (mut left, mut right) = (a.chars(), b.chars());
    loop {
        match (left.next(), right.next()) {
            (None, None) => return Some(by_case(a, b)),
            (None, Some(_)) => return Some(Ordering::Less),
            (Some(_), None) => return Some(Ordering::Greater),
            (Some(x), Some(y)) if x == y => {}
            (Some(x), Some(y)) => match place(x)?.cmp(&place(y)?) {
                Ordering::Equal => {}
                decided => return Some(decided),
            },
        }
    }
}

/// Names that are the same but for case: lower case comes first, at the first difference.
fn by_case(a: &str, b: &str) -> Ordering {
    a.chars()
        .zip(b.chars())
        .map(|(x, y)| x.is_ascii_uppercase().cmp(&y.is_ascii_uppercase()))
        .find(|o| o.is_ne())
        .unwrap_or(Ordering::Equal)
}

fn place(c: char) -> Option<usize> {
    ROOT_ORDER.find(c.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(names: &[&str], expected: Option<(&str, &str)>) {
        let mut sorted = names.to_vec();
        sorted.sort_unstable();
        assert_eq!(disagreement(&sorted), expected, "{names:?}");
    }

    #[test]
    fn timestamps_sort_alike_everywhere() {
        check(&[], None);
        check(&["20260101000000_init"], None);
        check(&["20260301000000_fees", "20260101000000_init", "20260201000000_Invitations"], None);
        check(&["20260101000000_räksmörgås", "20260102000000_ärende"], None);
    }

    // Expectations below were read off `localeCompare` of Node 20.
    #[test]
    fn a_set_that_prisma_would_apply_in_another_order_is_found() {
        check(&["B", "a"], Some(("B", "a")));
        check(&["20260101_B", "20260101_a"], Some(("20260101_B", "20260101_a")));
        check(&["aB", "a_b"], Some(("aB", "a_b")));
        check(&["a_b", "ab"], None);
        check(&["a-b", "a_b"], Some(("a-b", "a_b")));
        check(&["A", "a"], Some(("A", "a")));
        check(&["1_init", "10_fees", "2_views"], Some(("10_fees", "1_init")));
    }

    #[test]
    fn an_order_that_hangs_on_the_locale_is_a_disagreement() {
        check(&["1_z", "1_ö"], Some(("1_z", "1_ö")));
        check(&["1_ö", "2_z"], None);
    }
}
