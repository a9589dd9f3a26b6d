//! A catalog with something in it: environments, a cluster each, pools.

use std::time::Duration;

use holm_core::access::TokenScope;
use holm_core::actor::PrincipalKind;
use holm_core::cluster::state::ClusterState;
use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::credential::{CredentialName, Level, Scope};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, CredentialId, DatabaseId, EnvironmentId, PrincipalId, TenantId, TokenId};
use holm_core::role::DatabaseName;
use holm_core::scram::Verifier;
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_testkit::{TestDatabase, database, server};
use uuid::Uuid;

use crate::catalog::Catalog;
use crate::cluster::{Access, NewCluster};
use crate::credential::NewCredential;
use crate::database::NewDatabase;
use crate::environment::{NewEnvironment, Upserted};
use crate::principal::{NewPrincipal, Principal};
use crate::sealed::Sealed;
use crate::state::Update;
use crate::template::{NewTemplate, TemplateId};
use crate::tenant::claim::{Claim, NewTenant, claim};
use crate::tenant::{self, Tenant};
use crate::token::NewToken;
use crate::{cluster, environment, principal, template};

/// A migrated catalog on the shared server.
pub(crate) struct World {
    pub(crate) catalog: Catalog,
    pub(crate) database: TestDatabase<'static>,
}

/// A cluster with a ready template.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) cluster: ClusterId,
    pub(crate) template: TemplateId,
}

/// Fewer than tasks in the tests of races, so that some wait for a connection too.
pub(crate) const POOL_SIZE: usize = 8;

impl World {
    pub(crate) async fn new() -> Self {
        let database = database(server().await).await;
        let catalog = migrated(&database.url()).await;
        Self { catalog, database }
    }

    /// An environment with a cluster `<name>-1`.
    pub(crate) async fn with(name: &str) -> (Self, Place) {
        let world = Self::new().await;
        let place = place(&world.catalog, name).await;
        (world, place)
    }

    /// Connects as often as the pool may. SCRAM is slow without optimisation, and a race of connecting is not what is tested.
    pub(crate) async fn warm(&self) {
        let mut sessions = Vec::new();
        for _ in 0..POOL_SIZE {
            sessions.push(self.catalog.session().await.unwrap());
        }
    }
}

pub(crate) async fn migrated(url: &str) -> Catalog {
    let catalog = Catalog::open(url, POOL_SIZE).unwrap();
    catalog.migrate().await.unwrap();
    catalog
}

pub(crate) fn environment_name(name: &str) -> EnvironmentName {
    name.parse().unwrap()
}

pub(crate) fn slug(text: &str) -> TenantSlug {
    text.parse().unwrap()
}

pub(crate) fn new_environment(name: &str) -> NewEnvironment {
    NewEnvironment {
        id: EnvironmentId::from_uuid(Uuid::now_v7()),
        name: name.parse().unwrap(),
        kind: EnvironmentKind::Production,
        domain: format!("{name}.example").parse().unwrap(),
        sealed_header_key: Sealed::new(*b"a sealed key"),
        pool_size: 5,
        migrations: None,
        seed: None,
    }
}

pub(crate) async fn put_environment(catalog: &Catalog, new: &NewEnvironment) {
    let mut tx = catalog.transaction().await.unwrap();
    assert!(matches!(environment::upsert(&mut tx, new).await.unwrap(), Upserted::Created(_)));
    tx.commit().await.unwrap();
}

pub(crate) fn new_cluster(environment: &str, name: &str, system_identifier: i64) -> NewCluster {
    NewCluster {
        id: ClusterId::from_uuid(Uuid::now_v7()),
        environment: environment.parse().unwrap(),
        name: name.parse().unwrap(),
        system_identifier,
        access: Access {
            address: ServerAddress { host: "127.0.0.1".into(), port: 5432 },
            tls: ServerTls::Disable,
            client_certificate: None,
            admin_role: "holm".parse().unwrap(),
            sealed_admin_password: Sealed::new(*b"a sealed password"),
            server_version: 150_000,
            connections_max: 50,
        },
        state: ClusterState::Open,
        adopted: None,
        public_before: Vec::new(),
    }
}

