//! Seals route tables for one node of the data plane, for its disk and for the way to it.
//!
//! Refuses to know what is inside: [`holm_link::kept`] says what a node keeps.

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::InstallationId;
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_link::bundle::{self, Envelope, NodeId, PairKey, PublicKey, Refused};

use crate::control::Control;
use crate::secret::random;

/// What nodes know the control plane by; told to a node when it joins. Every process over one catalog has the same.
pub fn sender(control: &Control) -> (InstallationId, PublicKey) {
    (control.keys().installation(), pair(control).public())
}

/// Seals a route table of a version for one node.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] for a public key that no node makes.
pub fn seal(control: &Control, node: NodeId, to: &PublicKey, version: RouteVersion, table: &[u8]) -> Result<Vec<u8>, Problem> {
    let envelope = Envelope { installation: control.keys().installation(), node, version };
    let ephemeral = Secret::new(random::bytes());
    bundle::seal(&pair(control), to, &ephemeral, &envelope, table).ok_or_else(|| {
        Problem::new(ErrorCode::InvalidValue, "the public key of the node is none").next("have the node make another key pair")
    })
}

/// Opens what a node has sealed for the control plane.
pub(crate) fn open(
    control: &Control,
    from: &PublicKey,
    mine: &Envelope,
    sealed: &[u8],
) -> Result<(RouteVersion, Secret<Vec<u8>>), Refused> {
    bundle::open(&pair(control), from, mine, sealed)
}

fn pair(control: &Control) -> PairKey {
    PairKey::from_bytes(&control.derived_key("route bundles"))
}
