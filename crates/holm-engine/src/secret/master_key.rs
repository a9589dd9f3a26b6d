//! One master key of 32 bytes: it wraps data keys, and nothing else.
//!
//! Promises: a wrapped data key opens only with the master key that wrapped it and only as the data key that it is. Values
//! that an older Holm sealed with a master key itself still open; new ones are never sealed so (ADR-0008).

use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use holm_core::key::MasterKeyId;
use holm_core::secret::Secret;

use super::data_key::DataKey;
use super::gcm;
use super::seal::{Purpose, UnsealError};
use holm_core::id::DataKeyId;

/// The first byte of a wrapped key; another layout would get another.
const LAYOUT: u8 = 1;

/// Eight bytes of a MAC under the key: tells keys apart, and nothing of the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct KeyId(pub(crate) [u8; 8]);

impl KeyId {
    /// As the catalog and people name it.
    pub(crate) fn name(self) -> MasterKeyId {
        format!("{:016x}", u64::from_be_bytes(self.0)).parse().expect("16 hex digits are a name")
    }
}

/// A master key of Holm's own.
#[derive(Clone, Debug)]
pub struct MasterKey {
    key: Secret<[u8; 32]>,
    id: KeyId,
}

impl MasterKey {
    /// Takes over 32 random bytes.
    pub fn from_bytes(key: [u8; 32]) -> Self {
        let mac = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), b"holm master key id");
        let mut id = [0; 8];
        id.copy_from_slice(&mac.as_ref()[..8]);
        Self { key: Secret::new(key), id: KeyId(id) }
    }

    /// Reads 32 bytes written in hexadecimal or base64; nothing, if the text is neither or of another length.
    pub fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        let bytes = Secret::new(if text.len() == 64 { unhex(text)? } else { unbase64(text)? });
        bytes.expose().as_slice().try_into().ok().map(Self::from_bytes)
    }

    pub(crate) const fn id(&self) -> KeyId {
        self.id
    }

    pub(crate) const fn expose(&self) -> &[u8; 32] {
        self.key.expose()
    }

    /// Wraps a data key, bound to its id.
    pub(crate) fn wrap(&self, key: &DataKey) -> Vec<u8> {
        gcm::seal(self.expose(), &bound_to(key.id()), vec![LAYOUT], key.expose())
    }

    /// Opens what [`Self::wrap`] made of the data key of that id; nothing, if it is something else.
    pub(crate) fn unwrap(&self, id: DataKeyId, wrapped: &[u8]) -> Option<DataKey> {
        let (&LAYOUT, sealed) = wrapped.split_first()? else { return None };
        let plain = gcm::open(self.expose(), &bound_to(id), sealed)?;
        plain.expose().as_slice().try_into().ok().map(|bytes| DataKey::from_bytes(id, bytes))
    }

    /// Opens a value that an older Holm sealed with this key itself.
    pub(crate) fn unseal_directly(&self, purpose: Purpose, sealed: &[u8]) -> Result<Secret<Vec<u8>>, UnsealError> {
        gcm::open(self.expose(), purpose.to_string().as_bytes(), sealed).ok_or(UnsealError::Damaged(purpose))
    }

    /// As an older Holm sealed, for tests of what must still open.
    #[cfg(test)]
    pub(crate) fn seal_directly(&self, purpose: Purpose, plain: &[u8]) -> Vec<u8> {
        let mut prefix = vec![super::seal::DIRECT];
        prefix.extend_from_slice(&self.id.0);
        gcm::seal(self.expose(), purpose.to_string().as_bytes(), prefix, plain)
    }
}

fn bound_to(id: DataKeyId) -> Vec<u8> {
    format!("holm data {id}").into_bytes()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    text.as_bytes().chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?)).collect()
}

fn unbase64(text: &str) -> Option<Vec<u8>> {
    [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD].iter().find_map(|engine| engine.decode(text).ok())
}

/// A key of its own for one use (HKDF-SHA-256, RFC 5869, the label as info), under a salt that no other use of the key has.
pub(crate) fn derive(key: &[u8; 32], label: &'static str) -> Secret<[u8; 32]> {
    let mut derived = [0; 32];
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, b"holm derived key").extract(key);
    pseudorandom
        .expand(&[label.as_bytes()], hkdf::HKDF_SHA256)
        .and_then(|material| material.fill(&mut derived))
        .expect("32 bytes are within HKDF's limit of 255 times 32");
    Secret::new(derived)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_key_opens_only_with_its_master_key_and_only_as_itself() {
        let (one, other) = (MasterKey::from_bytes([1; 32]), MasterKey::from_bytes([2; 32]));
        let key = DataKey::generate();
        let wrapped = one.wrap(&key);
        assert_eq!(one.unwrap(key.id(), &wrapped).unwrap().expose(), key.expose());
        assert!(other.unwrap(key.id(), &wrapped).is_none());
        assert!(one.unwrap(DataKey::generate().id(), &wrapped).is_none());
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            assert!(one.unwrap(key.id(), &changed).is_none(), "byte {at}");
            assert!(one.unwrap(key.id(), &wrapped[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_key_is_read_from_hexadecimal_and_base64_of_exactly_32_bytes() {
        let id = MasterKey::from_bytes([0xa7; 32]).id();
        let (hex, base64) = ("a7".repeat(32), STANDARD.encode([0xa7; 32]));
        for text in [&hex, &hex.to_uppercase(), &base64, &URL_SAFE_NO_PAD.encode([0xa7; 32]), &format!(" {base64}\n")] {
            assert_eq!(MasterKey::from_text(text).unwrap().id(), id, "{text}");
        }
        for length in [0, 1, 16, 31, 33, 48, 64] {
            assert!(MasterKey::from_text(&STANDARD.encode(vec![1; length])).is_none(), "{length}");
            assert!(MasterKey::from_text(&"ab".repeat(length)).is_none() || length == 32, "{length}");
        }
        assert!(MasterKey::from_text(&"zz".repeat(32)).is_none());
        assert!(MasterKey::from_text(&"ä".repeat(32)).is_none());
    }

    #[test]
    fn a_derived_key_is_the_labels_own_and_always_the_same() {
        assert_eq!(derive(&[1; 32], "a").expose(), derive(&[1; 32], "a").expose());
        assert_ne!(derive(&[1; 32], "a").expose(), derive(&[1; 32], "b").expose());
        assert_ne!(derive(&[1; 32], "a").expose(), derive(&[2; 32], "a").expose());
        assert_ne!(derive(&[1; 32], "a").expose(), &[1; 32]);
    }

    #[test]
    fn a_key_is_never_printed() {
        let text = format!("{:?}", MasterKey::from_bytes([0xab; 32]));
        assert!(!text.contains("171") && text.contains("[redacted]"), "{text}");
    }
}
