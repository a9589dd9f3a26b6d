//! "Did you mean": the known word that is closest to one that is not known.

/// The known word within a typing slip or two of `text`. Longer words may differ more.
pub(crate) fn nearest<'a>(text: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let allowed = (text.chars().count() / 4).clamp(1, 4);
    known
        .into_iter()
        .map(|word| (distance(text, word), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein's distance: insertions, deletions and replacements each count one.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut row = vec![i + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != *to);
            row.push(replaced.min(last[j + 1] + 1).min(row[j] + 1));
        }
        last = row;
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_answered_with_what_was_meant() {
        assert_eq!(nearest("ultimate_parents", ["contracting_entity", "ultimate_parent"]), Some("ultimate_parent"));
        assert_eq!(nearest("scalngo", ["aiven", "scalingo"]), Some("scalingo"));
        assert_eq!(nearest("zebra", ["aiven", "scalingo"]), None);
        assert_eq!(nearest("", ["aiven"]), None);
    }
}
