//! The one table from error code to SQLSTATE.
//!
//! Drivers branch on the SQLSTATE, people look up the code: `57P03` makes a driver wait and come back, `28P01` does not.

use holm_core::error::ErrorCode;

/// The SQLSTATE that a PostgreSQL client gets for a code.
pub const fn sqlstate(code: ErrorCode) -> &'static str {
    match code {
        // invalid_password
        ErrorCode::AuthenticationFailed => "28P01",
        // invalid_catalog_name
        ErrorCode::UnknownTenant | ErrorCode::TenantDeleted | ErrorCode::TenantRenamed => "3D000",
        // cannot_connect_now
        ErrorCode::TenantSuspended | ErrorCode::TenantPaused | ErrorCode::PlacementWithheld => "57P03",
        // too_many_connections: pools back off and come again. 28P01 would have an app with the right password give up because
        // somebody else failed.
        ErrorCode::NoConnectionLeft | ErrorCode::TooManyClients | ErrorCode::LoginsThrottled => "53300",
        // invalid_authorization_specification
        ErrorCode::TenantNamesDisagree
        | ErrorCode::TlsRequired
        | ErrorCode::LevelNotThere
        | ErrorCode::ChannelBindingLost
        | ErrorCode::CertificateForAnother => "28000",
        // protocol_violation
        ErrorCode::ProtocolViolation => "08P01",
        // connection_failure
        ErrorCode::ServerUnreachable | ErrorCode::PlacementUnproven => "08006",
        // query_canceled, as PostgreSQL's own authentication timeout
        ErrorCode::LoginTimeout => "57014",
        // feature_not_supported
        ErrorCode::NotCarried => "0A000",
        // admin_shutdown
        ErrorCode::SessionClosed | ErrorCode::ShuttingDown => "57P01",
        // insufficient_privilege
        ErrorCode::NotAllowed => "42501",
        // object_not_in_prerequisite_state
        ErrorCode::TenantState => "55000",
        // invalid_parameter_value
        ErrorCode::InvalidValue => "22023",
        // internal_error: codes that no client of the proxy gets
        _ => "XX000",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_that_a_session_can_get_has_a_sqlstate_of_its_own_kind() {
        let table: String = ErrorCode::ALL
            .iter()
            .filter(|code| (5000..6000).contains(&code.number()))
            .map(|code| format!("{code} {code:?} {}\n", sqlstate(*code)))
            .collect();
        insta::assert_snapshot!(table, @r"
        HOLM-5001 AuthenticationFailed 28P01
        HOLM-5002 UnknownTenant 3D000
        HOLM-5003 TenantSuspended 57P03
        HOLM-5004 NoConnectionLeft 53300
        HOLM-5005 TenantNamesDisagree 28000
        HOLM-5006 ProtocolViolation 08P01
        HOLM-5007 ServerUnreachable 08006
        HOLM-5008 TlsRequired 28000
        HOLM-5009 LoginTimeout 57014
        HOLM-5010 NotCarried 0A000
        HOLM-5011 SessionClosed 57P01
        HOLM-5012 TooManyClients 53300
        HOLM-5013 ShuttingDown 57P01
        HOLM-5014 TenantDeleted 3D000
        HOLM-5015 TenantRenamed 3D000
        HOLM-5016 TenantPaused 57P03
        HOLM-5021 ChannelBindingLost 28000
        HOLM-5022 LoginsThrottled 53300
        HOLM-5023 CertificateForAnother 28000
        HOLM-5024 PlacementWithheld 57P03
        HOLM-5025 PlacementUnproven 08006
        ");
    }
}
