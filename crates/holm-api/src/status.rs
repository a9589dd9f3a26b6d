//! The one table from error code to HTTP status.
//!
//! Promises: every code has a row (the compiler counts them). The status is for machines between us and the client:
//! retry it, sign in, or do not bother; the code and the text are for people.

use axum::http::StatusCode;
use holm_core::error::ErrorCode;

/// The status that an answer with this problem has.
#[allow(clippy::too_many_lines, reason = "a table: a line for each code")]
pub const fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as E;
    match code {
        E::InvalidValue
        | E::UnknownParameter
        | E::MalformedRequest
        | E::NoVersion
        | E::InvalidSlug
        | E::BadGatewayRequest
        | E::TenantNamesDisagree
        | E::ProtocolViolation
        | E::InvalidConfig
        | E::BackupDamaged => StatusCode::BAD_REQUEST,
        E::NotSignedIn | E::TokenExpired | E::AuthenticationFailed | E::CertificateForAnother => StatusCode::UNAUTHORIZED,
        E::NotAllowed
        | E::ApprovalMissing
        | E::ApprovalMismatch
        | E::OwnApproval
        | E::WebhookAddress
        | E::HostSuspended
        | E::TenantSuspended
        | E::TenantPaused
        | E::PlacementWithheld
        | E::SessionClosed
        | E::CatalogItself
        | E::TooPowerful
        | E::LinkRefused
        | E::NodeRemoved
        | E::EndNotAllowed
        | E::ResidencyRefused => StatusCode::FORBIDDEN,
        E::PathNotFound
        | E::TenantNotFound
        | E::EnvironmentNotFound
        | E::ClusterNotFound
        | E::CredentialNotFound
        | E::PrincipalNotFound
        | E::GrantNotFound
        | E::ApprovalNotFound
        | E::WebhookNotFound
        | E::SecretNotHere
        | E::UnknownHost
        | E::HostRenamed
        | E::OperationNotFound
        | E::ProfileNotFound
        | E::RecordNotFound
        | E::NodeNotFound
        | E::UnknownTenant
        | E::TenantRenamed => StatusCode::NOT_FOUND,
        E::HostDeleted | E::TenantDeleted => StatusCode::GONE,
        E::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        E::LoginTimeout => StatusCode::REQUEST_TIMEOUT,
        E::OperationInProgress
        | E::OperationCannot
        | E::OperationUndone
        | E::SlugTaken
        | E::SlugReserved
        | E::CredentialTaken
        | E::PrincipalTaken
        | E::ApprovalDecided
        | E::WebhookTaken
        | E::TenantState
        | E::ClusterElsewhere
        | E::ClusterTaken
        | E::ClusterClosed
        | E::ClusterInUse
        | E::NodeLives
        | E::NodeTaken
        | E::LevelNotThere
        | E::CatalogNotEmpty
        | E::CatalogNotReady
        | E::DirectoryInUse => StatusCode::CONFLICT,
        E::IdempotencyConflict | E::IdempotencyInProgress | E::AnswerGone => StatusCode::CONFLICT,
        E::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        E::RateLimited | E::LoginsThrottled => StatusCode::TOO_MANY_REQUESTS,
        E::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        E::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        E::ProfileRefused | E::FactsRefused => StatusCode::UNPROCESSABLE_ENTITY,
        E::ServerUnsuitable | E::NotScram | E::TlsTowardsServer => StatusCode::UNPROCESSABLE_ENTITY,
        E::InvalidMigrations | E::TemplateFailed | E::SeedFailed | E::LedgerRefuses | E::CopyRefused => StatusCode::UNPROCESSABLE_ENTITY,
        E::ConfirmationNeeded => StatusCode::PRECONDITION_REQUIRED,
        E::TlsRequired | E::ChannelBindingLost => StatusCode::UPGRADE_REQUIRED,
        E::WrongMasterKey
        | E::PostgresNotFound
        | E::PostgresNotStarted
        | E::CannotListen
        | E::ProgramsNotFound
        | E::AuditBroken
        | E::ProgramFailed
        | E::OperationBroken
        | E::InForceUnreadable
        | E::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        E::NotCarried => StatusCode::NOT_IMPLEMENTED,
        E::AppUnreachable | E::ClusterRefused | E::ServerNotFound | E::WebhookRefused | E::MailNotSent => StatusCode::BAD_GATEWAY,
        E::ClusterUnreachable
        | E::ClusterReadOnly
        | E::NoConnectionLeft
        | E::ServerUnreachable
        | E::PlacementUnproven
        | E::TooManyClients
        | E::ShuttingDown
        | E::CatalogUnavailable
        | E::MasterKeyUnavailable
        | E::CatalogNewer
        | E::OlderHolmRuns
        | E::AloneTooLong
        | E::ControlUnavailable
        | E::KeptRoutesRefused => StatusCode::SERVICE_UNAVAILABLE,
        E::OperationGoesOn | E::NoDatabaseInTime | E::RequestTooSlow | E::DataPlaneSilent | E::NotDrained => StatusCode::GATEWAY_TIMEOUT,
        E::ClusterFull | E::MinimumsTooMany => StatusCode::INSUFFICIENT_STORAGE,
    }
}

#[cfg(test)]
mod tests {
    use holm_core::error::ErrorKind;

    use super::*;

    #[test]
    fn no_code_answers_success_and_the_side_at_fault_shows_in_the_status() {
        for &code in ErrorCode::ALL {
            let status = status(code);
            assert!(status.is_client_error() || status.is_server_error(), "{code} {status}");
            if matches!(code.kind(), ErrorKind::Bug | ErrorKind::Control | ErrorKind::Cluster) {
                assert!(status.is_server_error(), "{code} is not the caller's fault and answers {status}");
            }
        }
    }

    #[test]
    fn the_table_is_what_the_documentation_says() {
        let table: String = ErrorCode::ALL.iter().map(|&code| format!("{code} {code:?} {}\n", status(code).as_u16())).collect();
        insta::assert_snapshot!("status", table);
    }
}
