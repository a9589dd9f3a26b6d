//! Environments: production, staging and their kin, each with a domain of its own.
//!
//! Promises: the host of a request says at most one tenant of at most one environment. Refuses defaults: a host that is
//! not `<slug>.<domain>` names nobody (R77).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::secret::Secret;
use crate::slug::TenantSlug;

/// What an environment is for; rules differ by it, nothing else does.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnvironmentKind {
    /// Real users.
    Production,
    /// Tests before production.
    Staging,
    /// A developer's own.
    Development,
    /// A pipeline's, for minutes.
    Ci,
}

impl EnvironmentKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Production, Self::Staging, Self::Development, Self::Ci];

    /// The word that people type.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Development => "development",
            Self::Ci => "ci",
        }
    }
}

impl fmt::Display for EnvironmentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EnvironmentKind {
    type Err = InvalidEnvironment;

    fn from_str(text: &str) -> Result<Self, InvalidEnvironment> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| InvalidEnvironment(text.chars().take(80).collect()))
    }
}

/// The name of an environment: `production`, `staging`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct EnvironmentName(Box<str>);

/// Text that cannot be an environment's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not an environment name: 1 to 32 of `a` to `z`, `0` to `9` and `-`, beginning with a letter", .0.escape_debug())]
pub struct InvalidEnvironment(String);

impl EnvironmentName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvironmentName {
    type Err = InvalidEnvironment;

    fn from_str(text: &str) -> Result<Self, InvalidEnvironment> {
        let fits = (1..=32).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && !text.ends_with('-')
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'));
        if fits { Ok(Self(text.into())) } else { Err(InvalidEnvironment(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for EnvironmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<EnvironmentName> for String {
    fn from(name: EnvironmentName) -> String {
        name.0.into()
    }
}

impl TryFrom<String> for EnvironmentName {
    type Error = InvalidEnvironment;

    fn try_from(text: String) -> Result<Self, InvalidEnvironment> {
        text.parse()
    }
}

/// The domain under which an environment's tenants have their subdomains: `example.com`, `staging.localhost`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Domain(Box<str>);

/// Text that cannot be a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a domain: lower-case DNS labels joined by `.`, 189 bytes at the most", .0.escape_debug())]
pub struct InvalidDomain(String);

/// 253 bytes for a host name (RFC 1035), minus a slug of 63 and its dot.
const DOMAIN_LENGTH_MAX: usize = 253 - 64;

impl Domain {
    /// The domain as text, without a dot at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The tenant that a host name means under this domain, if it is exactly one valid label below it. Case and one final
    /// dot do not matter (RFC 4343; the root label), a port must be cut off by the caller.
    pub fn tenant_of(&self, host: &str) -> Option<TenantSlug> {
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        host.strip_suffix(&*self.0)?.strip_suffix('.')?.parse().ok()
    }
}

impl FromStr for Domain {
    type Err = InvalidDomain;

    fn from_str(text: &str) -> Result<Self, InvalidDomain> {
        let label = |l: &str| {
            (1..=63).contains(&l.len())
                && !l.starts_with('-')
                && !l.ends_with('-')
                && l.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
        };
        if text.len() <= DOMAIN_LENGTH_MAX && text.split('.').all(label) {
            Ok(Self(text.into()))
        } else {
            Err(InvalidDomain(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Domain> for String {
    fn from(domain: Domain) -> String {
        domain.0.into()
    }
}

impl TryFrom<String> for Domain {
    type Error = InvalidDomain;

    fn try_from(text: String) -> Result<Self, InvalidDomain> {
        text.parse()
    }
}

/// An environment as the data plane knows it.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// What it is for.
    pub kind: EnvironmentKind,
    /// Where its tenants' subdomains live.
    pub domain: Domain,
    /// Signs the tenant headers that the gateway sets, so that an app can tell them from a browser's.
    pub header_key: Secret<[u8; 32]>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r75_a_host_is_a_tenant_only_one_label_below_the_domain() {
        let domain: Domain = "stagesub.example".parse().unwrap();
        let tenant = |host: &str| domain.tenant_of(host).map(String::from);
        assert_eq!(tenant("goteborg.stagesub.example").as_deref(), Some("goteborg"));
        assert_eq!(tenant("Goteborg.StageSub.Example.").as_deref(), Some("goteborg"));
        for nobody in [
            "stagesub.example",
            ".stagesub.example",
            "a.b.stagesub.example",
            "evilstagesub.example",
            "goteborg.stagesub.example.evil.example",
            "admin.stagesub.example",
            "goteborg.stagesub.example:80",
            "",
        ] {
            assert_eq!(tenant(nobody), None, "{nobody}");
        }
    }

    #[test]
    fn r1_the_same_label_under_two_environments_is_two_hosts() {
        let (production, staging): (Domain, Domain) = ("localhost".parse().unwrap(), "staging.localhost".parse().unwrap());
        assert_eq!(production.tenant_of("goteborg.staging.localhost"), None);
        assert_eq!(staging.tenant_of("goteborg.staging.localhost").map(String::from).as_deref(), Some("goteborg"));
        assert_eq!(staging.tenant_of("goteborg.localhost"), None);
    }
}
