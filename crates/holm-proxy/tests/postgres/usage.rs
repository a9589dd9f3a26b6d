//! Who uses the node is told from what there is.

use holm_core::environment::EnvironmentName;
use holm_core::limits::TenantLimits;
use holm_core::route::{Route, RouteChange};
use holm_proxy::postgres::{Counted, TenantUse, Usage};
use tokio_postgres::{Client, NoTls};

use crate::console;
use crate::sharing::{LONG, world};
use crate::support::{World, eventually};

async fn usage(world: &World, environment: &str, most: usize) -> Usage {
    let environment: EnvironmentName = environment.parse().unwrap();
    world.proxy.gauges().usage(&environment, most).await.unwrap()
}

async fn of(world: &World, slug: &str) -> Option<TenantUse> {
    usage(world, "production", 10).await.tenants.into_iter().find(|tenant| tenant.slug.as_str() == slug)
}

/// Once so many transactions are counted: the client hears of one before it is.
async fn counts(world: &World, slug: &str, transactions: u64) -> Counted {
    eventually(&format!("{slug} has {transactions} transactions"), async || match of(world, slug).await {
        Some(TenantUse { counted: Some(counted), .. }) if counted.transactions == transactions => Ok(counted),
        seen => Err(format!("{seen:?}")),
    })
    .await
}

async fn works(client: &Client, transactions: usize) {
    for _ in 0..transactions {
        client.simple_query("SELECT 1").await.unwrap();
    }
}

/// `malmo 2 sessions 1 waiting 1 of 1`
fn shown(usage: &Usage) -> Vec<String> {
    let line = |tenant: &TenantUse| {
        let holds = tenant.connections + tenant.opening;
        format!("{} {} sessions {} waiting {holds} of {}", tenant.slug, tenant.sessions, tenant.waiting, tenant.most)
    };
    usage.tenants.iter().map(line).collect()
}

async fn becomes(world: &World, most: usize, expected: &[&str]) -> Usage {
    eventually(&format!("{expected:?}"), async || match usage(world, "production", most).await {
        usage if shown(&usage) == expected => Ok(()),
        usage => Err(format!("{usage:?}")),
    })
    .await;
    usage(world, "production", most).await
}

/// The story: one tenant's clients wait for each other, another works, a third is not used.
#[tokio::test]
async fn the_busiest_tenants_are_told_first_and_of_the_others_how_many_they_are() {
    let (world, tenants) = world(20, LONG, &["lund", "malmo", "ystad"]).await;
    let limits = TenantLimits::new(0, Some(1), 1).unwrap();
    world.publish_and_wait([RouteChange::Route(Route { limits, epoch: 2, ..tenants[1].route.clone() })]).await;
    let (mut holds, waits) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let (mut works, mut too) = (world.connect("app", "lund").await, world.connect("app", "lund").await);
    let held = holds.transaction().await.unwrap();
    let (one, other) = (works.transaction().await.unwrap(), too.transaction().await.unwrap());
    let waiting = tokio::spawn(async move { waits.batch_execute("SELECT 1").await });
    let busy = ["malmo 2 sessions 1 waiting 1 of 1", "lund 2 sessions 0 waiting 2 of 19"];
    let told = becomes(&world, 10, &busy).await;
    assert_eq!((told.sessions, told.others), (4, 0));
    assert_eq!(told.clusters.iter().map(|cluster| (cluster.used, cluster.waiting)).collect::<Vec<_>>(), [(3, 1)], "one of 20 is kept back");

    let bounded = usage(&world, "production", 1).await;
    assert_eq!((shown(&bounded), bounded.sessions, bounded.others), (vec![busy[0].to_owned()], 4, 1));
    let elsewhere = usage(&world, "staging", 10).await;
    assert_eq!((elsewhere.tenants.len(), elsewhere.clusters.len(), elsewhere.sessions), (0, 0, 0), "another environment's is not told");

    drop((held, one, other));
    waiting.await.unwrap().unwrap();
    drop((holds, works, too));
    eventually("nobody is there", async || match usage(&world, "production", 10).await.sessions {
        0 => Ok(()),
        left => Err(format!("{left} sessions")),
    })
    .await;
}

#[tokio::test]
async fn a_proxy_that_is_gone_has_no_users() {
    let (world, _) = world(8, LONG, &[]).await;
    let gauges = world.proxy.gauges();
    drop(world);
    eventually("the proxy is gone", async || match gauges.usage(&"production".parse().unwrap(), 10).await {
        None => Ok(()),
        Some(usage) => Err(format!("{usage:?}")),
    })
    .await;
}

