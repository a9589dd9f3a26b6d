//! What a start, and one change after it, cost with many tenants; and what takes force though a secret cannot be opened.

use std::time::Instant;

use holm_core::credential::Level;
use holm_core::environment::Domain;
use holm_core::id::DatabaseId;
use holm_core::route::{Route, RouteState};
use holm_testkit::eventually;
use uuid::Uuid;

use crate::environment::{self, NewEnvironment};
use crate::secret::data_key::DataKey;
use crate::secret::logins::Logins;
use crate::secret::master_key::MasterKey;
use crate::support::{DEV, KEY, PATIENCE, Setup, World, production, slug};
use crate::tenant;

/// Copies of one tenant with names and sealed logins of their own.
const COPY: &str = "\
WITH made AS (
    SELECT * FROM unnest($1::uuid[], $2::bytea[], $3::uuid[], $4::bytea[]) WITH ORDINALITY AS made (id, logins, key, wrapped, n)
), databases AS (
    INSERT INTO database (id, cluster_id, environment_id, template_id, name, state, sealed_logins, ready_at)
    SELECT made.id, d.cluster_id, d.environment_id, d.template_id, 't_' || replace(made.id::text, '-', ''), 'claimed', made.logins, now()
    FROM made, database d
    WHERE d.state = 'claimed'
    RETURNING id
), keys AS (
    INSERT INTO data_key (id, database_id, purpose, master_key_id, wrapped)
    SELECT made.key, made.id, 'logins', m.id, made.wrapped
    FROM made, master_key m
)
INSERT INTO tenant (id, environment_id, slug, database_id, state, seeded, epoch, parameters, route_version)
SELECT gen_random_uuid(), t.environment_id, 'tenant-' || made.n, made.id, 'serving', true, 1, '[]', 1
FROM made, tenant t
WHERE t.slug = 'goteborg'";

#[tokio::test]
async fn twenty_thousand_tenants_are_loaded_at_a_start_and_one_change_costs_one_change() {
    const COUNT: usize = 20_000;
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    world.control.shutdown().await;
    let (master, logins) = (MasterKey::from_bytes(KEY), Logins::generate());
    let ids: Vec<Uuid> = (0..COUNT).map(|_| Uuid::now_v7()).collect();
    let keys: Vec<DataKey> = (0..COUNT).map(|_| DataKey::generate()).collect();
    let sealed: Vec<Vec<u8>> = ids.iter().zip(&keys).map(|(id, key)| logins.seal(key, DatabaseId::from_uuid(*id))).collect();
    let key_ids: Vec<Uuid> = keys.iter().map(|key| key.id().as_uuid()).collect();
    let wrapped: Vec<Vec<u8>> = keys.iter().map(|key| master.wrap(key)).collect();
    world.catalog().await.execute(COPY, &[&ids, &sealed, &key_ids, &wrapped]).await.unwrap();
    let begun = Instant::now();
    assert!(keys.iter().zip(&wrapped).all(|(key, wrapped)| master.unwrap(key.id(), wrapped).is_some()));
    println!("{COUNT} data keys unwrapped in {:?}", begun.elapsed());
    let begun = Instant::now();
    let control = world.second_control().await;
    let loaded = begun.elapsed();
    let table = control.publisher().table();
    assert_eq!(table.tenant_count(), COUNT + 1);
    let route = table.route(&production(), &slug("tenant-20000")).unwrap();
    assert_eq!(route.login(Level::Ro).unwrap().keys.client_key, logins.for_route(&route.database)[2].keys.client_key);
    control.start();
    let begun = Instant::now();
    let suspended = tenant::suspend(&control, &DEV, &production(), &slug("tenant-10000")).await.unwrap();
    let changed = begun.elapsed();
    let after = control.publisher().table();
    assert_eq!(after.route_of(suspended.id).unwrap().epoch, suspended.epoch);
    // One change copies nothing of the others.
    let same = |name: &str| {
        let (before, after) = (table.route(&production(), &slug(name)).unwrap(), after.route(&production(), &slug(name)).unwrap());
        std::sync::Arc::ptr_eq(before, after)
    };
    assert!(same("goteborg") && same("tenant-1") && same("tenant-20000") && !same("tenant-10000"));
    println!("{COUNT} tenants loaded in {loaded:?}; one suspended and published in {changed:?}");
    control.shutdown().await;
}

/// The story: somebody wrote into the catalog, and then a tenant is to be shut out.
#[tokio::test]
async fn a_tenant_whose_secret_cannot_be_opened_is_suspended_all_the_same() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let tenant = world.create("goteborg").await.unwrap();
    let broken = "UPDATE database SET sealed_logins = set_byte(sealed_logins, 60, get_byte(sealed_logins, 60) # 1) WHERE state = 'claimed'";
    assert_eq!(world.catalog().await.execute(broken, &[]).await.unwrap(), 1);
    let before = world.control.publisher().table().route_of(tenant.id).unwrap().clone();
    assert_eq!(before.state, RouteState::Serving);
    let suspended = tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    let after = world.control.publisher().table().route_of(tenant.id).unwrap().clone();
    assert_eq!((after.state, after.epoch), (RouteState::Suspended, suspended.epoch));
    let client_key = |route: &Route| route.login(Level::Ro).unwrap().keys.client_key.expose().to_owned();
    assert_eq!(client_key(&after), client_key(&before), "the secret that it had");
    // A process that never had another has none to give.
    let second = world.second_control().await;
    assert!(second.publisher().table().route_of(tenant.id).is_none());
    second.shutdown().await;
}

#[tokio::test]
async fn logins_to_come_that_cannot_be_opened_do_not_cost_those_that_can() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let tenant = world.create("goteborg").await.unwrap();
    let broken = "UPDATE database SET next_sealed_logins = '\\x00' WHERE state = 'claimed'";
    assert_eq!(world.catalog().await.execute(broken, &[]).await.unwrap(), 1);
    let second = world.second_control().await;
    let route = second.publisher().table().route_of(tenant.id).unwrap().clone();
    assert!(route.login(Level::Rw).is_some() && route.next_login(Level::Rw).is_none());
    second.shutdown().await;
}

#[tokio::test]
async fn an_environment_whose_key_cannot_be_opened_is_changed_all_the_same() {
    let world = World::start(Setup::default()).await;
    let domain: Domain = "moved.test".parse().unwrap();
    let broken = "UPDATE environment SET sealed_header_key = set_byte(sealed_header_key, 60, get_byte(sealed_header_key, 60) # 1)";
    assert_eq!(world.catalog().await.execute(broken, &[]).await.unwrap(), 1);
    let before = world.control.publisher().table().environment(&production()).unwrap().clone();
    assert_ne!(before.domain, domain);
    environment::ensure(&world.control, &DEV, NewEnvironment { domain: domain.clone(), ..world.new_environment() }).await.unwrap();
    let after = eventually(PATIENCE, "the other domain", async || {
        let now = world.control.publisher().table().environment(&production()).unwrap().clone();
        if now.domain == domain { Ok(now) } else { Err(now.domain.clone()) }
    });
    assert_eq!(after.await.header_key.expose(), before.header_key.expose(), "the key that it had");
}
