//! How a command ends, for scripts: the one table from problem to exit code.
//!
//! Promises: a script can tell "not there" from "not allowed" from "still going on" without reading text, and no code
//! means two things. 2 is kept for plans with changes pending.

use std::process::ExitCode;

use holm_core::error::{ErrorCode, ErrorKind, Problem};

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done = 0,
    /// Not done.
    Failed = 1,
    /// Done for some tenants, failed for others; of some servers known, and not of others.
    Partly = 3,
    /// A rule that an operator set says no.
    Refused = 4,
    /// Wants a confirmation, and there is no terminal to ask on.
    NeedsConfirmation = 5,
    /// What was named is not there.
    NotFound = 6,
    /// Not signed in, or not allowed.
    NotAllowed = 7,
    /// Stopped waiting; what was begun goes on.
    StoppedWaiting = 8,
    /// The command was not written as it must be.
    Usage = 64,
    /// Ctrl-C.
    Interrupted = 130,
}

impl Exit {
    /// The code that a problem ends with.
    pub const fn of(code: ErrorCode) -> Self {
        use ErrorCode as E;
        match code {
            E::InvalidValue
            | E::UnknownParameter
            | E::MalformedRequest
            | E::NoVersion
            | E::InvalidSlug
            | E::ProfileRefused
            | E::FactsRefused => Self::Usage,
            E::TenantNotFound
            | E::EnvironmentNotFound
            | E::ClusterNotFound
            | E::CredentialNotFound
            | E::PrincipalNotFound
            | E::GrantNotFound
            | E::ApprovalNotFound
            | E::WebhookNotFound
            | E::SecretNotHere
            | E::PathNotFound
            | E::UnknownHost
            | E::HostRenamed
            | E::OperationNotFound
            | E::ProfileNotFound
            | E::RecordNotFound
            | E::NodeNotFound
            | E::UnknownTenant
            | E::TenantRenamed => Self::NotFound,
            E::NotSignedIn | E::TokenExpired | E::NotAllowed | E::AuthenticationFailed | E::CertificateForAnother => Self::NotAllowed,
            E::ConfirmationNeeded => Self::NeedsConfirmation,
            E::OperationGoesOn | E::NoDatabaseInTime | E::DataPlaneSilent | E::NotDrained | E::RequestTooSlow => Self::StoppedWaiting,
            other if matches!(other.kind(), ErrorKind::Policy) => Self::Refused,
            _ => Self::Failed,
        }
    }
}

impl From<&Problem> for Exit {
    fn from(problem: &Problem) -> Self {
        Self::of(problem.code)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        // The discriminants above are 0 to 130.
        Self::from(exit as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_exit_and_none_of_them_is_success() {
        let table: String = ErrorCode::ALL.iter().map(|&code| format!("{code} {code:?} {:?}\n", Exit::of(code))).collect();
        assert!(!table.contains("Done") && !table.contains("Partly"));
        insta::assert_snapshot!("exit", table);
    }

    #[test]
    fn the_numbers_are_those_that_scripts_were_told() {
        let numbers = [Exit::Done, Exit::Failed, Exit::Partly, Exit::Refused, Exit::NeedsConfirmation].map(|exit| exit as u8);
        assert_eq!(numbers, [0, 1, 3, 4, 5]);
        let numbers = [Exit::NotFound, Exit::NotAllowed, Exit::StoppedWaiting, Exit::Usage, Exit::Interrupted].map(|exit| exit as u8);
        assert_eq!(numbers, [6, 7, 8, 64, 130]);
    }
}
