//! Two processes over one catalog, as they run in earnest: what one leaves the other takes up in time, and nothing is done
//! by both.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holm_core::operation::OperationState;
use holm_engine::operation::probe::Moment;
use holm_engine::tenant::{self, NewTenant};
use holm_testkit::{eventually, server};

use crate::case::{self, Asked, Case};
use crate::child::Runner;
use crate::order::Order;
use crate::subject::SUBJECTS;
use crate::world::{CatalogServer, PATIENCE, World, by, production};

/// What is set where nothing else is.
const LEASE: Duration = Duration::from_secs(6);

/// The bar. The lease decides and not the machine: 6 s, and 2 s until somebody looks.
const FAILOVER_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_goes_on_within_10_s_after_its_process_was_killed_or_stopped() {
    let mut world = World::with(CatalogServer::Shared(server().await), LEASE, None).await;
    // Outside the catalog, and within a transaction of it, whose locks are in the way of others.
    for (step, order) in [(1, Order::Kill), (1, Order::Stop), (0, Order::Stop)] {
        let cases = [Case::forward(&SUBJECTS[0], step, Moment::Acted, order)];
        let asked = case::ask(&mut world, &cases, &Arc::default()).await;
        let first = Runner::start(&world);
        until_met(&world, &asked[0]).await;
        let (gone, second) = (Instant::now(), Runner::start(&world));
        let owner = format!("operation WHERE id = '{}' AND lease_epoch > 1", asked[0].id.as_uuid());
        world.until_count(&owner, 1).await;
        let took = gone.elapsed();
        println!("failover after `{order}` in step {step}: {:.1} s to the takeover", took.as_secs_f64());
        assert!(took <= FAILOVER_MAX, "{took:?} after {order}");
        second.end().await;
        drop(first);
        world.control().start();
        case::over(&world, &asked).await;
        case::check(&world, &asked).await;
    }
}

async fn until_met(world: &World, asked: &Asked) {
    eventually(PATIENCE, "the first process to get there", async || asked.met_all(world).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_processes_could_both_do_is_done_by_one() {
    // Each run of the seed leaves a row, so that a second one shows.
    let seed = "INSERT INTO musician (name) VALUES ('sown');";
    let mut world = World::with(CatalogServer::Shared(server().await), LEASE, Some(seed)).await;
    let runners: Vec<_> = (0..2).map(|_| Runner::start(&world)).collect();
    let new = |n: usize| NewTenant {
        environment: production(),
        slug: format!("sown-{n}").parse().unwrap(),
        cluster: None,
        parameters: Vec::new(),
        ttl: None,
        profile: None,
        near: None,
    };
    let by = by();
    let created = (0..10).map(|n| tenant::create(world.control(), &by, new(n), PATIENCE));
    for tenant in futures_util::future::join_all(created).await {
        let database = tenant.unwrap().database.unwrap();
        let sown = "SELECT count(*) FROM musician WHERE name = 'sown'";
        let count: i64 = world.cluster.connect(database.as_str()).await.query_one(sown, &[]).await.unwrap().get(0);
        assert_eq!(count, 1, "runs of the seed in {database}");
    }
    let cases: Vec<_> = SUBJECTS
        .iter()
        .filter(|subject| !subject.alone)
        .flat_map(|subject| {
            let count = if subject.has_servers() { 2 } else { 8 };
            vec![Case { subject, orders: Vec::new(), end: OperationState::Succeeded }; count]
        })
        .collect();
    let asked = case::ask(&mut world, &cases, &Arc::default()).await;
    world.control().start();
    case::over(&world, &asked).await;
    let catalog = world.catalog().await;
    for one in &asked {
        // Nobody was killed, so that each is claimed once, and once more after each wait, and each step done once.
        let sql = "SELECT count(*) FILTER (WHERE event ->> 'event' = 'claimed') - count(*) FILTER (WHERE event ->> 'event' = 'waits'),
                       count(*) FILTER (WHERE event ->> 'event' = 'done')
                   FROM operation_event WHERE operation_id = $1";
        let row = catalog.query_one(sql, &[&one.id.as_uuid()]).await.unwrap();
        let steps = i64::try_from(one.case.subject.listed().steps.len()).unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (1, steps), "{}", one.tell(&world).await);
    }
    for runner in runners {
        runner.end().await;
    }
    case::check(&world, &asked).await;
}
