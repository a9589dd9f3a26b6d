//! A new table holds for open sessions too, and is acknowledged only when it does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use holm_core::cluster::ServerAddress;
use holm_core::credential::{Level, Scope};
use holm_core::placement::Allows;
use holm_core::route::{Route, RouteChange, RouteState};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::raw::{Raw, query, startup};
use crate::support::{SECRET, Tenant, World, cluster, credential, eventually};

fn suspended(tenant: &Tenant, epoch: u64) -> RouteChange {
    RouteChange::Route(Route { state: RouteState::Suspended, epoch, ..tenant.route.clone() })
}

async fn raw_session(world: &World, tenant: &str) -> Raw {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", tenant)])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    raw
}

fn said(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[tokio::test]
async fn when_a_suspension_is_acknowledged_its_sessions_are_gone_from_the_server_and_know_why() {
    let world = World::new().await;
    let (malmo, lund) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    let admin = world.server.connect("postgres").await;
    let (mut idle, mut busy, mut other) =
        (raw_session(&world, "malmo").await, raw_session(&world, "malmo").await, raw_session(&world, "lund").await);
    busy.send(&query("SELECT pg_sleep(600)")).await;
    world.publish_and_wait([suspended(&malmo, 2)]).await;
    assert_eq!((world.backends(&admin, &malmo).await, world.backends(&admin, &lund).await), (0, 1));
    for raw in [&mut idle, &mut busy] {
        let (tag, body) = raw.until(b'E').await.pop().unwrap();
        let said = said(&body);
        assert!(tag == b'E' && said.contains("C57P01") && said.contains("HOLM-5011") && said.contains("suspended"), "{said}");
        assert_eq!(raw.next().await, None);
    }
    other.send(&query("SELECT 1")).await;
    other.until(b'Z').await;
}

/// Stands in front of a server and loses the first cancel request, as one is lost on a backend that has not come to read its
/// statement yet; gives its address, and how many requests came.
async fn losing_a_cancel(server: &ServerAddress) -> (ServerAddress, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ServerAddress { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let (server, cancels) = (server.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&cancels);
    tokio::spawn(async move {
        while let Ok((mut proxy, _)) = listener.accept().await {
            let (server, counted) = (server.clone(), Arc::clone(&counted));
            tokio::spawn(async move {
                let mut head = [0; 8];
                proxy.read_exact(&mut head).await.unwrap();
                // The code of a CancelRequest (PostgreSQL, "Message Formats").
                if head[4..] == 80_877_102_u32.to_be_bytes() && counted.fetch_add(1, Ordering::SeqCst) == 0 {
                    return;
                }
                let mut real = TcpStream::connect((&*server.host, server.port)).await.unwrap();
                real.write_all(&head).await.unwrap();
                // An end that breaks off is as good as one that closes.
                let _ = copy_bidirectional(&mut proxy, &mut real).await;
            });
        }
    });
    (address, cancels)
}

#[tokio::test]
async fn a_cancel_that_is_lost_leaves_no_statement_behind_when_the_suspension_is_acknowledged() {
    let world = World::new().await;
    let (address, cancels) = losing_a_cancel(&world.server.address).await;
    world.publish([RouteChange::Cluster(cluster("production", &address, 100))]);
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let mut busy = raw_session(&world, "malmo").await;
    busy.send(&query("SELECT pg_sleep(600)")).await;
    eventually("the statement runs", async || {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'";
        match admin.query_one(sql, &[&malmo.route.database.as_str()]).await.unwrap().get::<_, i64>(0) {
            1 => Ok(()),
            _ => Err("not yet".into()),
        }
    })
    .await;
    world.publish_and_wait([suspended(&malmo, 2)]).await;
    assert_eq!(world.backends(&admin, &malmo).await, 0);
    assert!(cancels.load(Ordering::SeqCst) >= 2, "the first was lost");
}

#[tokio::test]
async fn a_client_that_does_not_read_cannot_hold_a_suspension_up() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let mut deaf = raw_session(&world, "malmo").await;
    deaf.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 1000000)")).await;
    // Its first row has come, so that the server is busy filling buffers that nobody empties.
    deaf.until(b'D').await;
    world.publish_and_wait([suspended(&malmo, 2)]).await;
    assert_eq!(world.backends(&admin, &malmo).await, 0);
}

#[tokio::test]
async fn sessions_end_when_their_credential_is_revoked_or_changed_and_when_their_database_moves() {
    let world = World::new().await;
    let (malmo, lund) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    let app = world.publisher.table().credential("app").unwrap().id;
    let moved = Route { database: lund.route.database.clone(), logins: lund.route.logins.clone(), epoch: 2, ..malmo.route.clone() };
    let moved = world.certified(moved, Allows::All);
    let ends = async |changes: Vec<RouteChange>, why: &str| {
        let mut raw = raw_session(&world, "malmo").await;
        world.publish_and_wait(changes).await;
        let text = said(&raw.until(b'E').await.pop().unwrap().1);
        assert!(text.contains("C57P01") && text.contains(why), "{text}");
    };
    ends(vec![RouteChange::Credential(credential("app", "production", Scope::App, Level::Ro))], "credential").await;
    ends(vec![RouteChange::Route(moved)], "new place").await;
    ends(vec![RouteChange::RouteGone(malmo.route.tenant)], "gone").await;
    world.publish([RouteChange::Route(Route { epoch: 3, ..malmo.route.clone() })]);
    ends(vec![RouteChange::CredentialGone(app)], "revoked").await;
}

#[tokio::test]
async fn a_change_that_concerns_no_session_ends_none() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let mut raw = raw_session(&world, "malmo").await;
    let lund = world.tenant("lund").await;
    world.publish_and_wait([suspended(&lund, 2), RouteChange::Route(Route { epoch: 7, ..malmo.route.clone() })]).await;
    raw.send(&query("SELECT 1")).await;
    raw.until(b'Z').await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_is_opened_during_a_suspension_does_not_slip_through() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let (over, opened) = (AtomicBool::new(false), AtomicUsize::new(0));
    let hammer = async || {
        while !over.load(Ordering::SeqCst) {
            if let Ok(client) = world.try_connect("churn", "malmo").await {
                opened.fetch_add(1, Ordering::SeqCst);
                // Holds the session until it is ended from outside.
                let _ = client.batch_execute("SELECT pg_sleep(600)").await;
            }
        }
    };
    let suspend_and_resume = async {
        for round in 0..15_u64 {
            let before = opened.load(Ordering::SeqCst);
            crate::support::eventually("a session is opened", async || {
                if opened.load(Ordering::SeqCst) > before { Ok(()) } else { Err("none yet".into()) }
            })
            .await;
            world.publish_and_wait([suspended(&malmo, 2 * round + 2)]).await;
            assert_eq!(world.backends(&admin, &malmo).await, 0, "round {round}");
            world.publish([RouteChange::Route(Route { epoch: 2 * round + 3, ..malmo.route.clone() })]);
        }
        over.store(true, Ordering::SeqCst);
        world.publish([suspended(&malmo, 100)]);
    };
    tokio::join!(hammer(), hammer(), hammer(), hammer(), suspend_and_resume);
}
