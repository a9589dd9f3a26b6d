//! A PostgreSQL server as the data plane reaches it.

pub mod state;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::environment::EnvironmentName;
use crate::id::ClusterId;

/// The name that people give to a cluster: `production-1`, `se-sto-pg2`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct ClusterName(Box<str>);

/// Text that cannot be a cluster's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a cluster name: 1 to 63 of `a` to `z`, `0` to `9` and `-`, beginning with a letter", .0.escape_debug())]
pub struct InvalidClusterName(String);

impl ClusterName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ClusterName {
    type Err = InvalidClusterName;

    fn from_str(text: &str) -> Result<Self, InvalidClusterName> {
        let fits = (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits { Ok(Self(text.into())) } else { Err(InvalidClusterName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<ClusterName> for String {
    fn from(name: ClusterName) -> String {
        name.0.into()
    }
}

impl TryFrom<String> for ClusterName {
    type Error = InvalidClusterName;

    fn try_from(text: String) -> Result<Self, InvalidClusterName> {
        text.parse()
    }
}

/// Where a server listens.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct ServerAddress {
    /// A host name or an address.
    pub host: Box<str>,
    /// The TCP port.
    pub port: u16,
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') { write!(f, "[{}]:{}", self.host, self.port) } else { write!(f, "{}:{}", self.host, self.port) }
    }
}

/// A cluster as the data plane knows it: where it is and how much of it may be used.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// Its identity.
    pub id: ClusterId,
    /// Its name.
    pub name: ClusterName,
    /// The one environment it belongs to (R13).
    pub environment: EnvironmentName,
    /// Where it listens.
    pub address: ServerAddress,
    /// How many connections the data plane may have open to it, connecting and closing ones included.
    pub connections_max: u32,
}
