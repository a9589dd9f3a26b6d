//! One file for each resource; handlers read, call one function of the engine, show.

pub(crate) mod clusters;
pub(crate) mod credentials;
pub(crate) mod doctor;
pub(crate) mod environments;
pub(crate) mod tenants;
