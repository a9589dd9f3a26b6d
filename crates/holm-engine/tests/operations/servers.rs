//! Servers for operations on whole clusters: a stage has one to itself, and hands it on when it is over.
//!
//! A server goes round: as it was found, a cluster, drained, as it was found. Each operation needs it in another of these
//! states, so that a stage takes one that is so already, and has a server taken there by operations only where none is.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::id::{ClusterId, OperationId};
use holm_core::operation::OperationState;
use holm_core::secret::Secret;
use holm_engine::cluster::add::{self, NewServer};
use holm_engine::cluster::remove::{self, Manner};
use holm_engine::cluster::url::ServerUrl;
use holm_engine::cluster::{self, drain};
use holm_engine::control::Control;
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::operation::show;
use holm_testkit::{TestServer, new_server};
use tokio::sync::OnceCell;

use crate::case::Case;
use crate::snapshot::{Snapshot, differences};
use crate::subject::{Stage, Subject};
use crate::world::{PATIENCE, World, by};

/// In one world, and so stages at the same time: as many operations as one of its processes takes on.
pub(crate) const SERVERS: usize = 5;

/// Fewer than tenants' clusters have: nobody but Holm is here, and the memory is that of one machine.
const SETTINGS: &[(&str, &str)] = &[
    ("max_connections", "60"),
    ("shared_buffers", "8MB"),
    ("autovacuum", "off"),
    ("max_logical_replication_workers", "0"),
    AUTHENTICATION_TIMEOUT,
];

/// A session whose client stands still while it logs in takes part in no barrier of the server's, and `DROP DATABASE` waits
/// for one: for a minute, were it not for this.
pub(crate) const AUTHENTICATION_TIMEOUT: (&str, &str) = ("authentication_timeout", "10s");

/// Each makes a template and this many databases, whatever else happens.
const POOL_SIZE: u32 = 1;

/// Those of one world.
#[derive(Default)]
pub(crate) struct Servers {
    all: Mutex<Vec<Arc<Own>>>,
    idle: Arc<Mutex<Vec<Arc<Own>>>>,
    environment: OnceCell<()>,
}

/// A server and what it was like before Holm came.
struct Own {
    server: TestServer,
    found: Snapshot,
}

/// One that a stage has to itself; it is handed on when the stage is dropped.
#[derive(Clone)]
pub(crate) struct Lent(Arc<Loan>);

struct Loan {
    own: Arc<Own>,
    back: Arc<Mutex<Vec<Arc<Own>>>>,
}

impl Drop for Loan {
    fn drop(&mut self) {
        self.back.lock().unwrap().push(Arc::clone(&self.own));
    }
}

impl fmt::Debug for Lent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.own.server.address)
    }
}

impl Subject {
    /// Whether its stages have servers of their own, so that only so many can be under way at the same time.
    pub(crate) fn has_servers(&self) -> bool {
        matches!(self.kind, "cluster.add" | "cluster.drain" | "cluster.remove")
    }
}

/// How far round a server is: as it was found, a cluster, drained.
fn place_of(state: Option<ClusterState>) -> usize {
    match state {
        None => 0,
        Some(ClusterState::Open) => 1,
        Some(ClusterState::Drained) => 2,
        Some(state) => panic!("a server was left {state}"),
    }
}

/// Puts cases in an order in which servers need few ways, as many at a time as there are servers.
pub(crate) fn rounds(mut cases: Vec<Case>) -> Vec<Vec<Case>> {
    let begins = |case: &Case| match case.subject.kind {
        "cluster.add" => 0,
        "cluster.drain" => 1,
        _ => 2,
    };
    let (mut places, mut rounds) = ([0; SERVERS], Vec::new());
    while !cases.is_empty() {
        let mut round = Vec::new();
        for place in &mut places {
            // The shortest way, and of those first what leaves the server where it is.
            let way = |case: &Case| ((begins(case) + 3 - *place) % 3, case.end == OperationState::Succeeded);
            let Some(next) = (0..cases.len()).min_by_key(|nth| way(&cases[*nth])) else { break };
            let case = cases.remove(next);
            *place = (begins(&case) + usize::from(case.end == OperationState::Succeeded)) % 3;
            round.push(case);
        }
        rounds.push(round);
    }
    rounds
}

/// Where these servers are clusters: none of them is a place for the tenants of other stages.
pub(crate) fn staging() -> EnvironmentName {
    "staging".parse().unwrap()
}

/// What the cluster of a stage is called.
pub(crate) fn name(number: usize) -> ClusterName {
    format!("staging-{number}").parse().unwrap()
}

