//! PostgreSQL's versions as `postgres --version` prints them.

use std::fmt;

/// A version; betas and release candidates count as minor 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Version {
    /// The part that decides whether a data directory can be read.
    pub major: u16,
    /// The part that repairs.
    pub minor: u16,
}

/// The oldest major that Holm runs on; the oldest that is still maintained upstream.
pub const MAJOR_MIN: u16 = 14;
/// The newest major that Holm has been tried on.
pub const MAJOR_MAX: u16 = 18;

impl Version {
    /// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`; `None` when it is anything else.
    pub fn parse(text: &str) -> Option<Self> {
        let number = text.trim().strip_prefix("postgres (PostgreSQL) ")?.split_whitespace().next()?;
        let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
        let (major, rest) = number.split_at(end);
        let minor = match rest.strip_prefix('.') {
            Some(minor) => minor.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()?,
            None => 0,
        };
        Some(Self { major: major.parse().ok()?, minor })
    }

    /// Whether Holm runs on it.
    pub fn is_supported(self) -> bool {
        (MAJOR_MIN..=MAJOR_MAX).contains(&self.major)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_print_is_read_and_nothing_else_is() {
        for (text, expected) in [
            ("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n", Some((15, 18))),
            ("postgres (PostgreSQL) 14.5", Some((14, 5))),
            ("postgres (PostgreSQL) 18.0 (Homebrew)", Some((18, 0))),
            ("postgres (PostgreSQL) 18beta1", Some((18, 0))),
            ("postgres (PostgreSQL) 17rc1 (Ubuntu 17~rc1-1)", Some((17, 0))),
            ("postgres (PostgreSQL) 19devel", Some((19, 0))),
            ("postgres (PostgreSQL) 9.6.24", Some((9, 6))),
            ("postgres (PostgreSQL) 17.2.0", Some((17, 2))),
            ("psql (PostgreSQL) 15.18", None),
            ("postgres (Fork) 15.1", None),
            ("postgres (PostgreSQL) ", None),
            ("postgres (PostgreSQL) x.y", None),
            ("postgres (PostgreSQL) 15.x", None),
            ("postgres (PostgreSQL) 99999999.1", None),
            ("", None),
        ] {
            assert_eq!(Version::parse(text).map(|v| (v.major, v.minor)), expected, "{text:?}");
        }
    }

    #[test]
    fn fourteen_to_eighteen_are_supported() {
        let supported: Vec<u16> = (9..=20).filter(|&major| Version { major, minor: 0 }.is_supported()).collect();
        assert_eq!(supported, [14, 15, 16, 17, 18]);
    }
}
