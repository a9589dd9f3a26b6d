//! "Did you mean": which known names are close to one that is not known.

/// How many suggestions a person reads.
const SUGGESTIONS_MAX: usize = 3;

/// The known names within a typing slip or two of `text`, nearest first. Longer names may differ more.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let allowed = (text.chars().count() / 4).clamp(1, 3);
    let mut near: Vec<(usize, &str)> =
        known.into_iter().map(|name| (distance(text, name), name)).filter(|(distance, _)| *distance <= allowed).collect();
    near.sort_unstable();
    near.into_iter().take(SUGGESTIONS_MAX).map(|(_, name)| name).collect()
}

/// Optimal string alignment distance: insertions, deletions, replacements and swaps of neighbours each count one.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut least = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                least = least.min(before[j - 2] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        let known = ["goteborg", "malmo", "stockholm"];
        assert_eq!(nearest("gotborg", known), ["goteborg"]);
        assert_eq!(nearest("goetborg", known), ["goteborg"]);
        assert_eq!(nearest("mamlo", known), ["malmo"]);
        assert_eq!(nearest("stokholm", known), ["stockholm"]);
        assert_eq!(nearest("uppsala", known), [""; 0]);
        assert_eq!(nearest("", known), [""; 0]);
    }

    #[test]
    fn distances_are_those_of_the_definition() {
        for (a, b, expected) in [("", "", 0), ("", "ab", 2), ("ab", "ba", 1), ("kitten", "sitting", 3), ("å", "a", 1)] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }
}