/// Asks for a server to be a cluster.
pub(crate) async fn add(control: &Control, number: usize, lent: &Lent) -> OperationId {
    let url = ServerUrl::parse(&Secret::new(lent.server().url("postgres")), None).unwrap();
    let new = NewServer { name: name(number), environment: staging(), url, connections_max: None, claim: None };
    add::add(control, &by(), new, None).await.unwrap()
}

impl Own {
    async fn assert_as_found(&self) {
        assert_eq!(
            differences(&self.found, &look(&self.server).await),
            Vec::<String>::new(),
            "{} is not as it was found",
            self.server.address
        );
    }
}

impl Lent {
    pub(crate) fn server(&self) -> &TestServer {
        &self.0.own.server
    }
}

/// Databases, roles, and who may do what with the databases that it began with.
async fn look(server: &TestServer) -> Snapshot {
    let sql = "SELECT 'database ' || datname FROM pg_database
               UNION ALL SELECT 'role ' || rolname FROM pg_roles
               UNION ALL SELECT d.datname || ' ' || acl.grantee || ' ' || acl.privilege_type
                   FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl";
    let rows = server.connect("postgres").await.query(sql, &[]).await.unwrap();
    rows.iter().map(|row| (row.get(0), String::new())).collect()
}

/// What of Holm's making is on a server: databases, and what is before the level in the names of roles.
async fn of_holm(server: &TestServer) -> (BTreeSet<String>, BTreeSet<String>) {
    let sql = "SELECT true, datname::text FROM pg_database WHERE datname ~ '^(t|tpl)_'
               UNION ALL SELECT false, regexp_replace(rolname, '_[a-z]+$', '') FROM pg_roles WHERE rolname ~ '^(t|tpl)_'";
    let (mut databases, mut roles) = (BTreeSet::new(), BTreeSet::new());
    for row in server.connect("postgres").await.query(sql, &[]).await.unwrap() {
        if row.get(0) {
            databases.insert(row.get(1))
        } else {
            roles.insert(row.get(1))
        };
    }
    (databases, roles)
}

impl Servers {
    fn all(&self) -> Vec<Arc<Own>> {
        self.all.lock().unwrap().clone()
    }

    fn lend(&self, own: Arc<Own>) -> Lent {
        Lent(Arc::new(Loan { own, back: Arc::clone(&self.idle) }))
    }

    /// An idle one that will do, or any idle one if there cannot be more.
    fn take(&self, will_do: impl Fn(&Own) -> bool) -> Option<Lent> {
        let full = self.all.lock().unwrap().len() >= SERVERS;
        let mut idle = self.idle.lock().unwrap();
        let nth = idle.iter().position(|own| will_do(own)).or_else(|| (full && !idle.is_empty()).then_some(0))?;
        let own = idle.swap_remove(nth);
        drop(idle);
        Some(self.lend(own))
    }

    async fn start(&self) -> Lent {
        let server = new_server(SETTINGS).await;
        let own = Arc::new(Own { found: look(&server).await, server });
        self.all.lock().unwrap().push(Arc::clone(&own));
        self.lend(own)
    }
}

impl Stage {
    /// A server that is a cluster in a state, with nobody on it.
    pub(crate) async fn cluster(world: &World, number: usize, state: ClusterState) -> Self {
        let server = world.server_in(number, Some(state)).await;
        let clusters = world.cluster_on(server.server()).await.0.into_iter().collect();
        Self { number, clusters, server: Some(server), ..Self::default() }
    }

    /// The server that it has to itself.
    pub(crate) fn server(&self) -> &Lent {
        self.server.as_ref().expect("the stage of an operation on clusters has a server")
    }

    /// What its cluster is called.
    pub(crate) async fn cluster_name(&self, control: &Control) -> ClusterName {
        name_of(control, self.server()).await
    }
}

async fn name_of(control: &Control, lent: &Lent) -> ClusterName {
    let clusters = cluster::list(control).await.unwrap();
    clusters.into_iter().find(|known| known.access.address == lent.server().address).expect("it is a cluster").name
}

impl World {
    /// A server in a state, or as it was found; who asks for more than [`SERVERS`] at once gets more.
    pub(crate) async fn server_in(&self, number: usize, wanted: Option<ClusterState>) -> Lent {
        self.servers.environment.get_or_init(|| self.ensure_staging()).await;
        let clusters = cluster::list(self.control()).await.unwrap();
        let state_of = |server: &TestServer| clusters.iter().find(|known| known.access.address == server.address).map(|known| known.state);
        let lent = match self.servers.take(|own| state_of(&own.server) == wanted) {
            Some(lent) => lent,
            None => self.servers.start().await,
        };
        while let (_, now) = self.cluster_on(lent.server()).await
            && now != wanted
        {
            self.one_further(number, &lent, now).await;
        }
        lent
    }

