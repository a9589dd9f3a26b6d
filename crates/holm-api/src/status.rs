//! The one table from error code to HTTP status.
//!
//! Promises: every code has a row (the compiler counts them). The status is for machines between us and the client:
//! retry it, sign in, or do not bother; the code and the text are for people.

use axum::http::StatusCode;
use holm_core::error::ErrorCode;

/// The status that an answer with this problem has.
pub const fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as E;
    match code {
        E::InvalidValue
        | E::UnknownParameter
        | E::MalformedRequest
        | E::InvalidSlug
        | E::BadGatewayRequest
        | E::TenantNamesDisagree
        | E::ProtocolViolation
        | E::InvalidConfig => StatusCode::BAD_REQUEST,
        E::NotSignedIn | E::AuthenticationFailed => StatusCode::UNAUTHORIZED,
        E::HostSuspended | E::TenantSuspended | E::SessionClosed => StatusCode::FORBIDDEN,
        E::PathNotFound
        | E::TenantNotFound
        | E::EnvironmentNotFound
        | E::ClusterNotFound
        | E::CredentialNotFound
        | E::SecretNotHere
        | E::UnknownHost
        | E::UnknownTenant => StatusCode::NOT_FOUND,
        E::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        E::LoginTimeout => StatusCode::REQUEST_TIMEOUT,
        E::SlugTaken | E::CredentialTaken | E::TenantState | E::ClusterElsewhere | E::DirectoryInUse => StatusCode::CONFLICT,
        E::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        E::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        E::InvalidMigrations | E::TemplateFailed | E::SeedFailed | E::LedgerRefuses => StatusCode::UNPROCESSABLE_ENTITY,
        E::ConfirmationNeeded => StatusCode::PRECONDITION_REQUIRED,
        E::TlsRequired => StatusCode::UPGRADE_REQUIRED,
        E::WrongMasterKey | E::PostgresNotFound | E::PostgresNotStarted | E::CannotListen | E::Internal => {
            StatusCode::INTERNAL_SERVER_ERROR
        }
        E::NotCarried => StatusCode::NOT_IMPLEMENTED,
        E::AppUnreachable | E::ClusterRefused | E::ServerNotFound => StatusCode::BAD_GATEWAY,
        E::ClusterUnreachable
        | E::ClusterReadOnly
        | E::NoConnectionLeft
        | E::ServerUnreachable
        | E::TooManyClients
        | E::ShuttingDown
        | E::CatalogUnavailable
        | E::CatalogNewer => StatusCode::SERVICE_UNAVAILABLE,
        E::NoDatabaseInTime | E::RequestTooSlow | E::DataPlaneSilent => StatusCode::GATEWAY_TIMEOUT,
        E::ClusterFull => StatusCode::INSUFFICIENT_STORAGE,
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
