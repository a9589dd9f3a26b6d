//! The server's side: a client proves that it knows the password of a verifier.
//!
//! Promises: takes the same steps whether or not the user exists; the caller passes a mock verifier and throws the result
//! away. Refuses channel bindings, since PLUS is not offered: `p=` is a lie, `y,,` an honest client that saw no PLUS.

use zeroize::Zeroize;

use super::ScramError;
use super::keys::{Verifier, equal, hmac, sha256, xor};
use super::syntax::{Attributes, checked_nonce, decode, decode_key, encode, text};

/// An exchange that awaits the client's proof.
pub struct Challenge {
    verifier: Verifier,
    /// `n,,` or `y,,`, which the client must repeat under its proof.
    gs2_header: String,
    nonce: String,
    /// Client-first-message-bare and server-first-message, joined by a comma.
    said: String,
}

/// Reads client-first-message; gives the challenge and server-first-message.
///
/// # Errors
/// [`ScramError`]; none depends on whether the user exists.
pub fn start(verifier: Verifier, client_first: &[u8], server_nonce: &str) -> Result<(Challenge, String), ScramError> {
    let message = text(client_first)?;
    let (gs2_header, bare) = gs2(message)?;
    let mut attributes = Attributes::new(bare);
    // PostgreSQL ignores the name here and so do we: the startup packet's is the one that counts.
    attributes.value('n', "the user name")?;
    let client_nonce = checked_nonce(attributes.value('r', "the nonce")?)?;
    attributes.ignore_extensions()?;
    let nonce = format!("{client_nonce}{server_nonce}");
    let server_first = format!("r={nonce},s={},i={}", encode(&verifier.salt), verifier.iterations);
    let said = format!("{bare},{server_first}");
    Ok((Challenge { verifier, gs2_header: gs2_header.to_owned(), nonce, said }, server_first))
}

/// Cuts off the GS2 header: flag, comma, no authorization identity, comma.
fn gs2(message: &str) -> Result<(&str, &str), ScramError> {
    let (flag, rest) = message.split_once(',').ok_or(ScramError::Malformed("the GS2 header"))?;
    match flag {
        "n" | "y" => {}
        _ if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
        _ => return Err(ScramError::Malformed("the GS2 header")),
    }
    let bare = rest.strip_prefix(',').ok_or(ScramError::Malformed("an authorization identity, which is not supported"))?;
    let header = message.get(..flag.len() + 2).ok_or(ScramError::Malformed("the GS2 header"))?;
    Ok((header, bare))
}

impl Challenge {
    /// Reads client-final-message; gives server-final-message if the proof holds.
    ///
    /// # Errors
    /// [`ScramError::Proof`] if the client does not know the password; others for messages that are not part of this
    /// exchange.
    pub fn finish(self, client_final: &[u8]) -> Result<String, ScramError> {
        let message = text(client_final)?;
        let (unproven, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed("no proof"))?;
        let mut attributes = Attributes::new(unproven);
        let binding = decode(attributes.value('c', "the channel binding")?, "the channel binding")?;
        if binding != self.gs2_header.as_bytes() {
            return Err(ScramError::ChannelBinding);
        }
        if !equal(attributes.value('r', "the nonce")?.as_bytes(), self.nonce.as_bytes()) {
            return Err(ScramError::Nonce);
        }
        attributes.ignore_extensions()?;
        let proof = decode_key(proof, "the proof")?;
        let said = [self.said.as_bytes(), b",", unproven.as_bytes()];
        let mut client_key = xor(proof, &hmac(&self.verifier.stored_key, &said));
        let proven = equal(&sha256(&client_key), &self.verifier.stored_key);
        client_key.zeroize();
        // Computed before the verdict, so that both verdicts cost the same.
        let signature = hmac(&self.verifier.server_key, &said);
        if proven { Ok(format!("v={}", encode(&signature))) } else { Err(ScramError::Proof) }
    }
}
