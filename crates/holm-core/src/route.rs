//! The route table: tenant to cluster, database, role and state, as an immutable snapshot.
//!
//! Promises: a reader sees one version whole; making the next version copies one shard per change, not the table; a
//! version never goes back, nor does a route's epoch. Refuses defaults: what is not in the table is refused by name.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::Arc;

use crate::cluster::Cluster;
use crate::credential::{Credential, CredentialName, Level, Permission};
use crate::environment::{Environment, EnvironmentName};
use crate::id::{ClusterId, CredentialId, TenantId};
use crate::parameter::TenantParameter;
use crate::role::{DatabaseName, RoleName};
use crate::scram::LoginKeys;
use crate::slug::TenantSlug;

/// The catalog's count of changes to routes; grows by one with each transaction that changes any.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RouteVersion(pub u64);

impl fmt::Display for RouteVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How a session of one level logs in to the tenant's database.
#[derive(Clone, Debug)]
pub struct ServerLogin {
    /// The role.
    pub role: RoleName,
    /// What it logs in with.
    pub keys: LoginKeys,
}

/// Whether sessions are let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteState {
    /// They are.
    Serving,
    /// They are not, by an operator's word; open ones are closed.
    Suspended,
}

/// Where one tenant's sessions go.
#[derive(Clone, Debug)]
pub struct Route {
    /// The tenant.
    pub tenant: TenantId,
    /// Its name today.
    pub slug: TenantSlug,
    /// Its environment.
    pub environment: EnvironmentName,
    /// Whether sessions are let in.
    pub state: RouteState,
    /// Grows with every change of this route.
    pub epoch: u64,
    /// The server.
    pub cluster: ClusterId,
    /// The database there.
    pub database: DatabaseName,
    /// One login a level, in the order of [`Level::ALL`].
    pub logins: [ServerLogin; 3],
    /// PostgreSQL parameters that each of its sessions starts with.
    pub parameters: Box<[TenantParameter]>,
}

impl Route {
    /// The login of a level.
    pub const fn login(&self, level: Level) -> &ServerLogin {
        match level {
            Level::Owner => &self.logins[0],
            Level::Rw => &self.logins[1],
            Level::Ro => &self.logins[2],
        }
    }
}

/// One difference between two versions of the table.
#[derive(Clone, Debug)]
pub enum RouteChange {
    /// An environment was added or changed.
    Environment(Environment),
    /// A cluster was added or changed.
    Cluster(Cluster),
    /// A credential was added or changed.
    Credential(Credential),
    /// A credential was revoked.
    CredentialGone(CredentialId),
    /// A tenant's route was added or changed.
    Route(Route),
    /// A tenant has no route any more.
    RouteGone(TenantId),
}

/// The table at one version.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    version: RouteVersion,
    environments: Arc<HashMap<EnvironmentName, Arc<Environment>>>,
    clusters: Arc<HashMap<ClusterId, Arc<Cluster>>>,
    credentials: Shards<CredentialName, Arc<Credential>>,
    credential_names: Shards<CredentialId, CredentialName>,
    by_slug: Shards<(EnvironmentName, TenantSlug), Arc<Route>>,
    by_tenant: Shards<TenantId, Arc<Route>>,
}

/// A session that may be opened, and where.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The tenant's route.
    pub route: Arc<Route>,
    /// Its cluster.
    pub cluster: Arc<Cluster>,
}

/// Why a session is not opened, said only after authentication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No tenant of that name that this credential may know of; the same for absent, foreign and mistyped.
    UnknownTenant,
    /// The tenant is suspended.
    Suspended(TenantSlug),
}

impl RouteTable {
    /// The version of this snapshot.
    pub const fn version(&self) -> RouteVersion {
        self.version
    }

    /// An environment by name.
    pub fn environment(&self, name: &EnvironmentName) -> Option<&Arc<Environment>> {
        self.environments.get(name)
    }

    /// Every environment, in no order.
    pub fn environments(&self) -> impl Iterator<Item = &Arc<Environment>> {
        self.environments.values()
    }

    /// A cluster by id.
    pub fn cluster(&self, id: ClusterId) -> Option<&Arc<Cluster>> {
        self.clusters.get(&id)
    }

