//! The route table: tenant to cluster, database, role and state, as an immutable snapshot.
//!
//! Promises: a reader sees one version whole; making the next version copies one shard per change, not the table; a
//! version never goes back, nor does a route's epoch. Refuses defaults: what is not in the table is refused by name.

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::sync::Arc;

use jiff::Timestamp;

use crate::cluster::Cluster;
use crate::credential::{Credential, CredentialName, Level, Permission};
use crate::environment::{Environment, EnvironmentName};
use crate::id::{ClusterId, CredentialId, TenantId};
use crate::limits::TenantLimits;
use crate::parameter::TenantParameter;
use crate::placement::{Allows, Authority, Placement, Withheld};
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

/// The logins of a tenant's database.
#[derive(Clone, Debug)]
pub enum Logins {
    /// One a level, in the order of [`Level::ALL`]: a database that Holm made.
    Each(Box<[ServerLogin; 3]>),
    /// One for the owner and none else: a database that somebody brought with the role that it has.
    Owner(ServerLogin),
}

impl From<[ServerLogin; 3]> for Logins {
    fn from(logins: [ServerLogin; 3]) -> Self {
        Self::Each(Box::new(logins))
    }
}

impl Logins {
    /// The login of a level, if there is one.
    pub const fn of(&self, level: Level) -> Option<&ServerLogin> {
        match (self, level) {
            (Self::Each(each), Level::Owner) => Some(&each[0]),
            (Self::Each(each), Level::Rw) => Some(&each[1]),
            (Self::Each(each), Level::Ro) => Some(&each[2]),
            (Self::Owner(login), Level::Owner) => Some(login),
            (Self::Owner(_), Level::Rw | Level::Ro) => None,
        }
    }
}

/// Whether sessions are let in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RouteState {
    /// They are.
    Serving,
    /// They are, and wait: no transaction is begun until an operator says so.
    Paused,
    /// They are not, by an operator's word; open ones are closed.
    Suspended,
    /// They are not, and the tenant is kept only until its grace period is over.
    Deleted,
}

impl RouteState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Serving, Self::Paused, Self::Suspended, Self::Deleted];

    /// Whether sessions are let in, and open ones stay.
    pub const fn lets_in(self) -> bool {
        match self {
            Self::Serving | Self::Paused => true,
            Self::Suspended | Self::Deleted => false,
        }
    }

    /// The word that metrics and people use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Serving => "serving",
            Self::Paused => "paused",
            Self::Suspended => "suspended",
            Self::Deleted => "deleted",
        }
    }
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
    /// How sessions log in there.
    pub logins: Logins,
    /// Those that take their place while the roles are given new keys: a server may know either.
    pub next_logins: Option<Logins>,
    /// PostgreSQL parameters that each of its sessions starts with.
    pub parameters: Box<[TenantParameter]>,
    /// How many of the server's connections it may have.
    pub limits: TenantLimits,
    /// Names that it had until lately; whoever uses one is told the new one, and gets no session.
    pub aliases: Box<[TenantSlug]>,
    /// Whether its database may be used where it is.
    pub placement: Placement,
}

impl Route {
    /// The login of a level, if the database has a role for it.
    pub const fn login(&self, level: Level) -> Option<&ServerLogin> {
        self.logins.of(level)
    }

    /// The level that a session of a level has: where only reading is allowed, that of the role that only reads. A database
    /// that somebody brought has one role, which keeps its own.
    pub fn level_for(&self, level: Level) -> Level {
        if self.is_reading() && self.logins.of(Level::Ro).is_some() { Level::Ro } else { level }
    }

    /// Whether nothing may be written where its database is.
    pub fn is_reading(&self) -> bool {
        self.placement.allows().is_some_and(Allows::is_reading)
    }

    /// The login that takes its place, if one does.
    pub fn next_login(&self, level: Level) -> Option<&ServerLogin> {
        self.next_logins.as_ref().and_then(|logins| logins.of(level))
    }
}

/// One difference between two versions of the table.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant, reason = "nearly all of them are routes, in vectors that live for a moment")]
pub enum RouteChange {
    /// An environment was added or changed.
    Environment(Environment),
    /// A cluster was added or changed.
    Cluster(Cluster),
    /// A cluster was removed.
    ClusterGone(ClusterId),
    /// A credential was added or changed.
    Credential(Credential),
    /// A credential was revoked.
    CredentialGone(CredentialId),
    /// A tenant's route was added or changed.
    Route(Route),
    /// A tenant has no route any more.
    RouteGone(TenantId),
    /// Who signs placements, or what time it is there.
    Authority(Authority),
}

