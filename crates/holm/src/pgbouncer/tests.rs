//! What a team with a PgBouncer may rely on: its files are read as PgBouncer reads them, nothing is guessed, nothing leaks.

mod bad_files;
mod names;
mod parsers;
mod plans;
