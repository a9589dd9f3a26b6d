//! What the catalog promises, against a real PostgreSQL.

mod claims;
mod isolation;
mod lists;
mod migrations;
mod outages;
mod routes;
mod statements;
mod states;
mod texts;
mod world;
