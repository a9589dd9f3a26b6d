//! What makes a newer table of an older one, as bytes: what is gone, and a table of what is new.
//!
//! Promises: applied to the table that it was made from, it gives one that decides every login as the newer one. Refuses to be
//! applied to another: it says which version it goes from.

use holm_core::environment::EnvironmentName;
use holm_core::id::{ClusterId, CredentialId, TenantId};
use holm_core::route::{RouteChange, RouteTable, RouteVersion};
use holm_core::secret::Secret;
use uuid::Uuid;

use super::{Refused, encode_after};

/// The way from one version to a newer one.
#[derive(Clone, Debug)]
pub struct Changes {
    from: RouteVersion,
    gone: Vec<Gone>,
    /// Of the newer version, with nothing but what is new.
    new: RouteTable,
}

#[derive(Clone, Copy, Debug)]
enum Gone {
    Cluster(ClusterId),
    Credential(CredentialId),
    Route(TenantId),
}

/// A kind and an id.
const GONE_LENGTH: usize = 1 + 16;

impl Changes {
    /// What leads from one table to a newer one.
    pub fn between(older: &RouteTable, newer: &RouteTable) -> Self {
        Self::made_of(older.version(), newer.version(), newer.since(older))
    }

    /// As [`Self::between`], with nothing but what one environment needs: from what it needed of the older to what it needs of the newer.
    pub fn between_of(older: &RouteTable, newer: &RouteTable, environment: &EnvironmentName) -> Self {
        Self::made_of(older.version(), newer.version(), newer.since_of(older, environment))
    }

    fn made_of(from: RouteVersion, to: RouteVersion, changes: Vec<RouteChange>) -> Self {
        let (mut gone, mut new) = (Vec::new(), Vec::new());
        for change in changes {
            match change {
                RouteChange::ClusterGone(id) => gone.push(Gone::Cluster(id)),
                RouteChange::CredentialGone(id) => gone.push(Gone::Credential(id)),
                RouteChange::RouteGone(tenant) => gone.push(Gone::Route(tenant)),
                change => new.push(change),
            }
        }
        Self { from, gone, new: RouteTable::default().with(to, new) }
    }

    /// The version that it leads to.
    pub const fn to(&self) -> RouteVersion {
        self.new.version()
    }

    /// The newer table; nothing if `older` is not what it was made from, or newer than what it leads to.
    pub fn apply(&self, older: &RouteTable) -> Option<RouteTable> {
        if older.version() != self.from || self.to() <= self.from {
            return None;
        }
        let gone = self.gone.iter().map(|gone| match gone {
            Gone::Cluster(id) => RouteChange::ClusterGone(*id),
            Gone::Credential(id) => RouteChange::CredentialGone(*id),
            Gone::Route(tenant) => RouteChange::RouteGone(*tenant),
        });
        Some(older.with(self.to(), gone.chain(self.new.since(&RouteTable::default()))))
    }

    /// As bytes, behind a prefix that is not its own: the version it goes from, how many are gone, each with its kind, the table.
    pub(crate) fn encode_after(&self, prefix: &[u8]) -> Secret<Vec<u8>> {
        let mut head = prefix.to_vec();
        head.extend_from_slice(&self.from.0.to_be_bytes());
        let count = u32::try_from(self.gone.len()).expect("nothing in a table that fits into memory has 2^32 parts");
        head.extend_from_slice(&count.to_be_bytes());
        for gone in &self.gone {
            let (kind, id) = match gone {
                Gone::Cluster(id) => (1, id.as_uuid()),
                Gone::Credential(id) => (2, id.as_uuid()),
                Gone::Route(tenant) => (3, tenant.as_uuid()),
            };
            head.push(kind);
            head.extend_from_slice(id.as_bytes());
        }
        encode_after(&head, &self.new)
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Refused`], whatever the bytes are.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        let cut = Refused::Malformed { what: "a length that is not there" };
        let (from, rest) = bytes.split_first_chunk().ok_or(cut)?;
        let (count, rest) = rest.split_first_chunk().ok_or(cut)?;
        let count = usize::try_from(u32::from_be_bytes(*count)).map_err(|_| cut)?;
        let length = count.checked_mul(GONE_LENGTH).ok_or(cut)?;
        let (listed, table) = rest.split_at_checked(length).ok_or(cut)?;
        let gone = listed.chunks_exact(GONE_LENGTH).map(read_gone).collect::<Option<_>>();
        let gone = gone.ok_or(Refused::Malformed { what: "an unknown kind of what is gone" })?;
        Ok(Self { from: RouteVersion(u64::from_be_bytes(*from)), gone, new: super::decode(table)? })
    }
}

fn read_gone(bytes: &[u8]) -> Option<Gone> {
    let (kind, id) = bytes.split_first()?;
    let id = Uuid::from_slice(id).ok()?;
    Some(match kind {
        1 => Gone::Cluster(ClusterId::from_uuid(id)),
        2 => Gone::Credential(CredentialId::from_uuid(id)),
        3 => Gone::Route(TenantId::from_uuid(id)),
        _ => return None,
    })
}
