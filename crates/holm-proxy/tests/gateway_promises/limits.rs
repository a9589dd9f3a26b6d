//! Deadlines and limits: nobody holds the gateway up for long, and it says what the limit was.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use holm_core::error::ErrorCode;
use holm_link::Publisher;
use holm_proxy::gateway::{self, GatewayConfig};

use hyper::Response;
use hyper::body::Frame;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::world::{AppBody, DEADLINE, World, app, mirror, streamed, text};

const SHORT: Duration = Duration::from_millis(150);

#[tokio::test]
async fn a_client_that_dribbles_its_head_is_closed() {
    let world = World::with(None, |config| config.head_timeout = SHORT).await;
    let mut client = world.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: gote").await;
    let answer = client.rest().await;
    assert!(!answer.contains(" 200 "), "{answer}");
    let mut unused = world.connect().await;
    assert_eq!(unused.rest().await, "", "a connection that says nothing is closed as well");
}

#[tokio::test]
async fn a_client_that_stalls_in_its_body_is_told_so() {
    let (address, _app) = app(mirror).await;
    let world = World::with(Some(address), |config| config.body_idle_timeout = SHORT).await;
    let answer = world.exchange("POST / HTTP/1.1\r\nHost: goteborg.localhost\r\nContent-Length: 10\r\n\r\nabc").await;
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("HOLM-1204") && answer.contains("connection: close"), "{answer}");
    assert_eq!(world.count("requests_incomplete"), 1);
}

#[tokio::test]
async fn an_app_that_never_answers_is_given_up() {
    let (address, _app) = app(|_| std::future::pending::<Response<AppBody>>()).await;
    let world = World::with(Some(address), |config| config.response_timeout = SHORT).await;
    let answer = world.get("goteborg.localhost", "/").await;
    assert!(answer.starts_with("HTTP/1.1 504 ") && answer.contains("HOLM-1205"), "{answer}");
}

#[tokio::test]
async fn an_app_that_hangs_up_is_told_apart_from_one_that_is_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let hangs_up = tokio::spawn(async move {
        loop {
            drop(listener.accept().await.unwrap());
        }
    });
    let world = World::new(Some(address)).await;
    let answer = world.get("goteborg.localhost", "/").await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("HOLM-1205"), "{answer}");
    hangs_up.abort();
}

#[tokio::test]
async fn an_upload_that_is_still_arriving_is_not_the_app_being_late() {
    let (address, _app) = app(mirror).await;
    let world = World::with(Some(address), |config| config.response_timeout = SHORT * 2).await;
    let mut client = world.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: goteborg.localhost\r\nContent-Length: 10\r\nConnection: close\r\n\r\n").await;
    for _ in 0..10 {
        // Together far longer than the app may take to answer.
        tokio::time::sleep(SHORT / 2).await;
        client.send("x").await;
    }
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("body xxxxxxxxxx"), "{answer}");
}

#[tokio::test]
async fn an_app_that_stalls_in_its_body_is_given_up_and_the_client_can_tell() {
    let (address, _app) = app(|_| async {
        let first = stream::iter([Ok(Frame::data(Bytes::from("half")))]);
        Response::new(streamed(first.chain(stream::pending())))
    })
    .await;
    let world = World::with(Some(address), |config| config.response_idle_timeout = SHORT).await;
    let answer = world.exchange("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    assert!(answer.contains("half") && !answer.ends_with("0\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn a_client_that_stops_reading_does_not_hold_a_connection_for_ever() {
    let (address, _app) = app(|_| async {
        let frames = stream::repeat_with(|| Ok(Frame::data(Bytes::from_static(&[7; 65536]))));
        Response::new(streamed(frames))
    })
    .await;
    let world = World::with(Some(address), |config| config.write_timeout = SHORT).await;
    let mut client = world.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    client.head().await;
    world.counted("connections_open", 0).await;
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let ask = |fields: String| world.exchange(format!("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\nConnection: close\r\n{fields}\r\n"));
    let fits = ask(format!("Cookie: {}\r\n", "c".repeat(16 * 1024))).await;
    assert!(fits.starts_with("HTTP/1.1 200 "), "{}", &fits[..80]);
    let long = ask(format!("Cookie: {}\r\n", "c".repeat(40 * 1024))).await;
    assert!(long.starts_with("HTTP/1.1 431 "), "{long}");
    let many = ask("a: b\r\n".repeat(200)).await;
    assert!(many.starts_with("HTTP/1.1 431 "), "{many}");
    let mut target = world.connect().await;
    target.send(format!("GET /{} HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n", "x".repeat(70 * 1024))).await;
    let answer = target.rest().await;
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_turned_away_and_the_next_after_a_place_is_free_is_not() {
    let (address, _app) = app(mirror).await;
    let world = World::with(Some(address), |config| config.clients_max = 1).await;
    let first = world.connect().await;
    world.counted("connections_open", 1).await;
    let mut second = world.connect().await;
    let answer = second.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("HOLM-5012"), "{answer}");
    assert_eq!(world.count("connections_refused"), 1);
    drop(first);
    world.counted("connections_open", 0).await;
    assert!(world.get("goteborg.localhost", "/").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_shutdown_lets_requests_finish_and_takes_no_more() {
    static ARRIVED: Notify = Notify::const_new();
    static GO: Notify = Notify::const_new();
    let (address, _app) = app(|_| async {
        ARRIVED.notify_one();
        GO.notified().await;
        Response::new(text("finished"))
    })
    .await;
    let world = World::new(Some(address)).await;
    let address = world.gateway.local_addr();
    let (mut busy, mut idle) = (world.connect().await, world.connect().await);
    busy.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    ARRIVED.notified().await;
    let shutdown = tokio::spawn(world.gateway.shutdown(DEADLINE));
    assert_eq!(idle.rest().await, "", "a connection that carries nothing is closed at once");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody is let in any more");
    GO.notify_one();
    assert!(busy.rest().await.ends_with("finished"));
    assert_eq!(shutdown.await.unwrap(), 0);
}

#[tokio::test]
async fn a_shutdown_past_its_deadline_cuts_off_what_is_left_and_says_so() {
    let arrived = std::sync::Arc::new(Notify::new());
    let (address, _app) = app({
        let arrived = arrived.clone();
        move |_| {
            arrived.notify_one();
            std::future::pending::<Response<AppBody>>()
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    arrived.notified().await;
    assert_eq!(world.gateway.shutdown(SHORT).await, 1);
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn addresses_that_cannot_work_are_refused_at_the_start() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let start = |listen: std::net::SocketAddr, app: Option<&str>| {
        let config = GatewayConfig { app: app.map(|app| app.parse().unwrap()), ..GatewayConfig::new(listen) };
        gateway::start(config, Publisher::default().subscribe())
    };
    let free = "127.0.0.1:0".parse().unwrap();
    assert_eq!(start(taken.local_addr().unwrap(), None).await.unwrap_err().code, ErrorCode::CannotListen);
    for app in ["/path", "127.0.0.1:3000", "https://127.0.0.1:3000", "http://127.0.0.1:3000/base", "http://u@127.0.0.1:3000"] {
        assert_eq!(start(free, Some(app)).await.unwrap_err().code, ErrorCode::InvalidConfig, "{app}");
    }
    assert!(start(free, Some("http://localhost:3000/")).await.is_ok());
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    assert_eq!(start(other, Some(&format!("http://{other}"))).await.unwrap_err().code, ErrorCode::InvalidConfig, "a gateway to itself");
}
