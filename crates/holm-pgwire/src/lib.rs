//! Speaks: PostgreSQL protocol 3.0 and 3.2 and SCRAM-SHA-256 with and without PLUS, both sides; bytes in, bytes out.
//!
//! Promises: no input makes a parser panic, allocate by a length word or read past its slice; "need more" (`None`) is
//! distinct from "malformed" (`Err`). Refuses: I/O, async, a clock, randomness; nonces and keys are arguments.
//!
//! The entry points that take bytes of a stranger, each a fuzz target: [`frame::scan`], [`frame::scan_startup`],
//! [`track::Tracker::advance`], [`startup::parse`], [`options::parse`], [`frontend::parse_sasl_initial`],
//! [`extended::parse`], [`extended::bind`], [`extended::rest`], [`extended::subject`], [`extended::execute`],
//! [`statement::read`], [`statement::Reader`], [`backend::parse`], [`fields::parse`], [`certificate::parse`],
//! [`revocation::next_update`], [`scram::server::start`], [`scram::server::Challenge::finish`], [`scram::client::Opening::respond`], [`scram::client::Awaiting::verify`].

pub mod backend;
pub mod certificate;
pub mod column;
mod cursor;
mod der;
pub mod exchange;
pub mod extended;
pub mod fields;
pub mod frame;
pub mod frontend;
pub mod message;
pub mod options;
pub mod revocation;
pub mod scram;
pub mod startup;
pub mod statement;
pub mod track;
