//! One file for each resource; handlers read, call one function of the engine, show.

pub(crate) mod adoption;
pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod break_glass;
pub(crate) mod clusters;
pub(crate) mod credentials;
pub(crate) mod doctor;
pub(crate) mod environments;
pub(crate) mod errors;
pub(crate) mod events;
pub(crate) mod keys;
pub(crate) mod node_keys;
pub(crate) mod nodes;
pub(crate) mod operations;
pub(crate) mod principals;
pub(crate) mod residency;
pub(crate) mod roles;
pub(crate) mod tenant_changes;
pub(crate) mod tenants;
pub(crate) mod tokens;
pub(crate) mod usage;
pub(crate) mod webhooks;
pub(crate) mod whoami;
pub(crate) mod words;
