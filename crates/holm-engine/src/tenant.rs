//! Tenants: what an operator does with one.
//!
//! Promises: an act is acknowledged only when the data plane uses it. What is refused changed nothing.

pub mod adopt;
pub mod copy;
mod create;
pub mod delete;
pub mod extend;
pub mod limits;
mod list;
mod parameters;
pub mod pause;
pub(crate) mod placing;
pub mod rename;
pub mod rotate_roles;
mod show;
mod state;
mod unchanged;
pub mod waiting;

pub use create::{NewTenant, create};
pub use list::list;
pub use show::show;
pub use state::{resume, resume_at, suspend, suspend_at};
use unchanged::unchanged;
