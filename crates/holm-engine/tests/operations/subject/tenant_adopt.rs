//! A database that somebody brings: it is a tenant's, or Holm knows nothing of it; it is as it was, whatever came of it.

use futures_util::future::LocalBoxFuture;
use holm_core::credential::Level;
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_engine::cluster::url::ServerUrl;
use holm_engine::tenant;
use holm_engine::tenant::adopt::{self, NewAdoption};

use super::{Stage, Subject};
use crate::snapshot::{Snapshot, on_server, take};
use crate::world::{World, by, production};

fn adopted(number: usize) -> TenantSlug {
    format!("adopted-{number}").parse().unwrap()
}

fn database(number: usize) -> String {
    format!("brought_{number}")
}

pub(crate) const SUBJECT: Subject = Subject {
    kind: "tenant.adopt",
    alone: false,
    stage: |world, number| {
        Box::pin(async move {
            let url = world.bring(&database(number)).await;
            Stage { number, url, made: Some(made), only_read: Some(itself), ..Stage::default() }
        })
    },
    request: |control, stage| {
        Box::pin(async move {
            let url = ServerUrl::parse(&Secret::new(stage.url.clone()), None).unwrap();
            let new =
                NewAdoption { environment: production(), slug: adopted(stage.number), url, cluster: None, claim: None, profile: None };
            adopt::adopt(control, &by(), new, None).await.unwrap()
        })
    },
    succeeded: |world, stage| {
        Box::pin(async move {
            let tenant = tenant::show(world.control(), &production(), &adopted(stage.number)).await.unwrap();
            assert_eq!((tenant.state, tenant.database.unwrap().as_str()), (TenantState::Serving, database(stage.number).as_str()));
            let table = world.control().publisher().table();
            assert!(table.route_of(tenant.id).unwrap().login(Level::Owner).is_some(), "it can be reached");
            let rows = made(world, stage).await;
            assert_eq!(rows.len(), 3, "a tenant, its cluster, its database: {rows:?}");
        })
    },
};

/// What the catalog says of it that is not over.
fn made<'a>(world: &'a World, stage: &'a Stage) -> LocalBoxFuture<'a, Snapshot> {
    Box::pin(async move {
        let (mut seen, catalog) = (Snapshot::new(), world.catalog().await);
        let (slug, database) = (adopted(stage.number), database(stage.number));
        let tenant = "SELECT 'tenant ' || slug, state FROM tenant WHERE slug = $1 AND state NOT IN ('failed', 'dropped')";
        take(&catalog, tenant, &[&slug.as_str()], &mut seen).await;
        let cluster = "SELECT 'cluster ' || name, state FROM cluster WHERE adopted_database = $1 AND state <> 'removed'";
        take(&catalog, cluster, &[&database], &mut seen).await;
        take(&catalog, "SELECT 'member ' || name, state FROM database WHERE name = $1", &[&database], &mut seen).await;
        seen
    })
}

fn itself<'a>(world: &'a World, stage: &'a Stage) -> LocalBoxFuture<'a, Snapshot> {
    Box::pin(async move { on_server(world.brought().await, &[&database(stage.number)]).await })
}
