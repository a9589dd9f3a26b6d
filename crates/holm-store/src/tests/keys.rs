//! Keys in the catalog: who they belong to, and when a master key is done with.

use holm_core::id::{DataKeyId, InstallationId, TenantId};
use holm_core::key::{KeyPurpose, MasterKeyId};
use tokio_postgres::error::SqlState;
use uuid::Uuid;

use super::world::{World, fill, serving};
use crate::catalog::Catalog;
use crate::data_key::{self, Found, Inserted, KeyOwner, NewDataKey, Rewrapped, WrappedKey};
use crate::master_key::{self, Retired};
use crate::sealed::Sealed;

fn master(name: &str) -> MasterKeyId {
    name.parse().unwrap()
}

async fn use_master(catalog: &Catalog, name: &str) {
    let mut tx = catalog.transaction().await.unwrap();
    let _ = master_key::name_installation(&mut tx, InstallationId::from_uuid(Uuid::nil())).await.unwrap();
    assert!(master_key::make_current(&mut tx, &master(name), &Sealed::new(*b"a check")).await.unwrap());
    tx.commit().await.unwrap();
}

fn new_key(owner: KeyOwner, purpose: KeyPurpose, with: &str) -> NewDataKey {
    let key = WrappedKey { id: DataKeyId::from_uuid(Uuid::now_v7()), master_key: master(with), wrapped: Sealed::new(*b"a wrapped key") };
    NewDataKey { owner, purpose, key }
}

async fn put(catalog: &Catalog, new: &NewDataKey) -> Inserted {
    let mut tx = catalog.transaction().await.unwrap();
    let inserted = data_key::insert(&mut tx, new).await.unwrap();
    tx.commit().await.unwrap();
    inserted
}

async fn retire(catalog: &Catalog, name: &str) -> Retired {
    let mut tx = catalog.transaction().await.unwrap();
    let retired = master_key::retire(&mut tx, &master(name)).await.unwrap();
    tx.commit().await.unwrap();
    retired
}

#[tokio::test]
async fn a_thing_has_one_live_key_a_purpose_and_destroying_a_tenants_leaves_nothing_of_them() {
    let (world, place) = World::with("production").await;
    let catalog = &world.catalog;
    fill(catalog, place, 1).await;
    let tenant = serving(catalog, "production", "goteborg").await.id;
    let database = crate::database::of_tenant(catalog, tenant).await.unwrap().unwrap();
    use_master(catalog, "one").await;
    let logins = new_key(KeyOwner::Database(database.id), KeyPurpose::Logins, "one");
    let backups = new_key(KeyOwner::Tenant(tenant), KeyPurpose::Backups, "one");
    let installation = new_key(KeyOwner::Installation, KeyPurpose::Derivation, "one");
    for key in [&logins, &backups, &installation] {
        assert_eq!(put(catalog, key).await, Inserted::Done);
        assert_eq!(put(catalog, &new_key(key.owner, key.purpose, "one")).await, Inserted::Taken);
        assert_eq!(data_key::of_owner(catalog, key.owner, key.purpose).await.unwrap().as_ref(), Some(&key.key));
    }
    assert_eq!(put(catalog, &new_key(KeyOwner::Tenant(tenant), KeyPurpose::Exports, "one")).await, Inserted::Done);
    let mut tx = catalog.transaction().await.unwrap();
    assert_eq!(data_key::destroy_of_tenant(&mut tx, tenant).await.unwrap(), 3);
    assert_eq!(data_key::destroy_of_tenant(&mut tx, tenant).await.unwrap(), 0);
    tx.commit().await.unwrap();
    assert_eq!(data_key::of_owner(catalog, logins.owner, logins.purpose).await.unwrap(), None);
    let found = data_key::by_ids(catalog, &[logins.key.id, backups.key.id]).await.unwrap();
    assert!(found.contains(&Found::Destroyed(logins.key.id)) && found.contains(&Found::Destroyed(backups.key.id)));
    assert_eq!(put(catalog, &new_key(logins.owner, logins.purpose, "one")).await, Inserted::Done, "there is room for another");
    let gone = TenantId::from_uuid(Uuid::nil());
    let mut tx = catalog.transaction().await.unwrap();
    assert_eq!(data_key::destroy_of_tenant(&mut tx, gone).await.unwrap(), 0);
}

