//! Wraps every data key with the current master key, some at a time, and seals anew what an older Holm sealed directly.
//!
//! Promises: each step is whole, so that it may be stopped anywhere and repeated by anyone; a former master key is retired
//! only when, under a lock that keeps new rows out, nothing names it.

use std::collections::HashMap;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::DataKeyId;
use holm_core::key::{KeyPurpose, MasterKeyId};
use holm_store::audit::record;
use holm_store::data_key::{self, KeyOwner, Rewrapped, WrappedKey};
use holm_store::master_key::{self, Retired};
use holm_store::sealed::Sealed;
use holm_store::sealed_directly::{self, SealedDirectly};

use crate::control::Control;
use crate::secret::seal::Purpose;

/// One answer of Vault, one short transaction.
const BATCH: u32 = 500;

/// What one step did, and what is left.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Progress {
    /// How many this step wrapped or sealed anew.
    pub done: u64,
    /// How many are left.
    pub left: u64,
    /// Master keys that nothing names any more since this step.
    pub retired: Vec<MasterKeyId>,
}

/// One step; repeat it until nothing is left.
///
/// # Errors
/// A former master key is not here, or the current one cannot be used; what was wrapped before stays so.
///
/// # Cancel safety
/// Safe: once begun a step is finished.
pub async fn rewrap(control: &Control, by: &Actor) -> Result<Progress, Problem> {
    control.tasks().finish("wrap data keys anew", act(control.clone(), by.clone())).await
}

async fn act(control: Control, by: Actor) -> Result<Progress, Problem> {
    let current = control.keys().current().await?;
    let mut done = wrapped_otherwise(&control, &by, &current).await?;
    if done == 0 {
        done = directly_sealed(&control).await?;
    }
    let uses = master_key::uses(control.catalog()).await?;
    let former = uses.iter().filter(|seen| seen.key.id != current).map(|seen| seen.data_keys).sum::<u64>();
    let left = former + uses.iter().map(|seen| seen.sealed_directly).sum::<u64>();
    let mut retired = Vec::new();
    for seen in uses.into_iter().filter(|seen| !seen.key.current && seen.key.retired_at.is_none()) {
        let mut tx = control.catalog().transaction().await?;
        if master_key::retire(&mut tx, &seen.key.id).await? == Retired::Done {
            tx.commit().await?;
            tracing::info!(key.id = %seen.key.id, "nothing names this master key any more");
            retired.push(seen.key.id);
        }
    }
    Ok(Progress { done, left, retired })
}

async fn wrapped_otherwise(control: &Control, by: &Actor, current: &MasterKeyId) -> Result<u64, Problem> {
    let batch = data_key::wrapped_otherwise(control.catalog(), current, BATCH).await?;
    if batch.is_empty() {
        return Ok(0);
    }
    let mut after: HashMap<DataKeyId, WrappedKey> =
        control.keys().masters().rewrap(current, &batch).await?.into_iter().map(|key| (key.id, key)).collect();
    let (mut keys, mut shut) = (Vec::with_capacity(batch.len()), Vec::new());
    for before in batch {
        match after.remove(&before.id) {
            Some(after) => keys.push(Rewrapped { before, after }),
            None => shut.push(before),
        }
    }
    let mut tx = control.catalog().transaction().await?;
    let done = data_key::rewrap(&mut tx, current, &keys).await?.ok_or_else(rotated_meanwhile)?;
    record(&mut tx, NewEntry::new(by, AuditAction::KeyRewrap, None, Subject::Installation));
    tx.commit().await?;
    match shut.first() {
        None => Ok(done),
        Some(first) => Err(Problem::new(ErrorCode::WrongMasterKey, format!("{} data keys cannot be unwrapped", shut.len()))
            .because(format_args!("master key `{}` is not here, or does not open `{}`", first.master_key, first.id))
            .next("put that master key back beside the current one, then again: what was wrapped anew stays so")),
    }
}

/// Each in a transaction of its own: the new value and the key that it names.
async fn directly_sealed(control: &Control) -> Result<u64, Problem> {
    let mut done = 0;
    for old in sealed_directly::some(control.catalog(), BATCH).await? {
        done += u64::from(seal_anew(control, &old).await?);
    }
    Ok(done)
}

async fn seal_anew(control: &Control, old: &SealedDirectly) -> Result<bool, Problem> {
    let (purpose, key_purpose) = match old.owner {
        KeyOwner::Environment(id) => (Purpose::HeaderKey(id), KeyPurpose::HeaderKey),
        KeyOwner::Cluster(id) => (Purpose::AdminPassword(id), KeyPurpose::AdminPassword),
        KeyOwner::Database(id) => (Purpose::Logins(id), KeyPurpose::Logins),
        KeyOwner::Installation | KeyOwner::Tenant(_) => return Ok(false),
    };
    let ring = control.keys().ring(Vec::new(), [old.sealed.as_bytes()]).await?;
    let plain = ring.unseal(purpose, old.sealed.as_bytes())?;
    let sealing = control.keys().for_owner(old.owner, key_purpose).await?;
    let mut tx = control.catalog().transaction().await?;
    if !sealed_directly::replace(&mut tx, old, &Sealed::new(sealing.key.seal(purpose, plain.expose()))).await? {
        return Ok(false);
    }
    sealing.keep(&mut tx).await?;
    tx.commit().await?;
    Ok(true)
}

fn rotated_meanwhile() -> Problem {
    Problem::new(ErrorCode::InvalidValue, "the master key was rotated again meanwhile").next("again: `holm key rewrap`")
}
