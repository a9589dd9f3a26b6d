//! A secret in the state of an operation: sealed with the data key of what is to own it, which travels with it, wrapped,
//! until its owner has a row.
//!
//! Promises: JSON of it opens only with the master key, and only as what it was sealed as. No rewrap of the catalog's keys
//! finds this one, so that each operation that has one renews it in the step before the one that keeps it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::DataKeyId;
use holm_core::key::KeyPurpose;
use holm_core::secret::Secret;
use holm_store::data_key::{self, Inserted, KeyOwner, NewDataKey, WrappedKey};
use holm_store::sealed::Sealed;
use holm_store::tx::Tx;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::keys::Keys;
use super::master_keys::not_here;
use super::seal::{Purpose, Ring};

/// A sealed value and its key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Carried {
    /// Base64.
    sealed: String,
    key: Uuid,
    master_key: String,
    /// Base64.
    wrapped: String,
}

impl Carried {
    /// Seals a value for an owner that is not there yet; `seal` is given its key.
    pub(crate) async fn seal(
        keys: &Keys,
        (owner, of): (KeyOwner, KeyPurpose),
        seal: impl FnOnce(&super::data_key::DataKey) -> Vec<u8>,
    ) -> Result<Self, Problem> {
        let sealing = keys.for_new(owner, of).await?;
        let wrapped = sealing.wrapped().ok_or_else(damaged)?;
        Ok(Self {
            sealed: STANDARD.encode(seal(&sealing.key)),
            key: wrapped.id.as_uuid(),
            master_key: wrapped.master_key.to_string(),
            wrapped: STANDARD.encode(wrapped.wrapped.as_bytes()),
        })
    }

    /// Wraps its key with the master key that is current now, if another has become so since. Not in a transaction: Vault
    /// may have to be asked.
    ///
    /// # Errors
    /// The former master key is not here any more.
    pub(crate) async fn renew(&mut self, keys: &Keys) -> Result<(), Problem> {
        let (current, before) = (keys.current().await?, self.wrapped()?);
        if before.master_key == current {
            return Ok(());
        }
        let after = keys.masters().rewrap(&current, std::slice::from_ref(&before)).await?.pop();
        let after = after.ok_or_else(|| not_here(&before.master_key))?;
        self.master_key = after.master_key.to_string();
        self.wrapped = STANDARD.encode(after.wrapped.as_bytes());
        Ok(())
    }

    /// As the catalog keeps it.
    pub(crate) fn sealed(&self) -> Sealed {
        Sealed::new(STANDARD.decode(&self.sealed).unwrap_or_default())
    }

    /// What opens it.
    pub(crate) async fn ring(&self, keys: &Keys) -> Result<Ring, Problem> {
        keys.ring(vec![self.wrapped()?], [self.sealed().as_bytes()]).await
    }

    /// Opens a text.
    pub(crate) async fn open(&self, keys: &Keys, purpose: Purpose) -> Result<Secret<String>, Problem> {
        Ok(self.ring(keys).await?.unseal_text(purpose, self.sealed().as_bytes())?)
    }

    /// Keeps the key, in the transaction that keeps the value; its owner's row must be there.
    ///
    /// # Errors
    /// The master key was replaced meanwhile: then only beginning anew helps.
    pub(crate) async fn keep(&self, tx: &mut Tx, (owner, purpose): (KeyOwner, KeyPurpose)) -> Result<(), Problem> {
        match data_key::insert(tx, &NewDataKey { owner, purpose, key: self.wrapped()? }).await? {
            Inserted::Done => Ok(()),
            Inserted::Taken | Inserted::MasterKeyRetired => {
                Err(Problem::new(ErrorCode::OperationUndone, "the master key was replaced while the secret was on its way")
                    .changed(Changed::Nothing)
                    .next("ask for it again"))
            }
        }
    }

    fn wrapped(&self) -> Result<WrappedKey, Problem> {
        Ok(WrappedKey {
            id: DataKeyId::from_uuid(self.key),
            master_key: self.master_key.parse().map_err(|_| damaged())?,
            wrapped: Sealed::new(STANDARD.decode(&self.wrapped).map_err(|_| damaged())?),
        })
    }
}

fn damaged() -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, "a secret in the state of an operation cannot be read")
}
