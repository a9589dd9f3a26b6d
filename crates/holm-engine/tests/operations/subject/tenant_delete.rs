//! Deletion of a tenant, without grace: it is gone with everything, or it is as it was.

use std::time::Duration;

use holm_core::error::ErrorCode;
use holm_engine::tenant::{self, delete};

use super::{Stage, Subject};
use crate::world::{by, production, slug};

pub(crate) const SUBJECT: Subject = Subject {
    kind: "tenant.delete",
    alone: false,
    stage: |world, number| Box::pin(async move { Stage::tenant(number, &world.create(number).await) }),
    request: |control, stage| {
        Box::pin(async move {
            let name = slug(stage.number);
            delete::delete(control, &by(), &production(), &name, Duration::ZERO, None).await.unwrap()
        })
    },
    succeeded: |world, stage| {
        Box::pin(async move {
            let gone = tenant::show(world.control(), &production(), &slug(stage.number)).await.unwrap_err();
            assert_eq!(gone.code, ErrorCode::TenantNotFound);
            let route = world.control().publisher().table().route_of(stage.tenants[0]).is_some();
            assert!(!route, "its route is still published");
            assert_eq!(world.on_cluster(&stage.databases[0]).await, Vec::<String>::new(), "left on the cluster");
            let row = format!("database WHERE name = '{}'", stage.databases[0]);
            assert_eq!(world.count(&row).await, 0, "left in the catalog");
        })
    },
};
