//! What is on a cluster, and what the catalog says is.
//!
//! The server is read, then the catalog, then the server again: what Holm is making or removing meanwhile is in the
//! catalog as long as it is on the server, so that only what both readings of the server show can be an orphan, and only
//! what the second does not show can be missing.

use std::collections::{HashMap, HashSet};

use holm_core::credential::Level;
use holm_core::error::Problem;
use holm_core::id::DatabaseId;
use holm_core::role::{DatabaseName, RoleName};
use holm_store::cluster::Cluster;
use holm_store::database::{self, Database, DatabaseState};
use holm_store::template::{self, Template};
use holm_store::tenant::copying;

use super::connect::Connection;
use super::observe::{self, ObservedDatabase, ObservedRole};
use super::trouble::ClusterError;
use crate::control::Control;
use crate::secret::logins::Logins;
use crate::secret::scram::PostgresVerifier;

/// Beyond what one cluster can hold.
const DATABASES_MAX: u32 = 100_000;

pub(crate) struct Inventory {
    before: HashSet<String>,
    databases: Vec<ObservedDatabase>,
    roles: Vec<ObservedRole>,
    known: Vec<Database>,
    /// Those of `known` that an operation is making.
    under_way: HashSet<DatabaseId>,
    templates: Vec<Template>,
}

impl Inventory {
    /// Of the databases in these states; without all of them nothing can be said of orphans.
    pub(crate) async fn take(control: &Control, cluster: &Cluster, admin: &Connection, states: &[DatabaseState]) -> Result<Self, Problem> {
        let refused = |error: ClusterError| error.problem(&cluster.name);
        let mut before: HashSet<String> =
            observe::databases(admin).await.map_err(refused)?.into_iter().map(|database| database.name).collect();
        before.extend(observe::roles(admin).await.map_err(refused)?.into_iter().map(|role| role.name));
        let mut under_way: HashSet<DatabaseId> = copying::under_way(control.catalog()).await?.into_iter().collect();
        let mut known = Vec::new();
        for &state in states {
            known.extend(database::of_state(control.catalog(), cluster.id, state, DATABASES_MAX).await?);
        }
        let templates = template::list(control.catalog(), cluster.id).await?;
        let databases = observe::databases(admin).await.map_err(refused)?;
        let roles = observe::roles(admin).await.map_err(refused)?;
        // Also those that were begun meanwhile; one that was finished meanwhile was begun before.
        under_way.extend(copying::under_way(control.catalog()).await?);
        Ok(Self { before, databases, roles, known, under_way, templates })
    }

