//! A tenant gets a new name while it is in use; the old one is kept for it, and is nobody else's meanwhile.

use std::time::Duration;

use holm_core::error::ErrorCode;
use holm_core::operation::OperationState;
use holm_core::route::RouteState;
use holm_core::tenant::TenantState;
use holm_engine::operation::show;
use holm_engine::tenant::rename::{self, NewName};
use holm_engine::tenant::{self, delete};

use crate::support::{DEV, PATIENCE, Setup, World, production, slug};

async fn world() -> World {
    World::start(Setup { pool_size: 2, ..Setup::default() }).await
}

fn to(name: &str) -> NewName {
    NewName { to: slug(name), grace: rename::GRACE, reason: None }
}

async fn rename(world: &World, from: &str, new: NewName) -> Result<(), holm_core::error::Problem> {
    let id = rename::rename(&world.control, &DEV, &production(), &slug(from), new).await?;
    show::succeeded(&world.control, id, PATIENCE).await.map(drop)
}

#[tokio::test(flavor = "multi_thread")]
async fn r75_a_renamed_tenant_answers_to_its_new_name_and_the_old_one_leads_there() {
    let world = world().await;
    let before = world.create("goteborg").await.unwrap();
    rename(&world, "goteborg", to("vast")).await.unwrap();
    let after = tenant::show(&world.control, &production(), &slug("vast")).await.unwrap();
    assert_eq!((after.id, &after.database, after.state), (before.id, &before.database, TenantState::Serving));
    let table = world.control.publisher().table();
    assert_eq!(table.route(&production(), &slug("vast")).unwrap().tenant, before.id);
    assert!(table.route(&production(), &slug("goteborg")).is_none());
    assert_eq!(table.renamed(&production(), &slug("goteborg")).unwrap().slug, slug("vast"));
    let gone = tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap_err();
    assert_eq!(gone.code, ErrorCode::TenantNotFound);
    assert!(gone.why.unwrap().contains("`vast`"), "it says what the tenant is called now");
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_in_its_grace_period_is_refused_with_until_when_and_whose_rename_and_its_own_tenant_may_have_it_back() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    world.create("malmo").await.unwrap();
    rename(&world, "goteborg", to("vast")).await.unwrap();
    let until: jiff::Timestamp = world.catalog().await.query_one("SELECT until FROM tenant_alias", &[]).await.unwrap().get(0);
    for refused in [world.create("goteborg").await.unwrap_err(), rename(&world, "malmo", to("goteborg")).await.unwrap_err()] {
        assert_eq!(refused.code, ErrorCode::SlugReserved);
        assert!(refused.what.contains(&format!("{until:.0}")), "{refused:?}");
        let why = refused.why.unwrap();
        assert!(why.contains("`holm (dev)`") && !why.contains("vast"), "whose rename, and not whose tenant: {why}");
    }
    rename(&world, "vast", to("goteborg")).await.unwrap();
    assert_eq!(world.create("vast").await.unwrap_err().code, ErrorCode::SlugReserved);
    assert_eq!(world.count("tenant_alias").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_cannot_be_are_refused_and_nothing_is_changed() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    world.create("malmo").await.unwrap();
    assert_eq!(rename(&world, "goteborg", to("goteborg")).await.unwrap_err().code, ErrorCode::InvalidValue, "to itself");
    assert_eq!(rename(&world, "goteborg", to("malmo")).await.unwrap_err().code, ErrorCode::SlugTaken);
    assert_eq!(rename(&world, "nobody", to("somebody")).await.unwrap_err().code, ErrorCode::TenantNotFound);
    let long = NewName { grace: Duration::from_secs(367 * 24 * 3600), ..to("vast") };
    assert_eq!(rename(&world, "goteborg", long).await.unwrap_err().code, ErrorCode::InvalidValue);
    delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), delete::GRACE, None).await.unwrap();
    assert_eq!(rename(&world, "goteborg", to("vast")).await.unwrap_err().code, ErrorCode::OperationInProgress, "while it is being deleted");
    assert_eq!(world.count("tenant_alias").await + world.count("operation WHERE kind = 'tenant.rename'").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_rename_to_one_name_at_once_one_gets_it_and_the_other_is_undone() {
    let world = world().await;
    for name in ["goteborg", "malmo"] {
        world.create(name).await.unwrap();
    }
    let (first, second) = tokio::join!(rename(&world, "goteborg", to("vast")), rename(&world, "malmo", to("vast")));
    let lost = first.and(second).unwrap_err();
    assert!(matches!(lost.code, ErrorCode::SlugTaken | ErrorCode::OperationUndone), "{lost:?}");
    assert_eq!(world.count("tenant WHERE slug = 'vast'").await, 1);
    assert_eq!(world.count("tenant_alias").await, 1);
    assert_eq!(world.count("tenant WHERE slug IN ('goteborg', 'malmo')").await, 1);
    world.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_name_is_let_go_by_the_clock_and_is_anybodys_then() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    rename(&world, "goteborg", NewName { grace: Duration::ZERO, ..to("vast") }).await.unwrap();
    world.until_count("tenant_alias", 0).await;
    let created = world.create("goteborg").await.unwrap();
    let table = world.control.publisher().table();
    assert_eq!(table.route(&production(), &slug("goteborg")).unwrap().tenant, created.id);
    assert!(table.renamed(&production(), &slug("goteborg")).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_that_is_dropped_takes_its_old_names_with_it() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    rename(&world, "goteborg", to("vast")).await.unwrap();
    let id = delete::delete(&world.control, &DEV, &production(), &slug("vast"), Duration::ZERO, None).await.unwrap();
    let over = show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!(over.state, OperationState::Succeeded);
    assert_eq!(world.create("goteborg").await.unwrap().state, TenantState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_is_refused_as_deleted_and_not_as_suspended() {
    let world = world().await;
    let tenant = world.create("goteborg").await.unwrap();
    delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), delete::GRACE, None).await.unwrap();
    world.until_count("operation WHERE step = 2 AND finished_at IS NULL", 1).await;
    let table = world.control.publisher().table();
    assert_eq!(table.route_of(tenant.id).unwrap().state, RouteState::Deleted);
}
