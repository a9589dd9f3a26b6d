//! Wires: the command line, its servers and the development launcher.
//!
//! Promises: stdout is data and stderr is talk; every command knows every output format; every failure has a code, says
//! whether anything changed and what to do next, and ends with an exit code of [`exit::Exit`].

mod catalog;
pub mod cli;
mod client;
mod client_certificate;
mod client_certificates;
mod console_args;
mod dev;
pub mod exit;
pub mod logging;
mod mail_args;
mod master_keys;
mod metrics;
mod output;
mod percent;
mod pgbouncer;
mod pooling_args;
mod private_file;
mod proxy_url;
mod root_certificates;
mod serve;
mod settings;
mod signals;
mod stored_credentials;
mod usage;
