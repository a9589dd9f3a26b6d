//! Empty databases for tests.

use std::sync::atomic::{AtomicU32, Ordering};

use holm_core::role::DatabaseName;
use tokio_postgres::Client;

use crate::server::TestServer;

/// A database of one test, empty at first; it goes with its server.
#[derive(Debug)]
pub struct TestDatabase<'a> {
    /// Its name.
    pub name: DatabaseName,
    /// The server that has it.
    pub server: &'a TestServer,
}

static DATABASES: AtomicU32 = AtomicU32::new(0);

/// Makes a fresh, empty database with a name of its own.
///
/// # Panics
/// The server refused.
pub async fn database(server: &TestServer) -> TestDatabase<'_> {
    let number = DATABASES.fetch_add(1, Ordering::Relaxed);
    let name: DatabaseName = format!("test_{}_{number}", std::process::id()).parse().expect("a valid database name");
    let client = server.connect("postgres").await;
    // `template0` has no sessions, which a clone of `template1` would have to wait for.
    client.batch_execute(&format!("CREATE DATABASE {} TEMPLATE template0", name.as_ident())).await.expect("create a test database");
    TestDatabase { name, server }
}

impl TestDatabase<'_> {
    /// A connection as the superuser.
    pub async fn connect(&self) -> Client {
        self.server.connect(self.name.as_str()).await
    }

    /// A URL as the superuser.
    pub fn url(&self) -> String {
        self.server.url(self.name.as_str())
    }
}
