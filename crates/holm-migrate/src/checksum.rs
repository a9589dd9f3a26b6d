//! Checksums of scripts, as Prisma writes them, and the fingerprint of a set.
//!
//! Promises: [`Checksum`] is what Prisma 2 to 7 store in `_prisma_migrations.checksum`; a comparison accepts exactly the
//! variants that Prisma accepts. Refuses to normalise what it hashes: the bytes of the file are the migration.

use std::fmt;
use std::fmt::Write as _;

use aws_lc_rs::digest::{SHA256, digest};

use crate::migration::Migration;

/// The SHA-256 of a script's raw bytes, written as 64 lower-case hexadecimal digits.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Checksum(Box<str>);

impl Checksum {
    /// The checksum of a script.
    pub fn of(script: &str) -> Self {
        Self(hex(script.as_bytes()).into())
    }

    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a ledger's checksum is this script's: as it is, with the other line ends (a checkout on Windows), or in the
/// form without padding that old Prisma versions wrote (`prisma-engines#1887`).
pub(crate) fn accepts(script: &str, recorded: &str) -> bool {
    let other_ends = if script.contains("\r\n") { script.replace("\r\n", "\n") } else { script.replace('\n', "\r\n") };
    [script, &other_ends].into_iter().any(|variant| {
        let full = hex(variant.as_bytes());
        if recorded.len() == full.len() { recorded == full } else { recorded == unpadded(&full) }
    })
}

/// What a set of migrations is: its names and checksums in their order, in one value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(Box<str>);

impl Fingerprint {
    /// Names have no control characters, so that a line is read in one way only.
    pub(crate) fn of(migrations: &[Migration]) -> Self {
        let mut lines = String::from("holm migrations 1\n");
        for Migration { name, checksum, .. } in migrations {
            writeln!(lines, "{checksum} {name}").expect("a String takes any text");
        }
        Self(hex(lines.as_bytes()).into())
    }

    /// 64 lower-case hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

fn hex(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a String takes any text");
        text
    })
}

/// Each byte without its leading zero.
fn unpadded(full: &str) -> String {
    full.as_bytes().chunks(2).fold(String::with_capacity(full.len()), |mut text, pair| {
        text.extend(pair.iter().enumerate().filter(|(i, digit)| *i == 1 || **digit != b'0').map(|(_, digit)| char::from(*digit)));
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_sha_256_of_the_bytes() {
        assert_eq!(Checksum::of("").as_str(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(Checksum::of("abc").as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_checkout_with_other_line_ends_is_the_same_migration() {
        let (unix, windows) = ("SELECT 1;\nSELECT 2;\n", "SELECT 1;\r\nSELECT 2;\r\n");
        assert!(accepts(unix, Checksum::of(unix).as_str()));
        assert!(accepts(unix, Checksum::of(windows).as_str()));
        assert!(accepts(windows, Checksum::of(unix).as_str()));
        assert!(!accepts(unix, Checksum::of("SELECT 1;\nSELECT 2;\n ").as_str()));
    }

    #[test]
    fn a_checksum_without_padding_of_an_old_prisma_is_accepted() {
        // The digest of "abc" has the byte 01, so the old form is shorter.
        let old = "ba7816bf8f1cfea414140de5dae2223b0361a396177a9cb410ff61f2015ad";
        assert!(accepts("abc", old));
        assert!(!accepts("abd", old));
        assert!(!accepts("abc", ""));
    }
}