/// An environment (made if it is new), one more cluster of it, and a ready template there.
pub(crate) async fn place(catalog: &Catalog, environment: &str) -> Place {
    if environment::by_name(catalog, &environment_name(environment)).await.unwrap().is_none() {
        put_environment(catalog, &new_environment(environment)).await;
    }
    let clusters = cluster::list(catalog).await.unwrap();
    let number = clusters.iter().filter(|cluster| cluster.environment.as_str() == environment).count() + 1;
    let identifier = i64::try_from(Uuid::new_v4().as_u128() >> 65).unwrap();
    let new = new_cluster(environment, &format!("{environment}-{number}"), identifier);
    let mut tx = catalog.transaction().await.unwrap();
    assert!(matches!(cluster::insert(&mut tx, &new).await.unwrap(), cluster::Inserted::Done(_)));
    let template = TemplateId::from_uuid(Uuid::now_v7());
    let planned =
        NewTemplate { id: template, cluster: new.id, fingerprint: "f1".to_owned(), database: DatabaseName::template(Uuid::new_v4()) };
    template::plan(&mut tx, &planned).await.unwrap().unwrap();
    assert_eq!(template::mark_ready(&mut tx, template).await.unwrap(), Update::Done);
    tx.commit().await.unwrap();
    Place { cluster: new.id, template }
}

pub(crate) fn new_database(template: TemplateId) -> NewDatabase {
    NewDatabase {
        id: DatabaseId::from_uuid(Uuid::now_v7()),
        template,
        name: DatabaseName::generated(Uuid::new_v4()),
        sealed_logins: Sealed::new(*b"three sealed logins"),
    }
}

/// Puts ready members into a pool.
pub(crate) async fn fill(catalog: &Catalog, place: Place, count: usize) -> Vec<DatabaseId> {
    let mut tx = catalog.transaction().await.unwrap();
    let mut made = Vec::new();
    for _ in 0..count {
        let new = new_database(place.template);
        crate::database::plan(&mut tx, &new).await.unwrap().unwrap();
        assert_eq!(crate::database::mark_ready(&mut tx, new.id).await.unwrap(), Update::Done);
        made.push(new.id);
    }
    tx.commit().await.unwrap();
    made
}

pub(crate) fn new_tenant(environment: &str, slug: &str) -> NewTenant {
    NewTenant {
        id: TenantId::from_uuid(Uuid::now_v7()),
        environment: environment.parse().unwrap(),
        slug: slug.parse().unwrap(),
        cluster: None,
        parameters: Vec::new(),
        ttl: None,
        profile: None,
        near: None,
    }
}

pub(crate) fn on_cluster(new: NewTenant, cluster: &str) -> NewTenant {
    let cluster: ClusterName = cluster.parse().unwrap();
    NewTenant { cluster: Some(cluster), ..new }
}

/// One claim, committed if it changed anything.
pub(crate) async fn claim_now(catalog: &Catalog, new: NewTenant) -> Claim {
    let mut tx = catalog.transaction().await.unwrap();
    let claimed = claim(&mut tx, new).await.unwrap();
    if matches!(claimed, Claim::Claimed { .. } | Claim::Awaiting(_)) {
        tx.commit().await.unwrap();
    }
    claimed
}

/// A tenant that serves, from a pool that has a member.
pub(crate) async fn serving(catalog: &Catalog, environment: &str, name: &str) -> Tenant {
    let mut tx = catalog.transaction().await.unwrap();
    let Claim::Claimed { tenant, .. } = claim(&mut tx, new_tenant(environment, name)).await.unwrap() else {
        panic!("no database for `{name}`");
    };
    assert_eq!(tenant::mark_serving(&mut tx, tenant.id).await.unwrap(), Update::Done);
    tx.commit().await.unwrap();
    tenant::by_id(catalog, tenant.id).await.unwrap().unwrap()
}

pub(crate) fn new_credential(environment: &str, name: &str, scope: Scope) -> NewCredential {
    let name: CredentialName = name.parse().unwrap();
    NewCredential {
        id: CredentialId::from_uuid(Uuid::now_v7()),
        name,
        environment: environment.parse().unwrap(),
        scope,
        level: Level::Rw,
        verifier: Verifier {
            salt: Box::new([7; 16]),
            iterations: 4096,
            stored_key: Secret::new([1; 32]),
            server_key: Secret::new([2; 32]),
        },
    }
}

pub(crate) async fn principal(catalog: &Catalog, name: &str) -> Principal {
    let new = NewPrincipal { id: PrincipalId::from_uuid(Uuid::now_v7()), name: name.parse().unwrap(), kind: PrincipalKind::Person };
    let mut tx = catalog.transaction().await.unwrap();
    let principal = principal::insert(&mut tx, &new).await.unwrap().unwrap();
    tx.commit().await.unwrap();
    principal
}

pub(crate) fn new_token(of: &Principal, number: u8) -> NewToken {
    NewToken {
        id: TokenId::from_uuid(Uuid::now_v7()),
        name: "ci".to_owned(),
        hash: [number; 32],
        principal: of.id,
        scope: TokenScope::default(),
        lifetime: None,
    }
}

pub(crate) fn a_problem() -> Problem {
    Problem::new(ErrorCode::SeedFailed, "the seed failed").because("exit status 1")
}

/// Long enough for a busy machine: it only says that something never came.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
