//! What every route of `/v1` needs: the one table from method and path to permission and place, and the one of those that
//! heed `If-Match`.
//!
//! Promises: a route that is not in the table answers nobody; a test walks the description and this table both ways.
//! Lists that span environments are let through for whoever may see any of it, and leave out the rest.

use axum::http::Method;
use holm_core::access::Permission as P;

/// What a route needs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Needs {
    /// A token that is good.
    SignedIn,
    /// A permission in the environment that the path names.
    InPath(P),
    /// A permission in the whole installation.
    Everywhere(P),
    /// A permission in any place; the handler asks again, for the place that the request is about, or leaves out what may
    /// not be seen.
    Somewhere(P),
}

use Needs::{Everywhere, InPath, SignedIn, Somewhere};

/// The table.
pub(crate) const TABLE: &[(Method, &str, Needs)] = &[
    (Method::GET, "/v1/whoami", SignedIn),
    (Method::GET, "/v1/environments", Somewhere(P::ReadEnvironments)),
    (Method::POST, "/v1/environments/{environment}/require-approval", InPath(P::ManageEnvironments)),
    (Method::GET, "/v1/environments/{environment}/profile", InPath(P::ReadTenants)),
    (Method::POST, "/v1/environments/{environment}/set-profile", InPath(P::ManageResidency)),
    (Method::GET, "/v1/environments/{environment}/copies", InPath(P::ReadTenants)),
    (Method::POST, "/v1/environments/{environment}/copies", InPath(P::ManageResidency)),
    (Method::DELETE, "/v1/environments/{environment}/copies/{copy}", InPath(P::ManageResidency)),
    (Method::GET, "/v1/environments/{environment}/parity", InPath(P::ReadClusters)),
    (Method::POST, "/v1/environments/{environment}/parity/waivers", InPath(P::ManageEnvironments)),
    (Method::GET, "/v1/parity/waivers", Somewhere(P::ReadClusters)),
    (Method::DELETE, "/v1/parity/waivers/{id}", Somewhere(P::ManageEnvironments)),
    (Method::GET, "/v1/environments/{environment}/usage", InPath(P::ReadTenants)),
    // Whoever sees tenants one by one learns nothing of any one here, and changes nothing but the log that says so.
    (Method::POST, "/v1/environments/{environment}/statistics", InPath(P::ReadTenants)),
    (Method::GET, "/v1/clusters", Somewhere(P::ReadClusters)),
    (Method::GET, "/v1/clusters/{name}", Somewhere(P::ReadClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/set-server", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/set-client-cert", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/remove-client-cert", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/set-place", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/drain", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/rotate-roles", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/clusters/{name}/remove", InPath(P::ManageClusters)),
    (Method::GET, "/v1/environments/{environment}/tenants", InPath(P::ReadTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants", InPath(P::ChangeTenants)),
    (Method::GET, "/v1/environments/{environment}/tenants/{slug}", InPath(P::ReadTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/adopt", InPath(P::ManageClusters)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/pause", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/suspend", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/set-profile", InPath(P::ManageResidency)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/rename", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/rotate-roles", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/copy", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/extend", InPath(P::ChangeTenants)),
    (Method::PATCH, "/v1/environments/{environment}/tenants/{slug}/limits", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/resume", InPath(P::ChangeTenants)),
    (Method::DELETE, "/v1/environments/{environment}/tenants/{slug}", InPath(P::ChangeTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/undelete", InPath(P::ChangeTenants)),
    (Method::GET, "/v1/environments/{environment}/tenants/{slug}/where", InPath(P::ReadTenants)),
    (Method::GET, "/v1/environments/{environment}/tenants/{slug}/explanation", InPath(P::ReadTenants)),
    (Method::GET, "/v1/environments/{environment}/tenants/{slug}/certificate", InPath(P::ReadTenants)),
    (Method::GET, "/v1/environments/{environment}/tenants/{slug}/decision", InPath(P::ReadTenants)),
    (Method::GET, "/v1/environments/{environment}/places", InPath(P::ReadTenants)),
    (Method::GET, "/v1/environments/{environment}/sub-processors", InPath(P::ReadTenants)),
    (Method::GET, "/v1/environments/{environment}/processing-record", InPath(P::ReadTenants)),
    (Method::GET, "/v1/clusters/{name}/breach-scope", Somewhere(P::ReadTenants)),
    (Method::GET, "/v1/residency/matrix", Somewhere(P::ReadTenants)),
    (Method::GET, "/v1/residency/what-if", Somewhere(P::ReadTenants)),
    (Method::GET, "/v1/residency/profiles", Somewhere(P::ReadTenants)),
    (Method::POST, "/v1/residency/profiles", Everywhere(P::ManageResidency)),
    (Method::GET, "/v1/residency/facts", Somewhere(P::ReadTenants)),
    (Method::POST, "/v1/residency/facts", Everywhere(P::ManageResidency)),
    (Method::DELETE, "/v1/residency/facts/{name}", Everywhere(P::ManageResidency)),
    (Method::GET, "/v1/residency/papers", Somewhere(P::ReadTenants)),
    (Method::POST, "/v1/residency/papers", Somewhere(P::ManageResidency)),
    (Method::DELETE, "/v1/residency/papers/{id}", Somewhere(P::ManageResidency)),
    (Method::GET, "/v1/residency/exceptions", Somewhere(P::ReadTenants)),
    (Method::DELETE, "/v1/residency/exceptions/{id}", Somewhere(P::ManageResidency)),
    (Method::GET, "/v1/environments/{environment}/tenants/{slug}/exceptions", InPath(P::ReadTenants)),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/exceptions", InPath(P::ManageResidency)),
    (Method::GET, "/v1/operations", Somewhere(P::ReadOperations)),
    (Method::GET, "/v1/operations/{id}", Somewhere(P::ReadOperations)),
    (Method::GET, "/v1/operations/{id}/events", Somewhere(P::ReadOperations)),
    (Method::POST, "/v1/operations/{id}/pause", Somewhere(P::OperateOperations)),
    (Method::POST, "/v1/operations/{id}/resume", Somewhere(P::OperateOperations)),
    (Method::POST, "/v1/operations/{id}/cancel", Somewhere(P::OperateOperations)),
    (Method::POST, "/v1/operations/{id}/retry", Somewhere(P::OperateOperations)),
    (Method::POST, "/v1/operations/{id}/proceed", Somewhere(P::OperateOperations)),
    (Method::POST, "/v1/operations/{id}/abandon", Somewhere(P::OperateOperations)),
    (Method::GET, "/v1/environments/{environment}/credentials", InPath(P::SeeCredentials)),
    (Method::POST, "/v1/environments/{environment}/credentials", InPath(P::IssueCredentials)),
    (Method::DELETE, "/v1/environments/{environment}/credentials/{name}", InPath(P::IssueCredentials)),
    (Method::POST, "/v1/environments/{environment}/credentials/{name}/rotate", InPath(P::IssueCredentials)),
    (Method::GET, "/v1/principals", Everywhere(P::ManageAccess)),
    (Method::POST, "/v1/principals", Everywhere(P::ManageAccess)),
    (Method::DELETE, "/v1/principals/{name}", Everywhere(P::ManageAccess)),
    (Method::GET, "/v1/principals/{name}/roles", Everywhere(P::ManageAccess)),
    (Method::POST, "/v1/principals/{name}/roles", Everywhere(P::ManageAccess)),
    (Method::DELETE, "/v1/principals/{name}/roles", Everywhere(P::ManageAccess)),
    (Method::GET, "/v1/tokens", Everywhere(P::ManageAccess)),
    (Method::POST, "/v1/tokens", Everywhere(P::ManageAccess)),
    (Method::DELETE, "/v1/tokens/{id}", Everywhere(P::ManageAccess)),
    (Method::GET, "/v1/break-glass", Everywhere(P::ReadAudit)),
    (Method::POST, "/v1/break-glass", Somewhere(P::BreakGlass)),
    // Whoever took it gives it back, whatever they still hold.
    (Method::DELETE, "/v1/break-glass/{id}", SignedIn),
    (Method::GET, "/v1/approvals", Somewhere(P::RequestApprovals)),
    (Method::POST, "/v1/approvals", Somewhere(P::RequestApprovals)),
    (Method::GET, "/v1/approvals/{id}", Somewhere(P::RequestApprovals)),
    (Method::POST, "/v1/approvals/{id}/approve", Somewhere(P::Approve)),
    (Method::POST, "/v1/approvals/{id}/reject", Somewhere(P::Approve)),
    (Method::GET, "/v1/audit", Somewhere(P::ReadAudit)),
    (Method::GET, "/v1/audit/export", Everywhere(P::ExportAudit)),
    (Method::GET, "/v1/audit/verify", Everywhere(P::ExportAudit)),
    (Method::POST, "/v1/audit/checkpoints", Everywhere(P::ExportAudit)),
    (Method::GET, "/v1/keys", Everywhere(P::ManageKeys)),
    (Method::POST, "/v1/keys/rotate", Everywhere(P::ManageKeys)),
    (Method::POST, "/v1/keys/rewrap", Everywhere(P::ManageKeys)),
    (Method::GET, "/v1/webhooks", Everywhere(P::ManageWebhooks)),
    (Method::POST, "/v1/webhooks", Everywhere(P::ManageWebhooks)),
    (Method::DELETE, "/v1/webhooks/{name}", Everywhere(P::ManageWebhooks)),
    (Method::POST, "/v1/webhooks/{name}/rotate", Everywhere(P::ManageWebhooks)),
    (Method::POST, "/v1/webhooks/{name}/test", Everywhere(P::ManageWebhooks)),
    (Method::GET, "/v1/webhooks/{name}/deliveries", Everywhere(P::ManageWebhooks)),
    (Method::POST, "/v1/webhooks/{name}/deliveries/{id}/replay", Everywhere(P::ManageWebhooks)),
    (Method::GET, "/v1/doctor", Everywhere(P::ReadDoctor)),
    (Method::GET, "/v1/nodes", Everywhere(P::ReadDoctor)),
    (Method::DELETE, "/v1/nodes/{name}", Everywhere(P::ManageNodes)),
    // Who has a node's key logs in to every tenant's database.
    (Method::GET, "/v1/node-keys", Everywhere(P::ManageKeys)),
    (Method::POST, "/v1/node-keys", Everywhere(P::ManageKeys)),
    (Method::DELETE, "/v1/node-keys/{name}", Everywhere(P::ManageKeys)),
];

/// The routes that change something which has a version, and so heed `If-Match`; every other change refuses it.
const VERSIONED: &[(Method, &str)] = &[
    (Method::DELETE, "/v1/environments/{environment}/tenants/{slug}"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/pause"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/suspend"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/resume"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/rename"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/rotate-roles"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/copy"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/extend"),
    (Method::PATCH, "/v1/environments/{environment}/tenants/{slug}/limits"),
    (Method::POST, "/v1/environments/{environment}/tenants/{slug}/undelete"),
    (Method::POST, "/v1/operations/{id}/pause"),
    (Method::POST, "/v1/operations/{id}/resume"),
    (Method::POST, "/v1/operations/{id}/cancel"),
    (Method::POST, "/v1/operations/{id}/retry"),
    (Method::POST, "/v1/operations/{id}/proceed"),
    (Method::POST, "/v1/operations/{id}/abandon"),
];

/// Whether a change heeds `If-Match`.
pub(crate) fn heeds_if_match(method: &Method, path: &str) -> bool {
    VERSIONED.iter().any(|(known, at)| known == method && *at == path)
}

/// What a route needs, if it is in the table. `HEAD` is answered as `GET` is.
pub(crate) fn needs(method: &Method, path: &str) -> Option<Needs> {
    let method = if *method == Method::HEAD { &Method::GET } else { method };
    TABLE.iter().find(|(known, at, _)| known == method && *at == path).map(|(.., needs)| *needs)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn r61_no_route_of_v1_is_without_a_permission_and_no_permission_without_a_route() {
        let description = serde_json::to_value(crate::openapi()).unwrap();
        let mut routes = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1")) {
            for method in item.as_object().unwrap().keys() {
                routes.insert((method.to_uppercase(), path.clone()));
            }
        }
        let table: BTreeSet<(String, String)> = TABLE.iter().map(|(method, path, _)| (method.to_string(), (*path).to_owned())).collect();
        assert_eq!(routes, table);
        assert_eq!(table.len(), TABLE.len(), "a route twice");
    }

    #[test]
    fn what_heeds_a_condition_is_a_change_and_says_in_the_description_how_it_refuses() {
        let description = serde_json::to_value(crate::openapi()).unwrap();
        for (method, path, _) in TABLE {
            let operation = &description["paths"][path][method.as_str().to_lowercase()];
            let described = operation["responses"].get("412").is_some();
            assert_eq!(heeds_if_match(method, path), described && *method != Method::GET, "{method} {path}");
        }
        assert!(VERSIONED.iter().all(|(method, path)| needs(method, path).is_some()));
    }

    #[test]
    fn a_path_with_an_environment_asks_in_that_environment() {
        for (method, path, needs) in TABLE {
            assert_eq!(path.contains("{environment}"), matches!(needs, InPath(_)), "{method} {path}");
        }
    }

    #[test]
    fn what_is_not_in_the_table_answers_nobody() {
        assert_eq!(needs(&Method::HEAD, "/v1/whoami"), Some(SignedIn));
        assert_eq!(needs(&Method::PUT, "/v1/whoami"), None);
        assert_eq!(needs(&Method::GET, "/v1/unheard-of"), None);
    }
}
