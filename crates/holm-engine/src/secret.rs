//! Secrets: master keys, the data keys that they wrap, what those seal, and the SCRAM keys of roles and credentials.
//!
//! Promises: nothing here can be printed, and a secret leaves only sealed, as a verifier, or inside a
//! [`holm_core::secret::Secret`].

pub(crate) mod adopted;
pub(crate) mod carried;
pub(crate) mod data_key;
mod gcm;
mod key_file;
pub(crate) mod keys;
pub(crate) mod logins;
pub mod master_key;
pub mod master_keys;
pub(crate) mod random;
pub mod sample;
pub(crate) mod scram;
pub(crate) mod seal;
pub mod vault;
