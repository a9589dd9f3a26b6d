//! What an app presents to the proxy: a name, a level, a scope, in one environment.
//!
//! Promises: whether a credential may use a tenant is decided in one place, [`Credential::may_use`], with its reason.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::environment::EnvironmentName;
use crate::id::{CredentialId, TenantId};
use crate::scram::{SecondKeys, Verifier};
use crate::secret::Secret;

/// How much a session may do inside its tenant's database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Owns the objects: schema migrations, restores.
    Owner,
    /// Reads and writes rows.
    Rw,
    /// Reads rows.
    Ro,
}

impl Level {
    /// Every level, most powerful first.
    pub const ALL: [Self; 3] = [Self::Owner, Self::Rw, Self::Ro];

    /// The word that people type, and the end of the role's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Rw => "rw",
            Self::Ro => "ro",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is not a level.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a level: one of `owner`, `rw`, `ro`")]
pub struct InvalidLevel(String);

impl FromStr for Level {
    type Err = InvalidLevel;

    fn from_str(text: &str) -> Result<Self, InvalidLevel> {
        Self::ALL.into_iter().find(|level| level.as_str() == text).ok_or_else(|| InvalidLevel(text.chars().take(40).collect()))
    }
}

/// Which tenants of its environment a credential may use.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", tag = "kind", content = "tenant")]
pub enum Scope {
    /// Any tenant of the environment; the database name picks one.
    App,
    /// One tenant and no other.
    Tenant(TenantId),
}

/// The user name of a credential: unique over the whole installation, so that it says its environment.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct CredentialName(Box<str>);

/// Text that cannot be a credential's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a credential name: 1 to 63 of `a` to `z`, `0` to `9`, `_` and `-`, beginning with a letter", .0.escape_debug())]
pub struct InvalidCredentialName(String);

impl CredentialName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for CredentialName {
    type Err = InvalidCredentialName;

    fn from_str(text: &str) -> Result<Self, InvalidCredentialName> {
        let fits = (1..=63).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        if fits { Ok(Self(text.into())) } else { Err(InvalidCredentialName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<CredentialName> for String {
    fn from(name: CredentialName) -> String {
        name.0.into()
    }
}

impl TryFrom<String> for CredentialName {
    type Error = InvalidCredentialName;

    fn try_from(text: String) -> Result<Self, InvalidCredentialName> {
        text.parse()
    }
}

/// A credential as the data plane knows it: enough to check a login, not enough to make one.
#[derive(Clone, Debug)]
pub struct Credential {
    /// Its identity.
    pub id: CredentialId,
    /// The user name.
    pub name: CredentialName,
    /// The only environment it is good for (R1).
    pub environment: EnvironmentName,
    /// The tenants it may use.
    pub scope: Scope,
    /// What its sessions may do.
    pub level: Level,
    /// What its password is checked against.
    pub verifier: Verifier,
    /// The password that is being replaced, good until its rotation is over (R59).
    pub retiring: Option<SecondKeys>,
}

/// Whether a credential may use a tenant, and by which rule.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Its scope covers the tenant.
    Granted,
    /// It is for another tenant; whoever asks must not learn whether the tenant exists.
    OtherTenant,
    /// It is for another environment; likewise.
    OtherEnvironment,
}

impl Credential {
    /// Whether a session that was opened with the password of this stored key may go on: the password is still good.
    pub fn accepts(&self, stored_key: &Secret<[u8; 32]>) -> bool {
        self.verifier.stored_key == *stored_key || self.retiring.as_ref().is_some_and(|retiring| retiring.stored_key == *stored_key)
    }

    /// Decides whether this credential may open a session on a tenant of an environment.
    pub fn may_use(&self, environment: &EnvironmentName, tenant: TenantId) -> Permission {
        if self.environment != *environment {
            return Permission::OtherEnvironment;
        }
        match self.scope {
            Scope::App => Permission::Granted,
            Scope::Tenant(own) if own == tenant => Permission::Granted,
            Scope::Tenant(_) => Permission::OtherTenant,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn credential(scope: Scope) -> Credential {
        Credential {
            id: CredentialId::from_uuid(Uuid::nil()),
            name: "app".parse().unwrap(),
            environment: "production".parse().unwrap(),
            scope,
            level: Level::Rw,
            verifier: Verifier { salt: Box::new([]), iterations: 4096, stored_key: Secret::new([0; 32]), server_key: Secret::new([0; 32]) },
            retiring: None,
        }
    }

    #[test]
    fn r1_no_credential_crosses_environments_and_none_of_one_tenant_reaches_a_second() {
        let (own, other) = (TenantId::from_uuid(Uuid::from_u128(1)), TenantId::from_uuid(Uuid::from_u128(2)));
        let (production, staging) = ("production".parse().unwrap(), "staging".parse().unwrap());
        for (scope, environment, tenant, expected) in [
            (Scope::App, &production, own, Permission::Granted),
            (Scope::App, &staging, own, Permission::OtherEnvironment),
            (Scope::Tenant(own), &production, own, Permission::Granted),
            (Scope::Tenant(own), &production, other, Permission::OtherTenant),
            (Scope::Tenant(own), &staging, own, Permission::OtherEnvironment),
        ] {
            assert_eq!(credential(scope).may_use(environment, tenant), expected, "{scope:?} {environment} {tenant}");
        }
    }

    #[test]
    fn a_credential_prints_no_key() {
        assert!(!format!("{:?}", credential(Scope::App)).contains("0, 0"));
    }
}
