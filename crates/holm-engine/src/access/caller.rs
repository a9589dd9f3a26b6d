//! A caller: whoever presents a token, and what they may with it.

use holm_core::access::{Decision, Permission, Place, decide};
use holm_core::actor::Actor;
use holm_core::error::{ErrorCode, Problem};
use holm_store::token::{self, Bearer};

use super::denials;
use crate::control::Control;

/// Whoever presents a token.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who that is.
    pub actor: Actor,
    /// The token, and what it brings.
    pub bearer: Bearer,
}

/// The caller who presents a token; `None` for one that is unknown or revoked, or whose principal is disabled.
///
/// # Errors
/// [`ErrorCode::TokenExpired`], which only its holder learns; the catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub async fn authenticate(control: &Control, presented: &str) -> Result<Option<Caller>, Problem> {
    let Some(bearer) = token::by_hash(control.catalog(), &super::token::hash(presented)).await? else { return Ok(None) };
    if bearer.expired {
        tracing::warn!(principal = %bearer.name, token.id = %bearer.token, "a token that is over was presented");
        return Err(expired(&bearer));
    }
    // That it was used is of interest to people, not to the caller.
    let _ = token::touch(control.catalog(), bearer.token).await;
    Ok(Some(Caller { actor: Actor::Principal { id: bearer.id, name: bearer.name.clone() }, bearer }))
}

impl Caller {
    /// Whether they may, without telling anybody that it was asked: for lists, which leave out what may not be seen.
    pub fn may(&self, permission: Permission, place: Place<'_>) -> bool {
        matches!(self.decide(permission, place), Decision::Granted { .. })
    }

    fn decide(&self, permission: Permission, place: Place<'_>) -> Decision {
        decide(&self.bearer.held, &self.bearer.scope, permission, place)
    }

    /// Goes on if they may.
    ///
    /// # Errors
    /// [`ErrorCode::NotAllowed`] with the reason; it is logged and, up to a bound, told in the audit log.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn require(&self, control: &Control, permission: Permission, place: Place<'_>) -> Result<(), Problem> {
        let Decision::Denied { why } = self.decide(permission, place) else { return Ok(()) };
        denials::note(control, &self.actor, permission, place, why).await;
        let what = match place {
            Place::Environment(name, _) => format!("`{}` may not {permission} in `{name}`", self.bearer.name),
            Place::Installation => format!("`{}` may not {permission} of the whole installation", self.bearer.name),
        };
        Err(Problem::new(ErrorCode::NotAllowed, what).because(why).next("see what you may: `holm access whoami`"))
    }
}

fn expired(bearer: &Bearer) -> Problem {
    let problem = Problem::new(ErrorCode::TokenExpired, format!("the token `{}` is no longer good", bearer.token_name.escape_debug()));
    let problem = match bearer.expires_at {
        Some(end) => problem.because(format_args!("it was good until {end}")),
        None => problem,
    };
    problem.next("ask for a new one: `holm access token create <name> --for <principal>`")
}
