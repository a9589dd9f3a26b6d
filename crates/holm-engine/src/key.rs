//! Master keys and the data keys that they wrap: seen, rotated, wrapped anew, destroyed (ADR-0008).
//!
//! Promises: whichever of these is cut, every secret still opens, and doing it again goes on from there. Refuses to remove
//! a master key: Holm says which one nothing names any more, and people decide how long backups of the catalog want it.

pub mod bundle;
pub mod destroy;
pub mod rewrap;
pub mod rotate;

#[cfg(test)]
mod tests;

use holm_core::error::Problem;
use holm_core::key::MasterKeyId;
use holm_store::master_key;
use jiff::Timestamp;

use crate::control::Control;

/// Where a master key is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// New data keys are wrapped with it.
    Current,
    /// It is still named: keep it.
    Former,
    /// Nothing in the catalog names it.
    Retired,
}

/// A master key that this catalog is or was used with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MasterKeyUse {
    /// Its name.
    pub id: MasterKeyId,
    /// Where it is in its life.
    pub state: KeyState,
    /// Whether this process has it.
    pub here: bool,
    /// Data keys that are wrapped with it.
    pub data_keys: u64,
    /// Secrets that an older Holm sealed with it directly.
    pub sealed_directly: u64,
    /// When it became current.
    pub created_at: Timestamp,
    /// When nothing named it any more.
    pub retired_at: Option<Timestamp>,
}

/// All of them, the current one first.
///
/// # Errors
/// The catalog does not answer, or a key file cannot be read.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<MasterKeyUse>, Problem> {
    let masters = control.keys().masters();
    let uses = master_key::uses(control.catalog()).await?;
    uses.into_iter().map(|seen| Ok(MasterKeyUse { here: masters.has(&seen.key.id)?, ..MasterKeyUse::from(seen) })).collect()
}

impl From<master_key::Use> for MasterKeyUse {
    fn from(seen: master_key::Use) -> Self {
        let state = match (seen.key.current, seen.key.retired_at) {
            (true, _) => KeyState::Current,
            (false, None) => KeyState::Former,
            (false, Some(_)) => KeyState::Retired,
        };
        Self {
            id: seen.key.id,
            state,
            here: false,
            data_keys: seen.data_keys,
            sealed_directly: seen.sealed_directly,
            created_at: seen.key.created_at,
            retired_at: seen.key.retired_at,
        }
    }
}