/// The table at one version.
#[derive(Clone, Debug, Default)]
pub struct RouteTable {
    version: RouteVersion,
    authority: Option<Authority>,
    environments: Arc<HashMap<EnvironmentName, Arc<Environment>>>,
    clusters: Arc<HashMap<ClusterId, Arc<Cluster>>>,
    credentials: Shards<CredentialName, Arc<Credential>>,
    credential_names: Shards<CredentialId, CredentialName>,
    by_slug: Shards<(EnvironmentName, TenantSlug), Arc<Route>>,
    by_alias: Shards<(EnvironmentName, TenantSlug), TenantId>,
    by_tenant: Shards<TenantId, Arc<Route>>,
}

/// A session that may be opened, and where.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The tenant's route.
    pub route: Arc<Route>,
    /// Its cluster.
    pub cluster: Arc<Cluster>,
    /// The level that it has there; the credential's, or less.
    pub level: Level,
    /// How the session logs in there.
    pub login: ServerLogin,
}

/// Why a session is not opened, said only after authentication.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Refusal {
    /// No tenant of that name that this credential may know of; the same for absent, foreign and mistyped.
    UnknownTenant,
    /// The tenant is suspended.
    Suspended(TenantSlug),
    /// The tenant is deleted, and not dropped yet.
    Deleted(TenantSlug),
    /// The tenant has another name now.
    Renamed {
        /// The name that was used.
        from: TenantSlug,
        /// The name that it has.
        to: TenantSlug,
    },
    /// The tenant's database has no role of the credential's level.
    NoSuchLevel(TenantSlug, Level),
    /// Its database may not be used where it is.
    Withheld(TenantSlug, Withheld),
    /// Its database may be used only by who is there already.
    Finishing(TenantSlug),
}

impl RouteTable {
    /// The version of this snapshot.
    pub const fn version(&self) -> RouteVersion {
        self.version
    }

    /// Who signs placements; without one nothing is taken for signed.
    pub const fn authority(&self) -> Option<&Authority> {
        self.authority.as_ref()
    }

    /// The same table, when it was later where placements are signed.
    #[must_use]
    pub fn told_at(&self, now: Timestamp) -> Self {
        Self { authority: self.authority.map(|authority| Authority { told_at: now, ..authority }), ..self.clone() }
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

    /// Every credential, in no order.
    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.values()
    }

    /// A tenant's route by the name that people use.
    pub fn route(&self, environment: &EnvironmentName, slug: &TenantSlug) -> Option<&Arc<Route>> {
        self.by_slug.get(&(environment.clone(), slug.clone()))
    }

    /// The route of the tenant that had this name until lately. A name that a tenant has today is nobody's old one.
    pub fn renamed(&self, environment: &EnvironmentName, slug: &TenantSlug) -> Option<&Arc<Route>> {
        let key = (environment.clone(), slug.clone());
        if self.by_slug.get(&key).is_some() {
            return None;
        }
        self.route_of(*self.by_alias.get(&key)?)
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
        self.by_tenant.values()
    }

    /// Whether everything that an older version has is in this one exactly as it was there, so that nothing which this one
    /// forbids was allowed. `false` decides nothing: what was read anew counts as changed. Costs the shards that changed.
    pub fn only_adds_to(&self, older: &Self) -> bool {
        let same_key = |older: &Authority| self.authority.is_some_and(|now| now.key == older.key);
        older.authority.as_ref().is_none_or(same_key)
            && keeps(&self.environments, &older.environments)
            && keeps(&self.clusters, &older.clusters)
            && self.credentials.keeps(&older.credentials)
            && self.by_slug.keeps(&older.by_slug)
            && self.by_tenant.keeps(&older.by_tenant)
    }

