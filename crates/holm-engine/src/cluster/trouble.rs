//! What goes wrong on a cluster, sorted by what a person can do about it.
//!
//! Promises: a server that is full, read-only or gone is told apart from one that refuses. Refuses to repeat statements:
//! PostgreSQL's message is quoted, what was sent never is.

use std::error::Error;
use std::time::Duration;

use holm_core::cluster::ClusterName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_tls::TlsError;
use tokio_postgres::error::{DbError, Severity, SqlState};

/// An act on a cluster that did not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    /// PostgreSQL, or the way to it, said no.
    #[error("{act}")]
    Postgres {
        act: &'static str,
        #[source]
        source: tokio_postgres::Error,
    },
    /// Nothing was said in time.
    #[error("{act}: no answer for {} s", waited.as_secs())]
    Silent { act: &'static str, waited: Duration },
    /// The connection failed, outside any driver.
    #[error("{act}")]
    Wire {
        act: &'static str,
        #[source]
        source: std::io::Error,
    },
    /// There is no TLS with what answers there.
    #[error("{act}")]
    Tls {
        act: &'static str,
        #[source]
        source: TlsError,
    },
    /// PostgreSQL said no before any driver was asked.
    #[error("{act}: {message} ({state})")]
    Said { act: &'static str, state: String, message: String },
    /// A row of a system catalog is not what Holm left there.
    #[error("{act}: {found}")]
    Unexpected { act: &'static str, found: String },
}

/// What kind of trouble a cluster is in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Trouble {
    Unreachable,
    ReadOnly,
    Full,
    Refused,
    /// It is not believed to be the server that it should be.
    Distrusted,
    /// It wants another certificate than it was shown, or one at all.
    Unshown,
}

impl ClusterError {
    pub(crate) const fn postgres(act: &'static str, source: tokio_postgres::Error) -> Self {
        Self::Postgres { act, source }
    }

    pub(crate) const fn silent(act: &'static str, waited: Duration) -> Self {
        Self::Silent { act, waited }
    }

    /// PostgreSQL's own error, if it was one that spoke.
    pub(crate) fn said(&self) -> Option<&DbError> {
        match self {
            Self::Postgres { source, .. } => source.as_db_error(),
            Self::Silent { .. } | Self::Wire { .. } | Self::Tls { .. } | Self::Said { .. } | Self::Unexpected { .. } => None,
        }
    }

    /// The SQLSTATE that PostgreSQL answered with, if it did.
    fn state(&self) -> Option<&str> {
        match self {
            Self::Said { state, .. } => Some(state),
            _ => self.said().map(|said| said.code().code()),
        }
    }

    /// Whether PostgreSQL answered with this SQLSTATE.
    pub(crate) fn is(&self, state: &SqlState) -> bool {
        self.state() == Some(state.code())
    }

    /// Whether PostgreSQL refused the login because the connection is not encrypted: `pg_hba.conf` has `hostssl` lines only,
    /// or what stands before it wants TLS.
    pub(crate) fn wants_tls(&self) -> bool {
        matches!(self, Self::Said { state, message, .. }
            if (state.starts_with("28") || state.starts_with("08")) && ["no encryption", "SSL off", "SSL required"].iter().any(|text| message.contains(text)))
    }

    /// What the server said to the certificate that it was shown, in TLS's words or in PostgreSQL's (`clientcert` in `pg_hba.conf`).
    fn unshown(&self) -> bool {
        let wants = |message: &str| message.contains("valid client certificate");
        match self {
            Self::Tls { source, .. } => matches!(source, TlsError::Refused(_)),
            Self::Wire { source, .. } => holm_tls::refused(source).is_some(),
            Self::Said { state, message, .. } => state.starts_with("28") && wants(message),
            Self::Postgres { source, .. } => match source.as_db_error() {
                // What ends a session is PostgreSQL's own word: no function can say it.
                Some(said) => said.parsed_severity() == Some(Severity::Fatal) && wants(said.message()),
                None => source.source().and_then(|cause| cause.downcast_ref()).is_some_and(|cause| holm_tls::refused(cause).is_some()),
            },
            Self::Silent { .. } | Self::Unexpected { .. } => false,
        }
    }

    pub(crate) fn trouble(&self) -> Trouble {
        match self {
            _ if self.unshown() => Trouble::Unshown,
            Self::Silent { .. } | Self::Wire { .. } | Self::Tls { source: TlsError::Broken(_), .. } => Trouble::Unreachable,
            Self::Tls { .. } => Trouble::Distrusted,
            Self::Said { state, .. } => trouble_of(&SqlState::from_code(state)),
            Self::Unexpected { .. } => Trouble::Refused,
            Self::Postgres { source, .. } => source.code().map_or(Trouble::Unreachable, trouble_of),
        }
    }

    /// As people are told.
    pub(crate) fn problem(&self, cluster: &ClusterName) -> Problem {
        let (code, what, next) = match self.trouble() {
            Trouble::Unreachable => (
                ErrorCode::ClusterUnreachable,
                format!("cluster `{cluster}` does not answer"),
                "check that its PostgreSQL server runs and can be reached from here; Holm tries again by itself",
            ),
            Trouble::ReadOnly => (
                ErrorCode::ClusterReadOnly,
                format!("cluster `{cluster}` is read-only"),
                "end the recovery or `default_transaction_read_only` of this server, or say where the primary is: `holm cluster set-server`",
            ),
            Trouble::Full => (
                ErrorCode::ClusterFull,
                format!("cluster `{cluster}` has no room"),
                "give it disk space or connections, or add another cluster; Holm tries again by itself",
            ),
            Trouble::Distrusted => (
                ErrorCode::TlsTowardsServer,
                format!("there is no TLS with cluster `{cluster}`"),
                "put the server's TLS and certificate in order; if somebody else issues it now, say so: `holm cluster set-server`",
            ),
            Trouble::Unshown => (
                ErrorCode::TlsTowardsServer,
                format!("cluster `{cluster}` wants another client certificate"),
                "give one that it takes: `--client-cert FILE --client-key FILE`; a cluster gets another with `holm cluster set-client-cert`",
            ),
            Trouble::Refused if self.is_login_refused() => (
                ErrorCode::ClusterRefused,
                format!("cluster `{cluster}` does not let Holm in"),
                "see that the role and the password are a superuser's there; a cluster gets others with `holm cluster set-server`",
            ),
            Trouble::Refused => (
                ErrorCode::ClusterRefused,
                format!("cluster `{cluster}` refused a statement of Holm's"),
                "see what its server log says, and that Holm's role is a superuser there",
            ),
        };
        Problem::new(code, what).because(self.reason()).changed(Changed::Unknown).next(next)
    }

    /// Class 28: name, password or `pg_hba.conf`.
    fn is_login_refused(&self) -> bool {
        self.state().is_some_and(|state| state.starts_with("28"))
    }

    /// The act and what PostgreSQL said to it, as one sentence.
    fn reason(&self) -> String {
        let (act, source) = match self {
            Self::Postgres { act, source } => (act, source),
            Self::Wire { act, source } => return chain(act, source),
            Self::Tls { act, source } => return chain(act, source),
            _ => return self.to_string(),
        };
        match source.as_db_error() {
            Some(said) => format!("{act}: {} ({})", said.message(), said.code().code()),
            None => chain(act, source),
        }
    }
}

/// PostgreSQL, appendix A: class 08 connection, 53 resources, 57P a server that starts or stops, 58 system.
fn trouble_of(state: &SqlState) -> Trouble {
    match state {
        &SqlState::READ_ONLY_SQL_TRANSACTION => Trouble::ReadOnly,
        &SqlState::DISK_FULL | &SqlState::OUT_OF_MEMORY | &SqlState::TOO_MANY_CONNECTIONS | &SqlState::INSUFFICIENT_RESOURCES => {
            Trouble::Full
        }
        other if ["08", "57P"].iter().any(|class| other.code().starts_with(class)) => Trouble::Unreachable,
        _ => Trouble::Refused,
    }
}

fn chain(act: &str, error: &dyn Error) -> String {
    let mut text = format!("{act}: {error}");
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
    fn each_trouble_has_its_code() {
        let cases = [
            ("53100", Trouble::Full),
            ("53200", Trouble::Full),
            ("53300", Trouble::Full),
            ("25006", Trouble::ReadOnly),
            ("57P01", Trouble::Unreachable),
            ("57P03", Trouble::Unreachable),
            ("08006", Trouble::Unreachable),
            ("28P01", Trouble::Refused),
            ("42501", Trouble::Refused),
        ];
        for (state, expected) in cases {
            assert_eq!(trouble_of(&SqlState::from_code(state)), expected, "{state}");
        }
    }

    #[test]
    fn silence_is_a_problem_that_says_for_how_long_and_what_to_do() {
        let problem = ClusterError::silent("log in", Duration::from_secs(5)).problem(&"production-1".parse().unwrap());
        assert_eq!(problem.code, ErrorCode::ClusterUnreachable);
        assert_eq!(problem.why.as_deref(), Some("log in: no answer for 5 s"));
        assert!(!problem.next.is_empty());
    }
}
