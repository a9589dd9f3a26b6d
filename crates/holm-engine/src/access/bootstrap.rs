//! The first principal of an installation: a machine with everything, and a token that its owner keeps in a file.

use holm_core::access::{Role, TokenScope};
use holm_core::actor::{Actor, PrincipalKind, PrincipalName, SystemActor};
use holm_core::error::Problem;
use holm_core::secret::Secret;
use holm_store::{grant, principal as principals};

use super::token::NewToken;
use super::{caller, principal, role, token};
use crate::control::Control;

/// Sees to it that a principal exists, holds everything everywhere, and is let in by a token; returns it. Doing it again
/// changes nothing.
///
/// # Errors
/// The principal is disabled, or the token is too short; the catalog does not answer.
///
/// # Cancel safety
/// Safe: done again, it goes on where it was.
pub async fn ensure(control: &Control, name: &PrincipalName, secret: Secret<String>) -> Result<Actor, Problem> {
    begin(control, &Actor::system(SystemActor::Dev), name, PrincipalKind::Machine, secret).await
}

/// As [`ensure`], by another part of Holm and for a person as well.
///
/// # Errors
/// As with [`ensure`].
///
/// # Cancel safety
/// Safe: done again, it goes on where it was.
pub async fn begin(
    control: &Control,
    launcher: &Actor,
    name: &PrincipalName,
    kind: PrincipalKind,
    secret: Secret<String>,
) -> Result<Actor, Problem> {
    let known = match principals::by_name(control.catalog(), name).await? {
        Some(known) => known,
        None => principal::create(control, launcher, name, kind).await?,
    };
    let held = grant::list(control.catalog(), known.id).await?;
    if !held.iter().any(|held| held.role == Role::Admin && held.environment.is_none() && held.expires_at.is_none()) {
        role::grant(control, launcher, name, Role::Admin, None, None).await?;
    }
    if caller::authenticate(control, secret.expose()).await?.is_none() {
        let scope = TokenScope::default();
        let new = NewToken { name: name.to_string(), principal: name.clone(), scope, lifetime: None, secret: Some(secret) };
        token::issue(control, launcher, new).await?;
    }
    Ok(Actor::Principal { id: known.id, name: known.name })
}
