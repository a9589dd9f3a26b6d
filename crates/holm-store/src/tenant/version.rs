//! Which of a tenant's successive forms one is: what `If-Match` of the API compares.
//!
//! Promises: of two rows of one tenant that differ in what people see, the versions differ.

use std::fmt;
use std::str::FromStr;

use holm_core::environment::EnvironmentName;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;

use super::Tenant;
use crate::error::StoreError;
use crate::row::column;
use crate::tx::Tx;

/// A tenant's version: `7.18f3e5c2d7a7b`, its epoch and when it last changed, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TenantVersion {
    epoch: u64,
    changed_at: i64,
}

impl TenantVersion {
    /// Of a tenant as it was read.
    pub fn of(tenant: &Tenant) -> Self {
        Self::new(tenant.epoch, tenant.updated_at)
    }

    fn new(epoch: u64, updated_at: Timestamp) -> Self {
        Self { epoch, changed_at: updated_at.as_microsecond() }
    }
}

impl fmt::Display for TenantVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:x}", self.epoch, self.changed_at)
    }
}

/// A text that is not the version of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the version of a tenant")]
pub struct InvalidVersion(String);

impl FromStr for TenantVersion {
    type Err = InvalidVersion;

    fn from_str(text: &str) -> Result<Self, InvalidVersion> {
        let parts = text.split_once('.');
        let read = parts.and_then(|(epoch, at)| Some(Self { epoch: epoch.parse().ok()?, changed_at: i64::from_str_radix(at, 16).ok()? }));
        // Only as it is written here: no leading zero, no sign.
        read.filter(|version| version.to_string() == text).ok_or_else(|| InvalidVersion(text.to_owned()))
    }
}

const LOCK: &str = "\
SELECT t.epoch, t.updated_at
FROM tenant t
JOIN environment e ON e.id = t.environment_id
WHERE e.name = $1 AND t.slug = $2 AND t.state NOT IN ('failed', 'dropped')
FOR UPDATE OF t";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LOCK];

/// The version of a name's tenant, which nobody else can change before this transaction ends.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn lock(tx: &mut Tx, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Option<TenantVersion>, StoreError> {
    let row = tx.query_opt(LOCK, &[&environment.as_str(), &slug.as_str()]).await?;
    row.map(|row| Ok(TenantVersion::new(column::count_big(&row, "epoch")?, column::get(&row, "updated_at")?))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_reads_back_and_nothing_else_is_one() {
        let version = TenantVersion::new(7, Timestamp::UNIX_EPOCH);
        assert_eq!(version.to_string(), "7.0");
        assert_eq!("7.0".parse(), Ok(version));
        for text in ["", "7", "7.", "+7.0", "07.0", "7.0F", "7.00", "7.g", "7.0.0"] {
            assert!(text.parse::<TenantVersion>().is_err(), "{text}");
        }
    }
}