    /// Names of Holm's form, on the server through both readings, that the catalog does not know.
    pub(crate) fn orphans(&self) -> Vec<String> {
        let known: HashSet<&str> = self.names_known().collect();
        let databases = self.databases.iter().map(|database| (database.name.as_str(), database.name.as_str()));
        let roles = self.roles.iter().filter_map(|role| Some((role.name.as_str(), role.name.rsplit_once('_')?.0)));
        databases
            .filter(|(name, _)| is_ours(name))
            .chain(roles)
            .filter(|(name, database)| self.before.contains(*name) && !known.contains(database))
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// Whether an operation is making one of these.
    pub(crate) fn is_growing(&self) -> bool {
        self.known.iter().any(|database| self.under_way.contains(&database.id))
    }

    /// Databases that should be whole and are not there.
    pub(crate) fn missing(&self) -> Vec<String> {
        let there: HashSet<&str> =
            self.databases.iter().filter(|database| !database.invalid).map(|database| database.name.as_str()).collect();
        self.whole().map(|database| database.name.as_str()).filter(|name| !there.contains(name)).map(str::to_owned).collect()
    }

    /// Databases that `PUBLIC` may connect to, and those that are no tenant's and a role of one may; of tenants' own, `strangers` tells.
    pub(crate) fn open_doors(&self) -> Vec<String> {
        // Nobody connects to what allows no connections: templates, and databases that are being made.
        let reachable = |database: &&ObservedDatabase| database.allows_connections;
        let mut open = Vec::new();
        for database in self.databases.iter().filter(reachable) {
            if database.public_connect {
                open.push(format!("{} to everyone", database.name));
            } else if !is_tenants(&database.name) && lets_in_a_neighbour(database) {
                open.push(format!("{} to a role of another database", database.name));
            }
        }
        open
    }

    /// Databases of Holm's that others than their own roles may connect to, or that their own may not: what a copy that was made
    /// without access lists looks like.
    pub(crate) fn wrong_doors(&self) -> Vec<String> {
        let there: HashMap<&str, &ObservedDatabase> = self.databases.iter().map(|database| (database.name.as_str(), database)).collect();
        let is_wrong = |name: &DatabaseName, there: &ObservedDatabase| {
            let own = Level::ALL.map(|level| RoleName::of(name, level).to_string());
            let lacks = own.iter().any(|role| *role != there.owner && !there.may_connect.contains(role));
            let lets_in_another = there.may_connect.iter().any(|role| !own.contains(role));
            !there.allows_connections || there.public_connect || lacks || lets_in_another
        };
        let wrong = |database: &&Database| there.get(database.name.as_str()).is_some_and(|there| is_wrong(&database.name, there));
        self.whole().filter(wrong).map(|database| database.name.to_string()).collect()
    }

    /// What they are.
    pub(crate) fn known(&self) -> impl Iterator<Item = DatabaseId> {
        self.known.iter().map(|database| database.id)
    }

    /// Roles with attributes or memberships that Holm never gives, and databases whose owner is not theirs.
    pub(crate) fn grown_roles(&self) -> Vec<String> {
        let templates: HashSet<String> =
            self.templates.iter().map(|template| RoleName::of(&template.database, Level::Owner).to_string()).collect();
        let grown = |role: &&ObservedRole| role.privileged || role.is_member;
        let left_open = |role: &&ObservedRole| templates.contains(&role.name) && role.can_login && self.is_ready_template(&role.name);
        let mut names: Vec<String> =
            self.roles.iter().filter(|role| grown(role) || left_open(role)).map(|role| role.name.clone()).collect();
        let owners: HashMap<&str, &str> = self.databases.iter().map(|database| (database.name.as_str(), database.owner.as_str())).collect();
        for database in self.whole() {
            let owner = RoleName::of(&database.name, Level::Owner);
            if owners.get(database.name.as_str()).is_some_and(|actual| *actual != owner.as_str()) {
                names.push(owner.to_string());
            }
        }
        names
    }

    /// Roles that somebody else may act as, and so come to what is theirs without a privilege of their own.
    pub(crate) fn lent_roles(&self) -> Vec<String> {
        let lent: HashSet<&str> = self.roles.iter().filter(|role| role.is_lent).map(|role| role.name.as_str()).collect();
        let own = self.whole().flat_map(|database| Level::ALL.map(|level| RoleName::of(&database.name, level).to_string()));
        own.filter(|role| lent.contains(role.as_str())).collect()
    }

    /// Roles that cannot log in, or whose verifier is not the one that their sealed login makes.
    pub(crate) async fn drifted_logins(&self, control: &Control) -> Result<Vec<String>, Problem> {
        let whole: Vec<Database> = self.whole().cloned().collect();
        let ring = control.keys().ring(Vec::new(), whole.iter().flat_map(sealed)).await?;
        let let_in = self.roles.iter().filter(|role| role.can_login);
        let actual: HashMap<String, Option<String>> = let_in.map(|role| (role.name.clone(), role.verifier.clone())).collect();
        let work = move || {
            let mut drifted = Vec::new();
            for database in whole {
                // Two while they are rotated: a role may have either.
                let logins = sealed(&database).map(|sealed| Logins::unseal(&ring, database.id, sealed)).collect::<Result<Vec<_>, _>>()?;
                for level in Level::ALL {
                    let role = RoleName::of(&database.name, level).to_string();
                    let expected = |logins: &Logins| PostgresVerifier(&logins.of(level).verifier()).to_string();
                    let known = |verifier: &str| logins.iter().any(|logins| expected(logins) == verifier);
                    if !actual.get(&role).and_then(Option::as_deref).is_some_and(known) {
                        drifted.push(role);
                    }
                }
            }
            Ok::<_, Problem>(drifted)
        };
        tokio::task::spawn_blocking(work).await.expect("comparing verifiers does not panic")
    }

    fn whole(&self) -> impl Iterator<Item = &Database> {
        let whole = |database: &&Database| {
            matches!(database.state, DatabaseState::Ready | DatabaseState::Claimed) && !self.under_way.contains(&database.id)
        };
        self.known.iter().filter(whole)
    }

    fn names_known(&self) -> impl Iterator<Item = &str> {
        let templates = self.templates.iter().filter(|template| template.dropped_at.is_none());
        self.known.iter().map(|database| database.name.as_str()).chain(templates.map(|template| template.database.as_str()))
    }

    fn is_ready_template(&self, owner: &str) -> bool {
        let finished = |name: &str| self.databases.iter().any(|database| database.name == name && database.is_template);
        owner.rsplit_once('_').is_some_and(|(database, _)| finished(database))
    }
}

/// What the roles of a database may have.
fn sealed(database: &Database) -> impl Iterator<Item = &[u8]> {
    std::iter::once(&database.sealed_logins).chain(&database.next_sealed_logins).map(|sealed| sealed.as_bytes())
}

/// Whether a role of another database of Holm's may connect.
fn lets_in_a_neighbour(database: &ObservedDatabase) -> bool {
    database.may_connect.iter().any(|role| role.rsplit_once('_').is_some_and(|(of, _)| is_ours(of) && of != database.name))
}

/// `t_` and 32 hex digits: a tenant's, or of the pool.
pub(crate) fn is_tenants(name: &str) -> bool {
    is_ours(name) && name.starts_with("t_")
}

/// `t_` or `tpl_` and 32 hex digits: the names that Holm generates.
fn is_ours(name: &str) -> bool {
    let digits = name.strip_prefix("t_").or_else(|| name.strip_prefix("tpl_"));
    digits.is_some_and(|digits| digits.len() == 32 && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')))
}
