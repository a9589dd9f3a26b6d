//! A cluster without tenants is emptied: nothing of Holm's is left on it, or it is open with a pool again.

use holm_core::cluster::state::ClusterState;
use holm_engine::cluster::drain::drain;

use super::{Stage, Subject};
use crate::world::by;

pub(crate) const SUBJECT: Subject = Subject {
    kind: "cluster.drain",
    alone: false,
    stage: |world, number| Box::pin(async move { Stage::cluster(world, number, ClusterState::Open).await }),
    request: |control, stage| Box::pin(async move { drain(control, &by(), &stage.cluster_name(control).await, None).await.unwrap() }),
    succeeded: |world, stage| {
        Box::pin(async move {
            let now = world.cluster_on(stage.server().server()).await;
            assert_eq!(now, (Some(stage.clusters[0]), Some(ClusterState::Drained)));
        })
    },
};
