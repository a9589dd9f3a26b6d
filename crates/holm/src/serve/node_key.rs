//! The key of a node that will only carry sessions, made before there is a node: the file goes to it, and nowhere else.

use holm_core::id::InstallationId;
use holm_core::secret::Secret;
use holm_link::bundle::{NodeId, PairKey, PublicKey};

use super::kept::{Identity, random};

/// A key whose private half nobody has seen.
pub(crate) struct NodeKey(Secret<[u8; 32]>);

impl NodeKey {
    /// Makes one.
    pub(crate) fn make() -> Self {
        Self(Secret::new(random()))
    }

    /// The half to tell.
    pub(crate) fn public(&self) -> [u8; 32] {
        PairKey::from_bytes(&self.0).public().0
    }

    /// What the node's `node.key` is to contain, once the control plane has said who it is and whom it believes.
    pub(crate) fn file(&self, installation: InstallationId, node: [u8; 16], control_key: [u8; 32]) -> Secret<Vec<u8>> {
        Identity::of(installation, NodeId(node), PublicKey(control_key), &self.0).1
    }
}
