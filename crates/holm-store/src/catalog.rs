//! The way in: a bounded pool of connections to the catalog.
//!
//! Promises: nobody waits for the catalog beyond a deadline, be it down, silent or full; it works again by itself when
//! the catalog does. Refuses to connect before it is asked to: opening only reads the URL.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, PoolError, RecyclingMethod, Runtime, Timeouts};
use tokio::sync::{broadcast, watch};

use crate::address::{AddressError, CatalogAddress};
use crate::encrypted::Encrypting;
use crate::error::StoreError;
use crate::migrate::{MigrateError, Migrated};
use crate::session::Session;
use crate::tx::Tx;
use crate::wake::Counts;
use crate::{migrate, wake};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_TIMEOUT: Duration = Duration::from_secs(2);

/// A peer that is gone is noticed after 5 + 3 * 2 = 11 s without traffic, and with data unacknowledged after as long.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
const TCP_USER_TIMEOUT: Duration = Duration::from_secs(11);

/// `public` and nothing before it: no schema of a user's name, no temporary object, can stand in for a table of ours. A
/// transaction does nothing between its statements, so that one in which nothing is said belongs to a process that stands
/// still; what it has locked must be free before others take its operations over, which they do within 8 s.
const SESSION_SETTINGS: &str = "-c search_path=public,pg_temp -c statement_timeout=10s -c lock_timeout=5s \
    -c idle_in_transaction_session_timeout=4s -c timezone=UTC -c client_encoding=UTF8";

/// Words that wait to be read: answers of a dozen nodes, in some parts each. Who is slower loses the oldest.
const WORDS_MAX: usize = 256;

/// The catalog; cheap to clone.
#[derive(Clone)]
pub struct Catalog {
    pool: Pool,
    address: CatalogAddress,
    /// See [`Catalog::membership`].
    membership: Arc<AtomicU64>,
}

/// What a listener hears.
#[derive(Debug)]
pub struct Wakes {
    /// Grows after others, or this process, changed something of routes, tenants, databases or clusters.
    pub changes: watch::Receiver<u64>,
    /// Grows after an operation may have become due.
    pub due: watch::Receiver<u64>,
    /// Grows after an operation was over, or was spoken to.
    pub told: watch::Receiver<u64>,
    /// Grows after a node joined, left or said which routes it uses.
    pub nodes: watch::Receiver<u64>,
    /// What nodes say to each other, this one included, as it came.
    pub words: broadcast::Receiver<Arc<str>>,
}

impl Catalog {
    /// Reads a URL, `postgresql://user:password@host:port/database`, and keeps a pool of at most `pool_size` connections.
    ///
    /// # Errors
    /// [`AddressError`] for a URL that cannot be used. Whether a server answers shows at the first use.
    pub fn open(url: &str, pool_size: usize) -> Result<Self, AddressError> {
        Ok(Self::at(CatalogAddress::read(url, None)?, pool_size))
    }

    /// As [`open`](Self::open), from an address; settings of the session are added to the options that it has.
    pub fn at(mut address: CatalogAddress, pool_size: usize) -> Self {
        if address.is_in_the_clear() {
            tracing::warn!("what goes to the catalog is not encrypted: whoever is on the way reads and changes it (`sslmode=verify-full`)");
        }
        let config = &mut address.config;
        let options = config.get_options().map_or_else(|| SESSION_SETTINGS.to_owned(), |given| format!("{given} {SESSION_SETTINGS}"));
        config.options(options);
        config.application_name("holm");
        config.connect_timeout(CONNECT_TIMEOUT);
        config.keepalives_idle(KEEPALIVE_IDLE);
        config.keepalives_interval(KEEPALIVE_INTERVAL);
        config.keepalives_retries(KEEPALIVE_RETRIES);
        config.tcp_user_timeout(TCP_USER_TIMEOUT);
        let encrypting = Encrypting(address.tls.clone());
        let manager = Manager::from_config(config.clone(), encrypting, ManagerConfig { recycling_method: RecyclingMethod::Fast });
        // One host that is silent does not keep the next from being tried.
        let hosts = config.get_hosts().len().max(config.get_hostaddrs().len()).max(1);
        let create = CONNECT_TIMEOUT * u32::try_from(hosts).unwrap_or(u32::MAX);
        let timeouts = Timeouts { wait: Some(POOL_TIMEOUT), create: Some(create), recycle: Some(POOL_TIMEOUT) };
        let pool = Pool::builder(manager)
            .max_size(pool_size.max(1))
            .timeouts(timeouts)
            .runtime(Runtime::Tokio1)
            .build()
            .expect("a pool with timeouts needs a runtime, and it has one");
        Self { pool, address, membership: Arc::default() }
    }

    /// How many connections the pool may have.
    pub fn connections_max(&self) -> usize {
        self.pool.status().max_size
    }

    /// Brings the schema to what this Holm needs; any number of processes may do so at once.
    ///
    /// # Errors
    /// A catalog that is newer than this Holm, one whose history differs from ours, or [`StoreError`]s.
    ///
    /// # Cancel safety
    /// Safe: each migration is applied whole or not at all.
    pub async fn migrate(&self) -> Result<Migrated, MigrateError> {
        migrate::run(&self.address).await
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when no connection is free within 2 s, or none can be made within 5 s for each host.
    ///
    /// # Cancel safety
    /// Safe.
    pub async fn transaction(&self) -> Result<Tx, StoreError> {
        Tx::begin(self.session().await?, self.clone()).await
    }

    /// Counts that grow with what happens to the catalog. The task behind them listens on a connection of its own and ends
    /// when the last receiver of `changes` is dropped.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn wakes(&self) -> Wakes {
        let counts = Counts {
            changes: watch::Sender::new(0),
            due: watch::Sender::new(0),
            told: watch::Sender::new(0),
            nodes: watch::Sender::new(0),
            words: broadcast::Sender::new(WORDS_MAX),
        };
        let wakes = Wakes {
            changes: counts.changes.subscribe(),
            due: counts.due.subscribe(),
            told: counts.told.subscribe(),
            nodes: counts.nodes.subscribe(),
            words: counts.words.subscribe(),
        };
        tokio::spawn(wake::listen(self.address.clone(), counts));
        wakes
    }

    /// The newest count of nodes that joined which this process has heard of: what [`node::Nodes`](crate::node::Nodes) with
    /// as high a one has all nodes that may use routes from before a change of this process.
    pub fn membership(&self) -> u64 {
        self.membership.load(Ordering::Acquire)
    }

    pub(crate) fn saw_membership(&self, membership: u64) {
        self.membership.fetch_max(membership, Ordering::AcqRel);
    }

    pub(crate) async fn session(&self) -> Result<Session, StoreError> {
        self.pool.get().await.map(Session::new).map_err(|error| match error {
            PoolError::Timeout(_) => StoreError::deadline("a connection to the catalog"),
            // Whatever stands in the way of a connection, a wrong password too, is a catalog that does not answer us.
            PoolError::Backend(source) => StoreError::Unavailable(source.into()),
            other => StoreError::Unavailable(other.into()),
        })
    }
}
