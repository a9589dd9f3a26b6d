//! What is in the database that a URL leads to, before Holm touches it.

use crate::catalog::Catalog;
use crate::error::StoreError;
use crate::row::column;

/// What a database is to Holm.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// There is no table in it.
    Empty,
    /// A catalog, also one that nobody can sign in to yet.
    Catalog,
    /// Tables that are not Holm's.
    Foreign,
}

const LOOK: &str = "\
SELECT to_regclass('public.holm_migration') IS NOT NULL AS ledger,
    EXISTS (
        SELECT FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_(toast|temp)'
            AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
    ) AS something";

/// Every statement of this module.
pub const STATEMENTS: &[&str] = &[LOOK];

/// Looks.
///
/// # Errors
/// [`StoreError`].
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn look(catalog: &Catalog) -> Result<Standing, StoreError> {
    let row = catalog.session().await?.query_one(LOOK, &[]).await?;
    Ok(match (column::get(&row, "ledger")?, column::get(&row, "something")?) {
        (true, _) => Standing::Catalog,
        (false, true) => Standing::Foreign,
        (false, false) => Standing::Empty,
    })
}
