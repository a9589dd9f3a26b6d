//! Another name for a tenant: it is found by the new one and kept from others under the old, or it is as it was.

use std::time::Duration;

use holm_core::slug::TenantSlug;
use holm_engine::tenant::{self, rename};

use super::{Stage, Subject};
use crate::world::{by, production, slug};

fn new(number: usize) -> TenantSlug {
    format!("renamed-{number}").parse().unwrap()
}

pub(crate) const SUBJECT: Subject = Subject {
    kind: "tenant.rename",
    alone: false,
    stage: |world, number| Box::pin(async move { Stage::tenant(number, &world.create(number).await) }),
    request: |control, stage| {
        Box::pin(async move {
            let wanted = rename::NewName { to: new(stage.number), grace: Duration::from_secs(3600), reason: None };
            rename::rename(control, &by(), &production(), &slug(stage.number), wanted).await.unwrap()
        })
    },
    succeeded: |world, stage| {
        Box::pin(async move {
            let shown = tenant::show(world.control(), &production(), &new(stage.number)).await.unwrap();
            assert_eq!(shown.id, stage.tenants[0]);
            let table = world.control().publisher().table();
            assert_eq!(table.route_of(shown.id).unwrap().slug, new(stage.number), "the route has the new name");
            let alias = format!("tenant_alias WHERE slug = '{}'", slug(stage.number));
            assert_eq!(world.count(&alias).await, 1, "the old name is kept for it");
        })
    },
};
