//! From principals, roles, tokens, broken glasses and approvals of the catalog to what the API shows.

use holm_core::actor::PrincipalName;
use holm_engine::access::Caller;
use holm_engine::access::token::IssuedToken;
use holm_store::approval::Approval;
use holm_store::break_glass::BreakGlass;
use holm_store::grant::Grant;
use holm_store::principal::Principal;
use holm_store::token::Token;

use crate::view::access::{
    ApprovalView, BreakGlassView, HeldView, IssuedTokenView, PresentedTokenView, PrincipalView, RoleView, TokenView, WhoamiView,
};

impl From<Caller> for WhoamiView {
    fn from(caller: Caller) -> Self {
        let bearer = caller.bearer;
        let mut roles: Vec<HeldView> =
            bearer.held.into_iter().map(|held| HeldView { role: held.role, environment: held.environment }).collect();
        roles.sort_by(|one, two| (&one.environment, one.role).cmp(&(&two.environment, two.role)));
        roles.dedup();
        let token = PresentedTokenView {
            id: bearer.token,
            name: bearer.token_name,
            environment: bearer.scope.environment,
            role: bearer.scope.role,
            expires_at: bearer.expires_at,
        };
        Self { id: bearer.id, name: bearer.name, roles, token }
    }
}

impl From<Principal> for PrincipalView {
    fn from(principal: Principal) -> Self {
        let Principal { id, name, kind, created_at, disabled_at } = principal;
        Self { id, name, kind, created_at, disabled_at }
    }
}

impl RoleView {
    pub(crate) fn of(principal: &PrincipalName, grant: Grant) -> Self {
        let Grant { environment, role, granted_by, granted_at, expires_at } = grant;
        Self { principal: principal.clone(), role, environment, granted_by, granted_at, expires_at }
    }
}

impl From<Token> for TokenView {
    fn from(token: Token) -> Self {
        Self {
            id: token.id,
            name: token.name,
            principal: token.principal,
            environment: token.scope.environment,
            role: token.scope.role,
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
            revoked_at: token.revoked_at,
        }
    }
}

impl From<IssuedToken> for IssuedTokenView {
    fn from(issued: IssuedToken) -> Self {
        Self { token: issued.token.into(), secret: issued.secret.expose().clone() }
    }
}

impl From<BreakGlass> for BreakGlassView {
    fn from(glass: BreakGlass) -> Self {
        let BreakGlass { id, principal, environment, role, reason, opened_at, until, ended_at } = glass;
        Self { id, principal, environment, role, reason, opened_at, until, ended_at }
    }
}

impl From<Approval> for ApprovalView {
    fn from(approval: Approval) -> Self {
        let (verdict, decided_by, decided_at) = match approval.decided {
            Some(decision) => (Some(decision.verdict), Some(decision.by.1), Some(decision.at)),
            None => (None, None, None),
        };
        Self {
            id: approval.id,
            kind: approval.kind,
            hash: approval.hash,
            content: approval.content,
            environment: approval.environment,
            requested_by: approval.requested_by.1,
            requested_at: approval.requested_at,
            reason: approval.reason,
            expires_at: approval.expires_at,
            verdict,
            decided_by,
            decided_at,
            used_at: approval.used_at,
        }
    }
}
