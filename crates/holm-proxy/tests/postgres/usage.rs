//! Who uses the node is told from what there is.

use holm_core::environment::EnvironmentName;
use holm_core::limits::TenantLimits;
use holm_core::route::{Route, RouteChange};
use holm_proxy::postgres::Usage;

use crate::sharing::{LONG, world};
use crate::support::{World, eventually};

fn usage(world: &World, environment: &str, most: usize) -> Usage {
    let environment: EnvironmentName = environment.parse().unwrap();
    world.proxy.gauges().usage(&environment, most).unwrap()
}

/// `malmo 2 sessions 1 waiting 1 of 1`
fn shown(usage: &Usage) -> Vec<String> {
    let line = |tenant: &holm_proxy::postgres::TenantUse| {
        let holds = tenant.connections + tenant.opening;
        format!("{} {} sessions {} waiting {holds} of {}", tenant.slug, tenant.sessions, tenant.waiting, tenant.most)
    };
    usage.tenants.iter().map(line).collect()
}

async fn becomes(world: &World, most: usize, expected: &[&str]) -> Usage {
    eventually(&format!("{expected:?}"), async || match usage(world, "production", most) {
        usage if shown(&usage) == expected => Ok(()),
        usage => Err(format!("{usage:?}")),
    })
    .await;
    usage(world, "production", most)
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

    let bounded = usage(&world, "production", 1);
    assert_eq!((shown(&bounded), bounded.sessions, bounded.others), (vec![busy[0].to_owned()], 4, 1));
    let elsewhere = usage(&world, "staging", 10);
    assert_eq!((elsewhere.tenants.len(), elsewhere.clusters.len(), elsewhere.sessions), (0, 0, 0), "another environment's is not told");

    drop((held, one, other));
    waiting.await.unwrap().unwrap();
    drop((holds, works, too));
    eventually("nobody is there", async || match usage(&world, "production", 10).sessions {
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
    eventually("the proxy is gone", async || match gauges.usage(&"production".parse().unwrap(), 10) {
        None => Ok(()),
        Some(usage) => Err(format!("{usage:?}")),
    })
    .await;
}
