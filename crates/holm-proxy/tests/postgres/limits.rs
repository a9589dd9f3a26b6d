//! What one tenant may have of a cluster changes while it is in use: nobody is disconnected, and the server sees it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use holm_core::error::ErrorCode;
use holm_core::limits::TenantLimits;
use holm_core::route::{Route, RouteChange};
use tokio_postgres::{Client, Transaction};

use crate::sharing::{LONG, SHORT, backends, database, world};
use crate::support::{Tenant, World, eventually};

async fn limit(world: &World, tenant: &Tenant, epoch: u64, min: u32, max: Option<u32>, weight: u32) {
    let limits = TenantLimits::new(min, max, weight).unwrap();
    world.publish_and_wait([RouteChange::Route(Route { limits, epoch, ..tenant.route.clone() })]).await;
}

async fn connect(world: &World, slug: &str, count: usize) -> Vec<Client> {
    join_all((0..count).map(|_| world.connect("app", slug))).await
}

async fn begin(clients: &mut [Client]) -> Vec<Transaction<'_>> {
    join_all(clients.iter_mut().map(async |client| client.transaction().await.unwrap())).await
}

async fn commit(transactions: Vec<Transaction<'_>>) {
    join_all(transactions.into_iter().map(async |transaction| transaction.commit().await.unwrap())).await;
}