    /// What makes this version out of an older one by [`with`](Self::with): what is gone first, so that a name which somebody gave up and
    /// somebody else took ends with whoever has it now. What was read anew counts as changed. Costs the shards that changed.
    ///
    /// A route whose own name leads elsewhere admits nobody, and counts as gone.
    pub fn since(&self, older: &Self) -> Vec<RouteChange> {
        let leads = |route: &Route| self.route(&route.environment, &route.slug).is_some_and(|found| found.tenant == route.tenant);
        let mut changes = Vec::new();
        changes.extend(self.authority.filter(|now| older.authority != Some(*now)).map(RouteChange::Authority));
        changes.extend(gone(&self.clusters, &older.clusters).map(|id| RouteChange::ClusterGone(*id)));
        changes.extend(self.credential_names.gone(&older.credential_names).map(|id| RouteChange::CredentialGone(*id)));
        changes.extend(self.by_tenant.gone(&older.by_tenant).map(|tenant| RouteChange::RouteGone(*tenant)));
        // Who lost its name to one that is gone by now.
        let nameless = self.by_slug.gone(&older.by_slug).filter_map(|name| older.by_slug.get(name)).map(|route| route.tenant);
        changes.extend(nameless.filter(|tenant| self.route_of(*tenant).is_some_and(|route| !leads(route))).map(RouteChange::RouteGone));
        // Who came back with a lower epoch, which is else taken for a word that is late.
        let anew = |new: &&Arc<Route>| older.route_of(new.tenant).is_some_and(|known| known.epoch > new.epoch);
        changes.extend(self.by_tenant.differ(&older.by_tenant).filter(anew).map(|new| RouteChange::RouteGone(new.tenant)));
        changes.extend(differ(&self.environments, &older.environments).map(|new| RouteChange::Environment((**new).clone())));
        changes.extend(differ(&self.clusters, &older.clusters).map(|new| RouteChange::Cluster((**new).clone())));
        changes.extend(self.credentials.differ(&older.credentials).map(|new| RouteChange::Credential((**new).clone())));
        changes.extend(self.by_tenant.differ(&older.by_tenant).map(|new| match leads(new) {
            true => RouteChange::Route((**new).clone()),
            false => RouteChange::RouteGone(new.tenant),
        }));
        changes
    }

    /// As much of the table as one environment needs, at the same version: nothing that names another is in it. Costs the whole table.
    #[must_use]
    pub fn of(&self, environment: &EnvironmentName) -> Self {
        let none = Self::default();
        if self.version == none.version { none } else { none.with(self.version, self.since_of(&none, environment)) }
    }

    /// As [`since`](Self::since), of one environment: with [`with`](Self::with) it leads from [`of`](Self::of) an older version to `of`
    /// this one. Not even the number of what is another's is in it.
    pub fn since_of(&self, older: &Self, environment: &EnvironmentName) -> Vec<RouteChange> {
        let mut changes = self.since(older);
        changes.retain(|change| match change {
            RouteChange::Environment(new) => new.name == *environment,
            RouteChange::Cluster(new) => new.environment == *environment,
            RouteChange::Credential(new) => new.environment == *environment,
            RouteChange::Route(new) => new.environment == *environment,
            RouteChange::ClusterGone(id) => older.cluster(*id).is_some_and(|gone| gone.environment == *environment),
            RouteChange::CredentialGone(id) => {
                let gone = older.credential_names.get(id).and_then(|name| older.credentials.get(name));
                gone.is_some_and(|gone| gone.environment == *environment)
            }
            RouteChange::RouteGone(tenant) => older.route_of(*tenant).is_some_and(|gone| gone.environment == *environment),
            RouteChange::Authority(_) => true,
        });
        changes
    }

