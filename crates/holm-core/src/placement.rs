//! A placement certificate: what the control plane says of one tenant's database on one server, so that the data plane need
//! not judge law while it opens connections.
//!
//! Promises: what is signed names the tenant, its environment, its database, the server by its identity, and what it was judged
//! by, so that a certificate is good for nothing else; a tenant without one says why. Refuses keys and clocks: signatures are
//! `holm-link`'s, moments come as arguments.

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::environment::EnvironmentName;
use crate::id::{ClusterId, TenantId};
use crate::role::DatabaseName;

/// What `initdb` gave to a server, by which it is known at whatever address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SystemIdentifier(pub i64);

impl fmt::Display for SystemIdentifier {
    /// As PostgreSQL's own programs print it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.cast_unsigned().fmt(f)
    }
}

/// The SHA-256 of a text that a verdict rests on.
pub type Hash = [u8; 32];

/// What a copy was judged by.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct JudgedBy {
    /// Of the profile, in the version that was in force.
    pub profile: Hash,
    /// Of all that was known of providers, companies and law.
    pub registry: Hash,
}

/// What may be done with a database that is where it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Allows {
    /// Everything.
    All,
    /// Reading: its profile says so, some days after it was denied there.
    Reading,
    /// What was begun; nobody else is let in.
    Finishing,
    /// Reading, by who is there.
    FinishingReading,
}

impl Allows {
    /// Each, the widest first.
    pub const ALL: [Self; 4] = [Self::All, Self::Reading, Self::Finishing, Self::FinishingReading];

    /// Whether it is reading alone, and whether nobody new is let in.
    pub const fn of(reading: bool, finishing: bool) -> Self {
        match (reading, finishing) {
            (false, false) => Self::All,
            (true, false) => Self::Reading,
            (false, true) => Self::Finishing,
            (true, true) => Self::FinishingReading,
        }
    }

    /// Whether nothing may be written.
    pub const fn is_reading(self) -> bool {
        matches!(self, Self::Reading | Self::FinishingReading)
    }

    /// Whether nobody new is let in.
    pub const fn is_finishing(self) -> bool {
        matches!(self, Self::Finishing | Self::FinishingReading)
    }

    /// What both allow.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self::of(self.is_reading() || other.is_reading(), self.is_finishing() || other.is_finishing())
    }

    /// The word in the catalog and for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Reading => "reading",
            Self::Finishing => "finishing",
            Self::FinishingReading => "finishing_reading",
        }
    }
}

impl fmt::Display for Allows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is not the name of any [`Allows`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not what a placement certificate allows: all, reading, finishing or finishing_reading", .0.escape_debug())]
pub struct InvalidAllows(String);

impl std::str::FromStr for Allows {
    type Err = InvalidAllows;

    fn from_str(text: &str) -> Result<Self, InvalidAllows> {
        Self::ALL.into_iter().find(|allows| allows.as_str() == text).ok_or_else(|| InvalidAllows(text.to_owned()))
    }
}

/// After its time a certificate is still good for so long, since nobody may be there to renew it. Longer than a data plane goes
/// on without the catalog, so that an outage ends with that and not with this.
pub const GRACE: SignedDuration = SignedDuration::from_hours(96);

/// What is said of one database on one server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Claims {
    /// Whose database.
    pub tenant: TenantId,
    /// On which cluster.
    pub cluster: ClusterId,
    /// Which server that is; `None` where it may not be asked, so that its address and its certificate are all there is.
    pub server: Option<SystemIdentifier>,
    /// What it was judged by; `None` for a tenant that no profile is for.
    pub judged_by: Option<JudgedBy>,
    /// What may be done with it.
    pub allows: Allows,
    /// When this was said, by the catalog's clock; to the second.
    pub issued_at: Timestamp,
    /// When it should have been said anew; [`GRACE`] comes after.
    pub expires_at: Timestamp,
}

/// Claims that somebody signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certificate {
    /// What is said.
    pub claims: Claims,
    /// The first bytes of the SHA-256 of the key that it was signed with, so that another installation's is told by name.
    pub signer: [u8; 8],
    /// Ed25519 over [`Claims::signed_bytes`].
    pub signature: [u8; 64],
}

/// Why a tenant has no certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Withheld {
    /// It was not judged yet where it is now, or it is on another server than it was judged on.
    Unjudged,
    /// Its profile denies where it is, and the days are over that the profile gives.
    Blocked,
}

impl Withheld {
    /// As people are told.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unjudged => "where its database is now was not judged yet",
            Self::Blocked => "its residency profile denies where its database is, and the time is over that the profile gives for that",
        }
    }
}

/// Whether a tenant's database may be used where it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Placement {
    /// As a certificate says.
    Certified(std::sync::Arc<Certificate>),
    /// Not at all.
    Withheld(Withheld),
}

impl Placement {
    /// What it allows, if anything.
    pub fn allows(&self) -> Option<Allows> {
        match self {
            Self::Certified(certificate) => Some(certificate.claims.allows),
            Self::Withheld(_) => None,
        }
    }
}

