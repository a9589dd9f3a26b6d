//! Approvals: somebody agrees to exactly what somebody else asked for (R23).
//!
//! Promises: an approval is of content, by its hash: what is done must be what was read. Nobody agrees to what they asked
//! for themselves, and an agreement ends and is used once. One function says whether an approval stands, with its reason.

pub mod guarded;

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::id::PrincipalId;

/// What is to be approved: a short word of the code that will ask for it, such as `tenant.delete`.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ApprovalKind(Box<str>);

/// Text that cannot be a kind of approval.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a kind of approval: 1 to 63 of `a` to `z`, `_` and `.`, such as `tenant.delete`", .0.escape_debug())]
pub struct InvalidApprovalKind(String);

impl ApprovalKind {
    /// The word.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ApprovalKind {
    type Err = InvalidApprovalKind;

    fn from_str(text: &str) -> Result<Self, InvalidApprovalKind> {
        let fits = (1..=63).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || b"_.".contains(&byte));
        if fits { Ok(Self(text.into())) } else { Err(InvalidApprovalKind(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for ApprovalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ApprovalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ApprovalKind> for String {
    fn from(kind: ApprovalKind) -> String {
        kind.0.into()
    }
}

impl TryFrom<String> for ApprovalKind {
    type Error = InvalidApprovalKind;

    fn try_from(text: String) -> Result<Self, InvalidApprovalKind> {
        text.parse()
    }
}

/// SHA-256 of what is to be approved, in the canonical form that its code defines; written as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ContentHash([u8; 32]);

/// Text that is not the hash of anything.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a SHA-256 in 64 lower-case hex digits", .0.escape_debug())]
pub struct InvalidHash(String);

impl ContentHash {
    /// The hash of some content.
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// Takes over a hash that was made before.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, as the catalog stores them.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ContentHash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.chars().take(80).collect());
        let digit = |digit: u8| match digit {
            b'0'..=b'9' => Ok(digit - b'0'),
            b'a'..=b'f' => Ok(digit - b'a' + 10),
            _ => Err(invalid()),
        };
        let (pairs, rest) = text.as_bytes().as_chunks::<2>();
        if pairs.len() != 32 || !rest.is_empty() {
            return Err(invalid());
        }
        let mut bytes = [0; 32];
        for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
            *byte = digit(*high)? << 4 | digit(*low)?;
        }
        Ok(Self(bytes))
    }
}

impl From<ContentHash> for String {
    fn from(hash: ContentHash) -> String {
        hash.to_string()
    }
}

impl TryFrom<String> for ContentHash {
    type Error = InvalidHash;

    fn try_from(text: String) -> Result<Self, InvalidHash> {
        text.parse()
    }
}

/// How a request was decided.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Somebody agreed.
    Approved,
    /// Somebody refused.
    Rejected,
}

impl Verdict {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Approved, Self::Rejected];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a verdict.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a verdict", .0.escape_debug())]
pub struct InvalidVerdict(String);

impl FromStr for Verdict {
    type Err = InvalidVerdict;

    fn from_str(text: &str) -> Result<Self, InvalidVerdict> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text).ok_or_else(|| InvalidVerdict(text.chars().take(40).collect()))
    }
}

/// A decision as it was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Decided {
    /// By whom.
    pub by: PrincipalId,
    /// How.
    pub verdict: Verdict,
}

/// Why an approval does not stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NotStanding {
    /// Nobody has decided.
    Undecided,
    /// Somebody refused.
    Rejected,
    /// It was for something else.
    OtherContent,
    /// Its time is over.
    Expired,
    /// It was for one time, and that was done.
    Used,
    /// Who asked agreed with themselves: the catalog refuses such a row, and so does this.
    Own,
}

/// An approval, as far as it matters whether it stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing<'a> {
    /// What it is for.
    pub hash: &'a ContentHash,
    /// Who asked.
    pub requested_by: PrincipalId,
    /// What was decided, if anything was.
    pub decided: Option<Decided>,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it was used.
    pub used: bool,
}

impl Standing<'_> {
    /// Whether it lets `wanted` be done now.
    ///
    /// # Errors
    /// Why it does not; content first, since whoever asks with other content asks for something else.
    pub fn lets(&self, wanted: &ContentHash, now: Timestamp) -> Result<Decided, NotStanding> {
        if self.hash != wanted {
            return Err(NotStanding::OtherContent);
        }
        let decided = self.decided.ok_or(NotStanding::Undecided)?;
        if decided.by == self.requested_by {
            return Err(NotStanding::Own);
        }
        match decided.verdict {
            Verdict::Rejected => Err(NotStanding::Rejected),
            Verdict::Approved if self.used => Err(NotStanding::Used),
            Verdict::Approved if self.expires_at <= now => Err(NotStanding::Expired),
            Verdict::Approved => Ok(decided),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn principal(number: u128) -> PrincipalId {
        PrincipalId::from_uuid(Uuid::from_u128(number))
    }

    #[test]
    fn r23_an_approval_lets_exactly_what_was_approved_by_another_in_time() {
        let (hash, other) = (ContentHash::of(b"delete goteborg"), ContentHash::of(b"delete malmo"));
        let now = Timestamp::UNIX_EPOCH;
        let (past, future) = (Timestamp::from_second(-1).unwrap(), Timestamp::from_second(1).unwrap());
        let decided = |by, verdict| Some(Decided { by: principal(by), verdict });
        let standing = |decided, expires_at| {
            Standing { hash: &hash, requested_by: principal(1), decided, expires_at, used: false }.lets(&hash, now).map(|d| d.by)
        };
        assert_eq!(standing(decided(2, Verdict::Approved), future), Ok(principal(2)));
        assert_eq!(standing(None, future), Err(NotStanding::Undecided));
        assert_eq!(standing(decided(2, Verdict::Rejected), future), Err(NotStanding::Rejected));
        assert_eq!(standing(decided(2, Verdict::Approved), past), Err(NotStanding::Expired));
        assert_eq!(standing(decided(2, Verdict::Approved), now), Err(NotStanding::Expired));
        assert_eq!(standing(decided(1, Verdict::Approved), future), Err(NotStanding::Own));
        let approved =
            Standing { hash: &hash, requested_by: principal(1), decided: decided(2, Verdict::Approved), expires_at: future, used: false };
        assert_eq!(approved.lets(&other, now), Err(NotStanding::OtherContent));
        assert_eq!(Standing { used: true, ..approved }.lets(&hash, now), Err(NotStanding::Used));
    }

    #[test]
    fn a_hash_reads_back_what_it_prints_and_nothing_else() {
        let hash = ContentHash::of(b"");
        assert_eq!(hash.to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_eq!(hash.to_string().parse::<ContentHash>(), Ok(hash));
        let upper = hash.to_string().to_uppercase();
        for wrong in ["", "e3", &upper, &format!("{hash}0"), &"å".repeat(32), &"g".repeat(64)] {
            assert!(wrong.parse::<ContentHash>().is_err(), "{wrong}");
        }
    }
}
