//! Which operations an environment has done only with an approval.
//!
//! Promises: an operation that this Holm does not know is kept and shown as it is.

use holm_core::approval::guarded::Guarded;
use holm_core::environment::EnvironmentName;
use holm_core::id::EnvironmentId;

use crate::error::StoreError;
use crate::tx::Tx;

const SET: &str = "INSERT INTO approval_rule (environment_id, operation) VALUES ($1, $2) ON CONFLICT DO NOTHING";
const UNSET: &str = "DELETE FROM approval_rule WHERE environment_id = $1 AND operation = $2";
/// Locked, so that a rule that was found is in force until the commit.
const ANY: &str = "\
SELECT 1
FROM approval_rule r
JOIN environment e ON e.id = r.environment_id
WHERE e.name = $1 AND r.operation = ANY($2)
FOR SHARE OF r";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[SET, UNSET, ANY];

/// Demands approvals. Returns whether that is new.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn set(tx: &mut Tx, environment: EnvironmentId, operation: Guarded) -> Result<bool, StoreError> {
    Ok(tx.execute(SET, &[&environment.as_uuid(), &operation.as_str()]).await? > 0)
}

/// Demands none any more. Returns whether any was demanded.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn unset(tx: &mut Tx, environment: EnvironmentId, operation: Guarded) -> Result<bool, StoreError> {
    Ok(tx.execute(UNSET, &[&environment.as_uuid(), &operation.as_str()]).await? > 0)
}

/// Whether approvals are demanded for any of these.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn any(tx: &mut Tx, environment: &EnvironmentName, operations: &[Guarded]) -> Result<bool, StoreError> {
    let names: Vec<&str> = operations.iter().map(|operation| operation.as_str()).collect();
    Ok(!tx.query(ANY, &[&environment.as_str(), &names]).await?.is_empty())
}
