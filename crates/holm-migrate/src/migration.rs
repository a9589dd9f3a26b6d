//! A migration, and the ordered set of them that makes a schema.
//!
//! Promises: a set is sorted by bytes as Prisma would sort it, has no name twice, and every script of it can be split and
//! has a decided [`TransactionMode`].

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::checksum::{self, Checksum, Fingerprint};
use crate::directory;
use crate::mode::{self, TransactionMode};
use crate::order;
use crate::problem::{DirectoryProblem, Fault};
use crate::statements::{self, Position, Statement};

/// Prisma's limit (P3010); its ledger has a column of 255 characters.
pub const MIGRATION_NAME_LENGTH_MAX: usize = 200;

/// The name of a migration: that of its directory, `20260301090000_init`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MigrationName(Box<str>);

/// Why text cannot be a migration's name.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidName {
    /// Nothing.
    #[error("the name is empty")]
    Empty,
    /// More than [`MIGRATION_NAME_LENGTH_MAX`] bytes.
    #[error("the name is longer than {MIGRATION_NAME_LENGTH_MAX} bytes")]
    TooLong,
    /// Not UTF-8.
    #[error("the name is not UTF-8")]
    NotUtf8,
    /// A control character, or a slash.
    #[error("the name has `{}` in it", .0.escape_debug())]
    Character(char),
}

impl MigrationName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MigrationName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text.is_empty() {
            return Err(InvalidName::Empty);
        }
        if text.len() > MIGRATION_NAME_LENGTH_MAX {
            return Err(InvalidName::TooLong);
        }
        match text.chars().find(|c| c.is_control() || matches!(c, '/' | '\\')) {
            Some(c) => Err(InvalidName::Character(c)),
            None => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for MigrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for MigrationName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One schema migration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Migration {
    /// Its name, which the ledger records.
    pub name: MigrationName,
    /// The script, byte for byte.
    pub sql: String,
    /// The script's checksum, which the ledger records.
    pub checksum: Checksum,
    /// How it is run.
    pub mode: TransactionMode,
}

impl Migration {
    fn parse(name: MigrationName, sql: String) -> Result<Self, Fault> {
        if sql.starts_with('\u{feff}') {
            return Err(Fault::ByteOrderMark);
        }
        let statements = statements::split(&sql).map_err(|e| Fault::Syntax(Position::of_byte(&sql, e.at), e.fault))?;
        let mode = mode::decide(&sql, &statements).map_err(|(at, refusal)| Fault::Mode(Position::of_byte(&sql, at), refusal))?;
        Ok(Self { checksum: Checksum::of(&sql), name, sql, mode })
    }

    /// The script's statements in their order, each of which can be sent alone.
    pub fn statements(&self) -> Vec<Statement<'_>> {
        statements::split(&self.sql).expect("the script was split when the migration was made")
    }

    /// Whether a ledger's checksum is this script's, by Prisma's rules: other line ends are no difference.
    pub fn is_recorded_as(&self, checksum: &str) -> bool {
        checksum::accepts(&self.sql, checksum)
    }
}

/// Migrations in the order in which they are applied.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MigrationSet {
    migrations: Vec<Migration>,
    fingerprint: Fingerprint,
}

impl MigrationSet {
    /// Reads a directory in Prisma's layout: `<name>/migration.sql`, beside `migration_lock.toml`. Blocks.
    ///
    /// # Errors
    /// The first thing in it that keeps it from being used.
    pub fn read(path: &Path) -> Result<Self, DirectoryProblem> {
        Self::from_scripts(path, directory::read(path)?)
    }

    /// No migrations: a tenant starts with an empty database.
    pub fn empty() -> Self {
        Self { fingerprint: Fingerprint::of(&[]), migrations: Vec::new() }
    }