    async fn ensure_staging(&self) {
        let new = NewEnvironment {
            name: staging(),
            kind: EnvironmentKind::Staging,
            domain: "staging.localhost".parse().unwrap(),
            pool_size: POOL_SIZE,
            migrations: Some(self.directory.path().join("migrations")),
            seed: None,
        };
        environment::ensure(self.control(), &by(), new).await.unwrap();
    }

    /// Takes it to the next state.
    async fn one_further(&self, number: usize, lent: &Lent, from: Option<ClusterState>) {
        let control = self.control();
        let id = match place_of(from) {
            0 => add(control, number, lent).await,
            1 => drain::drain(control, &by(), &name_of(control, lent).await, None).await.unwrap(),
            _ => remove::remove(control, &by(), &name_of(control, lent).await, Manner::InOrder, None).await.unwrap(),
        };
        show::succeeded(control, id, PATIENCE).await.unwrap();
    }

    /// The cluster that a server is, and its state.
    pub(crate) async fn cluster_on(&self, server: &TestServer) -> (Option<ClusterId>, Option<ClusterState>) {
        let clusters = cluster::list(self.control()).await.unwrap();
        let known = clusters.into_iter().find(|known| known.access.address == server.address);
        known.map_or((None, None), |known| (Some(known.id), Some(known.state)))
    }

    /// What a stage's own server looks like, and what the catalog says of it; databases of the pool, which come and go, only
    /// by how many there are.
    pub(crate) async fn add_own_server(&self, stage: &Stage, seen: &mut Snapshot) {
        let Some(lent) = &stage.server else { return };
        let looks = look(lent.server()).await.into_keys();
        let pooled = |text: &String| text.split([' ', '"']).any(|word| word.starts_with("t_") || word.starts_with("tpl_"));
        let (pool, rest): (Vec<_>, Vec<_>) = looks.partition(pooled);
        seen.extend(rest.into_iter().map(|text| (format!("own server {text}"), String::new())));
        seen.insert("own server's pool".to_owned(), pool.len().to_string());
        let (id, state) = self.cluster_on(lent.server()).await;
        seen.insert("own server's cluster".to_owned(), format!("{id:?} {state:?}"));
    }

    /// Everything on all of them, as it is.
    pub(crate) async fn add_servers(&self, seen: &mut Snapshot) {
        for own in self.servers.all() {
            let address = &own.server.address;
            seen.extend(look(&own.server).await.into_keys().map(|text| (format!("server {address} {text}"), String::new())));
        }
    }

    /// Panics unless each is wholly a cluster, wholly empty or wholly as it was found, and the catalog says the same.
    pub(crate) async fn assert_servers_whole(&self) {
        let removed = "data_key k JOIN cluster c ON c.id = k.cluster_id WHERE c.state = 'removed' AND k.destroyed_at IS NULL";
        assert_eq!(self.count(removed).await, 0, "keys of clusters that are forgotten");
        let kept = "cluster WHERE state = 'removed' AND sealed_admin_password <> '\\x00'";
        assert_eq!(self.count(kept).await, 0, "passwords of clusters that are forgotten");
        join_all(self.servers.all().iter().map(|own| self.assert_whole_on(own))).await;
    }

    async fn assert_whole_on(&self, own: &Own) {
        let address = &own.server.address;
        let (id, state) = self.cluster_on(&own.server).await;
        let (databases, roles) = of_holm(&own.server).await;
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'holm op%'";
        let sessions: i64 = own.server.connect("postgres").await.query_one(sessions, &[]).await.unwrap().get(0);
        assert_eq!(sessions, 0, "sessions of runners on {address}");
        let Some(id) = id else { return own.assert_as_found().await };
        let sql = "SELECT name FROM database WHERE cluster_id = $1
                   UNION ALL SELECT database_name FROM template WHERE cluster_id = $1 AND dropped_at IS NULL";
        let known = self.catalog().await.query(sql, &[&id.as_uuid()]).await.unwrap();
        let known: BTreeSet<String> = known.iter().map(|row| row.get(0)).collect();
        assert_eq!((&databases, &roles), (&known, &known), "what is on {address}, which is {state:?}, and what is known to be");
        let expected = if state == Some(ClusterState::Open) { POOL_SIZE as usize + 1 } else { 0 };
        assert_eq!(known.len(), expected, "a template and its pool on {address}, which is {state:?}");
        let public = "SELECT count(*) FROM pg_database d, LATERAL aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) acl
                      WHERE d.datname IN ('postgres', 'template1') AND acl.grantee = 0";
        let public: i64 = own.server.connect("postgres").await.query_one(public, &[]).await.unwrap().get(0);
        assert_eq!(public, 0, "{address} is open to everyone");
    }
}
