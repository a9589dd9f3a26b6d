//! Secrets: the master key, what it seals, and the SCRAM keys of roles and credentials.
//!
//! Promises: nothing here can be printed, and a secret leaves only sealed, as a verifier, or inside a
//! [`holm_core::secret::Secret`].

pub(crate) mod logins;
pub mod master_key;
pub(crate) mod random;
pub(crate) mod scram;
pub(crate) mod seal;
