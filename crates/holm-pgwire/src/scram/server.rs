//! The server's side: a client proves that it knows the password of a verifier.
//!
//! Promises: takes the same steps whether or not the user exists; the caller passes a mock verifier and throws the result
//! away. A proof that is bound to another channel takes as long as a wrong one. Refuses `p=` where PLUS was not chosen, and
//! `y` where it was offered: that client saw no PLUS, so that somebody between took it away.

use zeroize::Zeroize;

use super::end_point::EndPoint;
use super::keys::{Key, Verifier, equal, hmac, sha256, xor};
use super::syntax::{Attributes, checked_nonce, decode, decode_key, encode, text};
use super::{ScramError, TLS_SERVER_END_POINT};

/// What was offered of channel binding, and what the client made of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Channel<'a> {
    /// PLUS was not offered: there is nothing to bind to.
    Unbound,
    /// PLUS was offered, and the client chose the mechanism without it.
    Declined,
    /// The client chose PLUS, and must be on a connection to this end.
    Bound(&'a EndPoint),
}

/// An exchange that awaits the client's proof.
pub struct Challenge {
    verifier: Verifier,
    /// The GS2 header and what the channel is bound to, which the client must repeat under its proof.
    channel: Vec<u8>,
    is_bound: bool,
    nonce: String,
    /// Client-first-message-bare and server-first-message, joined by a comma.
    said: String,
}

/// Reads client-first-message; gives the challenge and server-first-message.
///
/// # Errors
/// [`ScramError`]; none depends on whether the user exists.
pub fn start(verifier: Verifier, channel: Channel<'_>, client_first: &[u8], server_nonce: &str) -> Result<(Challenge, String), ScramError> {
    let message = text(client_first)?;
    let (gs2_header, bare) = gs2(message, channel)?;
    let mut attributes = Attributes::new(bare);
    // PostgreSQL ignores the name here and so do we: the startup packet's is the one that counts.
    attributes.value('n', "the user name")?;
    let client_nonce = checked_nonce(attributes.value('r', "the nonce")?)?;
    attributes.ignore_extensions()?;
    let nonce = format!("{client_nonce}{server_nonce}");
    let server_first = format!("r={nonce},s={},i={}", encode(&verifier.salt), verifier.iterations);
    let said = format!("{bare},{server_first}");
    let (end_point, is_bound) = match channel {
        Channel::Bound(end_point) => (end_point.as_bytes(), true),
        Channel::Unbound | Channel::Declined => (&[][..], false),
    };
    let channel = [gs2_header.as_bytes(), end_point].concat();
    Ok((Challenge { verifier, channel, is_bound, nonce, said }, server_first))
}

/// Cuts off the GS2 header: flag, comma, no authorization identity, comma.
fn gs2<'a>(message: &'a str, channel: Channel<'_>) -> Result<(&'a str, &'a str), ScramError> {
    let (flag, rest) = message.split_once(',').ok_or(ScramError::Malformed("the GS2 header"))?;
    match (flag, channel) {
        ("n", Channel::Unbound | Channel::Declined) | ("y", Channel::Unbound) => {}
        ("y", Channel::Declined) => return Err(ScramError::Downgrade),
        (_, Channel::Bound(_)) if flag.strip_prefix("p=") == Some(TLS_SERVER_END_POINT) => {}
        ("n" | "y", Channel::Bound(_)) => return Err(ScramError::ChannelBinding),
        _ if flag.starts_with("p=") => return Err(ScramError::ChannelBinding),
        _ => return Err(ScramError::Malformed("the GS2 header")),
    }
    let bare = rest.strip_prefix(',').ok_or(ScramError::Malformed("an authorization identity, which is not supported"))?;
    let header = message.get(..flag.len() + 2).ok_or(ScramError::Malformed("the GS2 header"))?;
    Ok((header, bare))
}

/// A proof that holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proven {
    /// server-final-message.
    pub server_final: String,
    /// Whether it was the second password of the verifier.
    pub by_second: bool,
}

impl Challenge {
    /// Reads client-final-message; gives server-final-message if the proof holds for one of the verifier's passwords.
    ///
    /// # Errors
    /// [`ScramError::Proof`] if the client does not know the password, [`ScramError::OtherChannel`] if it proves itself to
    /// somebody else's certificate, whatever it knows; others for messages that are not part of this exchange.
    pub fn finish(self, client_final: &[u8]) -> Result<Proven, ScramError> {
        let message = text(client_final)?;
        let (unproven, proof) = message.rsplit_once(",p=").ok_or(ScramError::Malformed("no proof"))?;
        let mut attributes = Attributes::new(unproven);
        let binding = decode(attributes.value('c', "the channel binding")?, "the channel binding")?;
        let is_same = equal(&binding, &self.channel);
        if !is_same && !self.is_bound {
            return Err(ScramError::ChannelBinding);
        }
        if !equal(attributes.value('r', "the nonce")?.as_bytes(), self.nonce.as_bytes()) {
            return Err(ScramError::Nonce);
        }
        attributes.ignore_extensions()?;
        let proof = decode_key(proof, "the proof")?;
        let said = [self.said.as_bytes(), b",", unproven.as_bytes()];
        // Both are computed whatever comes out, and the first stands in for a second that is not there, so that the time
        // says neither which password it was nor whether there are two.
        let first = (self.verifier.stored_key, self.verifier.server_key);
        let second = self.verifier.second.unwrap_or(first);
        let [first, second] = [first, second].map(|keys| check(proof, keys, &said));
        match (first, second) {
            // Last, so that whoever stands between cannot measure whether the proof that it passed on was right.
            _ if !is_same => Err(ScramError::OtherChannel),
            (Some(server_final), _) => Ok(Proven { server_final, by_second: false }),
            (None, Some(server_final)) => Ok(Proven { server_final, by_second: true }),
            (None, None) => Err(ScramError::Proof),
        }
    }
}

/// server-final-message if the proof is of these keys.
fn check(proof: Key, (mut stored_key, mut server_key): (Key, Key), said: &[&[u8]]) -> Option<String> {
    let mut client_key = xor(proof, &hmac(&stored_key, said));
    let proven = equal(&sha256(&client_key), &stored_key);
    let signature = hmac(&server_key, said);
    client_key.zeroize();
    stored_key.zeroize();
    server_key.zeroize();
    let server_final = format!("v={}", encode(&signature));
    proven.then_some(server_final)
}
