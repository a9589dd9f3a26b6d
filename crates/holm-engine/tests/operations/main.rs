//! What every durable operation promises, proven for each by the same means: repeated, failed, killed, stopped, restarted.
//!
//! To add an operation: 1. write `subject/<noun>_<verb>.rs` with one `SUBJECT` that says how to set the stage, how to ask
//! for the operation and what the world looks like once it succeeded; 2. name it in `subject.rs`; 3. its stage lists the
//! tenants, databases and clusters that must be *exactly as before* when it is undone, and has a server to itself where
//! whole clusters change (`servers.rs`, which says so by the kind); 4. it must not wait for a person or
//! for long (a grace period of 0); 5. `cargo test -p holm-engine --test operations` runs every proof over it, and fails
//! until it is there. A failure names the proof (the test), the operation, the step and the moment.

#[cfg(test)]
mod brought;
#[cfg(test)]
mod case;
#[cfg(test)]
mod child;
#[cfg(test)]
mod order;
#[cfg(test)]
mod proof;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod subject;
#[cfg(test)]
mod world;