async fn becomes(admin: &Client, tenants: &[Tenant], expected: i64) {
    eventually(&format!("{expected} backends"), async || match backends(admin, tenants).await {
        found if found == expected => Ok(()),
        found => Err(format!("{found} backends")),
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_never_has_more_than_its_maximum_and_its_clients_wait_for_each_other() {
    let (world, tenants) = world(8, LONG, &["malmo", "lund"]).await;
    let admin = world.server.connect("postgres").await;
    limit(&world, &tenants[0], 2, 0, Some(2), 1).await;
    // What made the tenants is gone.
    becomes(&admin, &tenants, 0).await;
    let over = AtomicBool::new(false);
    let watch = async {
        let mut most = 0;
        while !over.load(Ordering::SeqCst) {
            most = most.max(backends(&admin, &tenants[..1]).await);
        }
        most
    };
    let work = async {
        let ask = async |client: Client| {
            for _ in 0..5 {
                assert_eq!(database(&client).await, tenants[0].route.database.as_str());
            }
        };
        join_all(connect(&world, "malmo", 12).await.into_iter().map(ask)).await;
        over.store(true, Ordering::SeqCst);
    };
    let (most, ()) = tokio::join!(watch, work);
    assert!((1..=2).contains(&most), "{most} backends");
    assert_eq!(world.proxy.counters().refused(ErrorCode::NoConnectionLeft), 0);
}

#[tokio::test]
async fn a_maximum_that_is_raised_serves_those_who_wait_at_once() {
    let (world, tenants) = world(4, LONG, &["malmo"]).await;
    let admin = world.server.connect("postgres").await;
    limit(&world, &tenants[0], 2, 0, Some(1), 1).await;
    let mut clients = connect(&world, "malmo", 2).await;
    let (first, second) = clients.split_at_mut(1);
    let held = first[0].transaction().await.unwrap();
    let waits = second[0].transaction();
    tokio::pin!(waits);
    // It waits: the server sees nothing of it, and the proxy says so.
    eventually("one waits", async || {
        let uses = world.proxy.gauges().clusters();
        tokio::select! {
            biased;
            _ = &mut waits => panic!("it was served beside the one that it has to wait for"),
            () = std::future::ready(()) => {}
        }
        if uses.iter().any(|used| used.waiting == 1) { Ok(()) } else { Err(format!("{uses:?}")) }
    })
    .await;
    assert_eq!(backends(&admin, &tenants).await, 1);
    limit(&world, &tenants[0], 3, 0, Some(2), 1).await;
    let served = waits.await.unwrap();
    assert_eq!(backends(&admin, &tenants).await, 2);
    served.commit().await.unwrap();
    held.commit().await.unwrap();
}

#[tokio::test]
async fn a_maximum_that_is_lowered_cuts_no_transaction_and_closes_what_is_idle() {
    let (world, tenants) = world(4, LONG, &["malmo"]).await;
    let admin = world.server.connect("postgres").await;
    let mut clients = connect(&world, "malmo", 4).await;
    let transactions = begin(&mut clients).await;
    assert_eq!(backends(&admin, &tenants).await, 4);
    limit(&world, &tenants[0], 2, 0, Some(1), 1).await;
    for transaction in &transactions {
        transaction.query_one("SELECT 1", &[]).await.unwrap();
    }
    commit(transactions).await;
    becomes(&admin, &tenants, 1).await;
    limit(&world, &tenants[0], 3, 0, None, 1).await;
    commit(begin(&mut clients).await).await;
    assert_eq!(backends(&admin, &tenants).await, 4, "idle");
    limit(&world, &tenants[0], 4, 0, Some(2), 1).await;
    becomes(&admin, &tenants, 2).await;
    // Nobody was disconnected.
    for client in &clients {
        assert_eq!(database(client).await, tenants[0].route.database.as_str());
    }
}

#[tokio::test]
async fn a_minimum_is_taken_back_from_who_has_more_and_nobody_takes_it_again() {
    let (world, tenants) = world(3, LONG, &["malmo", "lund"]).await;
    let (malmo, lund) = tenants.split_at(1);
    let admin = world.server.connect("postgres").await;
    limit(&world, &tenants[1], 2, 2, None, 1).await;
    let mut many = connect(&world, "malmo", 3).await;
    commit(begin(&mut many).await).await;
    let mut few = connect(&world, "lund", 2).await;
    commit(begin(&mut few).await).await;
    // What is idle of others is taken at once, however short it has been idle; what is idle of its own stays.
    assert_eq!(backends(&admin, lund).await, 2);
    let third = connect(&world, "malmo", 1).await;
    for client in many.iter().chain(&third) {
        assert_eq!(database(client).await, malmo[0].route.database.as_str());
    }
    assert_eq!(backends(&admin, lund).await, 2, "idle, and still there");
    assert_eq!(backends(&admin, malmo).await, 1);
}

#[tokio::test]
async fn who_waited_in_vain_at_a_maximum_of_its_own_is_told_that_one() {
    let (world, tenants) = world(4, SHORT, &["malmo"]).await;
    limit(&world, &tenants[0], 2, 0, Some(1), 1).await;
    let mut clients = connect(&world, "malmo", 2).await;
    let (first, second) = clients.split_at_mut(1);
    let held = first[0].transaction().await.unwrap();
    let refused = second[0].query_one("SELECT 1", &[]).await.unwrap_err();
    let refused = refused.as_db_error().unwrap();
    assert_eq!((refused.code().code(), refused.severity()), ("53300", "FATAL"));
    assert_eq!(refused.detail().unwrap(), "the tenant `malmo` has all 1 connections that it may have");
    assert!(refused.hint().unwrap().contains("`holm tenant limits malmo --max`"), "{refused:?}");
    held.commit().await.unwrap();
}

#[tokio::test]
async fn limits_that_change_at_random_under_load_never_break_the_budget() {
    let (world, tenants) = world(4, LONG, &["malmo", "lund", "ystad"]).await;
    let admin = world.server.connect("postgres").await;
    becomes(&admin, &tenants, 0).await;
    let over = AtomicBool::new(false);
    let watch = async {
        let mut most = 0;
        while !over.load(Ordering::SeqCst) {
            most = most.max(backends(&admin, &tenants).await);
        }
        most
    };
    let change = async {
        let mut epoch = 2;
        while !over.load(Ordering::SeqCst) {
            let seed = u32::try_from(epoch).unwrap();
            let tenant = &tenants[usize::try_from(seed % 3).unwrap()];
            let (min, max) = (seed % 2, 1 + seed / 3 % 4);
            limit(&world, tenant, epoch, min, (seed % 5 > 0).then_some(max), 1 + seed % 3).await;
            epoch += 1;
        }
    };
    let work = async {
        let ask = async |tenant: &Tenant| {
            let clients = connect(&world, tenant.route.slug.as_str(), 4).await;
            for _ in 0..25 {
                join_all(clients.iter().map(database)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), join_all(tenants.iter().map(ask))).await.expect("nobody waits for ever");
        over.store(true, Ordering::SeqCst);
    };
    let (most, (), ()) = tokio::join!(watch, change, work);
    assert!((1..=4).contains(&most), "{most} backends");
    assert_eq!(world.proxy.counters().refused(ErrorCode::NoConnectionLeft), 0);
}
