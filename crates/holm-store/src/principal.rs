//! Principals: people and machines. A name is given once and never again.

use holm_core::actor::{PrincipalKind, PrincipalName};
use holm_core::id::PrincipalId;
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::page::Page;
use crate::row::column;
use crate::tx::Tx;

/// A principal to be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPrincipal {
    /// Its identity.
    pub id: PrincipalId,
    /// Its name, for ever.
    pub name: PrincipalName,
    /// Whether it can be asked.
    pub kind: PrincipalKind,
}

/// A principal as the catalog has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Its identity.
    pub id: PrincipalId,
    /// Its name.
    pub name: PrincipalName,
    /// Whether it can be asked.
    pub kind: PrincipalKind,
    /// When it was made.
    pub created_at: Timestamp,
    /// Since when nothing is let in by its tokens.
    pub disabled_at: Option<Timestamp>,
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, kind, created_at, disabled_at\nFROM principal\n", $rest)
    };
}

const BY_NAME: &str = select!("WHERE name = $1");
/// No name is empty, so the empty text is before the first.
const LIST: &str = select!("WHERE name > $1\nORDER BY name\nLIMIT $2");
const INSERT: &str = "\
INSERT INTO principal (id, name, kind)
VALUES ($1, $2, $3)
ON CONFLICT (name) DO NOTHING
RETURNING id, name, kind, created_at, disabled_at";
const DISABLE: &str = "\
UPDATE principal
SET disabled_at = coalesce(disabled_at, now())
WHERE name = $1
RETURNING id, name, kind, created_at, disabled_at, disabled_at = now() AS now";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[BY_NAME, LIST, INSERT, DISABLE];

/// What became of a [`disable`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Disabled {
    /// Now.
    Done(Principal),
    /// It was so already.
    Already(Principal),
    /// There is none of that name.
    Absent,
}

/// Makes a principal. Returns `None` if the name is taken, also by a disabled one.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewPrincipal) -> Result<Option<Principal>, StoreError> {
    let row = tx.query_opt(INSERT, &[&new.id.as_uuid(), &new.name.as_str(), &new.kind.as_str()]).await?;
    row.as_ref().map(read).transpose()
}

/// Ends everything that a principal may, until the end of time: its tokens are found no more.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn disable(tx: &mut Tx, name: &PrincipalName) -> Result<Disabled, StoreError> {
    let Some(row) = tx.query_opt(DISABLE, &[&name.as_str()]).await? else { return Ok(Disabled::Absent) };
    let principal = read(&row)?;
    Ok(if column::get(&row, "now")? { Disabled::Done(principal) } else { Disabled::Already(principal) })
}

/// The one of a name, disabled or not.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_name(catalog: &Catalog, name: &PrincipalName) -> Result<Option<Principal>, StoreError> {
    catalog.session().await?.query_opt(BY_NAME, &[&name.as_str()]).await?.as_ref().map(read).transpose()
}

/// A page of them, disabled ones too, by name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog, page: &Page<PrincipalName>) -> Result<Vec<Principal>, StoreError> {
    let after = page.after.as_ref().map_or("", PrincipalName::as_str);
    catalog.session().await?.query(LIST, &[&after, &page.rows_max()]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Principal, StoreError> {
    Ok(Principal {
        id: PrincipalId::from_uuid(column::uuid(row, "id")?),
        name: column::parsed(row, "name")?,
        kind: column::parsed(row, "kind")?,
        created_at: column::get(row, "created_at")?,
        disabled_at: column::get(row, "disabled_at")?,
    })
}
