//! From rows to the types of the domain: what the catalog holds is checked again when it is read.

use holm_core::error::Problem;
use tokio_postgres::types::Json;

/// A problem as `jsonb` takes it: PostgreSQL refuses the zero byte, which the output of a failed command may hold.
pub(crate) fn problem(problem: &Problem) -> Json<Problem> {
    let clean = |text: &String| text.replace('\0', "\u{fffd}");
    Json(Problem {
        code: problem.code,
        what: clean(&problem.what),
        why: problem.why.as_ref().map(clean),
        changed: problem.changed,
        next: problem.next.iter().map(clean).collect(),
    })
}

/// Columns, read and checked; each error names its column.
pub(crate) mod column {
    use std::error::Error;
    use std::str::FromStr;

    use holm_core::cluster::ServerAddress;
    use holm_core::cluster::tls::{RootCertificates, ServerTls};
    use holm_core::error::Problem;
    use holm_core::route::RouteVersion;
    use tokio_postgres::Row;
    use tokio_postgres::types::{FromSql, Json};
    use uuid::Uuid;

    use super::Corrupt;
    use crate::cluster::SealedClientCertificate;
    use crate::error::StoreError;
    use crate::sealed::Sealed;

    /// A column whose PostgreSQL type says it all.
    pub(crate) fn get<'a, T: FromSql<'a>>(row: &'a Row, name: &'static str) -> Result<T, StoreError> {
        row.try_get(name).corrupt(name)
    }

    pub(crate) fn uuid(row: &Row, name: &'static str) -> Result<Uuid, StoreError> {
        get(row, name)
    }

    /// A column of text that the domain has a type for.
    pub(crate) fn parsed<T: FromStr<Err: Error + Send + Sync + 'static>>(row: &Row, name: &'static str) -> Result<T, StoreError> {
        get::<&str>(row, name)?.parse().corrupt(name)
    }

    pub(crate) fn parsed_opt<T: FromStr<Err: Error + Send + Sync + 'static>>(
        row: &Row,
        name: &'static str,
    ) -> Result<Option<T>, StoreError> {
        get::<Option<&str>>(row, name)?.map(str::parse).transpose().corrupt(name)
    }

    /// An `integer` that is never negative.
    pub(crate) fn count(row: &Row, name: &'static str) -> Result<u32, StoreError> {
        get::<i32>(row, name)?.try_into().corrupt(name)
    }

    /// A `bigint` that is never negative.
    pub(crate) fn count_big(row: &Row, name: &'static str) -> Result<u64, StoreError> {
        get::<i64>(row, name)?.try_into().corrupt(name)
    }

    pub(crate) fn route_version(row: &Row, name: &'static str) -> Result<RouteVersion, StoreError> {
        count_big(row, name).map(RouteVersion)
    }

    pub(crate) fn sealed(row: &Row, name: &'static str) -> Result<Sealed, StoreError> {
        get::<&[u8]>(row, name).map(Sealed::new)
    }

    pub(crate) fn sealed_opt(row: &Row, name: &'static str) -> Result<Option<Sealed>, StoreError> {
        Ok(get::<Option<&[u8]>>(row, name)?.map(Sealed::new))
    }

    /// Columns `host` and `port`.
    pub(crate) fn address(row: &Row) -> Result<ServerAddress, StoreError> {
        let port = get::<i32>(row, "port")?.try_into().corrupt("port")?;
        Ok(ServerAddress { host: get::<&str>(row, "host")?.into(), port })
    }

    /// Columns `sslmode` and `ssl_root_cert`.
    pub(crate) fn tls(row: &Row) -> Result<ServerTls, StoreError> {
        let roots: Option<RootCertificates> = parsed_opt(row, "ssl_root_cert")?;
        ServerTls::new(parsed(row, "sslmode")?, roots).corrupt("ssl_root_cert")
    }

    /// Columns `client_cert` and `sealed_client_key`.
    pub(crate) fn client_certificate(row: &Row) -> Result<Option<SealedClientCertificate>, StoreError> {
        let (chain, sealed_key) = (parsed_opt(row, "client_cert")?, sealed_opt(row, "sealed_client_key")?);
        Ok(chain.zip(sealed_key).map(|(chain, sealed_key)| SealedClientCertificate { chain, sealed_key }))
    }

    pub(crate) fn problem(row: &Row, name: &'static str) -> Result<Option<Problem>, StoreError> {
        Ok(get::<Option<Json<Problem>>>(row, name)?.map(|Json(problem)| problem))
    }
}

/// Turns a failed reading into [`StoreError::Corrupt`](crate::error::StoreError::Corrupt).
pub(crate) trait Corrupt<T> {
    fn corrupt(self, column: &'static str) -> Result<T, crate::error::StoreError>;
}

impl<T, E: std::error::Error + Send + Sync + 'static> Corrupt<T> for Result<T, E> {
    fn corrupt(self, column: &'static str) -> Result<T, crate::error::StoreError> {
        self.map_err(|source| crate::error::StoreError::Corrupt { column, source: source.into() })
    }
}
