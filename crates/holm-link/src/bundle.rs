//! Route tables sealed for one node, for the wire and for its disk: only that node opens one, and only from us.
//!
//! Promises: whoever finds a bundle learns its size, version and whose it is, and nothing of the routes; one that is another
//! node's, another installation's, cut, changed, made by somebody else, or older than what the node has seen is refused by
//! name. Refuses to know what is inside: bytes in, bytes out, no clock.
//!
//! The scheme is HPKE's authenticated mode (RFC 9180, 5.1.3) with X25519, HKDF-SHA-256 and AES-256-GCM in shape, though not
//! in bytes: the one message of a fresh ephemeral key, whose shared secrets are bound to everything that is in clear.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::agreement::{PrivateKey, UnparsedPublicKey, X25519, agree};
use aws_lc_rs::hkdf;
use holm_core::id::InstallationId;
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;

/// Changes with every change of the layout below.
const MAGIC: [u8; 8] = *b"holmbdl1";

/// Magic, installation, node, version, ephemeral public key; all of it is bound to what follows.
const HEAD_LENGTH: usize = 8 + 16 + 16 + 8 + 32;

/// Which node of the data plane; made when it joins.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct NodeId(pub [u8; 16]);

/// The half of a key pair that may be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublicKey(pub [u8; 32]);

/// The half of a key pair that stays where it was made.
pub struct PairKey(PrivateKey);

/// What a bundle is sealed for, and where it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Envelope {
    /// Whose routes.
    pub installation: InstallationId,
    /// For which node.
    pub node: NodeId,
    /// Of which version.
    pub version: RouteVersion,
}

/// Why a bundle is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// It is no bundle, or one of another layout.
    #[error("read something as a route bundle that is none of this layout")]
    NotABundle,
    /// It was sealed for another node.
    #[error("open a route bundle of another node")]
    OtherNode,
    /// It is of another Holm.
    #[error("open a route bundle of another installation")]
    OtherInstallation,
    /// It is older than one that this node has opened.
    #[error("go back to route version {offered} after {seen}")]
    Older {
        /// What it has.
        offered: RouteVersion,
        /// What was seen.
        seen: RouteVersion,
    },
    /// It was cut, changed, or not sealed by the control plane.
    #[error("open a route bundle that was cut, changed, or sealed by somebody else")]
    Forged,
}

impl fmt::Debug for PairKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PairKey([redacted])")
    }
}

impl PairKey {
    /// Takes over 32 random bytes, or 32 that were derived.
    pub fn from_bytes(bytes: &Secret<[u8; 32]>) -> Self {
        Self(PrivateKey::from_private_key(&X25519, bytes.expose()).expect("any 32 bytes are an X25519 key (RFC 7748, 5)"))
    }

    /// The half to tell.
    pub fn public(&self) -> PublicKey {
        let public = self.0.compute_public_key().expect("an X25519 key has a public half");
        PublicKey(public.as_ref().try_into().expect("an X25519 public key has 32 bytes"))
    }
}

/// Seals bytes for one node. `ephemeral` must be 32 bytes from the system's randomness that were and will be used for
/// nothing else: the nonce is fixed, since the key is new each time.
///
/// Returns `None` if the node's public key is one that no honest node makes.
pub fn seal(sender: &PairKey, to: &PublicKey, ephemeral: &Secret<[u8; 32]>, envelope: &Envelope, plain: &[u8]) -> Option<Vec<u8>> {
    let ephemeral = PairKey::from_bytes(ephemeral);
    let head = head(envelope, &ephemeral.public());
    let key = key(&[shared(&ephemeral, to)?, shared(sender, to)?], &head, &sender.public(), to);
    let mut body = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    body.extend_from_slice(plain);
    key.seal_in_place_append_tag(nonce(), Aad::from(&head), &mut body).expect("a route table is within AES-GCM's 64 GiB");
    let mut bundle = head.to_vec();
    bundle.append(&mut body);
    Some(bundle)
}

/// Opens a bundle; `mine` says whose this node is, which it is, and the newest version that it has seen.
///
/// # Errors
/// [`Refused`]; a version equal to the one seen is opened, so that a node can start from its disk.
pub fn open(node: &PairKey, from: &PublicKey, mine: &Envelope, bundle: &[u8]) -> Result<(RouteVersion, Secret<Vec<u8>>), Refused> {
    let (head, body) = bundle.split_first_chunk::<HEAD_LENGTH>().ok_or(Refused::NotABundle)?;
    let (said, ephemeral) = read_head(head).ok_or(Refused::NotABundle)?;
    if said.installation != mine.installation {
        return Err(Refused::OtherInstallation);
    }
    if said.node != mine.node {
        return Err(Refused::OtherNode);
    }
    let secrets = [shared(node, &ephemeral).ok_or(Refused::Forged)?, shared(node, from).ok_or(Refused::Forged)?];
    let key = key(&secrets, head, from, &node.public());
    let mut body = body.to_vec();
    let length = key.open_in_place(nonce(), Aad::from(head), &mut body).map_err(|_| Refused::Forged)?.len();
    body.truncate(length);
    let plain = Secret::new(body);
    // After it was proven to be ours: what a forger says of versions is of no interest.
    if said.version < mine.version {
        return Err(Refused::Older { offered: said.version, seen: mine.version });
    }
    Ok((said.version, plain))
}

/// What a bundle says of itself, before anything proves it: only good for looking up whose keys open it.
pub fn said(bundle: &[u8]) -> Option<Envelope> {
    read_head(bundle.first_chunk()?).map(|(envelope, _)| envelope)
}

