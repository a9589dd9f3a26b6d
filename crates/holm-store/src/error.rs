//! What can go wrong between Holm and its catalog, sorted by what a caller can do about it.
//!
//! Promises: a lost connection is never mistaken for a refusal, and a lost connection while committing says that nobody
//! knows. Refuses details: the text of PostgreSQL's errors is a source for the log, not for people.

use std::error::Error;

use holm_core::error::{Changed, ErrorCode, Problem};
use tokio_postgres::error::SqlState;

/// Where an error came from, for the log.
pub type Source = Box<dyn Error + Send + Sync>;

/// Why a statement, or a transaction, did not do what it was for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No connection, lost, too slow, shutting down or out of room. Nothing changed; later it may work.
    #[error("reach the catalog")]
    Unavailable(#[source] Source),
    /// As above, but while committing: it may have happened.
    #[error("learn whether the catalog committed")]
    CommitUnknown(#[source] Source),
    /// The catalog takes no writes: a standby, or set so.
    #[error("write to a catalog that is read-only")]
    ReadOnly(#[source] Source),
    /// Somebody else's change was in the way. Nothing changed; the same transaction may be tried again.
    #[error("change the catalog while another change was under way")]
    Conflict(#[source] Source),
    /// The catalog holds a value that this Holm cannot read.
    #[error("read column `{column}` of the catalog")]
    Corrupt {
        /// The column.
        column: &'static str,
        /// What is wrong with it.
        #[source]
        source: Source,
    },
    /// A fault of ours: a statement that cannot work, or a rule of the schema that was not checked beforehand.
    #[error("use the catalog rightly")]
    Fault(#[source] Source),
}

impl StoreError {
    /// Whether the same may work a moment later.
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Conflict(_))
    }

    pub(crate) fn deadline(waited_for: &'static str) -> Self {
        Self::Unavailable(format!("no answer to `{waited_for}` in time").into())
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(state) = error.code().cloned() else {
            // Without a SQLSTATE it is the connection, or a value that does not fit the statement's types.
            let ours = error.is_closed() || error.source().is_some_and(|source| source.is::<std::io::Error>());
            return if ours { Self::Unavailable(error.into()) } else { Self::Fault(error.into()) };
        };
        match state {
            SqlState::READ_ONLY_SQL_TRANSACTION => Self::ReadOnly(error.into()),
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::LOCK_NOT_AVAILABLE
            | SqlState::UNIQUE_VIOLATION => Self::Conflict(error.into()),
            SqlState::QUERY_CANCELED | SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT => Self::Unavailable(error.into()),
            other if is_outage(&other) => Self::Unavailable(error.into()),
            _ => Self::Fault(error.into()),
        }
    }
}

/// By class (PostgreSQL, appendix A): 08 connection, 53 resources, 57P server shutting down or starting, 58 system.
fn is_outage(state: &SqlState) -> bool {
    ["08", "53", "57P", "58"].iter().any(|class| state.code().starts_with(class))
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Unavailable(source) => unavailable(source),
            StoreError::CommitUnknown(source) => {
                unavailable(source).changed(Changed::Unknown).next("look whether the change is there before trying again")
            }
            StoreError::ReadOnly(_) => Self::new(ErrorCode::CatalogUnavailable, "the catalog takes no writes")
                .because("its PostgreSQL server is a standby or is set to read-only")
                .next("point Holm at the primary server of the catalog"),
            StoreError::Conflict(_) => {
                Self::new(ErrorCode::CatalogUnavailable, "another change of the catalog was in the way").next("try again")
            }
            StoreError::Corrupt { column, source } => Self::new(ErrorCode::Internal, error.to_string())
                .because(source)
                .next(format!("report this, with the catalog's column `{column}`")),
            StoreError::Fault(source) => {
                Self::new(ErrorCode::Internal, "a statement of Holm's own was refused by the catalog").because(chain(&**source))
            }
        }
    }
}

fn unavailable(source: &Source) -> Problem {
    Problem::new(ErrorCode::CatalogUnavailable, "the catalog does not answer")
        .because(chain(&**source))
        .next("check that the catalog's PostgreSQL server runs, then try again: `holm doctor`")
}

/// An error and its sources as one sentence, since a problem has room for one.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.ends_with(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_by_itself_is_told_from_what_is_our_fault() {
        for (code, outage) in [
            ("08006", true),  // connection failure
            ("53100", true),  // disk full
            ("53300", true),  // too many connections
            ("57P01", true),  // admin shutdown
            ("57P03", true),  // cannot connect now
            ("58030", true),  // I/O error
            ("57014", false), // query cancelled: not by class, it has an arm of its own
            ("42601", false), // syntax error
            ("23503", false), // foreign key violation
            ("0A000", false), // feature not supported
        ] {
            assert_eq!(is_outage(&SqlState::from_code(code)), outage, "{code}");
        }
    }

    #[test]
    fn only_a_lost_commit_leaves_it_open_whether_anything_changed() {
        let source = || Source::from("cut");
        let changed = |error: StoreError| Problem::from(error).changed;
        assert_eq!(changed(StoreError::CommitUnknown(source())), Changed::Unknown);
        for error in [
            StoreError::Unavailable(source()),
            StoreError::ReadOnly(source()),
            StoreError::Conflict(source()),
            StoreError::Corrupt { column: "slug", source: source() },
            StoreError::Fault(source()),
        ] {
            assert_eq!(changed(error), Changed::Nothing);
        }
    }
}
