//! A copy of a tenant: it has the same rows, in a database and with roles of its own, or there is nothing of it; its source
//! is as it was, whatever came of it.

use futures_util::future::LocalBoxFuture;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_engine::tenant;
use holm_engine::tenant::copy::{self, NewTenantCopy};

use super::{Stage, Subject};
use crate::snapshot::{Snapshot, on_server, take};
use crate::world::{World, by, production, slug};

fn copy(number: usize) -> TenantSlug {
    format!("copy-{number}").parse().unwrap()
}

pub(crate) const SUBJECT: Subject = Subject {
    kind: "tenant.copy",
    alone: false,
    stage: |world, number| {
        Box::pin(async move {
            let tenant = world.create(number).await;
            let database = tenant.database.as_ref().unwrap();
            // So that the content of one stage is told from that of another.
            let sql = format!("INSERT INTO musician (name) VALUES ('of stage {number}')");
            world.cluster.connect(database.as_str()).await.batch_execute(&sql).await.unwrap();
            Stage { made: Some(made), only_read: Some(source), ..Stage::tenant(number, &tenant) }
        })
    },
    request: |control, stage| {
        Box::pin(async move {
            let new = NewTenantCopy { slug: copy(stage.number), cluster: None, ttl: None, reason: None };
            copy::copy(control, &by(), &production(), &slug(stage.number), new).await.unwrap()
        })
    },
    succeeded: |world, stage| {
        Box::pin(async move {
            let copy = tenant::show(world.control(), &production(), &copy(stage.number)).await.unwrap();
            assert_eq!((copy.state, copy.made_by, copy.seeded), (TenantState::Serving, None, true));
            let database = copy.database.unwrap();
            let table = world.control().publisher().table();
            assert_eq!(table.route_of(copy.id).unwrap().database, database, "it can be reached");
            assert_ne!(database, stage.databases[0]);
            assert_eq!(content(world, database.as_str()).await, content(world, stage.databases[0].as_str()).await);
            // That its roles log in, and with what, is what the doctor looks at.
            let on_cluster = world.on_cluster(&database).await;
            let names = ["database ", "role "].map(|kind| on_cluster.iter().filter(|name| name.starts_with(kind)).count());
            assert_eq!(names, [1, 3], "{on_cluster:?}");
        })
    },
};

/// What the tables of a database hold, the ledger too.
async fn content(world: &World, database: &str) -> Vec<(String, String)> {
    let tables = on_server(&world.cluster, &[database]).await.into_iter();
    let tables: Vec<_> = tables.filter_map(|(key, rows)| Some((key.strip_prefix(database)?.trim().to_owned(), rows))).collect();
    assert!(tables.len() >= 2, "{tables:?}");
    tables
}

/// Whoever has the name.
fn made<'a>(world: &'a World, stage: &'a Stage) -> LocalBoxFuture<'a, Snapshot> {
    Box::pin(async move {
        let (mut seen, name) = (Snapshot::new(), copy(stage.number));
        let sql = "SELECT 'copy ' || slug, state FROM tenant WHERE slug = $1 AND state NOT IN ('failed', 'dropped')";
        take(&world.catalog().await, sql, &[&name.as_str()], &mut seen).await;
        seen
    })
}

fn source<'a>(world: &'a World, stage: &'a Stage) -> LocalBoxFuture<'a, Snapshot> {
    Box::pin(async move { world.snapshot_of(&Stage { made: None, only_read: None, ..stage.clone() }).await })
}
