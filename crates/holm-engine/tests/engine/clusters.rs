//! Registering clusters.

use holm_core::error::{Changed, ErrorCode};
use holm_engine::cluster::{self, NewCluster};
use holm_engine::environment::{self, NewEnvironment};

use crate::support::{DEV, Setup, World, production};

pub(crate) async fn staging(world: &World) {
    let staging = NewEnvironment {
        name: "staging".parse().unwrap(),
        kind: holm_core::environment::EnvironmentKind::Staging,
        domain: "staging.localhost".parse().unwrap(),
        migrations: None,
        ..world.new_environment()
    };
    environment::ensure(&world.control, &DEV, staging).await.unwrap();
}

#[tokio::test]
async fn r13_a_server_cannot_be_in_two_environments_under_whatever_name_or_address() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    staging(&world).await;
    for (name, environment) in [("staging-1", "staging"), ("production-1", "staging"), ("production-2", "production")] {
        // By another way than the first time: the server is known by what it is, not by its address.
        let again = NewCluster { address: world.server.address.clone(), ..world.new_cluster(name, environment) };
        let problem = cluster::register(&world.control, &DEV, again).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::ClusterElsewhere, Changed::Nothing), "{name} {environment}");
        assert!(!problem.next.is_empty());
    }
    assert_eq!(world.count("cluster").await, 1);
}

#[tokio::test]
async fn r13_of_two_environments_that_register_one_server_at_once_one_gets_it() {
    let world = World::without_cluster(Setup { pool_size: 0, ..Setup::default() }, holm_testkit::new_server(&[]).await).await;
    staging(&world).await;
    let (one, two) = tokio::join!(
        cluster::register(&world.control, &DEV, world.new_cluster("production-1", "production")),
        cluster::register(&world.control, &DEV, world.new_cluster("staging-1", "staging")),
    );
    let lost = if one.is_ok() { two.unwrap_err() } else { two.and(one).unwrap_err() };
    assert_eq!((lost.code, lost.changed), (ErrorCode::ClusterElsewhere, Changed::Nothing));
    assert_eq!(world.count("cluster").await, 1);
}

#[tokio::test]
async fn registering_again_brings_the_address_up_to_date_and_changes_nothing_else() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.settled().await;
    let before = cluster::list(&world.control).await.unwrap().remove(0);
    let moved = NewCluster { address: world.server.address.clone(), ..world.new_cluster("production-1", "production") };
    let after = cluster::register(&world.control, &DEV, moved).await.unwrap();
    assert_eq!(after.id, before.id);
    assert_eq!(after.access.address, world.server.address);
    assert_eq!(world.control.publisher().table().cluster(after.id).unwrap().address, world.server.address);
    world.assert_whole().await;
}

#[tokio::test]
async fn names_and_passwords_with_sql_in_them_are_names_and_passwords() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    let (role, password) = ("ho\"lm'; DROP TABLE x; --", "p'w\\\"; DROP ROLE holm; -- %s $1");
    let admin = world.server.connect("postgres").await;
    admin
        .batch_execute(&format!(
            "CREATE ROLE {} SUPERUSER LOGIN PASSWORD '{}'",
            role.parse::<holm_core::role::RoleName>().unwrap().as_ident(),
            password.replace('\'', "''")
        ))
        .await
        .unwrap();
    let with = NewCluster {
        admin_role: role.parse().unwrap(),
        admin_password: holm_core::secret::Secret::new(password.to_owned()),
        ..world.new_cluster("production-1", "production")
    };
    cluster::register(&world.control, &DEV, with).await.unwrap();
    world.create("goteborg").await.unwrap();
    world.assert_whole().await;
}

#[tokio::test]
async fn a_server_that_holm_could_not_work_on_is_refused_before_anything_changes() {
    let world = World::without_cluster(Setup { pool_size: 0, ..Setup::default() }, holm_testkit::new_server(&[]).await).await;
    let admin = world.server.connect("postgres").await;
    admin.batch_execute("CREATE ROLE humble LOGIN PASSWORD 'humble'").await.unwrap();
    let new = || world.new_cluster("production-1", "production");
    let secret = |text: &str| holm_core::secret::Secret::new(text.to_owned());
    for (new, expected) in [
        (NewCluster { admin_password: secret("wrong"), ..new() }, ErrorCode::ClusterRefused),
        (NewCluster { admin_role: "humble".parse().unwrap(), admin_password: secret("humble"), ..new() }, ErrorCode::ClusterRefused),
        (NewCluster { connections_max: Some(1_000_000), ..new() }, ErrorCode::InvalidValue),
        (NewCluster { environment: "nowhere".parse().unwrap(), ..new() }, ErrorCode::EnvironmentNotFound),
        (
            NewCluster { address: holm_core::cluster::ServerAddress { host: "127.0.0.1".into(), port: 1 }, ..new() },
            ErrorCode::ClusterUnreachable,
        ),
    ] {
        let problem = cluster::register(&world.control, &DEV, new).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (expected, Changed::Nothing), "{problem:?}");
        assert!(!format!("{problem:?}").contains("humble'"), "{problem:?}");
    }
    assert_eq!(world.count("cluster").await, 0);
    let public = "SELECT has_database_privilege('humble', 'postgres', 'CONNECT')";
    assert!(admin.query_one(public, &[]).await.unwrap().get::<_, bool>(0), "a refused server was changed");
}

#[tokio::test]
async fn an_environment_is_made_once_and_its_kind_and_domain_are_its_own() {
    let world = World::start(Setup { pool_size: 0, ..Setup::default() }).await;
    staging(&world).await;
    let first = environment::show(&world.control, &production()).await.unwrap();
    assert_eq!(environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap(), first);
    let wrong = [
        NewEnvironment { kind: holm_core::environment::EnvironmentKind::Ci, ..world.new_environment() },
        NewEnvironment { domain: "staging.localhost".parse().unwrap(), ..world.new_environment() },
        NewEnvironment { migrations: Some("relative".into()), ..world.new_environment() },
        NewEnvironment { pool_size: 1_001, ..world.new_environment() },
        NewEnvironment { seed: Some(holm_store::environment::Seed::Command(Vec::new())), ..world.new_environment() },
    ];
    for new in wrong {
        let problem = environment::ensure(&world.control, &DEV, new).await.unwrap_err();
        assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing));
    }
    assert_eq!(environment::show(&world.control, &production()).await.unwrap(), first);
}
