//! Machine identities: one newtype per thing, never interchangeable, printed with the prefix people see in the API.
//!
//! Refuses to make ids: the caller passes a UUID (version 7 where order helps, version 4 where nothing may be told).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An id that was not written as `<prefix>_<32 hex digits>`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not an id of the form `{prefix}_` and 32 hex digits")]
pub struct InvalidId {
    text: String,
    prefix: &'static str,
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Uuid);

        impl $name {
            /// Takes over a UUID that was made for this kind of thing.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID, as the catalog stores it.
            pub const fn as_uuid(&self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.0.simple())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let invalid = || InvalidId { text: text.chars().take(64).collect(), prefix: $prefix };
                let digits = text.strip_prefix(concat!($prefix, "_")).ok_or_else(invalid)?;
                if digits.len() != 32 || digits.bytes().any(|b| b.is_ascii_uppercase()) {
                    return Err(invalid());
                }
                Uuid::try_parse(digits).map(Self).map_err(|_| invalid())
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
    };
}

id!(
    /// One customer in one environment, for ever: a rename or a move does not change it.
    TenantId,
    "ten"
);
id!(
    /// One PostgreSQL server that databases may be placed on.
    ClusterId,
    "clu"
);
id!(
    /// Production, staging and their kin; the name may be told to people, the id is what rows refer to.
    EnvironmentId,
    "env"
);
id!(
    /// What an app presents to the proxy.
    CredentialId,
    "cred"
);
id!(
    /// One database that Holm made or adopted on a cluster.
    DatabaseId,
    "db"
);
id!(
    /// A bearer token of the API.
    TokenId,
    "tok"
);
id!(
    /// A durable change of more than one step.
    OperationId,
    "op"
);
id!(
    /// A key that secrets of one thing and one purpose are sealed with.
    DataKeyId,
    "key"
);
id!(
    /// One Holm: a catalog and everything that it knows of.
    InstallationId,
    "ins"
);
id!(
    /// A person or a machine that may ask something of Holm.
    PrincipalId,
    "pri"
);
id!(
    /// One run of a process on a catalog.
    NodeId,
    "node"
);
id!(
    /// A wish that somebody else must agree to.
    ApprovalId,
    "apr"
);
id!(
    /// A time for which somebody may do more than usual.
    BreakGlassId,
    "brk"
);
id!(
    /// A receiver that is told what was done.
    WebhookId,
    "whk"
);
id!(
    /// One thing told to one webhook: the same in every attempt, so that a receiver can tell a repetition.
    MessageId,
    "msg"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_what_it_prints_and_nothing_else() {
        let id = TenantId::from_uuid(Uuid::from_u128(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef));
        assert_eq!(id.to_string(), "ten_0123456789abcdef0123456789abcdef");
        assert_eq!(id.to_string().parse::<TenantId>(), Ok(id));
        for wrong in [
            "",
            "ten_",
            "clu_0123456789abcdef0123456789abcdef",
            "ten_0123456789ABCDEF0123456789abcdef",
            "ten_01234567-89ab-cdef-0123-456789abcdef",
        ] {
            assert!(wrong.parse::<TenantId>().is_err(), "{wrong}");
        }
    }
}
