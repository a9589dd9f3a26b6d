//! Contracts, clauses and assessments that are on file: with whom or of where, since when, and by which document (R6).
//!
//! Promises: what was on file at a time can still be told later; a paper of one environment counts in no other.

use holm_core::environment::EnvironmentName;
use holm_core::id::EnvironmentId;
use jiff::Timestamp;
use jiff::civil::Date;
use tokio_postgres::Row;
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::{Corrupt, column};
use crate::tx::Tx;

const IN_FORCE: &str = "\
SELECT p.id, e.name AS environment, p.kind, p.entity, p.country, p.signed_on, p.ends_on, p.edition, p.document_sha256, p.kept_at
FROM residency_paper p
LEFT JOIN environment e ON e.id = p.environment_id
WHERE p.removed_at IS NULL
ORDER BY p.entity, p.country, p.kind, p.signed_on, p.id";
const AT: &str = "\
SELECT p.id, e.name AS environment, p.kind, p.entity, p.country, p.signed_on, p.ends_on, p.edition, p.document_sha256, p.kept_at
FROM residency_paper p
LEFT JOIN environment e ON e.id = p.environment_id
WHERE p.kept_at <= $1 AND (p.removed_at IS NULL OR p.removed_at > $1)
ORDER BY p.entity, p.country, p.kind, p.signed_on, p.id";
const KEEP: &str = "\
INSERT INTO residency_paper (id, environment_id, kind, entity, country, signed_on, ends_on, edition, document_sha256)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
const REMOVE: &str = "UPDATE residency_paper SET removed_at = now() WHERE id = $1 AND removed_at IS NULL";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[IN_FORCE, AT, KEEP, REMOVE];

/// What a paper is of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Of {
    /// Signed with a company, as the registry calls it.
    Company(String),
    /// An assessment of transfers to a country, as ISO 3166-1 calls it: `US`.
    Country(String),
}

impl Of {
    /// What it is called.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Company(name) | Self::Country(name) => name,
        }
    }

    /// The company.
    pub fn company(&self) -> Option<&str> {
        if let Self::Company(name) = self { Some(name) } else { None }
    }

    /// The country.
    pub fn country(&self) -> Option<&str> {
        if let Self::Country(name) = self { Some(name) } else { None }
    }
}

/// A paper to be put on file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewPaper {
    /// Its identity.
    pub id: Uuid,
    /// The only environment that it is for, if it is for one.
    pub environment: Option<EnvironmentId>,
    /// What it is: `dpa`.
    pub kind: String,
    /// With whom, or of where.
    pub of: Of,
    /// Since when it holds.
    pub signed_on: Date,
    /// The first day on which it no longer does.
    pub ends_on: Option<Date>,
    /// Which edition of it.
    pub edition: Option<String>,
    /// SHA-256 of the document.
    pub document_sha256: Option<[u8; 32]>,
}

/// A paper on file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Paper {
    /// Its identity.
    pub id: Uuid,
    /// The only environment that it is for, if it is for one.
    pub environment: Option<EnvironmentName>,
    /// What it is.
    pub kind: String,
    /// With whom, or of where.
    pub of: Of,
    /// Since when it holds.
    pub signed_on: Date,
    /// The first day on which it no longer does.
    pub ends_on: Option<Date>,
    /// Which edition of it.
    pub edition: Option<String>,
    /// SHA-256 of the document.
    pub document_sha256: Option<[u8; 32]>,
    /// When it was put on file.
    pub kept_at: Timestamp,
}

/// Puts a paper on file. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn keep(tx: &mut Tx, new: &NewPaper) -> Result<(), StoreError> {
    let environment = new.environment.map(|id| id.as_uuid());
    let (company, country) = (new.of.company(), new.of.country());
    let document = new.document_sha256.as_ref().map(<[u8; 32]>::as_slice);
    tx.execute(KEEP, &[&new.id, &environment, &new.kind, &company, &country, &new.signed_on, &new.ends_on, &new.edition, &document])
        .await
        .map(drop)
}

/// Takes a paper off file. Returns whether it was there. The caller has advanced the epoch.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn remove(tx: &mut Tx, id: Uuid) -> Result<bool, StoreError> {
    Ok(tx.execute(REMOVE, &[&id]).await? > 0)
}

/// Those on file.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn on_file_within(tx: &mut Tx) -> Result<Vec<Paper>, StoreError> {
    tx.query(IN_FORCE, &[]).await?.iter().map(read).collect()
}

/// As [`on_file_within`], outside any transaction.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn on_file(catalog: &Catalog) -> Result<Vec<Paper>, StoreError> {
    catalog.session().await?.query(IN_FORCE, &[]).await?.iter().map(read).collect()
}

/// Those that were on file at a time.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn at(catalog: &Catalog, at: Timestamp) -> Result<Vec<Paper>, StoreError> {
    catalog.session().await?.query(AT, &[&at]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Paper, StoreError> {
    let document = column::get::<Option<&[u8]>>(row, "document_sha256")?;
    Ok(Paper {
        id: column::uuid(row, "id")?,
        environment: column::parsed_opt(row, "environment")?,
        kind: column::get(row, "kind")?,
        of: match column::get(row, "entity")? {
            Some(company) => Of::Company(company),
            None => Of::Country(column::get(row, "country")?),
        },
        signed_on: column::get(row, "signed_on")?,
        ends_on: column::get(row, "ends_on")?,
        edition: column::get(row, "edition")?,
        document_sha256: document.map(TryInto::try_into).transpose().corrupt("document_sha256")?,
        kept_at: column::get(row, "kept_at")?,
    })
}
