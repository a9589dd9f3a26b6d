//! What a tenant may have of its cluster changes by one act, which the data plane has heard of when it is done.

use holm_core::audit::AuditAction;
use holm_core::error::ErrorCode;
use holm_core::limits::LimitsChange;
use holm_engine::tenant::{self, limits};
use holm_store::tenant::version::TenantVersion;

use crate::support::{DEV, Setup, World, production, slug};

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_in_the_routes_when_the_change_is_done_and_the_log_says_who_did_it_once() {
    let world = World::start(Setup::default()).await;
    let before = world.create("goteborg").await.unwrap();
    let change = LimitsChange { min: Some(1), max: Some(Some(5)), weight: Some(2), ..LimitsChange::default() };
    for _ in 0..2 {
        let after = limits::limit(&world.control, &DEV, &production(), &slug("goteborg"), change).await.unwrap();
        let table = world.control.publisher().table();
        assert_eq!(table.route_of(after.id).unwrap().limits, after.limits);
        assert_eq!((after.limits.to_string().as_str(), after.epoch), ("min=1 max=5 weight=2", before.epoch + 1));
    }
    assert_eq!(world.count(&format!("audit_entry WHERE action = '{}'", AuditAction::TenantLimit.as_str())).await, 1);
    let seen = TenantVersion::of(&before);
    let late = limits::limit_at(&world.control, &DEV, &production(), &slug("goteborg"), change, Some(seen)).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::PreconditionFailed);
    let nobody = limits::limit(&world.control, &DEV, &production(), &slug("nobody"), change).await.unwrap_err();
    assert_eq!(nobody.code, ErrorCode::TenantNotFound);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minimum_that_does_not_fit_is_refused_with_both_numbers_and_changes_nothing() {
    let world = World::start(Setup::default()).await;
    world.create("goteborg").await.unwrap();
    let change = LimitsChange { min: Some(10_000), ..LimitsChange::default() };
    let refused = limits::limit(&world.control, &DEV, &production(), &slug("goteborg"), change).await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::MinimumsTooMany);
    let shared = world.shared_by_tenants().await;
    let why = refused.why.unwrap();
    assert_eq!(why, format!("the minimums of the cluster's tenants would be 10000 connections together, and its tenants share {shared}"));
    let change = LimitsChange { min: Some(3), max: Some(Some(2)), ..LimitsChange::default() };
    let refused = limits::limit(&world.control, &DEV, &production(), &slug("goteborg"), change).await.unwrap_err();
    assert_eq!(
        (refused.code, refused.why.as_deref()),
        (ErrorCode::InvalidValue, Some("a minimum of 3 connections is more than the maximum of 2"))
    );
    let shown = tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap();
    assert_eq!(shown.limits.to_string(), "min=0 max=all weight=1");
}

impl World {
    async fn shared_by_tenants(&self) -> u32 {
        let most: i32 = self.catalog().await.query_one("SELECT connections_max FROM cluster", &[]).await.unwrap().get(0);
        holm_core::limits::shared_by_tenants(u32::try_from(most).unwrap())
    }
}
