//! A drained cluster is forgotten, and its server as it was found; or it is drained, and closed to everyone else.

use holm_core::cluster::state::ClusterState;
use holm_engine::cluster::remove::{Manner, remove};

use super::{Stage, Subject};
use crate::world::by;

pub(crate) const SUBJECT: Subject = Subject {
    kind: "cluster.remove",
    alone: false,
    stage: |world, number| Box::pin(async move { Stage::cluster(world, number, ClusterState::Drained).await }),
    request: |control, stage| {
        Box::pin(async move {
            let name = stage.cluster_name(control).await;
            remove(control, &by(), &name, Manner::InOrder, None).await.unwrap()
        })
    },
    // That the server is as it was found is looked at for every server that is no cluster.
    succeeded: |world, stage| {
        Box::pin(async move {
            assert_eq!(world.cluster_on(stage.server().server()).await, (None, None));
            let known = world.control().publisher().table().cluster(stage.clusters[0]).is_some();
            assert!(!known, "the data plane still knows it");
        })
    },
};
