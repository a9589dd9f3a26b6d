//! The catalog over TLS: everything that goes to it is encrypted, and goes to nobody else.

use std::time::Duration;

use holm_core::cluster::tls::RootCertificates;
use holm_core::error::{ErrorCode, Problem};
use holm_testkit::certificates::Authority;
use holm_testkit::{TestServer, eventually, new_server};

use crate::address::CatalogAddress;
use crate::catalog::Catalog;
use crate::environment;

use super::world::{new_environment, put_environment};

const PATIENCE: Duration = Duration::from_secs(20);

/// A server with a role that is let in over TLS only, and who issued its certificate, which is for `127.0.0.1`.
async fn far_away() -> (TestServer, Authority) {
    let (server, authority) = (new_server(&[]).await, Authority::new("the catalog's authority"));
    let admin = server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE faraway LOGIN PASSWORD 'far away'").await.unwrap();
    admin.batch_execute("CREATE DATABASE catalog OWNER faraway").await.unwrap();
    server.speak_tls(&authority.issue(&["127.0.0.1"])).await;
    (server, authority)
}

fn catalog(server: &TestServer, host: &str, query: &str, roots: Option<String>) -> Catalog {
    let url = format!("postgresql://faraway:far%20away@{host}:{}/catalog{query}", server.address.port);
    let roots = roots.map(|pem| pem.parse::<RootCertificates>().unwrap());
    Catalog::at(CatalogAddress::read(&url, roots).unwrap(), 4)
}

#[tokio::test]
async fn a_catalog_far_away_is_migrated_used_and_listened_to_over_tls_alone() {
    let (server, authority) = far_away().await;
    // With `verify-ca` the login must be bound to the certificate, or it fails.
    for (host, query) in [("127.0.0.1", "?sslmode=verify-full"), ("127.0.0.1", ""), ("localhost", "?sslmode=verify-ca")] {
        let catalog = catalog(&server, host, query, Some(authority.pem()));
        catalog.migrate().await.unwrap();
        let mut wakes = catalog.wakes();
        if query.contains("full") {
            put_environment(&catalog, &new_environment("production")).await;
        }
        assert_eq!(environment::list(&catalog).await.unwrap().len(), 1);
        // It is said once when listening begins, and again whenever something changes.
        tokio::time::timeout(PATIENCE, wakes.changes.changed()).await.unwrap().unwrap();
        let admin = server.connect("postgres").await;
        let sql = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl), count(*) FILTER (WHERE query LIKE 'LISTEN%')
                   FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'faraway'";
        eventually(PATIENCE, "a session and a listener, encrypted", async || {
            let row = admin.query_one(sql, &[]).await.unwrap();
            let seen: (i64, i64, i64) = (row.get(0), row.get(1), row.get(2));
            if seen.0 >= 2 && seen.1 == 0 && seen.2 >= 1 { Ok(()) } else { Err(format!("{seen:?}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_catalog_that_is_not_who_it_should_be_hears_nothing_and_the_reason_is_said() {
    let (server, authority) = far_away().await;
    let plain = new_server(&[]).await;
    let theirs = Authority::new("somebody else's authority").pem();
    for (server, host, query, roots, why) in [
        (&server, "127.0.0.1", "?sslmode=verify-full", Some(theirs.clone()), "leads to no root certificate"),
        (&server, "localhost", "?sslmode=verify-ca", Some(theirs), "leads to no root certificate"),
        (&server, "127.0.0.1", "?sslmode=verify-full", None, "leads to no root certificate"),
        (&server, "localhost", "?sslmode=verify-full", Some(authority.pem()), "not among its alternative names"),
        (&server, "127.0.0.1", "?sslmode=disable", None, "no pg_hba.conf entry"),
        (&plain, "127.0.0.1", "?sslmode=verify-full", Some(authority.pem()), "TLS"),
    ] {
        let catalog = catalog(server, host, query, roots);
        for problem in
            [Problem::from(catalog.migrate().await.unwrap_err()), Problem::from(catalog.transaction().await.map(drop).unwrap_err())]
        {
            assert_eq!(problem.code, ErrorCode::CatalogUnavailable, "{problem:?}");
            assert!(problem.why.as_ref().is_some_and(|said| said.contains(why)), "{why}: {problem:?}");
            assert!(!format!("{problem:?}").contains("far away"), "{problem:?}");
        }
    }
}
