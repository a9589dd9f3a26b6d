//! What the catalog promises, against a real PostgreSQL.

mod access;
mod audit;
mod certificates;
mod claims;
mod encrypted;
mod isolation;
mod keys;
mod leases;
mod limits;
mod lists;
mod migrations;
mod names;
mod outages;
mod replaced;
mod routes;
mod standings;
mod statements;
mod states;
mod texts;
mod world;
