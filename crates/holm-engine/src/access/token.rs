//! Bearer tokens of the API.
//!
//! Promises: only a hash is kept. A token is 256 random bits, so that one round of SHA-256 is enough and finding it by an
//! index tells a stopwatch nothing. Refuses chosen secrets that could be guessed.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::access::TokenScope;
use holm_core::actor::{Actor, PrincipalName};
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TokenId;
use holm_core::secret::Secret;
use holm_store::audit::record;
use holm_store::token::{self, Token, TokenHash};
use uuid::Uuid;

use super::principal;
use crate::control::Control;
use crate::environment;
use crate::secret::random;

/// 128 bits in base64, the least that a lookup by hash needs.
const SECRET_LENGTH_MIN: usize = 22;

/// A token that is asked for.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// What people call it; name it after what uses it.
    pub name: String,
    /// Whose it is.
    pub principal: PrincipalName,
    /// What it leaves of what they may.
    pub scope: TokenScope,
    /// How long it is good; until it is revoked when `None`.
    pub lifetime: Option<Duration>,
    /// A secret that somebody chose; left out, a random one.
    pub secret: Option<Secret<String>>,
}

/// A token at the only moment at which its secret is known.
#[derive(Debug)]
pub struct IssuedToken {
    /// What is kept.
    pub token: Token,
    /// What is not.
    pub secret: Secret<String>,
}

/// Issues a token.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] for a chosen secret that is too short or known already, or a name without text; no such
/// principal, or a disabled one; no such environment; a catalog that does not answer.
///
/// # Cancel safety
/// Safe, but for the secret: a token may exist that nobody knows. Revoke it by its id.
pub async fn issue(control: &Control, by: &Actor, new: NewToken) -> Result<IssuedToken, Problem> {
    check_name(&new.name)?;
    let secret = new.secret.map_or_else(|| Ok(random::password()), checked)?;
    if let Some(name) = &new.scope.environment {
        environment::show(control, name).await?;
    }
    let row = token::NewToken {
        id: TokenId::from_uuid(Uuid::now_v7()),
        name: new.name,
        hash: hash(secret.expose()),
        principal: principal::active(control, &new.principal).await?.id,
        scope: new.scope,
        lifetime: new.lifetime,
    };
    let token = control.tasks().finish("issue a token", insert(control.clone(), by.clone(), row)).await?;
    Ok(IssuedToken { token, secret })
}

async fn insert(control: Control, by: Actor, row: token::NewToken) -> Result<Token, Problem> {
    let mut tx = control.catalog().transaction().await?;
    let Some(token) = token::insert(&mut tx, &row).await? else {
        return Err(Problem::new(ErrorCode::InvalidValue, "a token with this secret exists already")
            .next("leave the secret out, and a random one is made"));
    };
    let detail = Detail::Token { principal: row.principal, role: token.scope.role, until: token.expires_at };
    let entry = NewEntry::new(&by, AuditAction::TokenIssue, token.scope.environment.as_ref(), Subject::Token(token.id));
    record(&mut tx, entry.with(detail));
    tx.commit().await?;
    Ok(token)
}

/// Revokes a token, from the next request on.
///
/// # Errors
/// [`ErrorCode::GrantNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn revoke(control: &Control, by: &Actor, id: TokenId) -> Result<Token, Problem> {
    let (catalog, by) = (control.catalog().clone(), by.clone());
    control
        .tasks()
        .finish("revoke a token", async move {
            let mut tx = catalog.transaction().await?;
            let Some(token) = token::revoke(&mut tx, id).await? else {
                return Err(Problem::new(ErrorCode::GrantNotFound, format!("there is no token `{id}` that is not revoked"))
                    .next("see which there are: `holm access token list`"));
            };
            let entry = NewEntry::new(&by, AuditAction::TokenRevoke, token.scope.environment.as_ref(), Subject::Token(id));
            record(&mut tx, entry);
            tx.commit().await?;
            Ok(token)
        })
        .await
}

/// All of them, revoked and ended ones too, oldest first.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Token>, Problem> {
    Ok(token::list(control.catalog()).await?)
}

fn checked(secret: Secret<String>) -> Result<Secret<String>, Problem> {
    if secret.expose().len() >= SECRET_LENGTH_MIN {
        return Ok(secret);
    }
    let what = format!("a token must have at least {SECRET_LENGTH_MIN} characters");
    Err(Problem::new(ErrorCode::InvalidValue, what).next("leave it out, and a random one is made"))
}

fn check_name(name: &str) -> Result<(), Problem> {
    if !name.trim().is_empty() && name.len() <= 100 && !name.chars().any(char::is_control) {
        return Ok(());
    }
    let what = "the name of a token must have 1 to 100 bytes and no control character";
    Err(Problem::new(ErrorCode::InvalidValue, what).next("name it after whatever uses it"))
}

pub(super) fn hash(secret: &str) -> TokenHash {
    digest(&SHA256, secret.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
