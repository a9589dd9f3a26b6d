//! Compares runs: what differs between two direct ones is the suite's own, and what differs through Holm must be written down.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;

use crate::Told;
use crate::access::Way;
use crate::differences::Differences;
use crate::outcome::{Outcome, Outcomes};

/// What came of all of it.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    compared: usize,
    accepted: usize,
    wrong: Vec<String>,
}

impl Verdict {
    pub(crate) fn is_green(&self) -> bool {
        self.wrong.is_empty() && self.compared > 0
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.wrong.iter().try_for_each(|wrong| writeln!(f, "WRONG {wrong}"))?;
        let Self { compared, accepted, wrong } = self;
        write!(f, "{compared} comparisons, {accepted} differences that are accepted, {} things wrong", wrong.len())
    }
}

/// Judges the runs, of which the first is the direct one; leaves what differs beside the outputs.
pub(crate) fn judge(told: &Told, differences: &Differences, runs: &[(Way, Outcomes)]) -> Verdict {
    let mut verdict = Verdict::default();
    let Some(((_, direct), others)) = runs.split_first() else { return verdict };
    for (test, outcome) in direct {
        if !outcome.passed {
            verdict.wrong.push(format!("{test}: fails without Holm, so that nothing can be said of it"));
        }
    }
    let mut known: BTreeSet<&str> = direct.keys().map(String::as_str).collect();
    known.extend(told.skipped.iter().map(String::as_str));
    for (way, run) in others {
        let tests: BTreeSet<&String> = direct.keys().chain(run.keys()).collect();
        for test in tests {
            verdict.compared += 1;
            compare(&mut verdict, (told, differences), (test, *way), (direct.get(test), run.get(test)));
        }
    }
    if told.only.is_empty() {
        for one in differences.difference.iter().filter(|one| !known.contains(one.test.as_str())) {
            verdict.wrong.push(format!("{}: differences.toml tells of it, and there is no such test", one.test));
        }
    }
    verdict
}

fn compare(
    verdict: &mut Verdict,
    (told, differences): (&Told, &Differences),
    (test, way): (&String, Way),
    (direct, other): (Option<&Outcome>, Option<&Outcome>),
) {
    let (Some(direct), Some(other)) = (direct, other) else {
        return verdict.wrong.push(format!("{test}, {way}: run in one of both only"));
    };
    let (lines, accepted) = (changed(&direct.text, &other.text), differences.accepted(test, way));
    if !lines.is_empty() {
        let path = told.out.join(way.to_string()).join(format!("{}.diff", test.replace(['/', ':'], "_")));
        let _ = fs::write(&path, lines.join("\n") + "\n");
    }
    match (lines.len(), accepted) {
        (0, None) => {}
        (0, Some(accepted)) if accepted.sometimes => {}
        (some, Some(accepted)) if some == accepted.lines => verdict.accepted += 1,
        (0, Some(_)) => verdict.wrong.push(format!("{test}, {way}: is as without Holm, and differences.toml says that it is not")),
        (some, None) => verdict.wrong.push(format!("{test}, {way}: {some} lines differ")),
        (some, Some(accepted)) => {
            verdict.wrong.push(format!("{test}, {way}: {some} lines differ, and {} are accepted", accepted.lines));
        }
    }
}

/// The lines that are only in one (`-`) or only in the other (`+`), by the longest common subsequence between what is the same
/// at the beginning and at the end.
pub(crate) fn changed(one: &str, other: &str) -> Vec<String> {
    let (mut a, mut b): (Vec<&str>, Vec<&str>) = (one.lines().collect(), other.lines().collect());
    let before = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    (a, b) = (a.split_off(before), b.split_off(before));
    let after = a.iter().rev().zip(b.iter().rev()).take_while(|(x, y)| x == y).count();
    a.truncate(a.len() - after);
    b.truncate(b.len() - after);
    // common[i][j]: the longest common subsequence of a[i..] and b[j..].
    let width = b.len() + 1;
    let mut common = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            common[i * width + j] = match a[i] == b[j] {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == b.len() || i < a.len() && common[(i + 1) * width + j] >= common[i * width + j + 1] {
            lines.push(format!("-{}", a[i]));
            i += 1;
        } else {
            lines.push(format!("+{}", b[j]));
            j += 1;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(text: &str) -> Outcomes {
        [("a".to_owned(), Outcome { passed: true, text: text.to_owned() })].into()
    }

    fn judged(direct: &str, session: &str, listed: usize) -> bool {
        judged_with("", direct, session, listed)
    }

    fn judged_with(more: &str, direct: &str, session: &str, listed: usize) -> bool {
        let text = format!("[[difference]]\ntest = \"a\"\nmode = [\"session\"]\nlines = {listed}\n{more}\nwhy = \"so\"");
        let differences = if listed == 0 { Differences::default() } else { toml::from_str(&text).unwrap() };
        let out = std::env::temp_dir();
        let told = Told { name: String::new(), source: None, programs: Vec::new(), only: Vec::new(), skipped: Vec::new(), out };
        judge(&told, &differences, &[(Way::Direct, outcomes(direct)), (Way::Session, outcomes(session))]).is_green()
    }

    #[test]
    fn what_is_the_same_is_right_unless_it_is_listed() {
        assert!(judged("x\ny", "x\ny", 0));
        assert!(!judged("x\ny", "x\ny", 1));
    }

    #[test]
    fn what_differs_is_right_only_if_it_is_listed_with_as_many_lines() {
        assert!(!judged("x\ny", "x\nz", 0));
        assert!(judged("x\ny", "x\nz", 2));
        assert!(!judged("x\ny", "x\nz", 1));
    }

    #[test]
    fn what_differs_sometimes_is_right_if_it_does_not_but_not_if_it_differs_otherwise() {
        assert!(judged_with("sometimes = true", "x\ny", "x\ny", 2));
        assert!(judged_with("sometimes = true", "x\ny", "x\nz", 2));
        assert!(!judged_with("sometimes = true", "x\ny", "u\nz", 2));
    }

    #[test]
    fn nothing_compared_is_nothing_right() {
        assert!(!Verdict::default().is_green());
    }

    #[test]
    fn changes_are_the_fewest_lines() {
        assert_eq!(changed("a\nb\nc\nd", "a\nc\nx\nd"), ["-b", "+x"]);
        assert_eq!(changed("", "a"), ["+a"]);
        assert_eq!(changed("a\nb", "a\nb"), Vec::<String>::new());
    }
}
