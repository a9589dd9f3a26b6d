//! The keys of one installation: which master key is its own, and data keys at hand for those who seal and open.
//!
//! Promises: before anything is written, the master key is proven to be the one that this catalog is used with; a catalog
//! that has secrets never gets a new one by accident. Data keys of environments and clusters are kept in memory once
//! unwrapped; those of tenants and their databases are not, so that destroying one destroys it everywhere.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::{DataKeyId, InstallationId};
use holm_core::key::{KeyPurpose, MasterKeyId};
use holm_core::secret::Secret;
use holm_store::catalog::Catalog;
use holm_store::data_key::{self, Found, Inserted, KeyOwner, NewDataKey, WrappedKey};
use holm_store::master_key::{self, Standing};
use holm_store::tx::Tx;
use jiff::Timestamp;
use uuid::Uuid;

use super::data_key::DataKey;
use super::master_key::derive;
use super::master_keys::{MasterKeys, not_here};
use super::seal::{Named, Ring, Unwrapped, parse};

/// An installation has tens of environments and clusters; with more, the oldest are unwrapped again when they are needed.
const KEPT_MAX: usize = 1024;

/// How many ids one statement asks for.
const ASKED_MAX: usize = 10_000;

/// The installation's keys.
pub(crate) struct Keys {
    catalog: Catalog,
    masters: MasterKeys,
    installation: InstallationId,
    derivation: DataKey,
    /// When the current master key became so, as last seen.
    rotated_at: Mutex<Timestamp>,
    kept: Mutex<HashMap<DataKeyId, DataKey>>,
}

/// A data key to seal with, and the row that is to keep it if it is new.
pub(crate) struct Sealing {
    pub(crate) key: DataKey,
    new: Option<NewDataKey>,
}

impl Sealing {
    /// The key as it is to be kept, if it is new.
    pub(crate) fn wrapped(&self) -> Option<&WrappedKey> {
        self.new.as_ref().map(|new| &new.key)
    }

    /// Keeps the key, if it is new, in the transaction that keeps what it sealed; its owner's row must be there.
    pub(crate) async fn keep(&self, tx: &mut Tx) -> Result<(), Problem> {
        let Some(new) = &self.new else { return Ok(()) };
        match data_key::insert(tx, new).await? {
            Inserted::Done => Ok(()),
            Inserted::Taken => Err(meanwhile("another process made the same key")),
            Inserted::MasterKeyRetired => Err(meanwhile("the master key was replaced")),
        }
    }
}

impl Keys {
    /// Proves the master key against the catalog; a catalog that was never used takes the one that there is.
    ///
    /// # Errors
    /// [`ErrorCode::WrongMasterKey`] and [`ErrorCode::MasterKeyUnavailable`]; then neither the catalog nor a file was written.
    ///
    /// # Cancel safety
    /// Safe.
    pub(crate) async fn open(catalog: &Catalog, masters: MasterKeys) -> Result<Self, Problem> {
        let standing = master_key::standing(catalog).await?;
        if standing.current.is_none() {
            begin(catalog, &masters, &standing).await?;
        }
        // Read again: of two that begin at once, one has.
        let standing = master_key::standing(catalog).await?;
        let (Some(installation), Some(current)) = (standing.installation, standing.current) else {
            return Err(Problem::new(ErrorCode::Internal, "the catalog has no master key, although one was just recorded"));
        };
        prove(&masters, installation, &current).await?;
        settle(catalog, &masters, &current.id).await?;
        let derivation = derivation(catalog, &masters).await?;
        let (rotated_at, kept) = (Mutex::new(current.created_at), Mutex::default());
        Ok(Self { catalog: catalog.clone(), masters, installation, derivation, rotated_at, kept })
    }

    pub(crate) const fn masters(&self) -> &MasterKeys {
        &self.masters
    }

    pub(crate) const fn installation(&self) -> InstallationId {
        self.installation
    }

    /// A key of its own for one use, always the same for a label, whatever the master key is.
    pub(crate) fn derived(&self, label: &'static str) -> Secret<[u8; 32]> {
        derive(self.derivation.expose(), label)
    }

