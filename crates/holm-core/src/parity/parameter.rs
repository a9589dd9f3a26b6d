//! The server parameters that are compared, and why each.
//!
//! Promises: a closed list, of parameters that every version from 14 on has, each with what a difference in it can do. It
//! never gets shorter, since waivers name what is in it. Refuses parameters of one program (paths, ports, logging, memory of the server as a whole), and those that only say how fast it is,
//! but for the few by which one and the same query is planned otherwise.

use super::{DifferenceId, Kind, Severity};

/// A parameter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parameter {
    /// As `pg_settings` spells it.
    pub name: &'static str,
    /// What a difference can come to.
    pub severity: Severity,
    /// Why.
    pub why: &'static str,
}

macro_rules! parameters {
    ($($name:literal $severity:ident $why:literal;)*) => {
        /// All of them.
        pub const ALL: &[Parameter] = &[$(Parameter { name: $name, severity: Severity::$severity, why: $why }),*];
    };
}

parameters! {
    "standard_conforming_strings" MayBreak "a backslash in a string means itself in one and something else in the other";
    "backslash_quote" MayBreak "`\\'` in a string is refused in one and read in the other";
    "transform_null_equals" MayBreak "`x = NULL` is true for nulls in one and for nothing in the other";
    "array_nulls" MayBreak "`NULL` in an array's text is nothing in one and a word in the other";
    "xmloption" MayBreak "text that is XML as content is refused as a document";
    "xmlbinary" MayDiffer "bytes within XML are written otherwise";
    "search_path" MayBreak "a name without its schema means another table";
    "TimeZone" MayBreak "a time without a zone, and the day that `now()` is on, is another";
    "DateStyle" MayBreak "`01/02/2026` is another day, and dates are written otherwise";
    "IntervalStyle" MayBreak "intervals are written otherwise, and some are read with another sign";
    "bytea_output" MayBreak "an app that reads bytes as text gets another text";
    "extra_float_digits" MayDiffer "floating-point numbers are written with more or fewer digits";
    "lc_monetary" MayBreak "`money` is read and written otherwise";
    "lc_numeric" MayBreak "`to_char` and `to_number` use other signs";
    "lc_time" MayDiffer "names of days and months in `to_char` are of another language";
    "lc_messages" MayDiffer "errors are told in another language, to an app that compares their text too";
    "default_text_search_config" MayBreak "a text search without a configuration finds other words";
    "default_transaction_isolation" MayBreak "transactions see other states, or fail with 40001 and must be repeated";
    "default_transaction_read_only" MayBreak "writes are refused";
    "default_transaction_deferrable" MayDiffer "a serializable transaction that only reads waits first";
    "row_security" MayBreak "a query that row security would filter fails instead";
    "check_function_bodies" MayBreak "a function that names a table which is not there yet is refused in one and made in the other";
    "statement_timeout" MayBreak "a statement that is let run in one is ended in the other";
    "lock_timeout" MayBreak "a wait for a lock that is let go on in one is ended in the other";
    "idle_in_transaction_session_timeout" MayBreak "a session that rests within a transaction is ended";
    "idle_session_timeout" MayBreak "a session that rests is ended, and an app's pool meets a closed connection";
    "temp_file_limit" MayBreak "a query that sorts or joins much fails";
    "max_locks_per_transaction" MayBreak "a migration or a dump that touches many tables fails for want of shared memory";
    "max_prepared_transactions" MayBreak "`PREPARE TRANSACTION` is refused";
    "max_connections" MayDiffer "as many clients at once are served sooner in one than in the other";
    "wal_level" MayBreak "logical replication, and what is built on it, works with `logical` alone";
    "shared_preload_libraries" MayBreak "an extension that must be loaded at the start of the server does not work";
    "block_size" MayBreak "a row of an index that fits in one is too long for the other";
    "default_tablespace" MayBreak "tables are made in a place that is not there, or is another";
    "default_table_access_method" MayBreak "tables are made with a method that is not there, or behaves otherwise";
    "default_toast_compression" MayDiffer "long values are compressed otherwise";
    "password_encryption" MayBreak "a role that changes its own password is not let in any more";
    "synchronous_commit" MayDiffer "what was committed last may be lost with one and not with the other";
    "work_mem" MayDiffer "sorts and joins go to disk sooner, and queries are planned otherwise";
    "random_page_cost" MayDiffer "an index is used in one where the other reads the whole table";
    "jit" MayDiffer "long queries are compiled first in one and not in the other";
    "max_parallel_workers_per_gather" MayDiffer "long queries are shared out in one and not in the other";
}

/// The one of a name.
pub fn named(name: &str) -> Option<&'static Parameter> {
    ALL.iter().find(|parameter| parameter.name == name)
}

/// The one that a difference is in, if it is in one.
pub(super) fn of(id: &DifferenceId) -> Option<&'static Parameter> {
    (id.kind() == Kind::Parameter).then(|| named(id.name())).flatten()
}
