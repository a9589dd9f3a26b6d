//! Shapes of principals, roles, tokens, broken glasses and approvals on the wire.

use holm_core::access::Role;
use holm_core::actor::{PrincipalKind, PrincipalName};
use holm_core::approval::{ApprovalKind, ContentHash, Verdict};
use holm_core::environment::EnvironmentName;
use holm_core::id::{ApprovalId, BreakGlassId, PrincipalId, TokenId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Who asks, and what they may.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WhoamiView {
    /// The principal's identity.
    #[schema(value_type = String, example = "pri_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: PrincipalId,
    /// Its name.
    #[schema(value_type = String, example = "anna")]
    pub name: PrincipalName,
    /// What it holds now, broken glasses included.
    pub roles: Vec<HeldView>,
    /// The token that was presented.
    pub token: PresentedTokenView,
}

/// A role that is held now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HeldView {
    /// `viewer`, `support`, `operator`, `privacy` or `admin`.
    #[schema(value_type = String, example = "operator")]
    pub role: Role,
    /// The only environment; null for all of them.
    #[schema(value_type = Option<String>, example = "staging")]
    pub environment: Option<EnvironmentName>,
}

/// The token that was presented.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresentedTokenView {
    /// Its identity.
    #[schema(value_type = String, example = "tok_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: TokenId,
    /// What people call it.
    #[schema(example = "laptop")]
    pub name: String,
    /// The only environment that it is good for; null for all of them.
    #[schema(value_type = Option<String>)]
    pub environment: Option<EnvironmentName>,
    /// At most what this role may; null for all that its principal may.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// When it ends by itself; null when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A person or a machine that may ask something of Holm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PrincipalView {
    /// Its identity.
    #[schema(value_type = String, example = "pri_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: PrincipalId,
    /// Its name, for ever.
    #[schema(value_type = String, example = "anna")]
    pub name: PrincipalName,
    /// `person` or `machine`.
    #[schema(value_type = String, example = "person")]
    pub kind: PrincipalKind,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Since when its tokens are good for nothing; null while they are.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub disabled_at: Option<Timestamp>,
}

/// What a new principal is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreatePrincipal {
    /// A handle, never an e-mail address: it stands in the audit log for ever.
    #[schema(example = "anna")]
    pub name: String,
    /// `person` or `machine`.
    #[schema(example = "person")]
    pub kind: String,
}

/// A role that a principal was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RoleView {
    /// The principal.
    #[schema(value_type = String, example = "anna")]
    pub principal: PrincipalName,
    /// `viewer`, `support`, `operator`, `privacy` or `admin`.
    #[schema(value_type = String, example = "operator")]
    pub role: Role,
    /// The only environment; null for all of them.
    #[schema(value_type = Option<String>, example = "staging")]
    pub environment: Option<EnvironmentName>,
    /// Who gave it.
    pub granted_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub granted_at: Timestamp,
    /// When it ends by itself; null when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
}

/// A role to be given, or taken back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantRole {
    /// `viewer`, `support`, `operator`, `privacy` or `admin`.
    #[schema(example = "operator")]
    pub role: String,
    /// The only environment; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// How many hours it is held; until it is taken back when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// A role that is held no more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RevokedRoleView {
    /// The principal.
    #[schema(value_type = String, example = "anna")]
    pub principal: PrincipalName,
    /// The role.
    #[schema(value_type = String, example = "operator")]
    pub role: Role,
    /// The only environment; null for all of them.
    #[schema(value_type = Option<String>, example = "staging")]
    pub environment: Option<EnvironmentName>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its identity.
    #[schema(value_type = String, example = "tok_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: TokenId,
    /// What people call it.
    #[schema(example = "deploy")]
    pub name: String,
    /// Whose it is; null of one that an older Holm issued, which is good for nothing.
    #[schema(value_type = Option<String>, example = "ci")]
    pub principal: Option<PrincipalName>,
    /// The only environment that it is good for; null for all of them.
    #[schema(value_type = Option<String>, example = "staging")]
    pub environment: Option<EnvironmentName>,
    /// At most what this role may; null for all that its principal may.
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// When it was issued.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it ends by itself; null when it does not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute; null when never.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked; null when it was not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Timestamp>,
}

