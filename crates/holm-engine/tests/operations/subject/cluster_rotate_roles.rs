//! New passwords for the roles of every tenant of a cluster, by children: all of them are over when it is.

use holm_engine::cluster::rotate_roles::rotate_roles;

use super::{Stage, Subject};
use crate::world::by;

pub(crate) const SUBJECT: Subject = Subject {
    kind: "cluster.rotate-roles",
    alone: true,
    // Tenants whose own rotation succeeded keep their new passwords when this is undone, so that none is listed.
    stage: |world, number| {
        Box::pin(async move {
            world.create(number).await;
            Stage { number, ..Stage::default() }
        })
    },
    request: |control, _| Box::pin(async move { rotate_roles(control, &by(), &"production-1".parse().unwrap()).await.unwrap() }),
    succeeded: |world, _| {
        Box::pin(async move {
            let failed = "operation WHERE parent_id IS NOT NULL AND finished_at IS NULL";
            assert_eq!(world.count(failed).await, 0, "children that go on without their parent");
            assert_eq!(world.count("database WHERE next_sealed_logins IS NOT NULL").await, 0, "next logins are left");
        })
    },
};
