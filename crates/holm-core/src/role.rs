//! PostgreSQL names that Holm makes or is told: databases and roles, and how a name gets into SQL.
//!
//! Promises: a name fits PostgreSQL's identifier limit untruncated, and a generated one tells nothing of the tenant, since
//! every role can read `pg_database` and `pg_roles`. A name enters SQL only through [`SqlIdent`].

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::credential::Level;

/// `NAMEDATALEN` is 64 with the terminating zero; PostgreSQL cuts longer names silently, so we refuse them.
pub const IDENTIFIER_LENGTH_MAX: usize = 63;

/// Text that cannot be a PostgreSQL name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a PostgreSQL name: it must have 1 to {IDENTIFIER_LENGTH_MAX} bytes and no zero byte", text.escape_debug())]
pub struct InvalidName {
    text: String,
}

fn check(text: &str) -> Result<Box<str>, InvalidName> {
    if text.is_empty() || text.len() > IDENTIFIER_LENGTH_MAX || text.contains('\0') {
        return Err(InvalidName { text: text.chars().take(80).collect() });
    }
    Ok(text.into())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Box<str>);

        impl $name {
            /// The name as PostgreSQL's catalogs hold it, unquoted.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// The name as SQL text, quoted.
            pub fn as_ident(&self) -> SqlIdent<'_> {
                SqlIdent(&self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                check(text).map(Self)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0.into()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }
    };
}

name!(
    /// Where data lies, in PostgreSQL's words.
    DatabaseName
);
name!(
    /// A PostgreSQL role that one tenant's sessions log in as.
    RoleName
);

impl DatabaseName {
    /// A name for a database that Holm makes: `t_` and the 32 hex digits of a random UUID, 34 bytes.
    pub fn generated(random: Uuid) -> Self {
        Self(format!("t_{}", random.simple()).into())
    }

    /// A name for a template that pool members are cloned from: `tpl_` and 32 hex digits, 36 bytes.
    pub fn template(random: Uuid) -> Self {
        Self(format!("tpl_{}", random.simple()).into())
    }
}

impl RoleName {
    /// The role of a level in a database that Holm made: its name and `_owner`, `_rw` or `_ro`; 42 bytes at the most.
    pub fn of(database: &DatabaseName, level: Level) -> Self {
        Self(format!("{database}_{level}").into())
    }
}

/// A name quoted for SQL; the only way for one to get there.
#[derive(Clone, Copy)]
pub struct SqlIdent<'a>(&'a str);

impl fmt::Display for SqlIdent<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("\"")?;
        for (i, part) in self.0.split('"').enumerate() {
            if i > 0 {
                f.write_str("\"\"")?;
            }
            f.write_str(part)?;
        }
        f.write_str("\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quote_in_a_name_cannot_leave_its_quotes() {
        let name: DatabaseName = "x\"; DROP DATABASE y; --".parse().unwrap();
        assert_eq!(name.as_ident().to_string(), "\"x\"\"; DROP DATABASE y; --\"");
    }

    #[test]
    fn names_that_postgresql_would_cut_or_refuse_are_refused_here() {
        assert!("".parse::<RoleName>().is_err());
        assert!("a\0b".parse::<RoleName>().is_err());
        assert!("a".repeat(64).parse::<RoleName>().is_err());
        assert!("a".repeat(63).parse::<RoleName>().is_ok());
    }

    #[test]
    fn a_generated_database_and_its_roles_fit() {
        let database = DatabaseName::generated(Uuid::from_u128(u128::MAX));
        for level in Level::ALL {
            assert!(RoleName::of(&database, level).as_str().len() <= IDENTIFIER_LENGTH_MAX);
        }
    }
}
