//! Names of keys: which master key, and what a data key is for. The keys themselves are elsewhere.

use std::fmt;
use std::str::FromStr;

/// A mount and a key of Vault have names of some tens of characters each.
const MASTER_KEY_ID_LENGTH_MAX: usize = 300;

/// Which master key wrapped a data key: `4f1d22c09b7e3a55` for one of 32 bytes, `transit/holm/v3` for a version of a key in Vault.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MasterKeyId(Box<str>);

/// A text that names no master key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a master key is named by 1 to {MASTER_KEY_ID_LENGTH_MAX} letters, digits and `/._-`")]
pub struct InvalidMasterKeyId;

impl MasterKeyId {
    /// The name.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for MasterKeyId {
    type Err = InvalidMasterKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidMasterKeyId> {
        let fits = (1..=MASTER_KEY_ID_LENGTH_MAX).contains(&text.len());
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"/._-".contains(&b));
        if fits && plain { Ok(Self(text.into())) } else { Err(InvalidMasterKeyId) }
    }
}

impl fmt::Display for MasterKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a data key is for; a thing has one live key a purpose.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyPurpose {
    /// An environment's: signs tenant headers.
    HeaderKey,
    /// A cluster's: Holm's own password there.
    AdminPassword,
    /// A cluster's: the private key of the certificate that its server is shown.
    ClientKey,
    /// A database's, and its tenant's: passwords and SCRAM keys of its roles.
    Logins,
    /// A tenant's: its backups.
    Backups,
    /// A tenant's: what was exported for it.
    Exports,
    /// The installation's: other keys are derived from it.
    Derivation,
    /// The installation's: what webhooks are signed with.
    Webhooks,
}

impl KeyPurpose {
    /// Every purpose.
    pub const ALL: [Self; 8] = [
        Self::HeaderKey,
        Self::AdminPassword,
        Self::ClientKey,
        Self::Logins,
        Self::Backups,
        Self::Exports,
        Self::Derivation,
        Self::Webhooks,
    ];

    /// The word that the catalog uses.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HeaderKey => "header-key",
            Self::AdminPassword => "admin-password",
            Self::ClientKey => "client-key",
            Self::Logins => "logins",
            Self::Backups => "backups",
            Self::Exports => "exports",
            Self::Derivation => "derivation",
            Self::Webhooks => "webhooks",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_master_key_has_a_plain_name() {
        for good in ["4f1d22c09b7e3a55", "transit/holm/v3", "team-a/transit/holm_1.x/v12"] {
            assert_eq!(good.parse::<MasterKeyId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a\n", "ä", &"x".repeat(301)] {
            assert!(bad.parse::<MasterKeyId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn every_purpose_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> = KeyPurpose::ALL.map(KeyPurpose::as_str).into();
        assert_eq!(words.len(), KeyPurpose::ALL.len());
    }
}
