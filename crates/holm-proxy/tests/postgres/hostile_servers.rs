//! Servers that lie, dawdle and die: the client is told what is known, and nothing hangs.

use holm_core::cluster::ServerAddress;
use holm_core::route::RouteChange;
use holm_pgwire::{message, scram};
use holm_proxy::postgres::Pooling;
use holm_testkit::wire_faults::{Fault, FaultProxy};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::POOLING;
use crate::meddler::{Then, Way, meddler};
use crate::raw::{Raw, query, startup};
use crate::support::{PATIENCE, SECRET, World, cluster, eventually};

/// What a fake server does after the startup packet.
#[derive(Clone)]
enum Play {
    /// Sends these bytes and waits.
    Say(Vec<u8>),
    /// Answers the first SCRAM message with this, and waits.
    Challenge(&'static str),
    /// Closes.
    Close,
}

async fn play(mut stream: TcpStream, play: Play) {
    let mut bytes = vec![0; 4096];
    let _ = stream.read(&mut bytes).await;
    match play {
        Play::Say(said) => stream.write_all(&said).await.unwrap(),
        Play::Challenge(challenge) => {
            let mut out = Vec::new();
            message::authentication_sasl(&mut out, &[scram::MECHANISM]);
            stream.write_all(&out).await.unwrap();
            let length = stream.read(&mut bytes).await.unwrap();
            let first = String::from_utf8_lossy(&bytes[..length]).into_owned();
            let nonce = first.split("r=").nth(1).unwrap();
            let mut out = Vec::new();
            message::authentication_sasl_continue(&mut out, challenge.replace("NONCE", nonce).as_bytes());
            stream.write_all(&out).await.unwrap();
            let _ = stream.read(&mut bytes).await;
            let mut out = Vec::new();
            message::authentication_sasl_final(&mut out, b"v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
            message::authentication_ok(&mut out);
            message::ready_for_query(&mut out);
            let _ = stream.write_all(&out).await;
        }
        Play::Close => return,
    }
    let _ = stream.read(&mut bytes).await;
}

async fn fake(what: Play) -> ServerAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(play(stream, what.clone()));
        }
    });
    ServerAddress { host: "127.0.0.1".into(), port }
}

fn built(build: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut out = Vec::new();
    build(&mut out);
    out
}

#[tokio::test]
async fn a_server_that_does_not_prove_itself_gets_no_session_and_no_password() {
    let world = World::new().await;
    world.tenant("malmo").await;
    for (what, why) in [
        (Play::Say(built(message::authentication_ok)), "does not ask for SCRAM"),
        (Play::Say(b"R\0\0\0\x08\0\0\0\x03".to_vec()), "does not ask for SCRAM"),
        (Play::Say(b"R\0\0\0\x0c\0\0\0\x05salt".to_vec()), "does not ask for SCRAM"),
        (Play::Say(built(|out| message::authentication_sasl(out, &["SCRAM-SHA-256-PLUS"]))), "does not ask for SCRAM"),
        (Play::Challenge("r=NONCEabc,s=c2FsdA==,i=4096"), "did not prove"),
        (Play::Challenge("r=other,s=c2FsdA==,i=4096"), "did not prove"),
        (Play::Challenge("r=NONCEabc,s=c2FsdA==,i=4294967295"), "did not prove"),
        (Play::Say(built(message::ready_for_query)), "broke the protocol"),
        (Play::Say(b"R\xff\xff\xff\xff".to_vec()), "broke the protocol"),
        (Play::Say(b"R\0\0\0\x03".to_vec()), "broke the protocol"),
        (Play::Say(b"E\0\0\0\x05\0".to_vec()), "refused Holm's login"),
        (Play::Close, "closed the connection during login"),
    ] {
        world.publish([RouteChange::Cluster(cluster("production", &fake(what).await, 1))]);
        let error = world.try_connect("app", "malmo").await.unwrap_err();
        let error = error.as_db_error().unwrap_or_else(|| panic!("{why}: {error:?}"));
        assert_eq!(error.code().code(), "08006");
        assert!(error.detail().unwrap().contains(why) && error.hint().is_some(), "{why}: {error:?}");
        assert_eq!(world.proxy.counters().sessions_opened(), 0);
    }
}

#[tokio::test]
async fn a_server_that_nobody_runs_is_said_to_be_unreachable_without_its_address() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    world.publish([RouteChange::Cluster(cluster("production", &ServerAddress { host: "127.0.0.1".into(), port }, 1))]);
    for _ in 0..3 {
        // A place that a failed connection kept would show at the second try.
        let error = world.try_connect("app", "malmo").await.unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "08006");
        assert!(error.message().contains("HOLM-5007") && !format!("{error:?}").contains(&port.to_string()), "{error:?}");
    }
}