fn head(envelope: &Envelope, ephemeral: &PublicKey) -> [u8; HEAD_LENGTH] {
    let mut head = [0; HEAD_LENGTH];
    head[..8].copy_from_slice(&MAGIC);
    head[8..24].copy_from_slice(envelope.installation.as_uuid().as_bytes());
    head[24..40].copy_from_slice(&envelope.node.0);
    head[40..48].copy_from_slice(&envelope.version.0.to_be_bytes());
    head[48..].copy_from_slice(&ephemeral.0);
    head
}

fn read_head(head: &[u8; HEAD_LENGTH]) -> Option<(Envelope, PublicKey)> {
    let rest = head.strip_prefix(&MAGIC)?;
    let (installation, rest) = rest.split_first_chunk()?;
    let (node, rest) = rest.split_first_chunk()?;
    let (version, ephemeral) = rest.split_first_chunk()?;
    let installation = InstallationId::from_uuid(uuid::Uuid::from_bytes(*installation));
    let envelope = Envelope { installation, node: NodeId(*node), version: RouteVersion(u64::from_be_bytes(*version)) };
    Some((envelope, PublicKey(ephemeral.try_into().ok()?)))
}

/// The secret of two pairs; nothing for a public key of small order, whose secret everyone knows (RFC 7748, 6.1).
fn shared(mine: &PairKey, theirs: &PublicKey) -> Option<Secret<[u8; 32]>> {
    let take = |secret: &[u8]| secret.try_into().map(Secret::new).map_err(|_| ());
    agree(&mine.0, UnparsedPublicKey::new(&X25519, theirs.0), (), take).ok()
}

fn key(secrets: &[Secret<[u8; 32]>; 2], head: &[u8; HEAD_LENGTH], from: &PublicKey, to: &PublicKey) -> LessSafeKey {
    let secrets = Secret::new([secrets[0].expose().as_slice(), secrets[1].expose()].concat());
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, &MAGIC).extract(secrets.expose());
    let info = [head.as_slice(), &from.0, &to.0];
    let material = pseudorandom.expand(&info, &AES_256_GCM).expect("32 bytes are within HKDF's limit");
    LessSafeKey::new(UnboundKey::from(material))
}

/// One message a key: see [`seal`].
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(n: u8) -> PairKey {
        PairKey::from_bytes(&Secret::new([n; 32]))
    }

    fn envelope(version: u64) -> Envelope {
        Envelope {
            installation: InstallationId::from_uuid(uuid::Uuid::from_u128(1)),
            node: NodeId([2; 16]),
            version: RouteVersion(version),
        }
    }

    /// Sealed by pair 1 for pair 2.
    fn bundle(version: u64) -> Vec<u8> {
        seal(&pair(1), &pair(2).public(), &Secret::new([9; 32]), &envelope(version), b"routes").unwrap()
    }

    #[test]
    fn a_node_opens_its_own_bundle_and_again_after_a_restart() {
        for seen in [0, 4, 5] {
            let (version, plain) = open(&pair(2), &pair(1).public(), &envelope(seen), &bundle(5)).unwrap();
            assert_eq!((version, plain.expose().as_slice()), (RouteVersion(5), b"routes".as_slice()));
        }
        assert!(!bundle(5).windows(6).any(|window| window == b"routes"));
    }

    #[test]
    fn every_other_bundle_is_refused_by_name() {
        let mine = envelope(5);
        let from = pair(1).public();
        let refused = |node: &PairKey, from: &PublicKey, mine: &Envelope, bundle: &[u8]| open(node, from, mine, bundle).unwrap_err();
        let (offered, seen) = (RouteVersion(4), RouteVersion(5));
        assert_eq!(refused(&pair(2), &from, &mine, &bundle(4)), Refused::Older { offered, seen });
        let other = Envelope { node: NodeId([3; 16]), ..mine };
        assert_eq!(refused(&pair(2), &from, &other, &bundle(5)), Refused::OtherNode);
        let other = Envelope { installation: InstallationId::from_uuid(uuid::Uuid::from_u128(7)), ..mine };
        assert_eq!(refused(&pair(2), &from, &other, &bundle(5)), Refused::OtherInstallation);
        assert_eq!(refused(&pair(3), &from, &mine, &bundle(5)), Refused::Forged, "the key of another node");
        // Whoever knows the node's public key cannot speak for the control plane.
        let forged = seal(&pair(4), &pair(2).public(), &Secret::new([9; 32]), &mine, b"routes").unwrap();
        assert_eq!(refused(&pair(2), &from, &mine, &forged), Refused::Forged);
        assert_eq!(refused(&pair(2), &from, &mine, b""), Refused::NotABundle);
    }

    #[test]
    fn a_bundle_that_was_cut_or_changed_anywhere_is_refused() {
        let (bundle, from) = (bundle(5), pair(1).public());
        for at in 0..bundle.len() {
            let mut changed = bundle.clone();
            changed[at] ^= 0x10;
            assert!(open(&pair(2), &from, &envelope(0), &changed).is_err(), "byte {at}");
            assert!(open(&pair(2), &from, &envelope(0), &bundle[..at]).is_err(), "cut at {at}");
        }
        assert!(open(&pair(2), &from, &envelope(0), &[bundle.as_slice(), b"x"].concat()).is_err());
    }

    #[test]
    fn a_public_key_that_gives_the_secret_away_is_refused_and_no_key_is_printed() {
        assert!(seal(&pair(1), &PublicKey([0; 32]), &Secret::new([9; 32]), &envelope(1), b"").is_none());
        assert_eq!(format!("{:?}", pair(0xab)), "PairKey([redacted])");
    }
}
