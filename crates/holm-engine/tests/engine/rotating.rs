//! Roles get new passwords while their tenants are in use (R59).

use holm_core::credential::Level;
use holm_core::error::ErrorCode;
use holm_core::operation::OperationState;
use holm_engine::operation::show;
use holm_engine::tenant::rotate_roles::rotate_roles;
use holm_engine::{cluster, tenant};
use holm_store::operation::{Filter, children};
use holm_store::page::Page;

use crate::support::{DEV, PATIENCE, Setup, World, production, slug};

async fn world() -> World {
    World::start(Setup { pool_size: 1, ..Setup::default() }).await
}

/// What the roles of all tenants have, in the order of their names.
async fn verifiers(world: &World) -> Vec<String> {
    let admin = world.server.connect("postgres").await;
    let sql = "SELECT rolpassword FROM pg_authid WHERE rolname ~ '^t_.*_(owner|rw|ro)$' ORDER BY rolname";
    admin.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn r59_after_a_rotation_the_route_the_catalog_and_the_cluster_agree_on_new_keys() {
    let world = world().await;
    let tenant = world.create("goteborg").await.unwrap();
    world.settled().await;
    let keys = || {
        let table = world.control.publisher().table();
        let route = table.route_of(tenant.id).unwrap();
        (Level::ALL.map(|level| route.login(level).unwrap().keys.client_key.clone()), route.next_logins.is_some())
    };
    let (before, old) = (keys(), verifiers(&world).await);
    let id = rotate_roles(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    let (after, new) = (keys(), verifiers(&world).await);
    assert!(before.0.iter().zip(&after.0).all(|(before, after)| before != after));
    assert!(!before.1 && !after.1, "no second key is left");
    // The one in the pool is nobody's, and stays as it is.
    assert_eq!((old.len(), new.iter().filter(|verifier| !old.contains(verifier)).count()), (6, 3));
    assert_eq!(world.complaints().await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn r83_a_cluster_is_rotated_tenant_by_tenant_and_who_is_busy_is_left_out() {
    let world = world().await;
    for name in ["goteborg", "malmo", "uppsala"] {
        world.create(name).await.unwrap();
    }
    tenant::delete::delete(&world.control, &DEV, &production(), &slug("uppsala"), tenant::delete::GRACE, None).await.unwrap();
    world.until_count("operation WHERE kind = 'tenant.delete' AND step = 2", 1).await;
    let id = cluster::rotate_roles::rotate_roles(&world.control, &DEV, &"production-1".parse().unwrap()).await.unwrap();
    let over = show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded);
    let children = children(world.control.catalog(), id).await.unwrap();
    assert_eq!((children.unfinished, children.succeeded, children.failed), (0, 2, 0));
    let all = show::list(&world.control, &Filter::default(), &Page::first()).await.unwrap();
    assert_eq!(all.iter().filter(|operation| operation.parent == Some(id)).count(), 2);
    let absent = cluster::rotate_roles::rotate_roles(&world.control, &DEV, &"nowhere".parse().unwrap()).await.unwrap_err();
    assert_eq!(absent.code, ErrorCode::ClusterNotFound);
}