    /// A set of scripts that were read from somewhere else; `path` is what problems name.
    ///
    /// # Errors
    /// A script that cannot be run, a name given twice, or an order that depends on who sorts.
    pub fn from_scripts(path: &Path, scripts: impl IntoIterator<Item = (MigrationName, String)>) -> Result<Self, DirectoryProblem> {
        let mut migrations = Vec::new();
        for (name, sql) in scripts {
            let file = script_path(path, &name);
            migrations.push(Migration::parse(name, sql).map_err(|fault| DirectoryProblem { path: file, fault })?);
        }
        migrations.sort_by(|a, b| a.name.cmp(&b.name));
        let names: Vec<&str> = migrations.iter().map(|m| m.name.as_str()).collect();
        if let Some((first, second)) = order::disagreement(&names) {
            return Err(DirectoryProblem { path: path.to_owned(), fault: Fault::Order(first.to_owned(), second.to_owned()) });
        }
        Ok(Self { fingerprint: Fingerprint::of(&migrations), migrations })
    }

    /// The migrations in the order in which they are applied.
    pub fn migrations(&self) -> &[Migration] {
        &self.migrations
    }

    /// What the set is: equal for two sets exactly when their names and scripts are.
    pub fn fingerprint(&self) -> &Fingerprint {
        &self.fingerprint
    }

    /// Whether it has no migrations.
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }
}

/// Where a migration's script lies below the migrations directory.
pub(crate) fn script_path(directory: &Path, name: &MigrationName) -> PathBuf {
    directory.join(name.as_str()).join(directory::SCRIPT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(scripts: &[(&str, &str)]) -> Result<MigrationSet, DirectoryProblem> {
        let scripts = scripts.iter().map(|(name, sql)| (name.parse().unwrap(), (*sql).to_owned()));
        MigrationSet::from_scripts(Path::new("migrations"), scripts)
    }

    #[test]
    fn a_name_is_what_prisma_and_its_ledger_can_hold() {
        let refusal = |text: &str| text.parse::<MigrationName>().err();
        assert_eq!(refusal("20260301090000_init"), None);
        assert_eq!(refusal(&"å".repeat(100)), None);
        assert_eq!(refusal(&"a".repeat(201)), Some(InvalidName::TooLong));
        assert_eq!(refusal(""), Some(InvalidName::Empty));
        assert_eq!(refusal("a\nb"), Some(InvalidName::Character('\n')));
        assert_eq!(refusal("../b"), Some(InvalidName::Character('/')));
    }

    #[test]
    fn a_set_is_applied_in_the_order_of_its_names() {
        let set = set(&[("2_b", "SELECT 2"), ("1_a", "SELECT 1")]).unwrap();
        let names: Vec<&str> = set.migrations().iter().map(|m| m.name.as_str()).collect();
        assert_eq!(names, ["1_a", "2_b"]);
    }

    #[test]
    fn a_name_given_twice_is_refused() {
        assert!(matches!(set(&[("1_a", ""), ("1_a", "")]).unwrap_err().fault, Fault::Order(..)));
    }

    #[test]
    fn a_fault_is_reported_with_its_line_and_a_next_step() {
        let problem: holm_core::error::Problem = set(&[("1_a", "SELECT 1;\nSELECT 'x;\n")]).unwrap_err().into();
        insta::assert_snapshot!(text(&problem), @r"
        HOLM-2001: `migrations/1_a/migration.sql` cannot be used
        line 2, column 8: a string that begins here has no end
        close it
        ");
    }

    #[test]
    fn a_byte_order_mark_is_refused() {
        assert_eq!(set(&[("1_a", "\u{feff}SELECT 1")]).unwrap_err().fault, Fault::ByteOrderMark);
    }

    fn text(problem: &holm_core::error::Problem) -> String {
        format!("{problem}\n{}\n{}", problem.why.as_deref().unwrap_or("-"), problem.next.join("\n"))
    }

    proptest! {
        #[test]
        fn a_fingerprint_says_names_and_bytes_and_nothing_else(a in "[a-z0-9 ]{0,8}", b in "[a-z0-9 ]{0,8}") {
            let of = |scripts: &[(&str, &str)]| set(scripts).unwrap().fingerprint().clone();
            let one = of(&[("1_a", &a), ("2_b", &b)]);
            prop_assert_eq!(&one, &of(&[("2_b", &b), ("1_a", &a)]));
            prop_assert_eq!(one == of(&[("1_a", &b), ("2_b", &a)]), a == b);
            prop_assert_ne!(&one, &of(&[("1_a", &a), ("2_c", &b)]));
            prop_assert_ne!(&one, &of(&[("1_a", &a)]));
        }
    }
}
