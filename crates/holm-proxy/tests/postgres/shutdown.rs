//! A node that is stopped lets transactions finish, and says goodbye.

use std::time::Duration;

use crate::raw::{Raw, query, startup};
use crate::support::{PATIENCE, SECRET, World};

async fn session(world: &World) -> Raw {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    raw
}

async fn says_goodbye(mut raw: Raw) {
    let (_, body) = raw.until(b'E').await.pop().unwrap();
    let said = String::from_utf8_lossy(&body).into_owned();
    assert!(said.contains("C57P01") && said.contains("HOLM-5013"), "{said}");
    assert_eq!(raw.next().await, None);
}

#[tokio::test]
async fn idle_sessions_end_at_once_and_a_transaction_may_commit_first() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let (idle, mut open) = (session(&world).await, session(&world).await);
    open.send(&query("BEGIN; CREATE TABLE kept (x int); INSERT INTO kept VALUES (7)")).await;
    open.until(b'Z').await;
    let World { proxy, .. } = world;
    let stopped = tokio::spawn(proxy.shutdown(PATIENCE));
    says_goodbye(idle).await;
    open.send(&query("COMMIT")).await;
    let committed = open.until(b'Z').await;
    assert!(committed.contains(&(b'C', b"COMMIT\0".to_vec())), "{committed:?}");
    says_goodbye(open).await;
    tokio::time::timeout(PATIENCE, stopped).await.expect("the shutdown ends with the last session").unwrap();
}

#[tokio::test]
async fn a_session_that_does_not_end_is_cut_when_the_deadline_is_over_and_nobody_new_is_let_in() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let mut busy = session(&world).await;
    busy.send(&query("SELECT pg_sleep(600)")).await;
    let address = world.proxy.local_addr();
    let World { proxy, .. } = world;
    tokio::time::timeout(PATIENCE, proxy.shutdown(Duration::from_millis(200))).await.expect("the shutdown ends");
    says_goodbye(busy).await;
    assert!(tokio::net::TcpStream::connect(address).await.is_err());
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1";
    let left: i64 = admin.query_one(sql, &[&malmo.route.database.as_str()]).await.unwrap().get(0);
    assert_eq!(left, 0, "the statement was cancelled");
}
