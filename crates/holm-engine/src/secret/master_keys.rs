//! Where master keys are: files, the environment, Vault; the first source is where a new one comes from.
//!
//! Promises: a data key is wrapped with the master key that is named and no other; what no source knows is told apart from
//! what does not open. Refuses to make a master key unless that was asked for.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::DataKeyId;
use holm_core::key::MasterKeyId;
use holm_core::secret::Secret;
use holm_store::data_key::WrappedKey;
use holm_store::sealed::Sealed;
use uuid::Uuid;

use super::data_key::DataKey;
use super::key_file::KeyFile;
use super::master_key::MasterKey;
use super::seal::Unwrapped;
use super::vault::{Vault, VaultConfig};

/// A year: what auditors ask for, and seldom enough that people do it with care.
const ROTATE_AFTER: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Opening one takes about a microsecond, handing them to another thread some tens.
const INLINE_MAX: usize = 100;

/// One place where master keys are.
#[derive(Clone, Debug)]
pub struct KeySource(Source);

#[derive(Clone, Debug)]
enum Source {
    File(KeyFile),
    /// The first is the one to use, the others only open.
    Given(Vec<MasterKey>),
    Vault(Box<Vault>),
}

impl KeySource {
    /// `master.key` and its kin; the file is made when a catalog is used for the first time.
    pub fn file(path: PathBuf) -> Self {
        Self(Source::File(KeyFile::new(path)))
    }

    /// Keys that were handed over, the one to use first.
    ///
    /// # Errors
    /// [`ErrorCode::WrongMasterKey`] for a text that is not 32 bytes in hexadecimal or base64; the text is not repeated.
    pub fn given(texts: &[Secret<String>]) -> Result<Self, Problem> {
        let read = |text: &Secret<String>| MasterKey::from_text(text.expose()).ok_or_else(|| not_a_key(text.expose().trim().len()));
        texts.iter().map(read).collect::<Result<_, _>>().map(|keys| Self(Source::Given(keys)))
    }

    /// A key of Vault's or OpenBao's transit engine.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] for an address or a name that cannot be used.
    pub fn vault(config: VaultConfig) -> Result<Self, Problem> {
        Vault::new(config).map(|vault| Self(Source::Vault(Box::new(vault))))
    }

    /// What people call it.
    const fn kind(&self) -> &'static str {
        match self.0 {
            Source::File(_) => "file",
            Source::Given(_) => "environment",
            Source::Vault(_) => "vault",
        }
    }

    fn local(&self) -> Result<Vec<MasterKey>, Problem> {
        match &self.0 {
            Source::File(file) => file.all(),
            Source::Given(keys) => Ok(keys.clone()),
            Source::Vault(_) => Ok(Vec::new()),
        }
    }
}

/// All master keys that this process may use.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    sources: Vec<KeySource>,
    rotate_after: Duration,
}

impl From<MasterKey> for MasterKeys {
    fn from(key: MasterKey) -> Self {
        Self::new(KeySource(Source::Given(vec![key])))
    }
}

impl MasterKeys {
    /// One source, where new keys come from.
    pub fn new(source: KeySource) -> Self {
        Self { sources: vec![source], rotate_after: ROTATE_AFTER }
    }

    /// One more, which only opens what its keys wrapped.
    #[must_use]
    pub fn and(mut self, source: KeySource) -> Self {
        self.sources.push(source);
        self
    }

    /// After how long a master key should be replaced; a year, when nobody says otherwise.
    #[must_use]
    pub const fn rotate_after(mut self, age: Duration) -> Self {
        self.rotate_after = age;
        self
    }

    pub(crate) const fn rotation_period(&self) -> Duration {
        self.rotate_after
    }

