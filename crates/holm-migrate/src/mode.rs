//! Whether a script runs in one transaction with its ledger row, and why not.
//!
//! Promises: atomic unless something in the script says otherwise, and then the reason is part of the answer. Refuses a
//! script that would leave a transaction open, end one that it did not begin, or throw its own work away.
//!
//! Scripts with their own `BEGIN … COMMIT` are split and not refused: Prisma writes them itself when a value is taken out
//! of an enum (prisma/prisma#15295 shows one).

use std::fmt;

use crate::statements::Statement;

/// How a script is run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransactionMode {
    /// In one transaction, which also finishes its ledger row: all of it happened, or nothing.
    Atomic,
    /// Statement by statement in one session; what happened before a failure stays.
    Split {
        /// Why.
        because: SplitReason,
    },
}

/// Why a script cannot be atomic.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SplitReason {
    /// It asks for it: `-- holm:no-transaction`.
    Asked,
    /// PostgreSQL refuses a statement of it inside a transaction.
    Statement(&'static str),
    /// It has transactions of its own.
    OwnTransaction,
}

impl fmt::Display for SplitReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Asked => write!(f, "it asks for it with `-- {NO_TRANSACTION}`"),
            Self::Statement(what) => write!(f, "`{what}` cannot run in a transaction"),
            Self::OwnTransaction => write!(f, "it has transactions of its own"),
        }
    }
}

/// What about a script's transactions cannot be carried.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ModeRefusal {
    /// `BEGIN` inside a transaction.
    Nested,
    /// `COMMIT` where the script has not begun a transaction.
    NotBegun,
    /// `BEGIN` without its `COMMIT`.
    LeftOpen,
    /// `ROLLBACK` of a whole transaction.
    RolledBack,
    /// `PREPARE TRANSACTION`, which outlives the session.
    Prepared,
    /// `COMMIT AND CHAIN`.
    Chained,
    /// A statement that cannot run in a transaction, in a transaction of the script.
    Impossible(&'static str),
    /// A comment that looks like a directive and is none, or stands after the first statement.
    Directive(String),
}

impl fmt::Display for ModeRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nested => write!(f, "`BEGIN` inside a transaction that the script has begun already"),
            Self::NotBegun => write!(f, "`COMMIT` without a `BEGIN` would end the transaction that records the migration"),
            Self::LeftOpen => write!(f, "`BEGIN` without a `COMMIT` would leave a transaction open"),
            Self::RolledBack => write!(f, "`ROLLBACK` would undo what the ledger then calls applied"),
            Self::Prepared => write!(f, "`PREPARE TRANSACTION` would leave its locks behind"),
            Self::Chained => write!(f, "`AND CHAIN` would leave a transaction open"),
            Self::Impossible(what) => write!(f, "`{what}` stands between `BEGIN` and `COMMIT`, where PostgreSQL refuses it"),
            Self::Directive(text) => write!(f, "`-- {}` has no effect here", text.escape_debug()),
        }
    }
}

impl ModeRefusal {
    pub(crate) fn next(&self) -> &'static str {
        match self {
            Self::Nested | Self::NotBegun | Self::LeftOpen | Self::RolledBack | Self::Prepared | Self::Chained => {
                "take `BEGIN`, `COMMIT` and `ROLLBACK` out: each script runs in one transaction anyway"
            }
            Self::Impossible(_) => "move it out of the transaction, best into a migration of its own",
            Self::Directive(_) => "write `-- holm:no-transaction` before the first statement, or take the comment out",
        }
    }
}

/// The one directive.
const NO_TRANSACTION: &str = "holm:no-transaction";

/// What helps when PostgreSQL refuses an atomic script for being in a transaction, by SQLSTATE.
pub fn advice(sqlstate: &str) -> Option<&'static str> {
    match sqlstate {
        // active_sql_transaction
        "25001" => Some("begin the script with `-- holm:no-transaction`: a statement in it cannot run in a transaction"),
        // unsafe_new_enum_value_usage
        "55P04" => Some("use the new enum value in a later migration, or begin the script with `-- holm:no-transaction`"),
        // invalid_transaction_termination: a DO block or procedure that commits
        "2D000" => Some("begin the script with `-- holm:no-transaction`: a procedure or block in it ends the transaction"),
        _ => None,
    }
}

