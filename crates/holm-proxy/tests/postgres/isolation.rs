//! r72: whatever is done in one tenant, no byte of another's turns up.

use holm_pgwire::message;

use crate::raw::{Message, Raw, query, startup};
use crate::support::{SECRET, World};

const TENANTS: [&str; 3] = ["goteborg", "malmo", "stockholm"];

/// A word that only one tenant's rows, notices, notifications and errors contain.
fn canary(tenant: &str) -> String {
    format!("canary-of-{tenant}")
}

fn check(tenant: &str, messages: &[Message]) {
    for (tag, body) in messages {
        let text = String::from_utf8_lossy(body);
        for other in TENANTS.iter().filter(|other| **other != tenant) {
            assert!(!text.contains(&canary(other)), "`{}` of {tenant} says {text}", char::from(*tag));
        }
    }
}

/// Steps that differ by round, so that sessions are never in step with each other.
fn statement(tenant: &str, round: usize) -> String {
    let canary = canary(tenant);
    match round % 6 {
        0 => format!("SELECT '{canary}', repeat('.', {})", round * 997 % 40_000),
        1 => format!("DO $$BEGIN RAISE NOTICE '{canary}'; END$$"),
        2 => format!("NOTIFY gossip, '{canary}'"),
        3 => format!("DO $$BEGIN RAISE EXCEPTION '{canary}'; END$$"),
        4 => format!("SELECT set_config('app.tenant', '{canary}', false)"),
        _ => format!("COPY (SELECT '{canary}' FROM generate_series(1, 200)) TO STDOUT"),
    }
}

/// One client that comes back again and again, now and then leaving in the middle of an answer.
async fn wander(world: &World, tenant: &str, seed: usize) -> usize {
    let (mut seen, own) = (0, canary(tenant));
    for visit in 0..6 {
        let mut raw = Raw::connect(world).await;
        raw.send(&startup(if seed.is_multiple_of(2) { 0 } else { 2 }, &[("user", "app"), ("database", tenant)])).await;
        raw.prove(SECRET).await;
        let welcome = raw.until(b'Z').await;
        let (_, key) = welcome.iter().find(|(tag, _)| *tag == b'K').unwrap().clone();
        raw.send(&query("LISTEN gossip")).await;
        check(tenant, &raw.until(b'Z').await);
        raw.send(&query("SELECT coalesce(current_setting('app.tenant', true), '')")).await;
        let fresh = raw.until(b'Z').await;
        assert!(fresh.contains(&(b'D', b"\0\x01\0\0\0\0".to_vec())), "a session begins without another's settings: {fresh:?}");
        for round in 0..12 {
            raw.send(&query(&statement(tenant, seed * 7 + visit * 5 + round))).await;
            if round == 11 && visit % 2 == 1 {
                // Somebody presses Ctrl-C and goes.
                let mut packet = Vec::new();
                message::cancel_request(&mut packet, u32::from_be_bytes(key[..4].try_into().unwrap()), &key[4..]);
                let mut cancel = Raw::connect(world).await;
                cancel.send(&packet).await;
                drop(raw);
                break;
            }
            let messages = raw.until(b'Z').await;
            check(tenant, &messages);
            seen += messages.iter().filter(|(_, body)| String::from_utf8_lossy(body).contains(&own)).count();
        }
    }
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r72_rows_notices_notifications_errors_and_settings_stay_with_their_tenant() {
    let world = World::new().await;
    for tenant in TENANTS {
        world.tenant(tenant).await;
    }
    let clients = (0..12).map(|seed| wander(&world, TENANTS[seed % 3], seed));
    let seen = futures_util::future::join_all(clients).await;
    assert!(seen.iter().all(|count| *count > 20), "each client saw its own canary: {seen:?}");
}

#[tokio::test]
async fn r1_r72_the_same_name_in_another_environment_is_another_database() {
    let world = World::new().await;
    let (here, there) = (world.tenant("malmo").await, world.tenant_in("staging", "malmo", &[]).await);
    for (user, tenant) in [("app", &here), ("staging_app", &there)] {
        let client = world.connect(user, "malmo").await;
        let database: String = client.query_one("SELECT current_database()::text", &[]).await.unwrap().get(0);
        assert_eq!(database, tenant.route.database.as_str());
    }
}
