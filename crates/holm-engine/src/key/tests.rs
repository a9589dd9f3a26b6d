//! What an older Holm sealed is sealed anew, and what a tenant's keys sealed is gone with them.

use holm_core::error::ErrorCode;
use holm_core::id::{ClusterId, DatabaseId, EnvironmentId};
use uuid::Uuid;

use super::{KeyState, destroy, list, rewrap};
use crate::secret::logins::Logins;
use crate::secret::master_key::MasterKey;
use crate::secret::seal::Purpose;
use crate::support::{DEV, KEY, Setup, World, production, slug};

/// Seals everything as the version before data keys did, and takes the tables' rows with it.
async fn turn_back(world: &World) {
    let master = MasterKey::from_bytes(KEY);
    let catalog = world.catalog().await;
    for (sql, set) in [
        ("SELECT id, sealed_header_key FROM environment", "UPDATE environment SET sealed_header_key = $2 WHERE id = $1"),
        ("SELECT id, sealed_admin_password FROM cluster", "UPDATE cluster SET sealed_admin_password = $2 WHERE id = $1"),
        ("SELECT id, sealed_logins FROM database", "UPDATE database SET sealed_logins = $2 WHERE id = $1"),
    ] {
        for row in catalog.query(sql, &[]).await.unwrap() {
            let (id, sealed): (Uuid, Vec<u8>) = (row.get(0), row.get(1));
            let purpose = match sql {
                sql if sql.contains("environment") => Purpose::HeaderKey(EnvironmentId::from_uuid(id)),
                sql if sql.contains("cluster") => Purpose::AdminPassword(ClusterId::from_uuid(id)),
                _ => Purpose::Logins(DatabaseId::from_uuid(id)),
            };
            let ring = world.control.keys().ring(Vec::new(), [sealed.as_slice()]).await.unwrap();
            let plain = ring.unseal(purpose, &sealed).unwrap();
            catalog.execute(set, &[&id, &master.seal_directly(purpose, plain.expose())]).await.unwrap();
        }
    }
    catalog.batch_execute("TRUNCATE data_key, master_key, installation").await.unwrap();
}

#[tokio::test]
async fn a_catalog_of_the_version_before_opens_only_with_its_key_and_is_sealed_anew() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    world.settled().await;
    world.control.shutdown().await;
    turn_back(&world).await;
    let direct = world.count("database WHERE get_byte(sealed_logins, 0) = 1").await;
    assert_eq!(direct, 2);
    assert_eq!(world.control_with([8; 32]).await.unwrap_err().code, ErrorCode::WrongMasterKey);
    assert_eq!(world.count("master_key").await + world.count("installation").await, 0, "a wrong key was taken");
    let control = world.second_control().await;
    assert!(control.publisher().table().route(&production(), &slug("goteborg")).is_some(), "it opens as it is");
    let seen = list(&control).await.unwrap();
    assert_eq!((seen[0].state, seen[0].sealed_directly, seen[0].data_keys), (KeyState::Current, 4, 1));
    let progress = rewrap::rewrap(&control, &DEV).await.unwrap();
    assert_eq!((progress.done, progress.left), (4, 0));
    let seen = list(&control).await.unwrap();
    assert_eq!((seen[0].sealed_directly, seen[0].data_keys), (0, 5));
    let again = world.second_control().await;
    assert!(again.publisher().table().route(&production(), &slug("goteborg")).is_some());
    let cluster = holm_store::cluster::list(again.catalog()).await.unwrap().remove(0);
    assert_eq!(again.access(&cluster).await.unwrap().password.expose(), world.server.password.expose());
}

#[tokio::test]
async fn what_a_tenants_keys_sealed_is_gone_with_them_and_nobody_elses() {
    let world = World::start(Setup { pool_size: 2, ..Setup::default() }).await;
    let (one, other) = (world.create("goteborg").await.unwrap(), world.create("malmo").await.unwrap());
    world.settled().await;
    let catalog = world.control.catalog();
    let database = holm_store::database::of_tenant(catalog, one.id).await.unwrap().unwrap();
    assert_eq!(destroy::destroy_of_tenant(&world.control, one.id).await.unwrap(), 1);
    assert_eq!(destroy::destroy_of_tenant(&world.control, one.id).await.unwrap(), 0, "again is none");
    let sealed = database.sealed_logins.as_bytes();
    let ring = world.control.keys().ring(Vec::new(), [sealed]).await.unwrap();
    let problem = holm_core::error::Problem::from(Logins::unseal(&ring, database.id, sealed).unwrap_err());
    assert!(problem.why.unwrap().contains("destroyed"));
    let left = "data_key WHERE destroyed_at IS NOT NULL AND wrapped IS NULL AND master_key_id IS NULL";
    assert_eq!(world.count(left).await, 1, "the row says that there was one");
    let next = world.second_control().await;
    assert!(next.publisher().table().route_of(one.id).is_none());
    assert!(next.publisher().table().route_of(other.id).is_some());
}
