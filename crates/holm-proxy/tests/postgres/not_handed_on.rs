//! In session pooling a server connection whose state is in any doubt is closed with its client, and nobody else has it.

use std::sync::Arc;

use holm_core::cluster::ServerAddress;
use holm_core::route::RouteChange;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio_postgres::NoTls;

use crate::handed_on::{left, pid, raw_pid, raw_session, until_all_have_left};
use crate::meddler::{Then, Way, meddler};
use crate::raw::{Raw, query};
use crate::support::{World, cluster, eventually};
use crate::transaction::sent;

const APP: [(&str, &str); 2] = [("user", "app"), ("database", "malmo")];

async fn number(client: &tokio_postgres::Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

/// What a client does by bytes before it goes, in the middle of something.
async fn begin(raw: &mut Raw, what: &str) {
    let insert = [sent(b'P', b"\0INSERT INTO t VALUES (1)\0\0\0"), sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0")].concat();
    match what {
        "a transaction" => {
            raw.send(&query("BEGIN; INSERT INTO t VALUES (1)")).await;
            raw.until(b'Z').await;
        }
        "a transaction that failed" => {
            raw.send(&query("BEGIN; INSERT INTO t VALUES (1)")).await;
            raw.until(b'Z').await;
            raw.send(&query("SELECT 1/0")).await;
            raw.until(b'Z').await;
        }
        "a copy to the server" => {
            raw.send(&query("COPY t FROM STDIN")).await;
            raw.until(b'G').await;
            raw.send(&sent(b'd', b"1\n")).await;
        }
        "a result that it does not read" => raw.send(&query("SELECT repeat('x', 1000) FROM generate_series(1, 100000)")).await,
        "a statement that runs" => raw.send(&query("INSERT INTO t SELECT 1 FROM pg_sleep(2)")).await,
        "a pipeline without Sync" => raw.send(&insert).await,
        "a pipeline without Sync behind one with it" => {
            raw.send(&[sent(b'S', b""), insert].concat()).await;
            raw.until(b'Z').await;
        }
        "a pipeline that failed, without Sync" => {
            raw.send(&[sent(b'P', b"\0SELECT nonsense\0\0\0"), insert].concat()).await;
            raw.until(b'E').await;
        }
        "a message" => raw.send(b"Q\0\0\0\x40INSERT INTO t").await,
        "a header" => raw.send(b"Q\0\0").await,
        other => panic!("{other}"),
    }
}

#[tokio::test]
async fn who_goes_in_the_middle_of_something_hands_nothing_on_and_nothing_of_it_is_kept() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect(malmo.route.database.as_str()).await;
    world.connect("app", "malmo").await.batch_execute("CREATE TABLE t (n int)").await.unwrap();
    for what in [
        "a transaction",
        "a transaction that failed",
        "a copy to the server",
        "a result that it does not read",
        "a statement that runs",
        "a pipeline without Sync",
        "a pipeline without Sync behind one with it",
        "a pipeline that failed, without Sync",
        "a message",
        "a header",
    ] {
        for goodbye in [&b""[..], b"X\0\0\0\x04"] {
            let is_cut = matches!(what, "a message" | "a header");
            if is_cut && !goodbye.is_empty() {
                continue;
            }
            until_all_have_left(&world).await;
            let before = left(&world);
            let (mut raw, _) = raw_session(&world, &APP).await;
            let server = raw_pid(&mut raw).await;
            begin(&mut raw, what).await;
            raw.send(goodbye).await;
            drop(raw);
            until_all_have_left(&world).await;
            assert_eq!(left(&world), (before.0, before.1 + 1), "{what}");
            let (mut next, _) = raw_session(&world, &APP).await;
            assert_ne!(raw_pid(&mut next).await, server, "{what}");
            // PostgreSQL finishes what it was asked by a query, whoever still listens.
            let finishes = what == "a statement that runs";
            eventually(what, async || match number(&admin, "SELECT count(*) FROM t").await {
                0 => Ok(()),
                1 if finishes => Ok(()),
                rows => Err(format!("{rows} rows")),
            })
            .await;
            admin.batch_execute("TRUNCATE t").await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_backend_that_was_killed_while_nobody_had_it_is_not_given_to_anybody() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let one = world.connect("app", "malmo").await;
    let server = pid(&one).await;
    drop(one);
    until_all_have_left(&world).await;
    let admin = world.server.connect("postgres").await;
    let gone: bool = admin.query_one("SELECT pg_terminate_backend($1, 10000)", &[&server]).await.unwrap().get(0);
    assert!(gone);
    for _ in 0..3 {
        assert_ne!(pid(&world.connect("app", "malmo").await).await, server);
    }
}

#[tokio::test]
async fn a_backend_that_is_killed_while_its_client_leaves_is_not_given_to_anybody() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    for _ in 0..10 {
        let one = world.connect("churn", "malmo").await;
        let server = pid(&one).await;
        let killing = async { admin.query_one("SELECT pg_terminate_backend($1)", &[&server]).await };
        let (killed, ()) = tokio::join!(killing, async move { drop(one) });
        killed.unwrap();
        let next = world.connect("churn", "malmo").await;
        let now: Result<_, _> = next.query_one("SELECT pg_backend_pid()", &[]).await;
        // It may have been handed on a moment before the signal came; then its next client hears of the end.
        match now {
            Ok(row) => assert!(row.get::<_, i32>(0) != server),
            Err(error) => assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}"),
        }
        drop(next);
        until_all_have_left(&world).await;
    }
}

/// What a server may say to `DISCARD ALL`.
#[derive(Clone, Copy, Debug)]
enum Lie {
    SomethingElse,
    InATransaction,
    AnError,
    MoreThanAsked,
    ANotification,
    Nothing,
    /// And closes.
    TheEnd,
}

#[tokio::test]
async fn a_server_that_does_not_say_exactly_that_all_was_discarded_keeps_no_connection() {
    for lie in [Lie::SomethingElse, Lie::InATransaction, Lie::AnError, Lie::MoreThanAsked, Lie::ANotification, Lie::Nothing, Lie::TheEnd] {
        let world = World::new().await;
        world.tenant("malmo").await;
        let spoil = move |way, piece: &mut Vec<u8>| {
            let Some(at) = piece.windows(12).position(|part| part == b"DISCARD ALL\0").filter(|_| way == Way::ToClient) else {
                return Then::GoesOn;
            };
            match lie {
                Lie::SomethingElse => piece[at..at + 12].copy_from_slice(b"DISCARD SEQ\0"),
                Lie::InATransaction => *piece.last_mut().unwrap() = b'T',
                Lie::AnError => *piece = [sent(b'E', b"SERROR\0C55P03\0Mno\0\0"), sent(b'Z', b"I")].concat(),
                Lie::MoreThanAsked => piece.extend_from_slice(&sent(b'Z', b"I")),
                Lie::ANotification => {
                    piece.splice(0..0, sent(b'A', b"\0\0\0\x01news\0\0"));
                }
                Lie::Nothing => piece.clear(),
                Lie::TheEnd => {
                    piece.clear();
                    return Then::Ends;
                }
            }
            Then::GoesOn
        };
        let address = meddler(world.server.address.clone(), spoil).await;
        world.publish_and_wait([RouteChange::Cluster(cluster("production", &address, 10))]).await;
        let one = world.connect("churn", "malmo").await;
        let server = pid(&one).await;
        drop(one);
        until_all_have_left(&world).await;
        assert_eq!(left(&world), (0, 1), "{lie:?}");
        assert_ne!(pid(&world.connect("churn", "malmo").await).await, server, "{lie:?}");
    }
}

#[tokio::test]
async fn a_server_that_said_what_nobody_asked_keeps_no_connection() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let spoil = |way, piece: &mut Vec<u8>| {
        if way == Way::ToClient && piece.windows(4).any(|part| part == b"lies") {
            piece.extend_from_slice(&sent(b'Z', b"I"));
        }
        Then::GoesOn
    };
    let address = meddler(world.server.address.clone(), spoil).await;
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &address, 10))]).await;
    let (mut raw, _) = raw_session(&world, &APP).await;
    raw.send(&query("SELECT 'lies'")).await;
    raw.until(b'Z').await;
    raw.until(b'Z').await;
    raw.send(b"X\0\0\0\x04").await;
    until_all_have_left(&world).await;
    assert_eq!(left(&world), (0, 1));
}

