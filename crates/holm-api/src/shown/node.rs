//! From nodes of the catalog to what the API shows.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_engine::node::admission::DataNode;
use holm_engine::node::{self, Node};

use crate::view::node::{NodeKeyView, NodeView};

impl From<Node> for NodeView {
    fn from(known: Node) -> Self {
        let lives = node::lives(&known);
        let Node { id, name, role, holm_version, route_version, started_at, silent, environment } = known;
        let role = role.as_str().to_owned();
        Self {
            id,
            name,
            role,
            holm_version,
            route_version: route_version.0,
            started_at,
            silent_seconds: silent.as_secs(),
            lives,
            environment,
        }
    }
}

impl From<DataNode> for NodeKeyView {
    fn from(node: DataNode) -> Self {
        Self { name: node.name, public_key: STANDARD.encode(node.public_key), environment: node.environment, added_at: node.created_at }
    }
}