    /// Decides whether an authenticated credential gets a session on the tenant it names.
    ///
    /// # Errors
    /// [`Refusal`]; what the credential must not know of looks like what does not exist.
    pub fn admit(&self, credential: &Credential, tenant: &str) -> Result<Admission, Refusal> {
        let slug: TenantSlug = tenant.parse().map_err(|_| Refusal::UnknownTenant)?;
        let current = self.route(&credential.environment, &slug);
        let route = current.or_else(|| self.renamed(&credential.environment, &slug)).ok_or(Refusal::UnknownTenant)?;
        match credential.may_use(&route.environment, route.tenant) {
            Permission::Granted => {}
            Permission::OtherTenant | Permission::OtherEnvironment => return Err(Refusal::UnknownTenant),
        }
        if current.is_none() {
            return Err(Refusal::Renamed { from: slug, to: route.slug.clone() });
        }
        match route.state {
            RouteState::Serving | RouteState::Paused => {}
            RouteState::Suspended => return Err(Refusal::Suspended(slug)),
            RouteState::Deleted => return Err(Refusal::Deleted(slug)),
        }
        let cluster = self.cluster(route.cluster).ok_or(Refusal::UnknownTenant)?;
        // R13: a route that points into another environment is a fault of ours; closing is the only safe answer.
        if cluster.environment != route.environment {
            return Err(Refusal::UnknownTenant);
        }
        match &route.placement {
            Placement::Withheld(why) => return Err(Refusal::Withheld(slug, *why)),
            Placement::Certified(certificate) if certificate.claims.allows.is_finishing() => return Err(Refusal::Finishing(slug)),
            Placement::Certified(_) => {}
        }
        let level = route.level_for(credential.level);
        let login = route.logins.of(level).ok_or(Refusal::NoSuchLevel(slug, level))?;
        Ok(Admission { route: Arc::clone(route), cluster: Arc::clone(cluster), level, login: login.clone() })
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
            RouteChange::ClusterGone(id) => {
                Arc::make_mut(&mut self.clusters).remove(&id);
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
                    for alias in &route.aliases {
                        self.by_alias.insert((route.environment.clone(), alias.clone()), route.tenant);
                    }
                    self.by_tenant.insert(route.tenant, route);
                }
            }
            RouteChange::RouteGone(tenant) => self.forget_route(tenant),
            RouteChange::Authority(authority) => self.authority = Some(authority),
        }
    }

    fn forget_credential(&mut self, id: CredentialId) {
        if let Some(name) = self.credential_names.remove(&id) {
            self.credentials.remove(&name);
        }
    }

    fn forget_route(&mut self, tenant: TenantId) {
        if let Some(old) = self.by_tenant.remove(&tenant) {
            // Only what is still its own: what names it gave up may be another's by now.
            let slug = (old.environment.clone(), old.slug.clone());
            if self.by_slug.get(&slug).is_some_and(|route| route.tenant == tenant) {
                self.by_slug.remove(&slug);
            }
            for alias in &old.aliases {
                let alias = (old.environment.clone(), alias.clone());
                if self.by_alias.get(&alias) == Some(&tenant) {
                    self.by_alias.remove(&alias);
                }
            }
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

    fn values(&self) -> impl Iterator<Item = &V> {
        self.shards.iter().flat_map(|shard| shard.values())
    }

    fn insert(&mut self, key: K, value: V) {
        Arc::make_mut(&mut self.shards[Self::index(&key)]).insert(key, value);
    }

    fn remove(&mut self, key: &K) -> Option<V> {
        let shard = &mut self.shards[Self::index(key)];
        if shard.contains_key(key) { Arc::make_mut(shard).remove(key) } else { None }
    }
}

impl<K: Eq + Hash, V> Shards<K, Arc<V>> {
    fn keeps(&self, older: &Self) -> bool {
        self.shards.iter().zip(&older.shards).all(|(now, older)| Arc::ptr_eq(now, older) || keeps(now, older))
    }
}

impl<K: Eq + Hash, V> Shards<K, V> {
    /// Shard by shard, those that are not one and the same.
    fn changed<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = (&'a HashMap<K, V>, &'a HashMap<K, V>)> {
        let pairs = self.shards.iter().zip(&older.shards);
        pairs.filter(|(now, older)| !Arc::ptr_eq(now, older)).map(|(now, older)| (&**now, &**older))
    }

    fn gone<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = &'a K> {
        self.changed(older).flat_map(|(now, older)| gone(now, older))
    }
}

impl<K: Eq + Hash, V> Shards<K, Arc<V>> {
    fn differ<'a>(&'a self, older: &'a Self) -> impl Iterator<Item = &'a Arc<V>> {
        self.changed(older).flat_map(|(now, older)| differ(now, older))
    }
}

/// What an older map has and a newer one has not.
fn gone<'a, K: Eq + Hash, V>(newer: &'a HashMap<K, V>, older: &'a HashMap<K, V>) -> impl Iterator<Item = &'a K> {
    older.keys().filter(|key| !newer.contains_key(key))
}

/// What a newer map has and an older one has not, or not the same.
fn differ<'a, K: Eq + Hash, V>(newer: &'a HashMap<K, Arc<V>>, older: &'a HashMap<K, Arc<V>>) -> impl Iterator<Item = &'a Arc<V>> {
    newer.iter().filter(|(key, value)| older.get(key).is_none_or(|known| !Arc::ptr_eq(known, value))).map(|(_, value)| value)
}

/// Whether every entry of an older map is in a newer one, the same and not only alike.
fn keeps<K: Eq + Hash, V>(newer: &HashMap<K, Arc<V>>, older: &HashMap<K, Arc<V>>) -> bool {
    older.iter().all(|(key, value)| newer.get(key).is_some_and(|now| Arc::ptr_eq(now, value)))
}

#[cfg(test)]
mod tests;
