//! A copy may go to another cluster of its environment, which takes it as it takes a new tenant.

use holm_core::error::ErrorCode;
use holm_core::operation::OperationState;
use holm_core::tenant::TenantState;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::operation::show;
use holm_engine::tenant;
use holm_engine::tenant::copy::{self, NewTenantCopy};
use holm_testkit::{TestServer, new_server};

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production, slug};

const LOGGED: &[(&str, &str)] = &[("log_connections", "on")];

/// With a tenant `goteborg` on one cluster, and another cluster.
async fn two_clusters() -> (World, TestServer) {
    let world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], settings: LOGGED.to_vec(), ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    let other = new_server(LOGGED).await;
    let new = NewCluster {
        address: other.address.clone(),
        admin_role: other.superuser.clone(),
        admin_password: other.password.clone(),
        ..world.new_cluster("production-2", "production")
    };
    cluster::register(&world.control, &DEV, new).await.unwrap();
    world.until_count("database WHERE state = 'ready'", 2).await;
    (world, other)
}

fn called(name: &str, cluster: Option<&str>) -> NewTenantCopy {
    NewTenantCopy { slug: slug(name), cluster: cluster.map(|name| name.parse().unwrap()), ttl: None, reason: None }
}

async fn ours(server: &TestServer) -> Vec<String> {
    let sql = "SELECT datname::text FROM pg_database WHERE datname ~ '^t_' UNION ALL SELECT rolname::text FROM pg_roles WHERE rolname ~ '^t_' ORDER BY 1";
    server.connect("postgres").await.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_to_another_cluster_is_there_with_all_its_content_and_nowhere_else() {
    let (world, other) = two_clusters().await;
    let source = tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap().database.unwrap();
    let filled = world.server.connect(source.as_str()).await;
    filled.batch_execute("INSERT INTO musician (name, plays) SELECT 'Ada ' || i, 'viola' FROM generate_series(1, 1000) i").await.unwrap();
    let (here, there, log) = (ours(&world.server).await, ours(&other).await, other.log().len());
    let id = copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), called("copy", Some("production-2"))).await.unwrap();
    let over = show::wait(&world.control, id, None, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded, "{:?}", over.problem);
    let made = tenant::show(&world.control, &production(), &slug("copy")).await.unwrap();
    assert_eq!((made.state, made.cluster.as_ref().unwrap().as_str()), (TenantState::Serving, "production-2"));
    let name = made.database.unwrap();
    assert_eq!(ours(&world.server).await, here, "nothing is made where the source is");
    let mut expected: Vec<_> =
        there.into_iter().chain(["", "_owner", "_ro", "_rw"].map(|role| format!("{name}{role}"))).collect::<Vec<_>>();
    expected.sort_unstable();
    let mut now = ours(&other).await;
    now.sort_unstable();
    assert_eq!(now, expected);
    let rows = "SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM musician m";
    let (of_source, of_copy) =
        (filled.query_one(rows, &[]).await.unwrap(), other.connect(name.as_str()).await.query_one(rows, &[]).await.unwrap());
    assert_eq!(of_source.get::<_, String>(0), of_copy.get::<_, String>(0));
    for (log, database) in [(&world.server.log()[..], &source), (&other.log()[log..], &name)] {
        assert!(log.contains(&format!("user={database}_owner database={database}")), "connections are not logged");
    }
    assert!(!other.log()[log..].contains(&format!("user={source}")), "a role of the source's cluster");
    let table = world.control.publisher().table();
    assert_eq!(table.route_of(made.id).unwrap().database, name);
    assert_eq!(world.complaints().await, vec![]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_takes_no_tenants_takes_no_copies_either() {
    let (world, other) = two_clusters().await;
    let copy = async |name: &str, cluster| copy::copy(&world.control, &DEV, &production(), &slug("goteborg"), called(name, cluster)).await;
    let id = copy("there", Some("production-2")).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    cluster::drain::drain(&world.control, &DEV, &"production-2".parse().unwrap(), None).await.unwrap();
    world.until_count("cluster WHERE state = 'draining'", 1).await;
    let refused = copy("another", Some("production-2")).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::ClusterClosed, "{refused:?}");
    // Where nobody says where: the source's own cluster is as closed.
    let of_there = copy::copy(&world.control, &DEV, &production(), &slug("there"), called("another", None)).await.unwrap_err();
    assert_eq!(of_there.code, ErrorCode::ClusterClosed, "{of_there:?}");
    assert!(of_there.next.iter().any(|next| next.contains("--cluster")), "{of_there:?}");
    // Away from it is what draining is for.
    let elsewhere = called("away", Some("production-1"));
    let id = copy::copy(&world.control, &DEV, &production(), &slug("there"), elsewhere).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!(world.count("tenant WHERE slug = 'another'").await, 0);
    drop(other);
}
