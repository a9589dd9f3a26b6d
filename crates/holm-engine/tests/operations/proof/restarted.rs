//! The catalog's server, or the cluster's, is restarted while steps are under way: everything is done all the same.

use std::sync::Arc;

use futures_util::future::join_all;
use holm_engine::operation::probe::Moment;
use holm_testkit::{TestServer, eventually};

use crate::case::{self, Asked, Case, everywhere};
use crate::order::{Gate, Order};
use crate::servers;
use crate::subject::SUBJECTS;
use crate::world::{PATIENCE, World};

const MOMENTS: [Moment; 2] = [Moment::Before, Moment::Acted];

/// Which servers go.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Catalog,
    /// Those that the operations work on: of the world, or their own.
    Cluster,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_catalog_restarted_in_the_middle_of_any_step_holds_nothing_up_for_good() {
    restart_in_the_middle(&mut World::with_own_catalog_server().await, Which::Catalog).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 8)]
async fn a_cluster_restarted_in_the_middle_of_any_step_holds_nothing_up_for_good() {
    restart_in_the_middle(&mut World::start().await, Which::Cluster).await;
}

async fn restart_in_the_middle(world: &mut World, which: Which) {
    let (with_servers, others): (Vec<_>, Vec<_>) = SUBJECTS.iter().partition(|subject| subject.has_servers());
    for subject in others {
        // As many as may work on one cluster: all stand in the middle of a step when the servers go.
        let at_once = if subject.alone { 1 } else { subject.listed().at_once };
        for cases in everywhere(subject, &MOMENTS, Order::Hold).chunks(at_once) {
            restart_in_the_middle_of(world, cases, which).await;
        }
    }
    for cases in servers::rounds(with_servers.into_iter().flat_map(|subject| everywhere(subject, &MOMENTS, Order::Hold)).collect()) {
        restart_in_the_middle_of(world, &cases, which).await;
    }
}

async fn restart_in_the_middle_of(world: &mut World, cases: &[Case], which: Which) {
    let gate = Arc::<Gate>::default();
    let asked = case::ask(world, cases, &gate).await;
    world.control().start();
    for nth in 1..=MOMENTS.len() {
        eventually(PATIENCE, "operations in the middle of a step", async || match gate.arrived() {
            count if count >= nth * cases.len() => Ok(()),
            count => Err((count, world.unfinished().await)),
        })
        .await;
        restart(world, &asked, which).await;
        gate.open();
    }
    case::over(world, &asked).await;
    case::check(world, &asked).await;
}

async fn restart(world: &World, asked: &[Asked], which: Which) {
    let own: Vec<_> = asked.iter().filter_map(Asked::server).collect();
    let servers = match which {
        Which::Catalog => vec![world.catalog_server.get()],
        Which::Cluster if own.is_empty() => std::iter::once(&world.cluster).chain(world.brought.get()).collect(),
        Which::Cluster => own,
    };
    join_all(servers.into_iter().map(TestServer::restart)).await;
}
