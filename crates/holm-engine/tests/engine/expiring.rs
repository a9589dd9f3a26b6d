//! Tenants for tests end by themselves, whoever forgets them and whatever was down when their time was over.

use std::time::Duration;

use holm_core::environment::EnvironmentKind;
use holm_core::error::ErrorCode;
use holm_core::tenant::TenantState;
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::tenant::extend::{self, TTL_DEFAULT, TTL_MAX};
use holm_engine::tenant::{self, NewTenant};
use holm_engine::{cluster, control::Control};
use holm_testkit::new_server;
use jiff::Timestamp;

use crate::support::{DEV, PATIENCE, Setup, World, new_tenant, slug};

/// An installation whose cluster belongs to an environment of pipelines.
async fn world() -> World {
    let world = World::without_cluster(Setup { pool_size: 1, ..Setup::default() }, new_server(&[]).await).await;
    let pipelines = NewEnvironment {
        name: "ci".parse().unwrap(),
        kind: EnvironmentKind::Ci,
        domain: "ci.localhost".parse().unwrap(),
        ..world.new_environment()
    };
    environment::ensure(&world.control, &DEV, pipelines).await.unwrap();
    cluster::register(&world.control, &DEV, world.new_cluster("ci-1", "ci")).await.unwrap();
    world
}

fn in_ci(name: &str, ttl: Option<Duration>) -> NewTenant {
    NewTenant { environment: "ci".parse().unwrap(), ttl, ..new_tenant(name) }
}

async fn expires_at(control: &Control, name: &str) -> Timestamp {
    tenant::show(control, &"ci".parse().unwrap(), &slug(name)).await.unwrap().expires_at.unwrap()
}

/// Whether a time is that long from now, within a minute.
fn is_from_now(time: Timestamp, ttl: Duration) -> bool {
    let left = time.duration_since(Timestamp::now()).as_secs_f64();
    (left - ttl.as_secs_f64()).abs() < 60.0
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_a_tenant_with_an_end_is_deleted_when_its_time_is_over_and_leaves_nothing() {
    let world = world().await;
    let tenant = tenant::create(&world.control, &DEV, in_ci("run-1", Some(Duration::from_secs(2))), PATIENCE).await.unwrap();
    assert_eq!(tenant.state, TenantState::Serving);
    world.until_count("tenant WHERE state = 'dropped'", 1).await;
    world.until_count("operation WHERE kind = 'tenant.delete' AND state = 'succeeded'", 1).await;
    let by: String = world.catalog().await.query_one("SELECT requested_by ->> 'part' FROM operation", &[]).await.unwrap().get(0);
    assert_eq!(by, "schedule");
    assert!(world.control.publisher().table().route_of(tenant.id).is_none());
    world.assert_whole().await;
    let again = tenant::create(&world.control, &DEV, in_ci("run-1", None), PATIENCE).await.unwrap();
    assert_eq!(again.state, TenantState::Serving, "its name is free");
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_in_a_pipelines_environment_every_tenant_has_an_end_and_in_production_none_has() {
    let world = world().await;
    let tenant = tenant::create(&world.control, &DEV, in_ci("run-1", None), PATIENCE).await.unwrap();
    assert!(is_from_now(tenant.expires_at.unwrap(), TTL_DEFAULT));
    let long = in_ci("run-2", Some(TTL_MAX + Duration::from_secs(1)));
    let none = in_ci("run-2", Some(Duration::ZERO));
    for refused in [long, none] {
        let problem = tenant::create(&world.control, &DEV, refused, PATIENCE).await.unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidValue);
    }
    let refused = NewTenant { ttl: Some(TTL_DEFAULT), ..new_tenant("goteborg") };
    let problem = tenant::create(&world.control, &DEV, refused, PATIENCE).await.unwrap_err();
    assert_eq!(problem.code, ErrorCode::EndNotAllowed);
    assert_eq!(world.count("tenant").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_what_ended_while_no_control_plane_ran_is_cleaned_up_by_whichever_starts_and_only_once() {
    let world = world().await;
    for n in 1..=3 {
        tenant::create(&world.control, &DEV, in_ci(&format!("run-{n}"), None), PATIENCE).await.unwrap();
    }
    world.control.shutdown().await;
    world.catalog().await.batch_execute("UPDATE tenant SET expires_at = now() - interval '1 day'").await.unwrap();
    let (first, second) = (world.second_control().await, world.second_control().await);
    first.start();
    second.start();
    world.until_count("tenant WHERE state = 'dropped'", 3).await;
    world.until_count("operation WHERE state = 'succeeded'", 3).await;
    assert_eq!(world.count("operation").await, 3);
    assert_eq!(world.count("database WHERE state = 'claimed'").await, 0);
    first.shutdown().await;
    second.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_can_be_put_off_and_a_tenant_without_one_gets_none_by_that() {
    let world = world().await;
    let ci = "ci".parse().unwrap();
    tenant::create(&world.control, &DEV, in_ci("run-1", None), PATIENCE).await.unwrap();
    let day = Duration::from_secs(24 * 3600);
    let extended = extend::extend(&world.control, &DEV, &ci, &slug("run-1"), day).await.unwrap();
    assert!(is_from_now(extended.expires_at.unwrap(), day));
    assert_eq!(Some(expires_at(&world.control, "run-1").await), extended.expires_at);
    let long = extend::extend(&world.control, &DEV, &ci, &slug("run-1"), TTL_MAX * 2).await.unwrap_err();
    assert_eq!(long.code, ErrorCode::InvalidValue);
    world.catalog().await.batch_execute("UPDATE tenant SET expires_at = NULL").await.unwrap();
    let endless = extend::extend(&world.control, &DEV, &ci, &slug("run-1"), day).await.unwrap_err();
    assert_eq!(endless.code, ErrorCode::TenantState);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_was_never_ready_ends_too() {
    let world = World::without_cluster(Setup::default(), new_server(&[]).await).await;
    let pipelines = NewEnvironment {
        name: "ci".parse().unwrap(),
        kind: EnvironmentKind::Ci,
        domain: "ci.localhost".parse().unwrap(),
        ..world.new_environment()
    };
    environment::ensure(&world.control, &DEV, pipelines).await.unwrap();
    let waiting = tenant::create(&world.control, &DEV, in_ci("run-1", Some(Duration::from_secs(1))), Duration::from_millis(100)).await;
    assert_eq!(waiting.unwrap_err().code, ErrorCode::NoDatabaseInTime);
    world.until_count("tenant WHERE state = 'failed'", 1).await;
}
