//! Sessions on a cluster: Holm's own, and logins as a role that owns one database.
//!
//! Promises: connecting and every answer have a deadline; a session that was dropped in the middle of something is closed
//! and never used again. A cluster that is to be spoken to over TLS is spoken to in no other way.

use std::time::Duration;

use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use tokio::time::{Instant, sleep, timeout};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, NoTls, Row};
use tokio_util::task::AbortOnDropHandle;

use super::encrypted;
use super::trouble::ClusterError;

/// What PostgreSQL itself keeps for administrators; tenants cannot connect to it.
const MAINTENANCE_DATABASE: &str = "postgres";

const ACT: &str = "log in";

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A little more than the server itself allows a statement, which is a minute: cloning the largest template that a migrations
/// directory makes takes seconds. It is over first only when the server has fallen silent.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(65);

/// Enough that one of them is not held up, on a busy machine too; at the far end of the world still less than two seconds.
const ROUND_TRIPS: u32 = 5;

/// How often a session speaks up while the work that it holds locks for is done elsewhere.
const HEARD_EVERY: Duration = Duration::from_secs(1);

/// Nothing but `pg_catalog` is searched, temporary objects last; the limits end what hangs.
const SETTINGS: &str = "-c search_path=pg_catalog,pg_temp -c statement_timeout=60s -c lock_timeout=10s \
    -c idle_in_transaction_session_timeout=60s -c client_min_messages=error -c jit=off";

/// As [`SETTINGS`], said only when the session is there: what the server would have given it can still be asked for.
const SETTINGS_AFTERWARDS: &str = "SET search_path = pg_catalog, pg_temp; SET statement_timeout = '10s'; SET lock_timeout = '10s'; \
    SET idle_in_transaction_session_timeout = '60s'; SET client_min_messages = error; SET jit = off";

/// How Holm itself gets to a cluster.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) cluster: ClusterName,
    pub(crate) address: ServerAddress,
    pub(crate) tls: ServerTls,
    /// What the server is shown, if it asks.
    pub(crate) client_certificate: Option<ClientCertificate>,
    pub(crate) role: RoleName,
    pub(crate) password: Secret<String>,
    /// What `pg_stat_activity` shows; `holm` unless an operation names itself.
    pub(crate) application_name: Option<String>,
    /// The one database that Holm may enter, where somebody brought one; the maintenance database elsewhere.
    pub(crate) home: Option<DatabaseName>,
}

/// One session. Dropping it closes it.
pub(crate) struct Connection {
    client: Client,
    driver: AbortOnDropHandle<()>,
}

impl Access {
    /// Holm's own session, in the maintenance database; in one that somebody brought, as the role that came with it.
    pub(crate) async fn maintenance(&self) -> Result<Connection, ClusterError> {
        self.connect(self.config().dbname(self.home()).options(SETTINGS)).await
    }

    /// As [`Self::maintenance`], and `reset_val` in `pg_settings` is what a session is given that asks for nothing.
    pub(crate) async fn as_given(&self) -> Result<Connection, ClusterError> {
        let session = self.connect(self.config().dbname(self.home())).await?;
        session.run("limit a session", SETTINGS_AFTERWARDS).await?;
        Ok(session)
    }

    /// The database of [`Self::maintenance`].
    pub(crate) fn home(&self) -> &str {
        self.home.as_ref().map_or(MAINTENANCE_DATABASE, DatabaseName::as_str)
    }

    /// Holm's own session in a database that no tenant has claimed.
    pub(crate) async fn unclaimed(&self, database: &DatabaseName) -> Result<Connection, ClusterError> {
        self.connect(self.config().dbname(database.as_str()).options(SETTINGS)).await
    }

    /// A login as a role that owns one database: here, and only here, may run what others wrote.
    pub(crate) async fn login(
        &self,
        database: &DatabaseName,
        role: &RoleName,
        password: &Secret<String>,
    ) -> Result<Connection, ClusterError> {
        self.connect(self.config().dbname(database.as_str()).user(role.as_str()).password(password.expose())).await
    }

