//! A client of one tenant, which checks that what comes back is that tenant's.

use std::time::{Duration, Instant};

use tokio_postgres::{Client, Config, NoTls};

use crate::peers::Peer;

/// Who waits longer is told as an error; some proxies would have him wait for minutes.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Session {
    client: Client,
    expected: String,
}

impl Session {
    pub(crate) async fn open(peer: &Peer, tenant: usize) -> Result<Self, String> {
        let mut config = Config::new();
        config.host("127.0.0.1").port(peer.port).user(&peer.user).password(&peer.password).dbname(peer.database(tenant));
        let connected = tokio::time::timeout(PATIENCE, config.connect(NoTls)).await.map_err(|_| "no session in time".to_owned())?;
        let (client, connection) = connected.map_err(|error| said(&error))?;
        tokio::spawn(connection);
        Ok(Self { client, expected: peer.expected(tenant) })
    }

    /// One transaction; how long it took, in milliseconds.
    pub(crate) async fn ask(&self) -> Result<f64, String> {
        self.timed("SELECT name FROM who").await
    }

    /// One transaction that takes so many seconds on the server.
    pub(crate) async fn ask_slowly(&self, seconds: f64) -> Result<f64, String> {
        self.timed(&format!("SELECT name FROM who, pg_sleep({seconds})")).await
    }

    async fn timed(&self, sql: &str) -> Result<f64, String> {
        let begun = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, self.client.simple_query(sql)).await.map_err(|_| "no answer in time".to_owned())?;
        let took = begun.elapsed().as_secs_f64() * 1000.0;
        let rows: Vec<String> = answer
            .map_err(|error| said(&error))?
            .into_iter()
            .filter_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
                _ => None,
            })
            .collect();
        assert_eq!(rows, [self.expected.as_str()], "the rows are another tenant's, or none");
        Ok(took)
    }
}

fn said(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| error.to_string(), |error| format!("{} {}", error.code().code(), error.message()))
}