    /// When the current master key became so, as last seen.
    pub(crate) fn rotated_at(&self) -> Timestamp {
        *self.rotated_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The master key that new data keys are wrapped with; whichever process made it so.
    pub(crate) async fn current(&self) -> Result<MasterKeyId, Problem> {
        let current = master_key::current(&self.catalog).await?;
        let current = current.ok_or_else(|| Problem::new(ErrorCode::Internal, "the catalog has no current master key"))?;
        *self.rotated_at.lock().unwrap_or_else(PoisonError::into_inner) = current.created_at;
        Ok(current.id)
    }

    /// A new key for an owner that has none.
    pub(crate) async fn for_new(&self, owner: KeyOwner, purpose: KeyPurpose) -> Result<Sealing, Problem> {
        let key = DataKey::generate();
        let wrapped = self.masters.wrap(&self.current().await?, std::slice::from_ref(&key)).await?;
        let wrapped = wrapped.into_iter().next().expect("one was given");
        Ok(Sealing { key, new: Some(NewDataKey { owner, purpose, key: wrapped }) })
    }

    /// The key that an owner has, or a new one.
    pub(crate) async fn for_owner(&self, owner: KeyOwner, purpose: KeyPurpose) -> Result<Sealing, Problem> {
        let Some(wrapped) = data_key::of_owner(&self.catalog, owner, purpose).await? else { return self.for_new(owner, purpose).await };
        let (id, master) = (wrapped.id, wrapped.master_key.clone());
        match self.masters.unwrap(vec![wrapped]).await?.remove(&id) {
            Some(Unwrapped::Open(key)) => Ok(Sealing { key, new: None }),
            _ => Err(not_here(&master)),
        }
    }

    /// The keys of values that are read together; `known` are wrapped keys that came with them.
    ///
    /// # Errors
    /// The catalog or Vault does not answer. A key that does not open shows when its value is opened.
    pub(crate) async fn ring(&self, known: Vec<WrappedKey>, sealed: impl IntoIterator<Item = &[u8]>) -> Result<Ring, Problem> {
        let mut ring = Ring::default();
        let mut wanted: HashMap<DataKeyId, Option<WrappedKey>> = HashMap::new();
        for sealed in sealed {
            match parse(sealed) {
                Some((Named::Master(_), _)) if ring.masters.is_empty() => ring.masters = self.masters.locals()?,
                Some((Named::Data(id), _)) => drop(wanted.insert(id, None)),
                Some((Named::Master(_), _)) | None => {}
            }
        }
        {
            let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            wanted.retain(|id, _| kept.get(id).is_none_or(|key| ring.data.insert(*id, Unwrapped::Open(key.clone())).is_some()));
        }
        for key in known {
            wanted.entry(key.id).and_modify(|wanted| *wanted = Some(key));
        }
        let missing: Vec<DataKeyId> = wanted.iter().filter(|(_, key)| key.is_none()).map(|(id, _)| *id).collect();
        for some in missing.chunks(ASKED_MAX) {
            for found in data_key::by_ids(&self.catalog, some).await? {
                match found {
                    Found::Live(key) => drop(wanted.insert(key.id, Some(key))),
                    Found::Destroyed(id) => drop(ring.data.insert(id, Unwrapped::Destroyed)),
                }
            }
        }
        ring.data.extend(self.masters.unwrap(wanted.into_values().flatten().collect()).await?);
        Ok(ring)
    }

    /// As [`Self::ring`] of one value of an environment or a cluster, whose key is kept.
    pub(crate) async fn ring_kept(&self, sealed: &[u8]) -> Result<Ring, Problem> {
        let ring = self.ring(Vec::new(), [sealed]).await?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.extend(ring.data.iter().filter_map(|(id, key)| if let Unwrapped::Open(key) = key { Some((*id, key.clone())) } else { None }));
        drop(kept);
        Ok(ring)
    }
}

/// What is wrapped to prove a master key later: a data key that seals nothing, named as the installation is.
pub(crate) async fn key_check(
    masters: &MasterKeys,
    with: &MasterKeyId,
    installation: InstallationId,
) -> Result<holm_store::sealed::Sealed, Problem> {
    let check = DataKey::from_bytes(DataKeyId::from_uuid(installation.as_uuid()), super::random::bytes());
    Ok(masters.wrap(with, &[check]).await?.remove(0).wrapped)
}

/// The first use of a catalog with data keys. One that has secrets wants the master key that sealed them.
async fn begin(catalog: &Catalog, masters: &MasterKeys, standing: &Standing) -> Result<(), Problem> {
    if standing.sealed_directly {
        let preferred = masters.preferred().await?;
        let preferred = preferred.ok_or_else(missing)?;
        let held = masters.locals()?;
        for old in holm_store::sealed_directly::some(catalog, 1).await? {
            let named = parse(old.sealed.as_bytes()).map(|(named, _)| named);
            if !held.iter().any(|key| named == Some(Named::Master(key.id()))) {
                return Err(wrong(&preferred));
            }
        }
    }
    let master = masters.preferred_or_new().await?;
    let installation = standing.installation.unwrap_or_else(|| InstallationId::from_uuid(Uuid::new_v4()));
    let check = key_check(masters, &master, installation).await?;
    let key = masters.wrap(&master, &[DataKey::generate()]).await?.remove(0);
    let mut tx = catalog.transaction().await?;
    if !master_key::name_installation(&mut tx, installation).await? {
        // Somebody else has begun meanwhile, and what they recorded counts.
        return Ok(tx.rollback().await?);
    }
    if !master_key::make_current(&mut tx, &master, &check).await? {
        return Ok(tx.rollback().await?);
    }
    let new = NewDataKey { owner: KeyOwner::Installation, purpose: KeyPurpose::Derivation, key };
    let _ = data_key::insert(&mut tx, &new).await?;
    tx.commit().await?;
    Ok(())
}

/// Opens what only the right key opens.
async fn prove(masters: &MasterKeys, installation: InstallationId, current: &master_key::MasterKey) -> Result<(), Problem> {
    prove_one(masters, installation, &current.id, &current.key_check).await
}

/// As [`prove`], of a key by its name and what only it opens.
pub(crate) async fn prove_one(
    masters: &MasterKeys,
    installation: InstallationId,
    id: &MasterKeyId,
    key_check: &holm_store::sealed::Sealed,
) -> Result<(), Problem> {
    if !masters.has(id)? {
        return Err(match masters.preferred().await? {
            None => missing(),
            Some(other) => wrong(&other).because(format_args!("the key here is `{other}`; the catalog is used with `{id}`")),
        });
    }
    let named = DataKeyId::from_uuid(installation.as_uuid());
    let check = WrappedKey { id: named, master_key: id.clone(), wrapped: key_check.clone() };
    match masters.unwrap(vec![check]).await?.remove(&named) {
        Some(Unwrapped::Open(_)) => Ok(()),
        _ => Err(wrong(id).because("it does not open what the catalog keeps to prove it")),
    }
}

/// A rotation may have been cut before the files were renamed; a key that the catalog does not know yet waits for one.
async fn settle(catalog: &Catalog, masters: &MasterKeys, current: &MasterKeyId) -> Result<(), Problem> {
    let waits = match masters.preferred().await? {
        Some(preferred) if preferred != *current => master_key::by_id(catalog, &preferred).await?.is_none(),
        _ => false,
    };
    if waits { Ok(()) } else { masters.settle(current) }
}

async fn derivation(catalog: &Catalog, masters: &MasterKeys) -> Result<DataKey, Problem> {
    let wrapped = data_key::of_owner(catalog, KeyOwner::Installation, KeyPurpose::Derivation).await?;
    let wrapped = wrapped.ok_or_else(|| Problem::new(ErrorCode::Internal, "the installation has no key to derive others from"))?;
    let (id, master) = (wrapped.id, wrapped.master_key.clone());
    match masters.unwrap(vec![wrapped]).await?.remove(&id) {
        Some(Unwrapped::Open(key)) => Ok(key),
        _ => Err(not_here(&master)),
    }
}

fn missing() -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, "the master key is missing, and this catalog has secrets that it sealed")
        .next("put back the master key that this catalog was last used with; no new one was made, and nothing was overwritten")
}

fn wrong(have: &MasterKeyId) -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, "the master key is not the one that sealed this catalog's secrets")
        .because(format_args!("the key here is `{have}`"))
        .next("put back the master key that this catalog was last used with; nothing was overwritten")
}

fn meanwhile(why: &str) -> Problem {
    Problem::new(ErrorCode::CatalogUnavailable, "a data key could not be kept").because(why).changed(Changed::Nothing).next("try again")
}
