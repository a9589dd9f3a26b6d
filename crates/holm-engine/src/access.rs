//! Access: who may ask Holm for what, and what is written down about it.
//!
//! Promises: a caller is a principal by a token that is neither revoked nor over, and may what the one table says
//! ([`holm_core::access`]); what is denied is logged, and told in the audit log up to a bound. Whatever changes here is told
//! there in the same transaction.

pub mod bootstrap;
pub mod break_glass;
mod caller;
pub(crate) mod denials;
pub mod principal;
pub mod role;
pub mod token;

pub use caller::{Caller, authenticate};
