//! New passwords for the three roles of a tenant's database: the cluster, the catalog and the routes agree on them.

use holm_engine::tenant::rotate_roles::rotate_roles;

use super::{Stage, Subject};
use crate::world::{by, production, slug};

pub(crate) const SUBJECT: Subject = Subject {
    kind: "tenant.rotate-roles",
    alone: false,
    stage: |world, number| Box::pin(async move { Stage::tenant(number, &world.create(number).await) }),
    request: |control, stage| Box::pin(async move { rotate_roles(control, &by(), &production(), &slug(stage.number)).await.unwrap() }),
    // That verifiers, sealed logins and routes are the same keys is what the doctor looks at.
    succeeded: |world, stage| {
        Box::pin(async move {
            let table = world.control().publisher().table();
            assert!(table.route_of(stage.tenants[0]).unwrap().next_logins.is_none(), "a second key is left");
            let left = format!("database WHERE name = '{}' AND next_sealed_logins IS NOT NULL", stage.databases[0]);
            assert_eq!(world.count(&left).await, 0, "the next logins are left");
        })
    },
};
