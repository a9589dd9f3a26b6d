//! Bearer tokens of the API.
//!
//! Promises: only a hash is kept. A token is 256 random bits, so that one round of SHA-256 is enough and finding it by an
//! index tells a stopwatch nothing. Refuses chosen secrets that could be guessed.

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::TokenId;
use holm_core::secret::Secret;
use holm_store::token::{self, NewToken, Token, TokenHash};
use uuid::Uuid;

use crate::control::Control;
use crate::secret::random;

/// 128 bits in base64, the least that a lookup by hash needs.
const SECRET_LENGTH_MIN: usize = 22;

/// Makes a token known and returns it. One that is known already stays as it is.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] for a chosen secret that is too short, or a name without text; a catalog that does not
/// answer.
///
/// # Cancel safety
/// Safe: one statement.
pub async fn issue(control: &Control, name: &str, secret: Option<Secret<String>>) -> Result<Secret<String>, Problem> {
    let secret = secret.unwrap_or_else(random::password);
    if secret.expose().len() < SECRET_LENGTH_MIN {
        let what = format!("a token must have at least {SECRET_LENGTH_MIN} characters");
        return Err(Problem::new(ErrorCode::InvalidValue, what).next("leave it out, and a random one is made"));
    }
    if name.trim().is_empty() || name.len() > 100 || name.chars().any(char::is_control) {
        let what = "the name of a token must have 1 to 100 bytes and no control character";
        return Err(Problem::new(ErrorCode::InvalidValue, what).next("name it after whoever uses it"));
    }
    let new = NewToken { id: TokenId::from_uuid(Uuid::now_v7()), name: name.to_owned(), hash: hash(secret.expose()) };
    token::insert(control.catalog(), &new).await?;
    Ok(secret)
}

/// The token that a caller presents, if it is known and not revoked.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub async fn authenticate(control: &Control, presented: &str) -> Result<Option<Token>, Problem> {
    let known = token::by_hash(control.catalog(), &hash(presented)).await?;
    if let Some(token) = &known {
        // That it was used is of interest to people, not to the caller.
        let _ = token::touch(control.catalog(), token.id).await;
    }
    Ok(known)
}

fn hash(secret: &str) -> TokenHash {
    digest(&SHA256, secret.as_bytes()).as_ref().try_into().expect("SHA-256 has 32 bytes")
}
