//! `holm catalog`: the catalog itself, past any server; what it does is in [`crate::catalog`].

use holm_core::error::Problem;

use super::context::Context;
use crate::catalog::backup::{self, Backup};
use crate::catalog::restore::{self, Restored};
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Writes a backup to a file, while the catalog is used
    Backup(backup::Args),
    /// Restores a backup into an empty database
    Restore(restore::Args),
}

impl Row for Backup {
    const COLUMNS: &'static [&'static str] = &["FILE", "TAKEN", "TENANTS", "BYTES", "SCHEMA", "MASTER KEYS"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.file.display()),
            Cell::time(self.taken_at),
            Cell::of(self.tenants),
            Cell::of(self.bytes),
            Cell::of(self.schema_version),
            Cell::of(self.master_keys.join(", ")),
        ]
    }

    fn name(&self) -> String {
        self.file.display().to_string()
    }
}

impl Row for Restored {
    const COLUMNS: &'static [&'static str] = &["FILE", "TAKEN", "TENANTS", "OPERATIONS"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.backup.file.display()),
            Cell::time(self.backup.taken_at),
            Cell::of(self.backup.tenants),
            Cell::of(self.operations.len()),
        ]
    }

    fn name(&self) -> String {
        self.backup.file.display().to_string()
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::Backup(args) => {
            let backup = backup::run(args).await?;
            context.say(&format!("✓ the catalog of {} is in {}", backup.taken_at, backup.file.display()));
            context.say(&format!("  it is of no use without the master key {}", backup.master_keys.join(", ")));
            Ok(Answer::one(&backup))
        }
        Command::Restore(args) => {
            let restored = restore::run(args).await?;
            context.say(&format!("✓ the catalog is as it was at {}", restored.backup.taken_at));
            context.say("  what was revoked since is good again, and what was created since is not known: see `holm doctor`");
            for operation in &restored.operations {
                context.say(&format!("  operation {operation} rests: look, then `holm op resume {operation}` or cancel it"));
            }
            Ok(Answer::one(&restored))
        }
    }
}
