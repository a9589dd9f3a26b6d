//! A server becomes a cluster: closed to everyone else, filled and open, or as it was found.

use holm_core::cluster::state::ClusterState;

use super::{Stage, Subject};
use crate::servers;

pub(crate) const SUBJECT: Subject = Subject {
    kind: "cluster.add",
    alone: false,
    stage: |world, number| Box::pin(async move { Stage { number, server: Some(world.server_in(number, None).await), ..Stage::default() } }),
    request: |control, stage| Box::pin(async move { servers::add(control, stage.number, stage.server()).await }),
    // That its pool is whole, and the server closed to everyone, is looked at for every server.
    succeeded: |world, stage| {
        Box::pin(async move {
            assert_eq!(world.cluster_on(stage.server().server()).await.1, Some(ClusterState::Open));
            assert_eq!(stage.cluster_name(world.control()).await, servers::name(stage.number));
        })
    },
};