    fn config(&self) -> Config {
        let mut config = Config::new();
        config.host(&*self.address.host).port(self.address.port).user(self.role.as_str()).password(self.password.expose());
        config
            .application_name(self.application_name.as_deref().unwrap_or("holm"))
            .connect_timeout(CONNECT_TIMEOUT)
            .tcp_user_timeout(ANSWER_TIMEOUT);
        config
    }

    async fn connect(&self, config: &Config) -> Result<Connection, ClusterError> {
        // `connect_timeout` ends with the TCP handshake; a server that accepts and says nothing is met here.
        timeout(CONNECT_TIMEOUT, self.log_in(config)).await.map_err(|_| ClusterError::silent(ACT, CONNECT_TIMEOUT))?
    }

    async fn log_in(&self, config: &Config) -> Result<Connection, ClusterError> {
        if !self.tls.is_encrypted() {
            let (client, connection) = config.connect(NoTls).await.map_err(|source| ClusterError::postgres(ACT, source))?;
            return Ok(Connection { client, driver: driven(connection) });
        }
        let stream = encrypted::connect(ACT, self).await?;
        encrypted::tcp_user_timeout(&stream, ANSWER_TIMEOUT).map_err(|source| ClusterError::Wire { act: ACT, source })?;
        let (client, connection) =
            encrypted::log_in(config, stream, &self.tls).await.map_err(|source| ClusterError::postgres(ACT, source))?;
        Ok(Connection { client, driver: driven(connection) })
    }
}

/// Has a session's messages carried. What ends it is told to whoever waits for an answer on it.
fn driven<E>(connection: impl Future<Output = Result<(), E>> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = connection.await;
    }))
}

impl Connection {
    /// Runs statements of Holm's own in one implicit transaction, where PostgreSQL allows it.
    pub(crate) async fn run(&self, act: &'static str, sql: &str) -> Result<(), ClusterError> {
        answer(act, ANSWER_TIMEOUT, self.client.batch_execute(sql)).await
    }

    /// The rows of a statement of Holm's own.
    pub(crate) async fn query(&self, act: &'static str, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, ClusterError> {
        answer(act, ANSWER_TIMEOUT, self.client.query(sql, params)).await
    }

    /// The one row of a statement of Holm's own.
    pub(crate) async fn query_one(&self, act: &'static str, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Row, ClusterError> {
        answer(act, ANSWER_TIMEOUT, self.client.query_one(sql, params)).await
    }

    /// How long the server takes to answer when it is asked nothing: the fastest of a few, since what took longer was held up by something
    /// that is not the way there.
    pub(crate) async fn round_trip(&self) -> Result<Duration, ClusterError> {
        let mut fastest = Duration::MAX;
        for _ in 0..ROUND_TRIPS {
            let asked = Instant::now();
            answer("measure how far the server is", ANSWER_TIMEOUT, self.client.simple_query("")).await?;
            fastest = fastest.min(asked.elapsed());
        }
        Ok(fastest)
    }

    /// Runs work for which this session holds locks, and has it say something every second meanwhile: who stands still
    /// falls silent, and loses them (see [`super::lock`]).
    ///
    /// # Cancel safety
    /// As the work.
    pub(crate) async fn while_heard<T>(&self, work: impl Future<Output = T>) -> T {
        let speak = async {
            loop {
                sleep(HEARD_EVERY).await;
                // A session that is gone shows in the work.
                let _ = self.client.simple_query("").await;
            }
        };
        tokio::select! {
            biased;
            done = work => done,
            () = speak => unreachable!("it speaks without end"),
        }
    }

    /// The session itself, for scripts with a deadline of their own.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Says goodbye and waits until the server's end is told, so that a database without sessions is one soon.
    pub(crate) async fn close(self) {
        let Self { client, driver } = self;
        drop(client);
        let _ = timeout(CONNECT_TIMEOUT, driver).await;
    }
}

async fn answer<T>(
    act: &'static str,
    patience: Duration,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, ClusterError> {
    let answered = timeout(patience, answer).await.map_err(|_| ClusterError::silent(act, patience))?;
    answered.map_err(|source| ClusterError::postgres(act, source))
}
