//! Clients that break the protocol, dawdle, or come in crowds.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, timeout};

use crate::raw::{Raw, query, startup};
use crate::support::{PATIENCE, SECRET, World, config, eventually};
use holm_proxy::postgres::counters::Disconnect;

/// What a client gets that sends `bytes` and then waits.
async fn answer(world: &World, bytes: &[u8]) -> Vec<u8> {
    let mut raw = Raw::connect(world).await;
    raw.send(bytes).await;
    raw.rest().await
}

#[tokio::test]
async fn a_startup_packet_that_is_none_is_closed_without_a_word_and_at_once() {
    let world = World::new().await;
    for bytes in [
        &b"\x40\0\0\0\0\x03\0\0"[..],
        b"\xff\xff\xff\xff",
        b"\0\0\0\0",
        b"\0\0\0\x07\0\x03\0",
        b"\0\0\x27\x11\0\x03\0\0",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        let begun = Instant::now();
        assert_eq!(answer(&world, bytes).await, b"", "{bytes:?}");
        assert!(begun.elapsed() < config().login_timeout / 2, "closed at once, and not by the login timeout: {bytes:?}");
    }
}

#[tokio::test]
async fn a_startup_packet_that_leaves_a_choice_is_refused_in_words() {
    let world = World::new().await;
    for (bytes, code) in [
        (startup(0, &[("user", "app"), ("user", "postgres")]), "C08P01"),
        ([&b"\0\0\0\x0d\0\x03\0\0user\0"[..], b""].concat(), "C08P01"),
        (b"\0\0\0\x08\0\x02\0\0".to_vec(), "C0A000"),
        (b"\0\0\0\x08\0\x04\0\0".to_vec(), "C0A000"),
        (b"\0\0\0\x0b\x04\xd2\x16\x2e\0\0\0".to_vec(), "C08P01"),
    ] {
        let said = String::from_utf8_lossy(&answer(&world, &bytes).await).into_owned();
        assert!(said.starts_with('E') && said.contains(code), "{bytes:?}: {said}");
    }
}

#[tokio::test]
async fn nonsense_in_the_password_exchange_is_refused_and_not_believed() {
    let world = World::new().await;
    for bytes in [
        query("SELECT 1"),
        b"p\x7f\xff\xff\xff".to_vec(),
        b"p\0\0\0\x03".to_vec(),
        b"p\0\0\0\x09nope\0".to_vec(),
        b"p\0\0\0\x18SCRAM-SHA-256-PLUS\0\xff\xff\xff\xff".to_vec(),
        b"p\0\0\0\x22SCRAM-SHA-256\0\0\0\0\x0cp=x,,n=,r=ab".to_vec(),
        b"p\0\0\0\x1aSCRAM-SHA-256\0\xff\xff\xff\xf0abcd".to_vec(),
    ] {
        let mut raw = Raw::connect(&world).await;
        raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
        raw.until(b'R').await;
        raw.send(&bytes).await;
        let said = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(said.contains("C08P01"), "{bytes:?}: {said}");
    }
    assert_eq!(world.proxy.counters().sessions_opened(), 0);
}

#[tokio::test]
async fn a_client_that_sends_a_byte_now_and_then_is_closed_when_the_login_timeout_is_over() {
    let mut quick = config();
    quick.login_timeout = Duration::from_millis(300);
    let world = World::with(quick, holm_testkit::server().await).await;
    let mut slow = Raw::connect(&world).await;
    let packet = startup(0, &[("user", "app"), ("database", "malmo"), ("application_name", &"x".repeat(9000))]);
    let begun = Instant::now();
    let dawdling = async {
        for byte in &packet {
            if slow.stream.write_all(&[*byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, dawdling).await.expect("the proxy closes");
    assert!(begun.elapsed() < Duration::from_secs(5));

    let mut silent = Raw::connect(&world).await;
    silent.send(&startup(0, &[("user", "app")])).await;
    silent.until(b'R').await;
    let said = String::from_utf8_lossy(&silent.rest().await).into_owned();
    assert!(said.contains("C57014") && said.contains("HOLM-5009"), "{said}");
}

#[tokio::test]
async fn a_crowd_of_half_open_connections_does_not_keep_an_honest_client_out() {
    let mut small = config();
    (small.clients_max, small.login_timeout) = (8, Duration::from_secs(600));
    let world = World::with(small, holm_testkit::server().await).await;
    world.tenant("malmo").await;
    let mut crowd = Vec::new();
    for _ in 0..100 {
        crowd.push(Raw::connect(&world).await);
    }
    let cut = || world.proxy.counters().disconnects().find(|(reason, _)| *reason == Disconnect::NoLogin).unwrap().1;
    // Each worker has its own queue of them: the honest one must not overtake a part of the crowd.
    eventually("the oldest gave way", async || if cut() == 84 { Ok(()) } else { Err(format!("{} cut", cut())) }).await;
    let client = timeout(PATIENCE, world.connect("app", "malmo")).await.expect("a login in time");
    assert!(client.query_one("SELECT 1", &[]).await.is_ok());
    let cut = cut();
    assert_eq!(cut, 85, "no more than had to");
}

#[tokio::test]
async fn a_message_with_an_impossible_length_ends_the_session_that_sent_it() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    for bytes in [&b"Q\0\0\0\x03"[..], b"Q\xff\xff\xff\xff", b"d\x40\0\0\x04"] {
        let mut raw = Raw::connect(&world).await;
        raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
        raw.prove(SECRET).await;
        raw.until(b'Z').await;
        raw.send(bytes).await;
        let said = String::from_utf8_lossy(&raw.rest().await).into_owned();
        assert!(said.contains("C08P01") && said.contains("HOLM-5006"), "{said}");
    }
    eventually("no backend is left", async || match world.backends(&admin, &malmo).await {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    })
    .await;
}

#[tokio::test]
async fn a_statement_sent_before_the_login_is_over_is_answered_after_it() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    raw.prove(SECRET).await;
    raw.send(&query("SELECT 41 + 1")).await;
    raw.until(b'Z').await;
    let answer = raw.until(b'Z').await;
    assert!(answer.iter().any(|(tag, body)| *tag == b'D' && body.ends_with(b"42")), "{answer:?}");
}
