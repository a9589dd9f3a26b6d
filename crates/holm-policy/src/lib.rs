//! Judges: facts of providers and of law, residency profiles, three-valued verdicts on every copy, and their prose.
//!
//! Promises: a verdict is a function of registry, profile, placement, exceptions and time; what is not known blocks, and every
//! finding names its rule and the facts that it used. Refuses: async, I/O, a clock, randomness, and the word "compliant".

pub mod compare;
pub mod copy;
pub mod country;
pub mod endpoint;
pub mod evaluate;
pub mod fact;
pub mod fleet;
pub mod id;
mod nearest;
pub mod places;
pub mod profile;
pub mod prose;
pub mod reading;
pub mod registry;
pub mod word;