    /// Where new keys come from, in a word.
    pub(crate) fn kind(&self) -> &'static str {
        self.sources[0].kind()
    }

    /// The key that the first source would use; `None` where there is none yet.
    pub(crate) async fn preferred(&self) -> Result<Option<MasterKeyId>, Problem> {
        Ok(match &self.sources[0].0 {
            Source::File(file) => file.first()?.map(|key| key.id().name()),
            Source::Given(keys) => keys.first().map(|key| key.id().name()),
            Source::Vault(vault) => Some(vault.name(vault.newest().await?)),
        })
    }

    /// As [`Self::preferred`]; a missing file is made.
    pub(crate) async fn preferred_or_new(&self) -> Result<MasterKeyId, Problem> {
        match (self.preferred().await?, &self.sources[0].0) {
            (Some(id), _) => Ok(id),
            (None, Source::File(file)) => file.create().map(|key| key.id().name()),
            (None, _) => Err(not_a_key(0)),
        }
    }

    /// Makes one more key, which is not used before it is made current.
    pub(crate) async fn make_next(&self) -> Result<MasterKeyId, Problem> {
        match &self.sources[0].0 {
            Source::File(file) => file.create_next().map(|key| key.id().name()),
            Source::Vault(vault) => Ok(vault.name(vault.rotate().await?)),
            Source::Given(_) => Err(Problem::new(ErrorCode::InvalidValue, "there is no other master key to rotate to")
                .because("the master key comes from the environment, where Holm cannot put a new one")
                .next("start every Holm with the new key in `HOLM_MASTER_KEY` and the old one in `HOLM_MASTER_KEY_PREVIOUS`, then again")),
        }
    }

    /// Brings names in order, where keys lie in files.
    pub(crate) fn settle(&self, current: &MasterKeyId) -> Result<(), Problem> {
        match &self.sources[0].0 {
            Source::File(file) if file.all()?.iter().any(|key| key.id().name() == *current) => file.settle(current),
            _ => Ok(()),
        }
    }

    /// Which keys are here; a version of a key in Vault counts as here.
    pub(crate) fn has(&self, id: &MasterKeyId) -> Result<bool, Problem> {
        Ok(self.vault_of(id).is_some() || self.local(id)?.is_some())
    }

    /// Keys of 32 bytes, which may have sealed values of an older Holm.
    pub(crate) fn locals(&self) -> Result<Vec<MasterKey>, Problem> {
        let mut keys = Vec::new();
        for source in &self.sources {
            keys.extend(source.local()?);
        }
        Ok(keys)
    }

    fn local(&self, id: &MasterKeyId) -> Result<Option<MasterKey>, Problem> {
        for source in &self.sources {
            let found = match &source.0 {
                Source::File(file) => file.find(id)?,
                Source::Given(keys) => keys.iter().find(|key| key.id().name() == *id).cloned(),
                Source::Vault(_) => None,
            };
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    fn vault_of(&self, id: &MasterKeyId) -> Option<(&Vault, u64)> {
        self.sources.iter().find_map(|source| match &source.0 {
            Source::Vault(vault) => Some((&**vault, vault.version_of(id)?)),
            _ => None,
        })
    }

    /// Wraps data keys with one master key.
    ///
    /// # Errors
    /// It is not here, or Vault does not do it.
    pub(crate) async fn wrap(&self, with: &MasterKeyId, keys: &[DataKey]) -> Result<Vec<WrappedKey>, Problem> {
        let wrapped: Vec<Vec<u8>> = if let Some((vault, version)) = self.vault_of(with) {
            let plain: Vec<_> = keys.iter().map(named_key).collect();
            let wrapped = vault.encrypt(version, &plain).await?;
            wrapped.into_iter().map(|each| each.map(|bytes| bytes.expose().clone())).collect::<Result<_, _>>().map_err(not_wrapped)?
        } else {
            let master = self.local(with)?.ok_or_else(|| not_here(with))?;
            keys.iter().map(|key| master.wrap(key)).collect()
        };
        let row =
            |(key, wrapped): (&DataKey, Vec<u8>)| WrappedKey { id: key.id(), master_key: with.clone(), wrapped: Sealed::new(wrapped) };
        Ok(keys.iter().zip(wrapped).map(row).collect())
    }

    /// Wraps wrapped keys anew; those that cannot be opened are left out.
    ///
    /// # Errors
    /// As [`Self::wrap`].
    pub(crate) async fn rewrap(&self, with: &MasterKeyId, keys: &[WrappedKey]) -> Result<Vec<WrappedKey>, Problem> {
        if let Some((vault, version)) = self.vault_of(with)
            && keys.iter().all(|key| vault.version_of(&key.master_key).is_some())
        {
            let bytes: Vec<&[u8]> = keys.iter().map(|key| key.wrapped.as_bytes()).collect();
            let each = vault.rewrap(version, &bytes).await?;
            let row = |(key, wrapped): (&WrappedKey, Secret<Vec<u8>>)| WrappedKey {
                id: key.id,
                master_key: with.clone(),
                wrapped: Sealed::new(wrapped.expose().clone()),
            };
            return Ok(keys.iter().zip(each).filter_map(|(key, each)| each.ok().map(|wrapped| row((key, wrapped)))).collect());
        }
        let opened = self.unwrap(keys.to_vec()).await?;
        let open = opened.into_values().filter_map(|key| if let Unwrapped::Open(key) = key { Some(key) } else { None });
        self.wrap(with, &open.collect::<Vec<_>>()).await
    }

    /// Unwraps data keys, each with the master key that it names.
    ///
    /// # Errors
    /// Vault does not answer, or a file cannot be read; a key that does not open is an answer, not an error.
    pub(crate) async fn unwrap(&self, keys: Vec<WrappedKey>) -> Result<HashMap<DataKeyId, Unwrapped>, Problem> {
        let (mut in_vault, mut local): (Vec<(&Vault, Vec<WrappedKey>)>, Vec<WrappedKey>) = (Vec::new(), Vec::new());
        for key in keys {
            match self.vault_of(&key.master_key) {
                None => local.push(key),
                Some((vault, _)) => match in_vault.iter_mut().find(|(known, _)| std::ptr::eq(*known, vault)) {
                    Some((_, keys)) => keys.push(key),
                    None => in_vault.push((vault, vec![key])),
                },
            }
        }
        let mut opened = HashMap::with_capacity(local.len());
        if !local.is_empty() {
            let mut masters = HashMap::new();
            for key in &local {
                if !masters.contains_key(&key.master_key) {
                    masters.insert(key.master_key.clone(), self.local(&key.master_key)?);
                }
            }
            let count = local.len();
            let work = move || unwrap_locally(&masters, &local);
            opened.extend(if count <= INLINE_MAX {
                work()
            } else {
                tokio::task::spawn_blocking(work).await.expect("unwrapping does not panic")
            });
        }
        for (vault, keys) in in_vault {
            let bytes: Vec<&[u8]> = keys.iter().map(|key| key.wrapped.as_bytes()).collect();
            for (key, each) in keys.iter().zip(vault.decrypt(&bytes).await?) {
                let open = each.ok().and_then(|plain| key_named(key.id, &plain)).map_or(Unwrapped::OtherKey, Unwrapped::Open);
                opened.insert(key.id, open);
            }
        }
        Ok(opened)
    }
}

fn unwrap_locally(masters: &HashMap<MasterKeyId, Option<MasterKey>>, keys: &[WrappedKey]) -> Vec<(DataKeyId, Unwrapped)> {
    let open = |key: &WrappedKey| masters.get(&key.master_key)?.as_ref()?.unwrap(key.id, key.wrapped.as_bytes());
    keys.iter().map(|key| (key.id, open(key).map_or(Unwrapped::OtherKey, Unwrapped::Open))).collect()
}

/// What Vault is given to wrap: the id goes in with the key, since `rewrap` carries nothing else along.
fn named_key(key: &DataKey) -> Secret<Vec<u8>> {
    Secret::new([key.id().as_uuid().as_bytes().as_slice(), key.expose()].concat())
}

fn key_named(id: DataKeyId, plain: &Secret<Vec<u8>>) -> Option<DataKey> {
    let (named, key) = plain.expose().split_first_chunk::<16>()?;
    (Uuid::from_bytes(*named) == id.as_uuid()).then_some(())?;
    key.try_into().ok().map(|key| DataKey::from_bytes(id, key))
}

fn not_a_key(length: usize) -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, format!("a master key of {length} characters is not 32 bytes in hexadecimal or base64"))
        .next("make one with `openssl rand -base64 32`, unless this catalog has been used before: then it wants the key it had")
}

/// A key that is named and that nobody here has.
pub(crate) fn not_here(id: &MasterKeyId) -> Problem {
    Problem::new(ErrorCode::WrongMasterKey, format!("the master key `{id}`, which this catalog is used with, is not here"))
        .next("put back the master key that this catalog was last used with; nothing was overwritten")
}

fn not_wrapped(why: String) -> Problem {
    Problem::new(ErrorCode::MasterKeyUnavailable, "Vault has not wrapped a data key").because(why).next("see Vault's own log")
}
