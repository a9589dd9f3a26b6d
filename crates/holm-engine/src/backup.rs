//! What a backup of the catalog needs of the engine: proof of the master key before anything is written, and operations put to
//! rest after a restore.
//!
//! Promises: nothing is carried on by itself after a restore; a person looks first, since the clusters have gone on meanwhile.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_store::audit::record;
use holm_store::backup::{self, Facts};

use crate::control::Control;
use crate::operation::people::{self, Word};
use crate::secret::keys;
use crate::secret::master_keys::MasterKeys;

/// Proves that the master keys that a backup needs are here and are those.
///
/// # Errors
/// [`ErrorCode::WrongMasterKey`], [`ErrorCode::MasterKeyUnavailable`].
///
/// # Cancel safety
/// Safe.
pub async fn prove(masters: &MasterKeys, facts: &Facts) -> Result<(), Problem> {
    let Some(installation) = facts.installation else { return Ok(()) };
    for (id, check) in &facts.master_keys {
        keys::prove_one(masters, installation, id, check).await.map_err(|problem| match problem.code {
            ErrorCode::WrongMasterKey => Problem { next: Vec::new(), ..problem }
                .next(format!("put the master key `{id}` where Holm looks for it; nothing was written")),
            _ => problem,
        })?;
    }
    Ok(())
}

/// Records that a backup was taken: whoever has it and the master key has everything.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it is recorded or not.
pub async fn taken(catalog: &holm_store::catalog::Catalog, by: &Actor) -> Result<(), Problem> {
    note(catalog, by, AuditAction::CatalogBackup).await
}

/// Puts every operation of a restored catalog to rest, and records the restore. Returns those that a person must look at.
///
/// # Errors
/// The catalog does not answer; doing it again goes on where it was.
///
/// # Cancel safety
/// Safe: what was not put to rest yet is not due for a century.
pub async fn restored(control: &Control, by: &Actor) -> Result<Vec<OperationId>, Problem> {
    let unfinished = backup::unfinished(control.catalog()).await?;
    for id in &unfinished {
        match people::tell(control, by, *id, Word::Pause).await {
            // Paused already, or nothing that can be paused: it is not due either way.
            Err(problem) if matches!(problem.code, ErrorCode::OperationCannot | ErrorCode::OperationBroken) => {}
            other => drop(other?),
        }
    }
    note(control.catalog(), by, AuditAction::CatalogRestore).await?;
    Ok(unfinished)
}

async fn note(catalog: &holm_store::catalog::Catalog, by: &Actor, action: AuditAction) -> Result<(), Problem> {
    let mut tx = catalog.transaction().await?;
    record(&mut tx, NewEntry::new(by, action, None, Subject::Installation));
    tx.commit().await?;
    Ok(())
}
