//! Who a node is on its disk: whose installation's, by which name, with which key, and whom it believes.
//!
//! Made once and never changed: when the node first reaches the catalog, or by `holm node add` for one that never will.

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::id::InstallationId;
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_link::bundle::{Envelope, NodeId, PairKey, PublicKey};
use uuid::Uuid;

const MAGIC: [u8; 8] = *b"holmnod1";

/// Magic, installation, node, the control plane's public key, the node's private key; then SHA-256 of it all.
const CONTENT_LENGTH: usize = 8 + 16 + 16 + 32 + 32;
const LENGTH: usize = CONTENT_LENGTH + 32;

/// A node on its disk.
#[derive(Debug)]
pub(in crate::serve) struct Identity {
    pub(in crate::serve) installation: InstallationId,
    pub(in crate::serve) node: NodeId,
    /// Whose bundles are opened.
    pub(in crate::serve) sender: PublicKey,
    pub(in crate::serve) pair: PairKey,
}

impl Identity {
    /// Makes one, and the bytes of its file.
    pub(super) fn make(installation: InstallationId, sender: PublicKey) -> (Self, Secret<Vec<u8>>) {
        Self::of(installation, NodeId(random()), sender, &Secret::new(random()))
    }

    /// Puts one together of what it consists of, and the bytes of its file.
    pub(in crate::serve) fn of(
        installation: InstallationId,
        node: NodeId,
        sender: PublicKey,
        key: &Secret<[u8; 32]>,
    ) -> (Self, Secret<Vec<u8>>) {
        let mut bytes = Vec::with_capacity(LENGTH);
        for part in [MAGIC.as_slice(), installation.as_uuid().as_bytes(), &node.0, &sender.0, key.expose()] {
            bytes.extend_from_slice(part);
        }
        let sum = digest(&SHA256, &bytes);
        bytes.extend_from_slice(sum.as_ref());
        (Self { installation, node, sender, pair: PairKey::from_bytes(key) }, Secret::new(bytes))
    }

    /// Reads one; `None` for anything that [`Self::make`] did not write.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (content, said) = <&[u8; LENGTH]>::try_from(bytes).ok()?.split_at(CONTENT_LENGTH);
        if digest(&SHA256, content).as_ref() != said {
            return None;
        }
        let rest = content.strip_prefix(&MAGIC)?;
        let (installation, rest) = rest.split_first_chunk()?;
        let (node, rest) = rest.split_first_chunk()?;
        let (sender, key) = rest.split_first_chunk()?;
        Some(Self {
            installation: InstallationId::from_uuid(Uuid::from_bytes(*installation)),
            node: NodeId(*node),
            sender: PublicKey(*sender),
            pair: PairKey::from_bytes(&Secret::new(key.try_into().ok()?)),
        })
    }

    pub(in crate::serve) const fn envelope(&self, version: RouteVersion) -> Envelope {
        Envelope { installation: self.installation, node: self.node, version }
    }
}

/// From the system.
pub(in crate::serve) fn random<const LENGTH: usize>() -> [u8; LENGTH] {
    let mut bytes = [0; LENGTH];
    aws_lc_rs::rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}
