//! Environments: what each is for, where its tenants live, how its databases are made.

use std::path::PathBuf;

use holm_core::approval::ApprovalKind;
use holm_core::environment::{Domain, EnvironmentKind, EnvironmentName};
use holm_core::id::EnvironmentId;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{Corrupt, column};
use crate::sealed::Sealed;
use crate::tx::Tx;

/// What fills a tenant's database when it is created (R97); runs as the tenant's own role and must be idempotent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum Seed {
    /// A file of SQL.
    SqlFile(PathBuf),
    /// A program and its arguments.
    Command(Vec<String>),
}

/// What is said of an environment when it is made or brought up to date.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnvironment {
    /// Used if the name is new.
    pub id: EnvironmentId,
    /// The name.
    pub name: EnvironmentName,
    /// What it is for; cannot be changed later.
    pub kind: EnvironmentKind,
    /// Where its tenants' subdomains live.
    pub domain: Domain,
    /// Used if the name is new: signs the tenant headers.
    pub sealed_header_key: Sealed,
    /// How many ready databases each of its clusters keeps.
    pub pool_size: u32,
    /// Its migrations directory, absolute.
    pub migrations: Option<PathBuf>,
    /// What fills a new tenant's database.
    pub seed: Option<Seed>,
}

/// An environment as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Environment {
    /// Its identity.
    pub id: EnvironmentId,
    /// Its name.
    pub name: EnvironmentName,
    /// What it is for.
    pub kind: EnvironmentKind,
    /// Where its tenants' subdomains live.
    pub domain: Domain,
    /// Signs the tenant headers.
    pub sealed_header_key: Sealed,
    /// How many ready databases each of its clusters keeps.
    pub pool_size: u32,
    /// Its migrations directory.
    pub migrations: Option<PathBuf>,
    /// What fills a new tenant's database.
    pub seed: Option<Seed>,
    /// What is done there only with an approval.
    pub needs_approval: Vec<ApprovalKind>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What became of an [`upsert`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Upserted {
    /// The name was new.
    Created(Environment),
    /// Something was brought up to date.
    Changed(Environment),
    /// It was so already.
    Unchanged(Environment),
    /// Another environment has that domain; nothing was changed.
    DomainTaken(EnvironmentName),
    /// It exists with another kind, which cannot change; nothing was changed.
    OtherKind(EnvironmentKind),
}

macro_rules! columns {
    () => {
        "id, name, kind, domain, sealed_header_key, pool_size, migrations_dir, seed, created_at,\n\
         \x20   ARRAY(SELECT r.operation FROM approval_rule r WHERE r.environment_id = environment.id ORDER BY r.operation) AS needs_approval"
    };
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT ", columns!(), "\nFROM environment\n", $rest)
    };
}

/// Makers of environments queue here, nobody else: they compare names and domains with all that exist. "Henv" as bytes.
const LOCK: &str = "SELECT pg_advisory_xact_lock(x'48656e76'::integer)";
const LIST: &str = select!("ORDER BY name");
const BY_NAME: &str = select!("WHERE name = $1");
const BY_DOMAIN: &str = "SELECT name FROM environment WHERE domain = $1 AND name <> $2";
const INSERT: &str = concat!(
    "INSERT INTO environment (id, name, kind, domain, sealed_header_key, pool_size, migrations_dir, seed)\n",
    "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)\n",
    "RETURNING ",
    columns!()
);
const UPDATE: &str = concat!(
    "UPDATE environment\n",
    "SET domain = $2, pool_size = $3, migrations_dir = $4, seed = $5\n",
    "WHERE id = $1\n",
    "RETURNING ",
    columns!()
);

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LOCK, LIST, BY_NAME, BY_DOMAIN, INSERT, UPDATE];

/// Makes an environment, or brings the one of that name up to date. Identity, kind and header key stay as they were first.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn upsert(tx: &mut Tx, new: &NewEnvironment) -> Result<Upserted, StoreError> {
    tx.execute(LOCK, &[]).await?;
    if let Some(row) = tx.query_opt(BY_DOMAIN, &[&new.domain.as_str(), &new.name.as_str()]).await? {
        return Ok(Upserted::DomainTaken(column::parsed(&row, "name")?));
    }
    let Some(known) = tx.query_opt(BY_NAME, &[&new.name.as_str()]).await?.as_ref().map(read).transpose()? else {
        return insert(tx, new).await.map(Upserted::Created);
    };
    if known.kind != new.kind {
        return Ok(Upserted::OtherKind(known.kind));
    }
    let same =
        known.domain == new.domain && known.pool_size == new.pool_size && known.migrations == new.migrations && known.seed == new.seed;
    if same { Ok(Upserted::Unchanged(known)) } else { update(tx, known.id, new).await.map(Upserted::Changed) }
}

async fn insert(tx: &mut Tx, new: &NewEnvironment) -> Result<Environment, StoreError> {
    let row = tx
        .query_one(
            INSERT,
            &[
                &new.id.as_uuid(),
                &new.name.as_str(),
                &new.kind.as_str(),
                &new.domain.as_str(),
                &new.sealed_header_key.as_bytes(),
                &pool_size(new)?,
                &directory(new)?,
                &new.seed.as_ref().map(Json),
            ],
        )
        .await?;
    tx.changed_environment(new.id);
    read(&row)
}

async fn update(tx: &mut Tx, id: EnvironmentId, new: &NewEnvironment) -> Result<Environment, StoreError> {
    let row = tx
        .query_one(UPDATE, &[&id.as_uuid(), &new.domain.as_str(), &pool_size(new)?, &directory(new)?, &new.seed.as_ref().map(Json)])
        .await?;
    tx.changed_environment(id);
    read(&row)
}

fn pool_size(new: &NewEnvironment) -> Result<i32, StoreError> {
    i32::try_from(new.pool_size).map_err(|error| StoreError::Fault(error.into()))
}

/// A path goes in as text and comes out the same, or does not go in.
fn directory(new: &NewEnvironment) -> Result<Option<&str>, StoreError> {
    match new.migrations.as_deref().map(|path| path.to_str()) {
        Some(None) => Err(StoreError::Fault("a path that is not UTF-8".into())),
        Some(text) => Ok(text),
        None => Ok(None),
    }
}

/// All of them, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<Environment>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

/// The one of a name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_name(catalog: &Catalog, name: &EnvironmentName) -> Result<Option<Environment>, StoreError> {
    catalog.session().await?.query_opt(BY_NAME, &[&name.as_str()]).await?.as_ref().map(read).transpose()
}

fn read(row: &Row) -> Result<Environment, StoreError> {
    Ok(Environment {
        id: EnvironmentId::from_uuid(column::uuid(row, "id")?),
        name: column::parsed(row, "name")?,
        kind: column::parsed(row, "kind")?,
        domain: column::parsed(row, "domain")?,
        sealed_header_key: column::sealed(row, "sealed_header_key")?,
        pool_size: column::count(row, "pool_size")?,
        migrations: column::get::<Option<String>>(row, "migrations_dir")?.map(PathBuf::from),
        seed: column::get::<Option<Json<Seed>>>(row, "seed")?.map(|Json(seed)| seed),
        needs_approval: column::get::<Vec<String>>(row, "needs_approval")?
            .into_iter()
            .map(|word| word.parse().corrupt("needs_approval"))
            .collect::<Result<_, _>>()?,
        created_at: column::get(row, "created_at")?,
    })
}
