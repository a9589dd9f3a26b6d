//! A process that is gone for good is given up by a person; one that lives is not.

use holm_core::error::ErrorCode;
use holm_engine::{node, tenant};

use crate::support::{DEV, Setup, World, production, slug};

async fn join(world: &World, name: &str, silent: &str) {
    // As one that joins does it.
    let sql = format!(
        "UPDATE route_clock SET membership = membership + 1;
         INSERT INTO node (id, name, role, holm_version, schema_version, seen_at, started_at)
         VALUES (gen_random_uuid(), '{name}', 'data', '0.1.0', 1, now() - interval '{silent}', now() - interval '1 day')"
    );
    world.catalog().await.batch_execute(&sql).await.unwrap();
}

/// The story: a machine burns down. Every suspension says that it has not confirmed, until somebody says that it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_gone_is_given_up_by_name_and_changes_are_confirmed_without_it() {
    let world = World::start(Setup { pool_size: 1, ..Setup::default() }).await;
    world.create("goteborg").await.unwrap();
    join(&world, "burnt", "2 minutes").await;
    let suspended = tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap_err();
    assert_eq!(suspended.code, ErrorCode::DataPlaneSilent);
    assert!(suspended.what.contains("burnt") && suspended.next.iter().any(|next| next.contains("holm node forget")), "{suspended:?}");
    let told = world.complaints().await;
    assert!(told.iter().any(|finding| finding.next.as_ref().is_some_and(|next| next.contains("holm node forget burnt"))), "{told:?}");

    let gone = node::give_up(&world.control, &DEV, "burnt").await.unwrap();
    assert_eq!(gone.name, "burnt");
    assert_eq!(node::give_up(&world.control, &DEV, "burnt").await.unwrap_err().code, ErrorCode::NodeNotFound);
    tenant::resume(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    tenant::suspend(&world.control, &DEV, &production(), &slug("goteborg")).await.unwrap();
    let entry = "SELECT subject_id FROM audit_entry WHERE action = 'node.forget' AND subject_kind = 'node'";
    let subject: String = world.catalog().await.query_one(entry, &[]).await.unwrap().get(0);
    assert_eq!(subject, gone.id.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_heard_of_within_a_minute_is_not_given_up() {
    let world = World::without_cluster(Setup::default(), holm_testkit::new_server(&[]).await).await;
    join(&world, "silent", "40 seconds").await;
    let refused = node::give_up(&world.control, &DEV, "silent").await.unwrap_err();
    assert_eq!(refused.code, ErrorCode::NodeLives, "{refused:?}");
    // One that has taken its name lives: only the one before is given up.
    join(&world, "twice", "1 hour").await;
    join(&world, "twice", "0 seconds").await;
    node::give_up(&world.control, &DEV, "twice").await.unwrap();
    assert_eq!(node::give_up(&world.control, &DEV, "twice").await.unwrap_err().code, ErrorCode::NodeLives);
    assert_eq!(world.count("node WHERE name = 'twice' AND seen_at > now() - interval '1 minute'").await, 1);
    assert_eq!(world.count("node").await, 2);
}
