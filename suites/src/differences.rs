//! What a suite's `differences.toml` says: which differences are accepted, what is not run, and why.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::Deserialize;

use crate::access::Way;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Differences {
    #[serde(default)]
    pub(crate) difference: Vec<Difference>,
    #[serde(default)]
    pub(crate) skipped: Vec<Skipped>,
}

/// One test that may have another outcome through Holm.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Difference {
    pub(crate) test: String,
    pub(crate) mode: Vec<Way>,
    /// How many lines of the output are others, those that are gone and those that are new; the same number every time.
    pub(crate) lines: usize,
    /// It hangs on time, so that there may be no difference either; `why` says on what.
    #[serde(default)]
    pub(crate) sometimes: bool,
    pub(crate) why: String,
}

/// Tests that are not run at all.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Skipped {
    pub(crate) tests: Vec<String>,
    pub(crate) why: String,
}

impl Differences {
    /// Reads it; every entry has a reason, and none is there twice.
    pub(crate) fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        Self::parse(&text).with_context(|| path.display().to_string())
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let read: Self = toml::from_str(text)?;
        let mut seen = BTreeSet::new();
        for Difference { test, mode, lines, why, .. } in &read.difference {
            ensure!(!why.trim().is_empty(), "`{test}`: `why` is empty");
            ensure!(*lines > 0 && !mode.is_empty(), "`{test}`: a difference has lines and modes");
            for way in mode {
                ensure!(way.is_through_holm(), "`{test}`: a mode is `session` or `transaction`");
                ensure!(seen.insert((test, Some(way))), "`{test}` in mode `{way}` is there twice");
            }
        }
        for Skipped { tests, why } in &read.skipped {
            ensure!(!why.trim().is_empty(), "{tests:?}: `why` is empty");
            for test in tests {
                ensure!(seen.insert((test, None)), "`{test}` is skipped twice");
            }
        }
        Ok(read)
    }

    /// What may differ there.
    pub(crate) fn accepted(&self, test: &str, way: Way) -> Option<&Difference> {
        self.difference.iter().find(|one| one.test == test && one.mode.contains(&way))
    }

    /// The names of what is not run.
    pub(crate) fn skipped(&self) -> Vec<String> {
        self.skipped.iter().flat_map(|one| one.tests.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_for_one_test_in_the_modes_that_it_names_and_has_a_reason() {
        let read = Differences::parse("[[difference]]\ntest = \"a\"\nmode = [\"transaction\"]\nlines = 2\nwhy = \"so\"").unwrap();
        assert_eq!(
            [("a", Way::Transaction), ("a", Way::Session), ("b", Way::Transaction)]
                .map(|(test, way)| read.accepted(test, way).map(|one| one.lines)),
            [Some(2), None, None]
        );
        for wrong in [
            "[[difference]]\ntest = \"a\"\nmode = [\"session\"]\nlines = 2\nwhy = \" \"",
            "[[difference]]\ntest = \"a\"\nmode = [\"direct\"]\nlines = 2\nwhy = \"so\"",
            "[[difference]]\ntest = \"a\"\nmode = [\"session\"]\nlines = 0\nwhy = \"so\"",
            "[[difference]]\ntest = \"a\"\nmode = [\"session\", \"session\"]\nlines = 1\nwhy = \"so\"",
            "[[skipped]]\ntests = [\"a\", \"a\"]\nwhy = \"so\"",
        ] {
            assert!(Differences::parse(wrong).is_err(), "{wrong}");
        }
    }
}