/// Who signs certificates, and what time it was there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Authority {
    /// The Ed25519 key that signatures are checked with.
    pub key: [u8; 32],
    /// The catalog's clock when the table was read.
    pub told_at: Timestamp,
}

const MAGIC: &[u8; 8] = b"holmplc1";

impl Claims {
    /// Whether its time is over, and the grace after it.
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.expires_at.saturating_add(GRACE).unwrap_or(Timestamp::MAX) < now
    }

    /// What a signature is over. Names stand with their lengths, so that no two claims have the same bytes.
    pub fn signed_bytes(&self, environment: &EnvironmentName, database: &DatabaseName) -> Vec<u8> {
        let Self { tenant, cluster, server, judged_by, allows, issued_at, expires_at } = self;
        let mut bytes = MAGIC.to_vec();
        for name in [environment.as_str(), database.as_str()] {
            let length = u32::try_from(name.len()).expect("a name is short");
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(name.as_bytes());
        }
        bytes.extend_from_slice(tenant.as_uuid().as_bytes());
        bytes.extend_from_slice(cluster.as_uuid().as_bytes());
        bytes.push(u8::from(server.is_some()));
        bytes.extend_from_slice(&server.map_or(0, |server| server.0).to_be_bytes());
        bytes.push(u8::from(judged_by.is_some()));
        let judged_by = judged_by.unwrap_or(JudgedBy { profile: [0; 32], registry: [0; 32] });
        bytes.extend_from_slice(&judged_by.profile);
        bytes.extend_from_slice(&judged_by.registry);
        bytes.push(match allows {
            Allows::All => 1,
            Allows::Reading => 2,
            Allows::Finishing => 3,
            Allows::FinishingReading => 4,
        });
        bytes.extend_from_slice(&issued_at.as_second().to_be_bytes());
        bytes.extend_from_slice(&expires_at.as_second().to_be_bytes());
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn claims() -> Claims {
        Claims {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            cluster: ClusterId::from_uuid(Uuid::from_u128(2)),
            server: Some(SystemIdentifier(-3)),
            judged_by: Some(JudgedBy { profile: [4; 32], registry: [5; 32] }),
            allows: Allows::All,
            issued_at: Timestamp::from_second(1_000).unwrap(),
            expires_at: Timestamp::from_second(2_000).unwrap(),
        }
    }

    #[test]
    fn nothing_of_what_is_said_can_be_changed_without_changing_what_is_signed() {
        let database = DatabaseName::generated(Uuid::from_u128(1));
        let bytes = |claims: &Claims| claims.signed_bytes(&"production".parse().unwrap(), &database);
        let other = |change: fn(&mut Claims)| {
            let mut claims = claims();
            change(&mut claims);
            bytes(&claims)
        };
        let mut all = vec![
            bytes(&claims()),
            other(|claims| claims.tenant = TenantId::from_uuid(Uuid::from_u128(9))),
            other(|claims| claims.cluster = ClusterId::from_uuid(Uuid::from_u128(9))),
            other(|claims| claims.server = None),
            other(|claims| claims.server = Some(SystemIdentifier(0))),
            other(|claims| claims.judged_by = None),
            other(|claims| claims.judged_by = Some(JudgedBy { profile: [0; 32], registry: [0; 32] })),
            other(|claims| claims.judged_by = Some(JudgedBy { profile: [9; 32], registry: [5; 32] })),
            other(|claims| claims.judged_by = Some(JudgedBy { profile: [4; 32], registry: [9; 32] })),
            other(|claims| claims.allows = Allows::Reading),
            other(|claims| claims.allows = Allows::Finishing),
            other(|claims| claims.allows = Allows::FinishingReading),
            other(|claims| claims.issued_at = Timestamp::from_second(999).unwrap()),
            other(|claims| claims.expires_at = Timestamp::from_second(2_001).unwrap()),
            claims().signed_bytes(&"staging".parse().unwrap(), &database),
            claims().signed_bytes(&"production".parse().unwrap(), &DatabaseName::generated(Uuid::from_u128(2))),
        ];
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn a_server_is_named_as_its_own_programs_name_it() {
        assert_eq!(SystemIdentifier(-1).to_string(), u64::MAX.to_string());
        assert_eq!(SystemIdentifier(7_384_912_345_678_901_234).to_string(), "7384912345678901234");
    }

    #[test]
    fn what_is_allowed_reads_back_from_its_word() {
        for allows in Allows::ALL {
            assert_eq!(allows.as_str().parse(), Ok(allows));
            assert_eq!(Allows::of(allows.is_reading(), allows.is_finishing()), allows);
            assert_eq!((allows.and(Allows::All), allows.and(allows)), (allows, allows));
        }
        assert_eq!(Allows::Reading.and(Allows::Finishing), Allows::FinishingReading);
        assert!("everything".parse::<Allows>().is_err());
    }
}