/// The story: the disk is busy, and an operator asks which tenant it is.
#[tokio::test]
async fn a_tenant_that_works_shows_it_and_two_looks_tell_what_it_did_in_between() {
    let (world, _) = world(20, LONG, &["lund", "malmo"]).await;
    let (client, other) = (world.connect("app", "malmo").await, world.connect("app", "lund").await);
    works(&client, 3).await;
    works(&other, 1).await;
    let (then, lund) = (counts(&world, "malmo", 3).await, counts(&world, "lund", 1).await);
    assert!(then.lendings == 3 && then.transactions_us > 0 && then.waits_us > 0, "its login waited for a connection: {then:?}");
    assert_ne!(then.tallies, lund.tallies, "each tenant's are its own");
    works(&client, 2).await;
    let now = counts(&world, "malmo", 5).await;
    assert_eq!((now.tallies, now.lendings - then.lendings), (then.tallies, 2), "the same count went on");
    assert!(now.transactions_us > then.transactions_us && now.waits_us >= then.waits_us, "{then:?} {now:?}");
    assert_eq!(counts(&world, "lund", 1).await, lund, "another tenant's work is not in it");
}

#[tokio::test]
async fn two_looks_with_the_end_of_a_pool_in_between_say_that_they_cannot_be_subtracted() {
    let (world, _) = console::world(&["malmo"]).await;
    let (client, ops) = (world.connect("app", "malmo").await, console::console(&world, "ops").await);
    works(&client, 2).await;
    let then = counts(&world, "malmo", 2).await;
    drop(client);
    eventually("its pool is gone", async || {
        // Closes what nobody has, until the client that has gone is seen to have.
        ops.simple_query("RECONNECT malmo").await.unwrap();
        of(&world, "malmo").await.and_then(|tenant| tenant.counted).map_or(Ok(()), |counted| Err(format!("{counted:?}")))
    })
    .await;
    works(&world.connect("app", "malmo").await, 5).await;
    // More than before: by the numbers alone it would look like three transactions.
    assert_ne!(counts(&world, "malmo", 5).await.tallies, then.tallies);
}

#[tokio::test]
async fn a_pool_that_comes_between_two_looks_is_told_as_well() {
    let (world, _) = world(20, LONG, &["malmo"]).await;
    let client = world.connect("app", "malmo").await;
    works(&client, 1).await;
    let one = counts(&world, "malmo", 1).await;
    let url = format!("{}?options=-c%20geqo%3Doff", world.url("app", "malmo"));
    let (other, connection) = tokio_postgres::connect(&url, NoTls).await.unwrap();
    tokio::spawn(connection);
    works(&other, 1).await;
    assert_ne!(counts(&world, "malmo", 2).await.tallies, one.tallies);
}

#[tokio::test]
async fn clients_that_keep_their_connection_are_told_by_tenant_for_as_long_as_they_do() {
    let (world, _) = world(20, LONG, &["lund", "malmo"]).await;
    let (client, other) = (world.connect("app", "malmo").await, world.connect("app", "lund").await);
    works(&other, 1).await;
    for (said, kept) in [("LISTEN news", 1), ("SELECT 1", 1), ("DISCARD ALL", 0)] {
        client.simple_query(said).await.unwrap();
        eventually(said, async || {
            let usage = usage(&world, "production", 10).await;
            let pinned = |slug: &str| usage.tenants.iter().find(|tenant| tenant.slug.as_str() == slug).map(|tenant| tenant.pinned);
            let same = pinned("malmo") == Some(kept) && u64::from(kept) == world.proxy.counters().pinned_now();
            if same && pinned("lund") == Some(0) { Ok(()) } else { Err(format!("{usage:?}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn the_console_shows_the_same_counts() {
    let (world, _) = console::world(&["malmo"]).await;
    let (client, watch) = (world.connect("app", "malmo").await, console::console(&world, "watch").await);
    works(&client, 4).await;
    let counted = counts(&world, "malmo", 4).await;
    let stats = console::show(&watch, "STATS_TOTALS").await;
    let row = stats.iter().find(|row| row["database"] == "malmo@production").unwrap();
    let shown = ["xact_count", "xact_time", "server_assignment_count", "wait_time"].map(|name| row[name].parse::<u64>().unwrap());
    assert_eq!(shown, [counted.transactions, counted.transactions_us, counted.lendings, counted.waits_us]);
}
