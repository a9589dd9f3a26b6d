//! Durable operations: asked for in one transaction, carried out by whichever runner has the lease, told on by people.
//!
//! Promises: killed at any instant an operation is taken up where its journal ends, or undone; whoever lost the lease
//! changes nothing any more, neither in the catalog nor on a cluster. What is done is in a file of the noun it is about
//! (`tenant/delete`), with its steps in a list that `registry` knows.

pub(crate) mod acting;
#[doc(hidden)]
pub mod alone;
pub(crate) mod definition;
pub(crate) mod digest;
mod giving_up;
pub(crate) mod lease;
pub mod people;
pub mod probe;
pub(crate) mod registry;
pub(crate) mod request;
pub(crate) mod runner;
pub(crate) mod running;
pub mod show;