/// What a new token is to be.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateToken {
    /// What people call it: name it after what uses it.
    #[schema(example = "deploy")]
    pub name: String,
    /// Whose it is.
    #[schema(example = "ci")]
    pub principal: String,
    /// The only environment that it is good for; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// At most what this role may; all that its principal may when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
    /// How many hours it is good; until it is revoked when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// A token at the only moment at which its secret is known.
#[derive(Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct IssuedTokenView {
    /// The token.
    pub token: TokenView,
    /// What is presented. It is not stored and cannot be shown again.
    pub secret: String,
}

impl std::fmt::Debug for IssuedTokenView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedTokenView").field("token", &self.token).field("secret", &"[redacted]").finish()
    }
}

/// A role that somebody took for a time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BreakGlassView {
    /// Its identity.
    #[schema(value_type = String, example = "brk_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: BreakGlassId,
    /// By whom.
    #[schema(value_type = String, example = "anna")]
    pub principal: PrincipalName,
    /// The only environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// The role that was taken.
    #[schema(value_type = String, example = "operator")]
    pub role: Role,
    /// Why.
    pub reason: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// When it ends by itself.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// When it was given back before; null when it was not.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
}

/// A role to be taken for a time.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BreakTheGlass {
    /// The only environment.
    #[schema(example = "production")]
    pub environment: String,
    /// The role: `viewer`, `support`, `operator`, `privacy` or `admin`.
    #[schema(example = "operator")]
    pub role: String,
    /// Why; kept for ever, so without names of people.
    #[schema(example = "page 4711: tenants cannot log in")]
    pub reason: String,
    /// For how many minutes: 1 to 480.
    #[schema(minimum = 1, maximum = 480)]
    pub minutes: u32,
}

/// A wish that somebody else must agree to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ApprovalView {
    /// Its identity.
    #[schema(value_type = String, example = "apr_018f3e5c2d7a7b3c9d4e5f60718293a4")]
    pub id: ApprovalId,
    /// What is to be done.
    #[schema(value_type = String, example = "tenant.delete")]
    pub kind: ApprovalKind,
    /// To exactly what: SHA-256 of its canonical form, in hex.
    #[schema(value_type = String)]
    pub hash: ContentHash,
    /// The words that it is the hash of; null when whoever asked did not say them.
    pub content: Option<String>,
    /// Where; null when it is of no single environment.
    #[schema(value_type = Option<String>, example = "production")]
    pub environment: Option<EnvironmentName>,
    /// Who asked.
    #[schema(value_type = String, example = "anna")]
    pub requested_by: PrincipalName,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub requested_at: Timestamp,
    /// Why.
    pub reason: String,
    /// Until when it may be decided and used.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// `approved` or `rejected`; null while nobody has decided.
    #[schema(value_type = Option<String>)]
    pub verdict: Option<Verdict>,
    /// Who decided.
    #[schema(value_type = Option<String>, example = "ben")]
    pub decided_by: Option<PrincipalName>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub decided_at: Option<Timestamp>,
    /// When it was done; an approval is for one time.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
}

/// A wish.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestApproval {
    /// What is to be done.
    #[schema(example = "tenant.delete")]
    pub kind: String,
    /// To exactly what: SHA-256 of its canonical form, 64 hex digits.
    pub hash: String,
    /// The words that it is the hash of, for whoever decides to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Where; absent when it is of no single environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    /// Why; kept for ever, so without names of people.
    pub reason: String,
    /// For how many hours it may be decided and used: 1 to 720, 24 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// Whether an operation is done only when somebody else has agreed.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RequireApproval {
    /// `tenant.delete` or `cluster.remove`.
    #[schema(example = "tenant.delete")]
    pub operation: String,
    /// Whether from now on; not any more wants an approval itself.
    pub required: bool,
}
