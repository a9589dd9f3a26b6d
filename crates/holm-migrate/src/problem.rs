//! Why a migrations directory cannot be used: where, what, and what to do next.
//!
//! Promises: every [`Fault`] has a sentence and a next step, and becomes a [`Problem`] with the code 2001. Nothing of a
//! script but a name or a keyword is repeated.

use std::fmt;
use std::path::PathBuf;

use holm_core::error::{ErrorCode, Problem};

use crate::migration::{InvalidName, MIGRATION_NAME_LENGTH_MAX};
use crate::mode::ModeRefusal;
use crate::statements::{Position, SyntaxFault};

/// Something in a migrations directory that keeps it from being used.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("`{}` cannot be used: {fault}", path.display())]
pub struct DirectoryProblem {
    /// The file or directory.
    pub path: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// It does not exist.
    Absent,
    /// It is not a directory.
    NotADirectory,
    /// The operating system refuses to read it; its words.
    Unreadable(String),
    /// A directory's name cannot be a migration's.
    Name(InvalidName),
    /// Two directories, in byte order, that Prisma would apply in the other order, or might.
    Order(String, String),
    /// `migration_lock.toml` names another database.
    Provider(String),
    /// A directory without a `migration.sql` (Prisma's P3015); `nested` when it holds migrations itself.
    NoScript {
        /// A directory of that name was given where one level below was meant.
        nested: bool,
    },
    /// A symbolic link to a directory, or one that leads out of the migrations directory.
    Link,
    /// Neither a file nor a directory.
    NotAFile,
    /// More bytes than a script, or all of them together, may have.
    TooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// More migrations than a set may have.
    TooMany {
        /// The limit.
        count_max: usize,
    },
    /// Bytes that are not UTF-8, from the given line on.
    NotUtf8 {
        /// The line with the first such byte.
        line: usize,
    },
    /// It begins with a byte order mark.
    ByteOrderMark,
    /// It cannot be read as SQL.
    Syntax(Position, SyntaxFault),
    /// Its use of transactions cannot be carried.
    Mode(Position, ModeRefusal),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => write!(f, "it does not exist"),
            Self::NotADirectory => write!(f, "it is not a directory"),
            Self::Unreadable(why) => write!(f, "it cannot be read: {why}"),
            Self::Name(invalid) => write!(f, "{invalid}"),
            Self::Order(first, second) => {
                write!(f, "`{first}` and `{second}` are applied in this order by Holm and not by Prisma, which sorts by locale")
            }
            Self::Provider(provider) => write!(f, "it is for `{}`, and Holm applies `postgresql`", provider.escape_debug()),
            Self::NoScript { .. } => write!(f, "it has no `migration.sql`"),
            Self::Link => write!(f, "it is a symbolic link to a directory or to something outside the migrations directory"),
            Self::NotAFile => write!(f, "it is neither a file nor a directory"),
            Self::TooLarge { bytes_max } => write!(f, "it has more than {} MiB", bytes_max / (1024 * 1024)),
            Self::TooMany { count_max } => write!(f, "it has more than {count_max} migrations"),
            Self::NotUtf8 { line } => write!(f, "line {line} is not UTF-8"),
            Self::ByteOrderMark => write!(f, "it begins with a byte order mark, which PostgreSQL refuses"),
            Self::Syntax(at, fault) => write!(f, "{at}: {fault}"),
            Self::Mode(at, refusal) => write!(f, "{at}: {refusal}"),
        }
    }
}

impl Fault {
    /// What a person can do about it.
    fn next(&self) -> String {
        match self {
            Self::Absent | Self::NotADirectory => "give the directory that holds the migrations, usually `prisma/migrations`".to_owned(),
            Self::Unreadable(_) => "make it readable for the user that runs Holm".to_owned(),
            Self::Name(_) => format!("rename the directory: up to {MIGRATION_NAME_LENGTH_MAX} bytes of UTF-8 without control characters"),
            Self::Order(..) => "give one of them another timestamp, so that every tool applies them in the same order".to_owned(),
            Self::Provider(_) => "set `provider = \"postgresql\"` in it if the scripts are PostgreSQL's".to_owned(),
            Self::NoScript { nested: true } => "give that directory itself: it holds migrations".to_owned(),
            Self::NoScript { nested: false } => "put the script back, or delete the directory".to_owned(),
            Self::Link | Self::NotAFile => "put a real file or directory in its place".to_owned(),
            Self::TooLarge { .. } => "keep schema in migrations, and load data with the seed".to_owned(),
            Self::TooMany { .. } => "squash old migrations into one".to_owned(),
            Self::NotUtf8 { .. } => "save it as UTF-8".to_owned(),
            Self::ByteOrderMark => "save it as UTF-8 without a byte order mark".to_owned(),
            Self::Syntax(_, fault) => fault.next().to_owned(),
            Self::Mode(_, refusal) => refusal.next().to_owned(),
        }
    }
}

impl From<DirectoryProblem> for Problem {
    fn from(DirectoryProblem { path, fault }: DirectoryProblem) -> Self {
        let what = format!("`{}` cannot be used", path.display().to_string().escape_debug());
        Self::new(ErrorCode::InvalidMigrations, what).because(&fault).next(fault.next())
    }
}
