//! Carries: PostgreSQL sessions and HTTP requests to the tenant they are for.
//!
//! Promises: both decide from the newest route table alone, and acknowledge one only when what it forbids is closed.
//! Refuses: the catalog, a default tenant, a look at SQL.

pub mod gateway;
pub mod postgres;
