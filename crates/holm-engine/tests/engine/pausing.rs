//! A tenant is paused when the data plane has heard of it and its server has nobody of it.

use std::time::Duration;

use holm_core::audit::AuditAction;
use holm_core::error::{Changed, ErrorCode};
use holm_core::route::RouteState;
use holm_core::tenant::TenantState;
use holm_engine::tenant::{self, pause};
use holm_testkit::wire_faults::Fault;

use crate::support::{DEV, PATIENCE, Setup, World, production, slug};

/// Soon over.
const SHORT: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_is_done_when_nobody_of_the_tenant_is_on_its_server_and_resume_ends_it() {
    let world = World::start(Setup::default()).await;
    let before = world.create("goteborg").await.unwrap();
    let state = |world: &World| world.control.publisher().table().route_of(before.id).unwrap().state;
    let session = world.login(before.database.as_ref().unwrap(), "rw").await;
    let late = pause::pause(&world.control, &DEV, &production(), &slug("goteborg"), SHORT).await.unwrap_err();
    assert_eq!((late.code, late.changed), (ErrorCode::NotDrained, Changed::Something));
    assert!(late.what.ends_with("is paused, and 1 session is still on its server"), "{late:?}");
    assert_eq!(state(&world), RouteState::Paused, "the pause stands");
    // Waiting again is the same act; this time it goes.
    let (environment, name) = (production(), slug("goteborg"));
    let wait = pause::pause(&world.control, &DEV, &environment, &name, PATIENCE);
    let leave = async {
        session.query_one("SELECT 1", &[]).await.unwrap();
        drop(session);
    };
    let (paused, ()) = tokio::join!(wait, leave);
    let paused = paused.unwrap();
    assert_eq!((paused.state, paused.epoch), (TenantState::Paused, before.epoch + 1));
    let resumed = tenant::resume(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!((resumed.state, state(&world)), (TenantState::Serving, RouteState::Serving));
    let said = |action: AuditAction| format!("audit_entry WHERE action = '{}'", action.as_str());
    assert_eq!(world.count(&said(AuditAction::TenantPause)).await, 1);
    assert_eq!(world.count(&said(AuditAction::TenantResume)).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_suspended_is_not_paused_and_what_is_paused_can_be_suspended() {
    let world = World::start(Setup::default()).await;
    world.create("goteborg").await.unwrap();
    let (production, goteborg) = (production(), slug("goteborg"));
    tenant::suspend(&world.control, &DEV, &production, &goteborg).await.unwrap();
    let refused = pause::pause(&world.control, &DEV, &production, &goteborg, SHORT).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::TenantState);
    tenant::resume(&world.control, &DEV, &production, &goteborg).await.unwrap();
    pause::pause(&world.control, &DEV, &production, &goteborg, PATIENCE).await.unwrap();
    let suspended = tenant::suspend(&world.control, &DEV, &production, &goteborg).await.unwrap();
    assert_eq!(suspended.state, TenantState::Suspended);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_does_not_answer_leaves_the_pause_standing_and_says_so() {
    let world = World::start(Setup::default()).await;
    let tenant = world.create("goteborg").await.unwrap();
    world.cluster_faults.set(Fault::Refuse);
    let unknown = pause::pause(&world.control, &DEV, &production(), &slug("goteborg"), SHORT).await.unwrap_err();
    assert_eq!((unknown.code, unknown.changed), (ErrorCode::ClusterUnreachable, Changed::Something));
    assert_eq!(world.control.publisher().table().route_of(tenant.id).unwrap().state, RouteState::Paused);
}
