//! Reads: migration directories, ledgers and SQL text.
//!
//! Promises: a [`MigrationSet`] can be applied in its order and means the same to Prisma; every refusal says what, why and
//! what to do next. Reading a directory is the only I/O. Refuses: async, a database, a clock, randomness.

mod checksum;
mod directory;
pub mod ledger;
mod migration;
mod mode;
mod order;
mod problem;
pub mod statements;

pub use checksum::{Checksum, Fingerprint};
pub use migration::{InvalidName, MIGRATION_NAME_LENGTH_MAX, Migration, MigrationName, MigrationSet};
pub use mode::{ModeRefusal, SplitReason, TransactionMode, advice};
pub use problem::{DirectoryProblem, Fault};
