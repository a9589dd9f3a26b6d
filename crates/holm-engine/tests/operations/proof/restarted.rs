//! The catalog's server, or the cluster's, is restarted while steps are under way: everything is done all the same.

use std::sync::Arc;

use holm_engine::operation::probe::Moment;
use holm_testkit::{TestServer, eventually};

use crate::case::{self, everywhere};
use crate::order::{Gate, Order};
use crate::subject::SUBJECTS;
use crate::world::{PATIENCE, World};

/// As many as may work on one cluster: all stand in the middle of a step when the server goes.
const AT_ONCE: usize = 4;

const MOMENTS: [Moment; 2] = [Moment::Before, Moment::Acted];

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_catalog_restarted_in_the_middle_of_any_step_holds_nothing_up_for_good() {
    let mut world = World::with_own_catalog_server().await;
    restart_in_the_middle(&mut world, |world| world.catalog_server.get()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_cluster_restarted_in_the_middle_of_any_step_holds_nothing_up_for_good() {
    let mut world = World::start().await;
    restart_in_the_middle(&mut world, |world| &world.cluster).await;
}

async fn restart_in_the_middle(world: &mut World, server: fn(&World) -> &TestServer) {
    for subject in SUBJECTS {
        let at_once = if subject.alone { 1 } else { AT_ONCE };
        for cases in everywhere(subject, &MOMENTS, Order::Hold).chunks(at_once) {
            let gate = Arc::<Gate>::default();
            let asked = case::ask(world, cases, &gate).await;
            world.control().start();
            eventually(PATIENCE, "operations in the middle of a step", async || match gate.arrived() {
                count if count >= cases.len() => Ok(()),
                count => Err(count),
            })
            .await;
            server(world).restart().await;
            gate.open();
            case::over(world, &asked).await;
            case::check(world, &asked).await;
        }
    }
}
