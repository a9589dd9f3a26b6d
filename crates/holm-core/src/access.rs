//! Who may do what: roles, permissions, and the one table between them.
//!
//! Promises: a decision is a function of what somebody holds, what their token allows, what is asked and where; it says
//! which role granted it or why none did. What the table does not list is denied. Nobody is asked for their name: only
//! roles count, and no role approves its own request ([`crate::approval`]).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::environment::{EnvironmentKind, EnvironmentName};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$each:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum $name {
            $($(#[$each])* $variant,)*
        }

        impl $name {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The word for it.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// What somebody is, in one environment or in all.
    Role {
        /// Looks, and sees no secret.
        Viewer = "viewer",
        /// Looks at customers' troubles; for more it breaks the glass.
        Support = "support",
        /// Runs the installation.
        Operator = "operator",
        /// Sees where data lies and who touched it, and agrees to what ends it.
        Privacy = "privacy",
        /// Everything, access included.
        Admin = "admin",
    }
}

words! {
    /// What can be asked of Holm. One word for each thing that some role may and another may not.
    Permission {
        /// See which environments there are.
        ReadEnvironments = "read environments",
        /// Make and change environments.
        ManageEnvironments = "manage environments",
        /// See clusters and what troubles them.
        ReadClusters = "read clusters",
        /// Register, drain and remove clusters.
        ManageClusters = "manage clusters",
        /// See tenants.
        ReadTenants = "read tenants",
        /// Create, suspend, resume and otherwise change tenants.
        ChangeTenants = "change tenants",
        /// See which credentials there are, without their secrets.
        SeeCredentials = "see credentials",
        /// Issue and revoke credentials; a new one's secret is shown.
        IssueCredentials = "issue credentials",
        /// See operations and their journals.
        ReadOperations = "read operations",
        /// Pause, resume, cancel and retry operations.
        OperateOperations = "operate operations",
        /// See and make requests that somebody else decides.
        RequestApprovals = "request approvals",
        /// Decide requests of others.
        Approve = "approve",
        /// Take more than one has, for hours, loudly.
        BreakGlass = "break the glass",
        /// Search the audit log.
        ReadAudit = "read the audit log",
        /// Take a copy of the audit log, and check its chain.
        ExportAudit = "export and verify the audit log",
        /// Principals, roles, tokens.
        ManageAccess = "manage access",
        /// Rotate keys.
        ManageKeys = "manage keys",
        /// Make, see and remove webhooks; a new one's secret is shown.
        ManageWebhooks = "manage webhooks",
        /// Ask the doctor, and see which processes run.
        ReadDoctor = "ask the doctor",
        /// Give up a process that is gone for good.
        ManageNodes = "manage nodes",
        /// Profiles, facts, papers and exceptions: by what the place of data is judged.
        ManageResidency = "manage residency",
    }
}

/// A word that is not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a role: one of `viewer`, `support`, `operator`, `privacy`, `admin`", .0.escape_debug())]
pub struct InvalidRole(String);

impl FromStr for Role {
    type Err = InvalidRole;

    fn from_str(text: &str) -> Result<Self, InvalidRole> {
        let known = Self::ALL.iter().copied().find(|role| role.as_str() == text);
        known.ok_or_else(|| InvalidRole(text.chars().take(40).collect()))
    }
}

impl Serialize for Role {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Role {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// How careful to be: the second axis of the table.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Care {
    /// Production, and everything that is not of one environment.
    Production,
    /// Where no customer is.
    Other,
}

impl From<EnvironmentKind> for Care {
    fn from(kind: EnvironmentKind) -> Self {
        match kind {
            EnvironmentKind::Production => Self::Production,
            EnvironmentKind::Staging | EnvironmentKind::Development | EnvironmentKind::Ci => Self::Other,
        }
    }
}

/// The table. A role that is not named for a permission does not have it.
pub const fn allows(role: Role, permission: Permission, care: Care) -> bool {
    use Permission as P;
    use Role as R;
    match permission {
        P::ReadEnvironments | P::ReadClusters | P::ReadTenants | P::ReadOperations | P::ReadDoctor => true,
        P::SeeCredentials => matches!(role, R::Support | R::Operator | R::Admin),
        P::ChangeTenants | P::IssueCredentials | P::ManageClusters | P::ManageNodes => matches!(role, R::Operator | R::Admin),
        P::OperateOperations => match care {
            Care::Production => matches!(role, R::Operator | R::Admin),
            Care::Other => matches!(role, R::Support | R::Operator | R::Admin),
        },
        P::ManageEnvironments => match care {
            Care::Production => matches!(role, R::Admin),
            Care::Other => matches!(role, R::Operator | R::Admin),
        },
        P::RequestApprovals => matches!(role, R::Support | R::Operator | R::Privacy | R::Admin),
        P::Approve => matches!(role, R::Operator | R::Privacy | R::Admin),
        P::BreakGlass => matches!(role, R::Support | R::Operator | R::Admin),
        P::ReadAudit | P::ExportAudit => matches!(role, R::Privacy | R::Admin),
        P::ManageResidency => matches!(role, R::Privacy | R::Admin),
        P::ManageAccess | P::ManageKeys | P::ManageWebhooks => matches!(role, R::Admin),
    }
}

/// Where something is asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place<'a> {
    /// In one environment. Of one that is not known the kind is not known either, and it counts as production.
    Environment(&'a EnvironmentName, Option<EnvironmentKind>),
    /// In no single one: only who has a role in all of them may.
    Installation,
}

impl Place<'_> {
    /// How careful to be there.
    pub fn care(self) -> Care {
        match self {
            Self::Environment(_, Some(kind)) => kind.into(),
            Self::Environment(_, None) | Self::Installation => Care::Production,
        }
    }

    /// Whether what is held for one environment, or for all, is held here.
    fn within(self, held: Option<&EnvironmentName>) -> bool {
        match (held, self) {
            (None, _) => true,
            (Some(held), Self::Environment(here, _)) => held == here,
            (Some(_), Self::Installation) => false,
        }
    }
}

/// A role that somebody holds now: what has ended is left out by whoever collects them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Held {
    /// The role.
    pub role: Role,
    /// The only environment it is held in; all of them when `None`.
    pub environment: Option<EnvironmentName>,
}

