//! Makes another master key the current one (R59).
//!
//! A key that its source would prefer, and that was never used here, is taken: one that an operator put there, or a version
//! that Vault made by itself. Otherwise the source makes one. Data keys keep their wrapping until [`super::rewrap`].

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::key::MasterKeyId;
use holm_store::audit::record;
use holm_store::master_key;

use crate::control::Control;
use crate::secret::keys::key_check;

/// What a rotation did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rotated {
    /// What new data keys are wrapped with from now on.
    pub current: MasterKeyId,
    /// What they were wrapped with before; it is still needed.
    pub former: MasterKeyId,
}

/// Rotates.
///
/// # Errors
/// The source cannot make a key; somebody else rotates at the same time; then the current key is what it was.
///
/// # Cancel safety
/// Safe: once begun it is finished. Cut by a crash, a key may be left that nobody uses, and is taken by the next rotation.
pub async fn rotate(control: &Control, by: &Actor) -> Result<Rotated, Problem> {
    control.tasks().finish("rotate the master key", act(control.clone(), by.clone())).await
}

async fn act(control: Control, by: Actor) -> Result<Rotated, Problem> {
    let (keys, catalog) = (control.keys(), control.catalog());
    let former = keys.current().await?;
    let current = candidate(&control).await?;
    let installation = master_key::standing(catalog).await?.installation;
    let installation = installation.ok_or_else(|| Problem::new(ErrorCode::Internal, "the catalog does not name the installation"))?;
    // That it wraps is shown before anything depends on it.
    let check = key_check(keys.masters(), &current, installation).await?;
    let mut tx = catalog.transaction().await?;
    if !master_key::make_current(&mut tx, &current, &check).await? {
        tx.rollback().await?;
        return Err(Problem::new(ErrorCode::InvalidValue, format!("master key `{current}` was used here before"))
            .because("somebody else has rotated at the same time, or put an old key back")
            .next("see how things stand: `holm key list`"));
    }
    record(&mut tx, NewEntry::new(&by, AuditAction::KeyRotate, None, Subject::Installation));
    tx.commit().await?;
    keys.masters().settle(&current)?;
    keys.current().await?;
    tracing::info!(key.id = %current, key.former = %former, "the master key was rotated");
    Ok(Rotated { current, former })
}

async fn candidate(control: &Control) -> Result<MasterKeyId, Problem> {
    let masters = control.keys().masters();
    if let Some(preferred) = masters.preferred().await?
        && master_key::by_id(control.catalog(), &preferred).await?.is_none()
    {
        return Ok(preferred);
    }
    masters.make_next().await
}