/// Decides for a script; a refusal comes with its byte offset.
pub(crate) fn decide(script: &str, statements: &[Statement<'_>]) -> Result<TransactionMode, (usize, ModeRefusal)> {
    let asked = directive(script, statements)?;
    let mut reason = asked.then_some(SplitReason::Asked);
    let mut open: Option<usize> = None;
    for statement in statements {
        let at = statement.start;
        let words = statement.words();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match (control(&words), open) {
            (Some(Control::Begin), None) => open = Some(at),
            (Some(Control::Begin), Some(_)) => return Err((at, ModeRefusal::Nested)),
            (Some(Control::Commit), Some(_)) => open = None,
            (Some(Control::Commit), None) => return Err((at, ModeRefusal::NotBegun)),
            (Some(Control::Chain), _) => return Err((at, ModeRefusal::Chained)),
            (Some(Control::Prepare), _) => return Err((at, ModeRefusal::Prepared)),
            (Some(Control::Rollback), _) => return Err((at, ModeRefusal::RolledBack)),
            (None, _) => {}
        }
        match (outside_only(&words), open) {
            (Some(what), Some(_)) => return Err((at, ModeRefusal::Impossible(what))),
            (Some(what), None) => reason = reason.or(Some(SplitReason::Statement(what))),
            (None, Some(_)) => reason = reason.or(Some(SplitReason::OwnTransaction)),
            (None, None) => {}
        }
    }
    match open {
        Some(at) => Err((at, ModeRefusal::LeftOpen)),
        None => Ok(reason.map_or(TransactionMode::Atomic, |because| TransactionMode::Split { because })),
    }
}

/// Whether the script asks for split mode. A misspelt directive would silently do nothing, so it is refused.
fn directive(script: &str, statements: &[Statement<'_>]) -> Result<bool, (usize, ModeRefusal)> {
    let first_statement = statements.first().map_or(script.len(), |statement| statement.start);
    let mut asked = false;
    for (at, text) in crate::statements::line_comments(script) {
        let text = text.trim();
        if text.eq_ignore_ascii_case(NO_TRANSACTION) && at < first_statement {
            asked = true;
        } else if text.get(..5).is_some_and(|prefix| prefix.eq_ignore_ascii_case("holm:")) {
            return Err((at, ModeRefusal::Directive(text.chars().take(80).collect())));
        }
    }
    Ok(asked)
}

/// Statements that begin and end transactions.
enum Control {
    Begin,
    Commit,
    Chain,
    Prepare,
    Rollback,
}

fn control(words: &[&str]) -> Option<Control> {
    match words {
        ["begin", ..] | ["start", "transaction", ..] => Some(Control::Begin),
        ["commit" | "rollback", "prepared", ..] | ["rollback", "to", ..] | ["rollback", "work" | "transaction", "to", ..] => None,
        ["prepare", "transaction", ..] => Some(Control::Prepare),
        ["commit" | "end", .., "and", "chain"] => Some(Control::Chain),
        ["commit" | "end", ..] => Some(Control::Commit),
        ["rollback" | "abort", ..] => Some(Control::Rollback),
        _ => None,
    }
}

/// Statements that PostgreSQL refuses in a transaction block (`PreventInTransactionBlock` in its source).
fn outside_only(words: &[&str]) -> Option<&'static str> {
    let concurrently = words.contains(&"concurrently");
    match words {
        ["create", "index", "concurrently", ..] | ["create", "unique", "index", "concurrently", ..] => Some("CREATE INDEX CONCURRENTLY"),
        ["drop", "index", "concurrently", ..] => Some("DROP INDEX CONCURRENTLY"),
        ["reindex", ..] if concurrently => Some("REINDEX CONCURRENTLY"),
        ["reindex", rest @ ..] if rest.iter().any(|word| matches!(*word, "database" | "system" | "schema")) => Some("REINDEX"),
        ["alter", "table", .., "concurrently"] | ["alter", "table", .., "concurrently", "finalize"] => {
            Some("DETACH PARTITION CONCURRENTLY")
        }
        ["vacuum", ..] => Some("VACUUM"),
        ["cluster"] | ["cluster", "verbose"] => Some("CLUSTER"),
        ["alter", "system", ..] => Some("ALTER SYSTEM"),
        ["create", "database", ..] => Some("CREATE DATABASE"),
        ["drop", "database", ..] => Some("DROP DATABASE"),
        ["alter", "database", .., "tablespace", _] => Some("ALTER DATABASE SET TABLESPACE"),
        ["create", "tablespace", ..] => Some("CREATE TABLESPACE"),
        ["drop", "tablespace", ..] => Some("DROP TABLESPACE"),
        ["create", "subscription", ..] => Some("CREATE SUBSCRIPTION"),
        ["alter", "subscription", ..] => Some("ALTER SUBSCRIPTION"),
        ["drop", "subscription", ..] => Some("DROP SUBSCRIPTION"),
        ["discard", "all"] => Some("DISCARD ALL"),
        ["commit" | "rollback", "prepared", ..] => Some("COMMIT PREPARED"),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