/// What a token leaves of what its principal may.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TokenScope {
    /// The only environment it is good for.
    pub environment: Option<EnvironmentName>,
    /// At most what this role may.
    pub role: Option<Role>,
}

/// What was decided, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It may.
    Granted {
        /// The role that lets it.
        role: Role,
    },
    /// It may not.
    Denied {
        /// The reason.
        why: Why,
    },
}

/// Why something is denied.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Why {
    /// The token is good for one environment, and this is not in it.
    TokenElsewhere,
    /// The token is capped at a role that does not have it.
    TokenCapped {
        /// The cap.
        role: Role,
    },
    /// No role is held here.
    NoRoleHere,
    /// None of the roles held here has it.
    NoRoleHasIt,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TokenElsewhere => f.write_str("the token is good for one environment only, and this is not in it"),
            Self::TokenCapped { role } => write!(f, "the token may do no more than role `{role}`"),
            Self::NoRoleHere => f.write_str("no role is held there"),
            Self::NoRoleHasIt => f.write_str("none of the roles that are held there has this permission"),
        }
    }
}

/// Decides. Checked in the order in which a person would: the token, then the roles.
pub fn decide(held: &[Held], token: &TokenScope, permission: Permission, place: Place<'_>) -> Decision {
    let care = place.care();
    if !place.within(token.environment.as_ref()) {
        return Decision::Denied { why: Why::TokenElsewhere };
    }
    if let Some(role) = token.role
        && !allows(role, permission, care)
    {
        return Decision::Denied { why: Why::TokenCapped { role } };
    }
    let mut here = held.iter().filter(|held| place.within(held.environment.as_ref())).peekable();
    if here.peek().is_none() {
        return Decision::Denied { why: Why::NoRoleHere };
    }
    match here.find(|held| allows(held.role, permission, care)) {
        Some(held) => Decision::Granted { role: held.role },
        None => Decision::Denied { why: Why::NoRoleHasIt },
    }
}

#[cfg(test)]
mod tests;
