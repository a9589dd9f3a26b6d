//! Credentials: what apps present to the proxy. Verifiers only; no secret was ever here.

use holm_core::credential::{CredentialName, Level, Scope};
use holm_core::environment::EnvironmentName;
use holm_core::id::{CredentialId, TenantId};
use holm_core::scram::Verifier;
use holm_core::slug::TenantSlug;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::page::Page;
use crate::row::column;
use crate::tx::Tx;

pub mod rotation;

/// A credential to be kept.
#[derive(Clone, Debug)]
pub struct NewCredential {
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
}

/// The tenants that a credential may use, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NamedScope {
    /// Any of its environment.
    App,
    /// One.
    Tenant(TenantId, TenantSlug),
}

/// A credential as the catalog has it, without what passwords are checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    /// Its identity.
    pub id: CredentialId,
    /// The user name.
    pub name: CredentialName,
    /// The only environment it is good for.
    pub environment: EnvironmentName,
    /// The tenants it may use.
    pub scope: NamedScope,
    /// What its sessions may do.
    pub level: Level,
    /// When it was issued.
    pub created_at: Timestamp,
}

/// What became of an [`insert`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Inserted {
    /// It is good from the version that the commit returns.
    Done(Credential),
    /// One that is not revoked has that name, in whatever environment; nothing was changed.
    NameTaken,
    /// No such environment; nothing was changed.
    NoSuchEnvironment,
    /// No such tenant in that environment, or it never served; nothing was changed.
    NoSuchTenant,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT k.id, k.name, e.name AS environment, k.tenant_id, t.slug, k.level, k.created_at\n",
            "FROM credential k\n",
            "JOIN environment e ON e.id = k.environment_id\n",
            "LEFT JOIN tenant t ON t.id = k.tenant_id\n",
            $rest
        )
    };
}

const BY_ID: &str = select!("WHERE k.id = $1");
pub(crate) const BY_NAME: &str = select!("WHERE e.name = $1 AND k.name = $2 AND k.revoked_at IS NULL");
/// No name is empty, so the empty text is before the first.
pub(crate) const LIST: &str = select!(
    "WHERE k.environment_id = (SELECT id FROM environment WHERE name = $1) AND k.name > $2 AND k.revoked_at IS NULL\n\
     ORDER BY k.name\n\
     LIMIT $3"
);
const INSERT: &str = "\
INSERT INTO credential (id, environment_id, tenant_id, name, level, salt, iterations, stored_key, server_key)
SELECT $1, e.id, t.id, $4, $5, $6, $7, $8, $9
FROM environment e
LEFT JOIN tenant t ON t.environment_id = e.id AND t.id = $3 AND t.state IN ('serving', 'paused', 'suspended')
WHERE e.name = $2 AND ($3::uuid IS NULL OR t.id IS NOT NULL)
ON CONFLICT (name) WHERE revoked_at IS NULL DO NOTHING";
const WHY_NOT: &str = "\
SELECT e.id IS NOT NULL AS environment, $2::uuid IS NULL OR t.id IS NOT NULL AS tenant
FROM (VALUES ($1::text)) AS asked (name)
LEFT JOIN environment e ON e.name = asked.name
LEFT JOIN tenant t ON t.environment_id = e.id AND t.id = $2::uuid AND t.state IN ('serving', 'paused', 'suspended')";
const REVOKE: &str = "\
UPDATE credential k
SET revoked_at = now()
FROM environment e
WHERE e.id = k.environment_id AND e.name = $1 AND k.name = $2 AND k.revoked_at IS NULL
RETURNING k.id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BY_ID, BY_NAME, LIST, INSERT, WHY_NOT, REVOKE];

/// Keeps a credential.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewCredential) -> Result<Inserted, StoreError> {
    let tenant = match new.scope {
        Scope::App => None,
        Scope::Tenant(id) => Some(id.as_uuid()),
    };
    let iterations = i32::try_from(new.verifier.iterations).map_err(|error| StoreError::Fault(error.into()))?;
    let inserted = tx
        .execute(
            INSERT,
            &[
                &new.id.as_uuid(),
                &new.environment.as_str(),
                &tenant,
                &new.name.as_str(),
                &new.level.as_str(),
                &&*new.verifier.salt,
                &iterations,
                &new.verifier.stored_key.expose().as_slice(),
                &new.verifier.server_key.expose().as_slice(),
            ],
        )
        .await?;
    if inserted == 0 {
        let row = tx.query_one(WHY_NOT, &[&new.environment.as_str(), &tenant]).await?;
        return Ok(match (column::get(&row, "environment")?, column::get(&row, "tenant")?) {
            (false, _) => Inserted::NoSuchEnvironment,
            (true, false) => Inserted::NoSuchTenant,
            (true, true) => Inserted::NameTaken,
        });
    }
    tx.changed_credential(new.id);
    read(&tx.query_one(BY_ID, &[&new.id.as_uuid()]).await?).map(Inserted::Done)
}

/// Revokes a credential from the version that the commit returns; its name is free again. Returns `None` if the
/// environment has no such one that is not revoked.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn revoke(tx: &mut Tx, environment: &EnvironmentName, name: &CredentialName) -> Result<Option<CredentialId>, StoreError> {
    let Some(row) = tx.query_opt(REVOKE, &[&environment.as_str(), &name.as_str()]).await? else {
        return Ok(None);
    };
    let id = CredentialId::from_uuid(column::uuid(&row, "id")?);
    tx.changed_credential(id);
    Ok(Some(id))
}

/// The one of a name that is not revoked.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_name(catalog: &Catalog, environment: &EnvironmentName, name: &CredentialName) -> Result<Option<Credential>, StoreError> {
    let row = catalog.session().await?.query_opt(BY_NAME, &[&environment.as_str(), &name.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

/// A page of an environment's credentials that are not revoked, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, environment: &EnvironmentName, page: &Page<CredentialName>) -> Result<Vec<Credential>, StoreError> {
    let after = page.after.as_ref().map_or("", CredentialName::as_str);
    let rows = catalog.session().await?.query(LIST, &[&environment.as_str(), &after, &page.rows_max()]).await?;
    rows.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Credential, StoreError> {
    let tenant: Option<uuid::Uuid> = column::get(row, "tenant_id")?;
    Ok(Credential {
        id: CredentialId::from_uuid(column::uuid(row, "id")?),
        name: column::parsed(row, "name")?,
        environment: column::parsed(row, "environment")?,
        scope: match tenant {
            None => NamedScope::App,
            Some(id) => NamedScope::Tenant(TenantId::from_uuid(id), column::parsed(row, "slug")?),
        },
        level: column::parsed(row, "level")?,
        created_at: column::get(row, "created_at")?,
    })
}