#[tokio::test]
async fn a_parameter_that_the_server_refuses_is_the_clients_to_read_in_the_servers_words() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let url = format!("{}?options=-c%20work_mem%3Dplenty", world.url("app", "malmo"));
    let error = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "22023");
    assert!(error.as_db_error().unwrap().message().contains("work_mem"));
}

/// A server in front of the real one that spoils what the real one says when it says `spoil`.
async fn spoiler(real: ServerAddress, spoil: &'static [u8]) -> ServerAddress {
    let says = move |way, piece: &mut Vec<u8>| {
        if way == Way::ToClient && piece.windows(5).any(|window| window == b"spoil") {
            *piece = spoil.to_vec();
            return Then::Ends;
        }
        Then::GoesOn
    };
    meddler(real, says).await
}

#[tokio::test]
async fn a_server_that_lies_about_a_length_or_dies_in_a_message_leaves_no_half_message_that_looks_whole() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    for (spoil, told) in [
        // A row of 100 bytes that ends after 3.
        (&b"D\0\0\0\x64abc"[..], false),
        // Half a header; a pooler has it whole before it goes on.
        (b"D\0\0", POOLING == Pooling::Transaction),
        // A length that is none: nothing of it may reach the client.
        (b"D\0\0\0\x01abc", false),
        (b"D\xff\xff\xff\xff", false),
        // It closes where a message ends, and so there is room for a word.
        (b"", true),
    ] {
        let address = spoiler(world.server.address.clone(), spoil).await;
        world.publish([RouteChange::Cluster(cluster("production", &address, 100))]);
        let mut raw = Raw::connect(&world).await;
        raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
        raw.prove(SECRET).await;
        raw.until(b'Z').await;
        raw.send(&query("SELECT 'spoil'")).await;
        let rest = timeout(PATIENCE, raw.rest()).await.expect("closed in time");
        let said = String::from_utf8_lossy(&rest).into_owned();
        assert_eq!(said.contains("HOLM-5007"), told, "{spoil:?}: {said:?}");
        assert!(!rest.contains(&b'E') || told, "no error where a message is unfinished: {said:?}");
    }
    eventually("no backend is left", async || match world.backends(&admin, &malmo).await {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    })
    .await;
}

/// The world behind a faulty network: the proxy's way to the server leads through it.
async fn behind(world: &World) -> FaultProxy {
    let network = FaultProxy::start(world.server.address.to_string()).await.unwrap();
    let address = ServerAddress { host: "127.0.0.1".into(), port: network.address().port() };
    world.publish([RouteChange::Cluster(cluster("production", &address, 100))]);
    network
}

#[tokio::test]
async fn messages_that_come_byte_by_byte_are_messages_all_the_same() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let network = behind(&world).await;
    network.set(Fault::OneByteWrites);
    let client = world.connect("churn", "malmo").await;
    let row = client.query_one("SELECT 40 + 2, repeat('z', 300)", &[]).await.unwrap();
    assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1).len()), (42, 300));
}

#[tokio::test]
async fn a_network_that_breaks_ends_the_session_and_frees_its_place() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let network = behind(&world).await;
    network.set(Fault::CutAfter(100_000));
    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    raw.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 1000)")).await;
    let rest = timeout(PATIENCE, raw.rest()).await.expect("closed in time");
    assert!(rest.len() < 100_000 && !rest.windows(4).any(|window| window == b"HOLM"), "cut in a row, so nothing is said");
    eventually("the session is gone", async || match world.proxy.counters().sessions_open() {
        0 => Ok(()),
        open => Err(format!("{open} open")),
    })
    .await;
}

#[tokio::test]
async fn a_server_that_accepts_and_falls_silent_is_given_up_after_the_deadline() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let network = behind(&world).await;
    network.set(Fault::BlackHole);
    let error = timeout(PATIENCE, world.try_connect("churn", "malmo")).await.expect("a deadline").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "08006");
    assert!(error.detail().unwrap().contains("did not answer in time"), "{error:?}");
}

#[tokio::test]
async fn a_statement_whose_client_vanished_is_cancelled_when_its_grace_is_over() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    raw.send(&query("SELECT pg_sleep(600)")).await;
    drop(raw);
    eventually("the backend is gone", async || match world.backends(&admin, &malmo).await {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    })
    .await;
}
