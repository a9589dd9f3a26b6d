//! A PostgreSQL server as the data plane reaches it.

pub mod asked;
pub mod client_certificate;
mod pem;
pub mod state;
pub mod tls;

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use self::client_certificate::ClientCertificate;
use self::tls::ServerTls;
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

impl ServerAddress {
    /// Whether what is said to it stays on this machine.
    pub fn is_loopback(&self) -> bool {
        &*self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
    }
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
    /// How it is spoken to there.
    pub tls: ServerTls,
    /// What it is shown of Holm's, if it asks who speaks; the login decides all the same.
    pub client_certificate: Option<ClientCertificate>,
    /// How many connections the data plane may have open to it, connecting and closing ones included.
    pub connections_max: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_surely_this_machine_is_loopback() {
        for (host, expected) in [
            ("localhost", true),
            ("127.0.0.1", true),
            ("127.8.9.1", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("10.0.0.5", false),
            ("0.0.0.0", false),
            ("127.0.0.1.example.com", false),
            ("db.example.com", false),
        ] {
            assert_eq!(ServerAddress { host: host.into(), port: 5432 }.is_loopback(), expected, "{host}");
        }
    }
}
