//! Webhooks: whom to tell, and how far each has been told; the secret as opaque bytes.
//!
//! Promises: a name means one webhook that is not removed; a removed one keeps its row and what was told to it.

pub mod delivery;
pub mod lease;
pub mod retention;

use holm_core::environment::EnvironmentName;
use holm_core::id::WebhookId;
use holm_core::webhook::{Patterns, WebhookName};
use jiff::Timestamp;
use tokio_postgres::Row;

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;
use crate::sealed::Sealed;
use crate::tx::Tx;

/// How long both secrets sign after a rotation, by the catalog's clock.
pub const OVERLAP_HOURS: i32 = 24;

/// A webhook to be made.
#[derive(Clone, Debug)]
pub struct NewWebhook {
    /// Its identity.
    pub id: WebhookId,
    /// What people call it.
    pub name: WebhookName,
    /// Where it listens.
    pub url: String,
    /// What its messages are signed with.
    pub sealed_secret: Sealed,
    /// What it hears of.
    pub actions: Patterns,
    /// The only environment that it hears of; everything when `None`.
    pub environment: Option<EnvironmentName>,
    /// Whether it may be at an address that is not public.
    pub allow_private: bool,
}

/// A webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    /// Its identity.
    pub id: WebhookId,
    /// What people call it.
    pub name: WebhookName,
    /// Where it listens.
    pub url: String,
    /// What its messages are signed with.
    pub sealed_secret: Sealed,
    /// What they are signed with as well, until the end of a rotation.
    pub sealed_previous: Option<Sealed>,
    /// What it hears of.
    pub actions: Patterns,
    /// The only environment that it hears of.
    pub environment: Option<EnvironmentName>,
    /// Whether it may be at an address that is not public.
    pub allow_private: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last entry of the audit log that was looked at for it.
    pub seq: i64,
    /// Failures in a row.
    pub failures: u32,
    /// Until when it is left alone for them.
    pub paused_until: Option<Timestamp>,
    /// Since when it misses what it is told.
    pub died_at: Option<Timestamp>,
}

/// What became of an [`insert`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub enum Inserted {
    /// It is there.
    Done,
    /// The name is in use.
    Taken,
    /// There is no such environment.
    NoEnvironment,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT w.id, w.name, w.url, w.sealed_secret, w.actions, w.allow_private, w.created_at, w.seq, w.failures, w.paused_until,\n",
            "    w.died_at, e.name AS environment, w.lease_epoch,\n",
            "    CASE WHEN w.previous_until > now() THEN w.sealed_previous END AS sealed_previous\n",
            "FROM webhook w\n",
            "LEFT JOIN environment e ON e.id = w.environment_id\n",
            $rest
        )
    };
}
pub(crate) use select;

/// It hears of what is done from now on.
const INSERT: &str = "\
INSERT INTO webhook (id, name, url, sealed_secret, actions, environment_id, allow_private, seq)
SELECT $1, $2, $3, $4, $5, e.id, $7, h.seq
FROM audit_head h
LEFT JOIN environment e ON e.name = $6
WHERE $6::text IS NULL OR e.id IS NOT NULL
ON CONFLICT DO NOTHING";
const ENVIRONMENT: &str = "SELECT 1 FROM environment WHERE name = $1";
const BY_NAME: &str = select!("WHERE w.name = $1 AND w.disabled_at IS NULL");
const LIST: &str = select!("WHERE w.disabled_at IS NULL\nORDER BY w.name");
const DISABLE: &str = "UPDATE webhook SET disabled_at = now() WHERE name = $1 AND disabled_at IS NULL RETURNING id";
const ROTATE: &str = "\
UPDATE webhook
SET sealed_previous = sealed_secret, previous_until = now() + make_interval(hours => $3), sealed_secret = $2
WHERE name = $1 AND disabled_at IS NULL
RETURNING id";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[INSERT, ENVIRONMENT, BY_NAME, LIST, DISABLE, ROTATE];

/// Makes one.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn insert(tx: &mut Tx, new: &NewWebhook) -> Result<Inserted, StoreError> {
    let environment = new.environment.as_ref().map(EnvironmentName::as_str);
    if environment.is_some() && tx.query_opt(ENVIRONMENT, &[&environment]).await?.is_none() {
        return Ok(Inserted::NoEnvironment);
    }
    let inserted = tx
        .execute(
            INSERT,
            &[
                &new.id.as_uuid(),
                &new.name.as_str(),
                &new.url,
                &new.sealed_secret.as_bytes(),
                &new.actions.as_slice(),
                &environment,
                &new.allow_private,
            ],
        )
        .await?;
    Ok(if inserted == 0 { Inserted::Taken } else { Inserted::Done })
}

/// The one of a name.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn by_name(catalog: &Catalog, name: &WebhookName) -> Result<Option<Webhook>, StoreError> {
    catalog.session().await?.query_opt(BY_NAME, &[&name.as_str()]).await?.as_ref().map(read).transpose()
}

/// All that are not removed, by name: an installation has a few.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(catalog: &Catalog) -> Result<Vec<Webhook>, StoreError> {
    catalog.session().await?.query(LIST, &[]).await?.iter().map(read).collect()
}

/// Removes the one of a name. Returns `None` if there is none.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn disable(tx: &mut Tx, name: &WebhookName) -> Result<Option<WebhookId>, StoreError> {
    let row = tx.query_opt(DISABLE, &[&name.as_str()]).await?;
    row.map(|row| column::uuid(&row, "id").map(WebhookId::from_uuid)).transpose()
}

/// Replaces the secret of the one of a name; the one before signs as well for [`OVERLAP_HOURS`]. Returns `None` if there is none.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: the transaction is rolled back.
pub async fn rotate(tx: &mut Tx, name: &WebhookName, secret: &Sealed) -> Result<Option<WebhookId>, StoreError> {
    let row = tx.query_opt(ROTATE, &[&name.as_str(), &secret.as_bytes(), &OVERLAP_HOURS]).await?;
    row.map(|row| column::uuid(&row, "id").map(WebhookId::from_uuid)).transpose()
}

pub(crate) fn read(row: &Row) -> Result<Webhook, StoreError> {
    Ok(Webhook {
        id: WebhookId::from_uuid(column::uuid(row, "id")?),
        name: column::parsed(row, "name")?,
        url: column::get(row, "url")?,
        sealed_secret: column::sealed(row, "sealed_secret")?,
        sealed_previous: column::sealed_opt(row, "sealed_previous")?,
        actions: Patterns::stored(column::get(row, "actions")?),
        environment: column::parsed_opt(row, "environment")?,
        allow_private: column::get(row, "allow_private")?,
        created_at: column::get(row, "created_at")?,
        seq: column::get(row, "seq")?,
        failures: column::count(row, "failures")?,
        paused_until: column::get(row, "paused_until")?,
        died_at: column::get(row, "died_at")?,
    })
}
