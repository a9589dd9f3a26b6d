//! Tenants: what an operator does with one.
//!
//! Promises: an act is acknowledged only when the data plane uses it. What is refused changed nothing.

mod create;
mod list;
mod parameters;
mod show;
mod state;

pub use create::{NewTenant, create};
pub use list::list;
pub use show::show;
pub use state::{resume, suspend};
