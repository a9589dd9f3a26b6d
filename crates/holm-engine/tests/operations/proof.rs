//! The proofs, each over every operation.

mod adopting;
mod clock;
mod copying;
mod failed;
mod killed;
mod repeated;
mod restarted;
mod said;
mod stopped;
mod two_processes;