    /// Every cluster, in no order.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        self.clusters.values()
    }

    /// A credential by user name; text that cannot be one is simply unknown.
    pub fn credential(&self, name: &str) -> Option<&Arc<Credential>> {
        self.credentials.get(&name.parse().ok()?)
    }

    /// A tenant's route by the name that people use.
    pub fn route(&self, environment: &EnvironmentName, slug: &TenantSlug) -> Option<&Arc<Route>> {
        self.by_slug.get(&(environment.clone(), slug.clone()))
    }

    /// A tenant's route by identity.
    pub fn route_of(&self, tenant: TenantId) -> Option<&Arc<Route>> {
        self.by_tenant.get(&tenant)
    }

    /// How many tenants have a route.
    pub fn tenant_count(&self) -> usize {
        self.by_tenant.shards.iter().map(|shard| shard.len()).sum()
    }

    /// Every tenant's route, in no order.
    pub fn routes(&self) -> impl Iterator<Item = &Arc<Route>> {
        self.by_tenant.shards.iter().flat_map(|shard| shard.values())
    }

    /// Decides whether an authenticated credential gets a session on the tenant it names.
    ///
    /// # Errors
    /// [`Refusal`]; what the credential must not know of looks like what does not exist.
    pub fn admit(&self, credential: &Credential, tenant: &str) -> Result<Admission, Refusal> {
        let slug: TenantSlug = tenant.parse().map_err(|_| Refusal::UnknownTenant)?;
        let route = self.route(&credential.environment, &slug).ok_or(Refusal::UnknownTenant)?;
        match credential.may_use(&route.environment, route.tenant) {
            Permission::Granted => {}
            Permission::OtherTenant | Permission::OtherEnvironment => return Err(Refusal::UnknownTenant),
        }
        if route.state == RouteState::Suspended {
            return Err(Refusal::Suspended(slug));
        }
        let cluster = self.cluster(route.cluster).ok_or(Refusal::UnknownTenant)?;
        // R13: a route that points into another environment is a fault of ours; closing is the only safe answer.
        if cluster.environment != route.environment {
            return Err(Refusal::UnknownTenant);
        }
        Ok(Admission { route: Arc::clone(route), cluster: Arc::clone(cluster) })
    }

    /// The table with changes applied, in order, at a newer version.
    ///
    /// # Panics
    /// If `version` is not newer: a snapshot that goes back would let revoked sessions in again.
    #[must_use]
    pub fn with(&self, version: RouteVersion, changes: impl IntoIterator<Item = RouteChange>) -> Self {
        assert!(version > self.version, "route version {version} is not after {}", self.version);
        let mut next = self.clone();
        next.version = version;
        for change in changes {
            next.apply(change);
        }
        next
    }

    fn apply(&mut self, change: RouteChange) {
        match change {
            RouteChange::Environment(environment) => {
                Arc::make_mut(&mut self.environments).insert(environment.name.clone(), Arc::new(environment));
            }
            RouteChange::Cluster(cluster) => {
                Arc::make_mut(&mut self.clusters).insert(cluster.id, Arc::new(cluster));
            }
            RouteChange::Credential(credential) => {
                self.forget_credential(credential.id);
                self.credential_names.insert(credential.id, credential.name.clone());
                self.credentials.insert(credential.name.clone(), Arc::new(credential));
            }
            RouteChange::CredentialGone(id) => self.forget_credential(id),
            RouteChange::Route(route) => {
                let stale = self.by_tenant.get(&route.tenant).is_some_and(|known| known.epoch > route.epoch);
                if !stale {
                    self.forget_route(route.tenant);
                    let route = Arc::new(route);
                    self.by_slug.insert((route.environment.clone(), route.slug.clone()), Arc::clone(&route));
                    self.by_tenant.insert(route.tenant, route);
                }
            }
            RouteChange::RouteGone(tenant) => self.forget_route(tenant),
        }
    }

    fn forget_credential(&mut self, id: CredentialId) {
        if let Some(name) = self.credential_names.remove(&id) {
            self.credentials.remove(&name);
        }
    }

    fn forget_route(&mut self, tenant: TenantId) {
        if let Some(old) = self.by_tenant.remove(&tenant) {
            self.by_slug.remove(&(old.environment.clone(), old.slug.clone()));
        }
    }
}

/// With 20,000 tenants a shard has about 80 entries, so that a change copies 80 entries and 256 pointers.
const SHARD_COUNT: usize = 256;

/// A hash map in shards that versions share until one of them changes it.
#[derive(Clone, Debug)]
struct Shards<K, V> {
    shards: Box<[Arc<HashMap<K, V>>]>,
}

impl<K, V> Default for Shards<K, V> {
    fn default() -> Self {
        let empty = Arc::new(HashMap::new());
        Self { shards: vec![empty; SHARD_COUNT].into() }
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Shards<K, V> {
    fn index(key: &K) -> usize {
        // Fixed keys, so that every version agrees on the shard; the maps inside have random ones against crafted names.
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(key);
        usize::from(hash.to_be_bytes()[0])
    }

    fn get(&self, key: &K) -> Option<&V> {
        self.shards[Self::index(key)].get(key)
    }

    fn insert(&mut self, key: K, value: V) {
        Arc::make_mut(&mut self.shards[Self::index(&key)]).insert(key, value);
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let shard = &mut self.shards[Self::index(key)];
        if shard.contains_key(key) { Arc::make_mut(shard).remove(key) } else { None }
    }
}

#[cfg(test)]
mod tests;
