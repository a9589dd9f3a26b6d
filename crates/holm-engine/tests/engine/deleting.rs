//! What is deleted is closed at once, comes back whole while its grace period lasts, and leaves nothing after it.

use std::time::Duration;

use holm_core::error::ErrorCode;
use holm_core::operation::OperationState;
use holm_core::tenant::TenantState;
use holm_engine::operation::people::{self, Word};
use holm_engine::operation::show;
use holm_engine::tenant::{self, delete};

use crate::support::{DEV, PATIENCE, Setup, World, production, slug};

const MONTH: Duration = delete::GRACE;

async fn world() -> World {
    World::start(Setup { pool_size: 1, ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_without_grace_leaves_nothing_on_its_cluster_and_its_name_is_free() {
    let world = world().await;
    let tenant = world.create("goteborg").await.unwrap();
    let database = tenant.database.unwrap();
    let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), Duration::ZERO, None).await.unwrap();
    let over = show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    assert_eq!((over.state, over.step, over.steps), (OperationState::Succeeded, 6, 6));
    let admin = world.server.connect("postgres").await;
    let left =
        "SELECT (SELECT count(*) FROM pg_database WHERE datname = $1) + (SELECT count(*) FROM pg_roles WHERE rolname LIKE $1 || '%')";
    assert_eq!(admin.query_one(left, &[&database.as_str()]).await.unwrap().get::<_, i64>(0), 0);
    assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap_err().code, ErrorCode::TenantNotFound);
    assert_eq!(world.create("goteborg").await.unwrap().state, TenantState::Serving);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_tenant_comes_back_as_it_was_until_its_grace_is_over() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    for was in [TenantState::Serving, TenantState::Suspended] {
        if was == TenantState::Suspended {
            tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
        }
        let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap();
        world.until_count("operation WHERE step = 2 AND lease_owner IS NULL AND finished_at IS NULL", 1).await;
        assert_eq!(tenant::show(&world.control, &production(), &slug("goteborg")).await.unwrap().state, TenantState::Deleted);
        let taken = world.create("goteborg").await.unwrap_err();
        assert_eq!(taken.code, ErrorCode::SlugTaken, "its name is kept for it");
        let twice = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap_err();
        assert_eq!(twice.code, ErrorCode::TenantState);
        let back = delete::undelete(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
        assert_eq!(back.state, was);
        assert_eq!(show::show(&world.control, id).await.unwrap().state, OperationState::Undone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_can_be_ended_early_and_then_it_is_too_late_to_come_back() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap();
    world.until_count("operation WHERE step = 2 AND lease_owner IS NULL AND finished_at IS NULL", 1).await;
    people::tell(&world.control, &DEV, id, Word::Proceed).await.unwrap();
    show::succeeded(&world.control, id, PATIENCE).await.unwrap();
    let late = people::tell(&world.control, &DEV, id, Word::Cancel { reason: None }).await.unwrap_err();
    assert_eq!(late.code, ErrorCode::OperationCannot);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_row_edited_by_hand_stops_the_operation_and_it_can_only_be_given_up() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap();
    world.until_count("operation WHERE step = 2 AND lease_owner IS NULL AND finished_at IS NULL", 1).await;
    let catalog = world.catalog().await;
    catalog.batch_execute("UPDATE operation_event SET event = replace(event::text, 'step', 'stop')::json, at = at WHERE seq = 1; UPDATE operation_event SET event = replace(event::text, '\"step\":0', '\"step\":1')::json WHERE seq = 3").await.unwrap();
    catalog.batch_execute("UPDATE operation SET next_run_at = now()").await.unwrap();
    world.until_count("operation WHERE state = 'broken'", 1).await;
    let told = world.complaints().await;
    assert!(told.iter().any(|finding| finding.check == "operations" && finding.text.contains(&id.to_string())), "{told:?}");
    let cancel = people::tell(&world.control, &DEV, id, Word::Cancel { reason: None }).await.unwrap_err();
    assert_eq!(cancel.code, ErrorCode::OperationCannot);
    let given_up = people::tell(&world.control, &DEV, id, Word::Abandon { reason: "edited by hand".parse().unwrap() }).await.unwrap();
    assert_eq!(given_up.state, OperationState::Abandoned);
    assert_eq!(world.count("operation_subject WHERE held").await, 0);
}

/// The story: an upgrade has taken away the code of an operation that was under way; later another the list of its steps.
#[tokio::test(flavor = "multi_thread")]
async fn an_operation_whose_code_is_gone_waits_untouched_and_says_so_and_holds_up_nobody_else() {
    let world = world().await;
    for name in ["goteborg", "malmo"] {
        world.create(name).await.unwrap();
    }
    let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap();
    world.until_count("operation WHERE step = 2 AND lease_owner IS NULL AND finished_at IS NULL", 1).await;
    let catalog = world.catalog().await;
    let untouched = "SELECT (SELECT format('%s %s %s %s', kind, state, lease_epoch, last_seq) FROM operation WHERE id = $1)
        || (SELECT string_agg(encode(digest, 'hex'), ' ' ORDER BY seq) FROM operation_event WHERE operation_id = $1)";
    let row = async || catalog.query_one(untouched, &[&id.as_uuid()]).await.unwrap().get::<_, String>(0);
    for gone in ["kind = 'tenant.teleport'", "kind = 'tenant.delete', kind_version = 99"] {
        catalog.batch_execute(&format!("UPDATE operation SET {gone}, next_run_at = now() WHERE finished_at IS NULL")).await.unwrap();
        let before = row().await;
        // Due before any other, and yet another one is taken up and finished by the very runner that leaves it alone.
        let other = delete::delete(&world.control, &DEV, &production(), &slug("malmo"), Duration::ZERO, None).await.unwrap();
        show::succeeded(&world.control, other, PATIENCE).await.unwrap();
        world.create("malmo").await.unwrap();
        assert_eq!(row().await, before, "{gone}");
        let operation = show::show(&world.control, id).await.unwrap();
        assert!(!show::is_known(&operation) && operation.state == OperationState::Active);
        let told = world.complaints().await;
        let told = told.iter().find(|finding| finding.check == "operations").unwrap();
        assert!(told.text.contains(operation.kind.as_str()) && told.next.as_ref().unwrap().contains(&id.to_string()), "{told:?}");
    }
    catalog.batch_execute("UPDATE operation SET kind = 'tenant.teleport' WHERE finished_at IS NULL").await.unwrap();
    let other = delete::undelete(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap_err();
    assert_eq!(other.code, ErrorCode::TenantState);
    let busy = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap_err();
    assert_eq!(busy.code, ErrorCode::TenantState);
    let given_up = people::tell(&world.control, &DEV, id, Word::Abandon { reason: "no longer there".parse().unwrap() }).await.unwrap();
    assert_eq!(given_up.state, OperationState::Abandoned);
    assert!(world.complaints().await.iter().all(|finding| finding.check != "operations"));
}

#[tokio::test(flavor = "multi_thread")]
async fn giving_up_ends_the_sessions_in_which_a_step_could_still_act_and_only_those() {
    let world = world().await;
    world.create("goteborg").await.unwrap();
    let id = delete::delete(&world.control, &DEV, &production(), &slug("goteborg"), MONTH, None).await.unwrap();
    world.until_count("operation WHERE step = 2 AND lease_owner IS NULL AND finished_at IS NULL", 1).await;
    let (acting, other) = (world.server.connect("postgres").await, world.server.connect("postgres").await);
    acting.batch_execute(&format!("SET application_name = 'holm {id} 1'")).await.unwrap();
    other.batch_execute("SET application_name = 'holm op_01a1ff4c3c1674f8b457ec8406863b64 1'").await.unwrap();
    people::tell(&world.control, &DEV, id, Word::Abandon { reason: "it stands still".parse().unwrap() }).await.unwrap();
    assert!(acting.batch_execute("SELECT 1").await.is_err(), "a session of the operation lives");
    other.batch_execute("SELECT 1").await.unwrap();
}