/// A server in front of the real one where cancel requests wait to be let through; tells of each that comes.
async fn where_cancels_wait(real: ServerAddress) -> (ServerAddress, mpsc::UnboundedReceiver<()>, Arc<Notify>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = ServerAddress { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let ((came, coming), go_on) = (mpsc::unbounded_channel(), Arc::new(Notify::new()));
    let told = Arc::clone(&go_on);
    tokio::spawn(async move {
        while let Ok((mut proxy, _)) = listener.accept().await {
            let (real, came, told) = (real.clone(), came.clone(), Arc::clone(&told));
            tokio::spawn(async move {
                let mut head = [0; 8];
                proxy.read_exact(&mut head).await.unwrap();
                // PostgreSQL's `CANCEL_REQUEST_CODE`.
                if head[4..] == 80_877_102_u32.to_be_bytes() {
                    came.send(()).unwrap();
                    told.notified().await;
                }
                let mut server = TcpStream::connect((&*real.host, real.port)).await.unwrap();
                server.write_all(&head).await.unwrap();
                let _ = copy_bidirectional(&mut proxy, &mut server).await;
            });
        }
    });
    (address, coming, go_on)
}

#[tokio::test]
async fn a_cancel_that_is_on_its_way_when_its_client_leaves_reaches_nobody_else() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let (address, mut coming, go_on) = where_cancels_wait(world.server.address.clone()).await;
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &address, 10))]).await;
    let one = world.connect("app", "malmo").await;
    let (token, server) = (one.cancel_token(), pid(&one).await);
    let cancelling = tokio::spawn(async move { token.cancel_query(NoTls).await });
    coming.recv().await.unwrap();
    drop(one);
    until_all_have_left(&world).await;
    assert_eq!(left(&world), (0, 1));
    let next = world.connect("app", "malmo").await;
    assert_ne!(pid(&next).await, server);
    let sleeping = next.batch_execute("SELECT pg_sleep(0.5)");
    go_on.notify_one();
    sleeping.await.unwrap();
    cancelling.await.unwrap().unwrap();
}
