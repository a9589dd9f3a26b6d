//! A cluster is emptied, waited for and forgotten; a server that is gone for good is forgotten with its tenants.

use std::time::Duration;

use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::error::{Changed, ErrorCode};
use holm_core::operation::OperationState;
use holm_engine::cluster::remove::Manner;
use holm_engine::cluster::{self, drain, remove};
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;
use holm_engine::tenant::{self, delete};
use holm_store::cluster::Cluster;

use crate::adding::{looks, try_add};
use crate::near::{serves_on, waits};
use crate::placing::another;
use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, production, slug};

fn name() -> ClusterName {
    "production-1".parse().unwrap()
}

async fn shown(world: &World) -> Cluster {
    cluster::show(&world.control, &name()).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_cluster_takes_nobody_waits_for_its_tenants_and_leaves_as_it_came() {
    let world = World::without_cluster(Setup { pool_size: 2, ..Setup::default() }, holm_testkit::new_server(&[]).await).await;
    let before = looks(&world.server).await;
    let id = try_add(&world, "production-1", "production", &world.server.url("postgres")).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    world.create("goteborg").await.unwrap();

    let early = remove::remove(&world.control, &DEV, &name(), Manner::InOrder, None).await.unwrap_err();
    assert_eq!((early.code, early.changed), (ErrorCode::ClusterInUse, Changed::Nothing));
    assert!(early.what.contains("1 tenant is on it"), "{early:?}");

    let draining = drain::drain(&world.control, &DEV, &name(), None).await.unwrap();
    world.until_count("operation WHERE kind = 'cluster.drain' AND step_name = 'tenants' AND progress ->> 'of' = '1'", 1).await;
    assert_eq!(world.count("database WHERE state <> 'claimed'").await, 0, "the pool is gone");
    let elsewhere = tenant::NewTenant { cluster: Some(name()), ..new_tenant("malmo") };
    let refused = tenant::create(&world.control, &DEV, elsewhere, PATIENCE).await.unwrap_err();
    assert_eq!((refused.code, refused.changed), (ErrorCode::ClusterClosed, Changed::Nothing));
    let (draining_cluster, residents) = cluster::show(&world.control, &name()).await.unwrap();
    assert_eq!(draining_cluster.state, ClusterState::Draining);
    assert_eq!(residents.iter().map(|resident| resident.slug.as_str()).collect::<Vec<_>>(), ["goteborg"]);
    let twice = drain::drain(&world.control, &DEV, &name(), None).await.unwrap_err();
    assert_eq!(twice.code, ErrorCode::ClusterClosed);

    delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), Duration::ZERO, None).await.unwrap();
    show::succeeded(&world.control, draining, PATIENCE).await.unwrap();
    assert_eq!(shown(&world).await.state, ClusterState::Drained);
    let cluster = shown(&world).await.id;
    assert!(world.control.publisher().table().cluster(cluster).is_some());
    let removing = remove::remove(&world.control, &DEV, &name(), Manner::InOrder, None).await.unwrap();
    show::succeeded(&world.control, removing, PATIENCE).await.unwrap();
    assert_eq!(looks(&world.server).await, before);
    assert!(world.control.publisher().table().cluster(cluster).is_none(), "the data plane forgets it too");
    assert_eq!(cluster::show(&world.control, &name()).await.unwrap_err().code, ErrorCode::ClusterNotFound);
    // The same server may come again, under the same name.
    let id = try_add(&world, "production-1", "production", &world.server.url("postgres")).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_is_cancelled_lets_tenants_in_again() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let id = drain::drain(&world.control, &DEV, &name(), None).await.unwrap();
    world.until_count("operation WHERE kind = 'cluster.drain' AND step_name = 'tenants'", 1).await;
    people::tell(&world.control, &DEV, id, Word::Cancel { reason: None }).await.unwrap();
    world.until_count("operation WHERE state = 'undone'", 1).await;
    assert_eq!(shown(&world).await.state, ClusterState::Open);
    world.create("malmo").await.unwrap();
    world.assert_whole().await;
}

/// The story: a creation found the cluster open, and was written down when it was not any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_began_to_wait_as_its_cluster_was_closed_is_turned_away_and_holds_nothing_up() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let draining = drain::drain(&world.control, &DEV, &name(), None).await.unwrap();
    world.until_count("operation WHERE kind = 'cluster.drain' AND step_name = 'tenants'", 1).await;
    let late = "INSERT INTO tenant (id, environment_id, slug, wanted_cluster_id, state, seeded, epoch, parameters)
                SELECT gen_random_uuid(), environment_id, 'malmo', id, 'creating', true, 1, '[]' FROM cluster";
    world.catalog().await.batch_execute(late).await.unwrap();
    world.until_count("tenant WHERE slug = 'malmo' AND state = 'failed'", 1).await;
    delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), Duration::ZERO, None).await.unwrap();
    show::succeeded(&world.control, draining, PATIENCE).await.unwrap();
    assert_eq!(shown(&world).await.state, ClusterState::Drained);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_is_not_drained_is_not_removed() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let open = remove::remove(&world.control, &DEV, &name(), Manner::InOrder, None).await.unwrap_err();
    assert_eq!((open.code, open.changed), (ErrorCode::ClusterClosed, Changed::Nothing));
    let absent = remove::remove(&world.control, &DEV, &"nowhere".parse().unwrap(), Manner::Abandoned, None).await.unwrap_err();
    assert_eq!(absent.code, ErrorCode::ClusterNotFound);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_gone_for_good_is_forgotten_with_its_tenants() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    let tenant = world.create("goteborg").await.unwrap();
    world.server.kill().await;
    let id = remove::remove(&world.control, &DEV, &name(), Manner::Abandoned, None).await.unwrap();
    assert_eq!(show::succeeded(&world.control, id, PATIENCE).await.unwrap().state, OperationState::Succeeded);
    assert_eq!(cluster::list(&world.control).await.unwrap(), vec![]);
    assert!(world.control.publisher().table().route_of(tenant.id).is_none());
    assert_eq!(world.count("database").await + world.count("template WHERE dropped_at IS NULL").await, 0);
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap_err().code, ErrorCode::TenantNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_with_a_cluster_that_is_abandoned_is_named_before_and_who_waits_there_by_holms_choice_is_placed_elsewhere() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    world.settled().await;
    world.server.kill().await;
    world.trouble().await;
    waits(&world, "malmo", "production-1", None, None, None).await;
    waits(&world, "oslo", "production-1", None, Some("NO"), None).await;
    let early = remove::remove(&world.control, &DEV, &name(), Manner::InOrder, None).await.unwrap_err();
    assert!(early.what.contains("3 tenants are on it"), "{early:?}");
    assert_eq!(early.why.as_deref(), Some("`goteborg`, `malmo`, `oslo`, of which 2 without a database yet"));
    let goes_with = remove::goes_with(&world.control, &name()).await.unwrap();
    let given_up = "2 tenants: `goteborg`, `malmo`, of which 1 without a database yet";
    assert!(goes_with.contains(given_up) && goes_with.ends_with("placed elsewhere: `oslo`"), "{goes_with}");
    let id = remove::remove(&world.control, &DEV, &name(), Manner::Abandoned, None).await.unwrap();
    let over = show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!(over.subject, format!("cluster `production-1` in `production` with {given_up}"));
    assert_eq!(world.count("tenant WHERE slug IN ('goteborg', 'malmo') AND state IN ('failed', 'dropped')").await, 2);
    let _server = another(&world, "production-2").await;
    world.until_count(&serves_on("oslo", "production-2"), 1).await;
}