#[tokio::test]
async fn a_master_key_is_retired_when_nothing_names_it_and_never_named_again() {
    let world = World::new().await;
    let catalog = &world.catalog;
    use_master(catalog, "one").await;
    let key = new_key(KeyOwner::Installation, KeyPurpose::Derivation, "one");
    assert_eq!(put(catalog, &key).await, Inserted::Done);
    assert_eq!(retire(catalog, "one").await, Retired::NotThatOne, "it is current");
    use_master(catalog, "two").await;
    assert_eq!(retire(catalog, "one").await, Retired::InUse);
    let after = WrappedKey { master_key: master("two"), wrapped: Sealed::new(*b"wrapped anew"), ..key.key.clone() };
    let stale = WrappedKey { wrapped: Sealed::new(*b"as it never was"), ..key.key.clone() };
    let mut tx = catalog.transaction().await.unwrap();
    let of = |before: &WrappedKey| [Rewrapped { before: before.clone(), after: after.clone() }];
    assert_eq!(data_key::rewrap(&mut tx, &master("two"), &of(&stale)).await.unwrap(), Some(0), "somebody else was first");
    assert_eq!(data_key::rewrap(&mut tx, &master("two"), &of(&key.key)).await.unwrap(), Some(1));
    tx.commit().await.unwrap();
    assert_eq!(retire(catalog, "one").await, Retired::Done);
    assert_eq!(retire(catalog, "one").await, Retired::Done, "again is the same");
    assert_eq!(put(catalog, &new_key(KeyOwner::Installation, KeyPurpose::Exports, "one")).await, Inserted::MasterKeyRetired);
    let mut tx = catalog.transaction().await.unwrap();
    assert_eq!(data_key::rewrap(&mut tx, &master("one"), &[]).await.unwrap(), None);
    assert!(!master_key::make_current(&mut tx, &master("one"), &Sealed::new(*b"x")).await.unwrap(), "it was used before");
}

/// The story: one process wraps a key with the old master key while another says that nothing names it.
#[tokio::test]
async fn a_key_that_is_being_kept_holds_up_the_retirement_of_its_master_key() {
    let world = World::new().await;
    let catalog = &world.catalog;
    use_master(catalog, "one").await;
    use_master(catalog, "two").await;
    let mut keeping = catalog.transaction().await.unwrap();
    let key = new_key(KeyOwner::Installation, KeyPurpose::Derivation, "one");
    assert_eq!(data_key::insert(&mut keeping, &key).await.unwrap(), Inserted::Done);
    let retiring = tokio::spawn({
        let catalog = catalog.clone();
        async move { retire(&catalog, "one").await }
    });
    let client = world.database.connect().await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    holm_testkit::eventually(std::time::Duration::from_secs(10), "the retirement waits", async || {
        (client.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) > 0).then_some(())
    })
    .await;
    keeping.commit().await.unwrap();
    assert_eq!(retiring.await.unwrap(), Retired::InUse);
}

#[tokio::test]
async fn postgresql_refuses_a_key_of_two_owners_and_one_that_is_half_destroyed() {
    let (world, _) = World::with("production").await;
    use_master(&world.catalog, "one").await;
    let key = new_key(KeyOwner::Installation, KeyPurpose::Derivation, "one");
    assert_eq!(put(&world.catalog, &key).await, Inserted::Done);
    let client = world.database.connect().await;
    for (sql, state) in [
        ("UPDATE data_key SET environment_id = e.id, cluster_id = c.id FROM environment e, cluster c", SqlState::CHECK_VIOLATION),
        ("UPDATE data_key SET destroyed_at = now()", SqlState::CHECK_VIOLATION),
        ("UPDATE data_key SET wrapped = NULL", SqlState::CHECK_VIOLATION),
        ("UPDATE data_key SET wrapped = NULL, destroyed_at = now()", SqlState::CHECK_VIOLATION),
        ("UPDATE data_key SET master_key_id = 'two'", SqlState::FOREIGN_KEY_VIOLATION),
        ("UPDATE master_key SET retired_at = now()", SqlState::CHECK_VIOLATION),
        ("INSERT INTO master_key (id, key_check, current) VALUES ('two', '', true)", SqlState::UNIQUE_VIOLATION),
        ("INSERT INTO installation (one, id) VALUES (false, gen_random_uuid())", SqlState::CHECK_VIOLATION),
    ] {
        let refused = client.execute(sql, &[]).await.unwrap_err();
        assert_eq!(refused.code(), Some(&state), "{sql}");
    }
}
