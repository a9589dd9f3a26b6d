//! The least that a node remembers beside its routes: how far it had come, and how late it was.
//!
//! In a file of its own, so that an older copy of the routes, put back from somewhere, is noticed. It only ever makes a node
//! refuse more: nobody gains by changing it.

use std::time::Duration;

use holm_core::route::RouteVersion;

/// What was seen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Seen {
    /// The newest version that was kept.
    pub(super) version: RouteVersion,
    /// The latest that the wall clock was at, since 1970.
    pub(super) wall: Duration,
}

impl Seen {
    pub(super) fn write(&self) -> String {
        format!("{} {}\n", self.version, self.wall.as_secs())
    }

    /// The end of the line is a part of it: without, a number may have been cut.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let line = str::from_utf8(bytes).ok()?.strip_suffix('\n')?;
        let (version, wall) = line.split_once(' ')?;
        Some(Self { version: RouteVersion(number(version)?), wall: Duration::from_secs(number(wall)?) })
    }
}

/// Only digits; the standard library would take a sign as well.
fn number(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_reads_back_and_what_was_cut_does_not() {
        let seen = Seen { version: RouteVersion(1234), wall: Duration::from_secs(5678) };
        let text = seen.write();
        assert_eq!(Seen::read(text.as_bytes()), Some(seen));
        for length in 0..text.len() {
            assert_eq!(Seen::read(&text.as_bytes()[..length]), None, "{length}");
        }
        for other in ["+1 2\n", "1  2\n", "1 2\n\n", "1 2 3\n", "99999999999999999999999 1\n", "\u{ff11} 2\n"] {
            assert_eq!(Seen::read(other.as_bytes()), None, "{other:?}");
        }
    }
}
