//! WebSockets: bytes both ways untouched, and no other protocol.

use std::time::Duration;

use hyper::body::Incoming;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::world::{AppBody, Client, World, app, text};

/// An app that says the tenant it was told, then sends back whatever comes.
pub(crate) async fn echo(mut request: Request<Incoming>) -> Response<AppBody> {
    let tenant = request.headers()["x-subdomain"].to_str().unwrap().to_owned();
    let upgrade = hyper::upgrade::on(&mut request);
    let asked = request.headers().get("upgrade").and_then(|value| value.to_str().ok()).unwrap_or("nothing").to_owned();
    if asked != "websocket" {
        return Response::new(text(format!("asked for {asked}")));
    }
    tokio::spawn(async move {
        let mut socket = TokioIo::new(upgrade.await.unwrap());
        socket.write_all(format!("hello {tenant}\n").as_bytes()).await.unwrap();
        let (mut reader, mut writer) = tokio::io::split(socket);
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
        let _ = writer.shutdown().await;
    });
    Response::builder()
        .status(StatusCode::SWITCHING_PROTOCOLS)
        .header("connection", "Upgrade")
        .header("upgrade", "websocket")
        .header("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")
        .body(text(""))
        .unwrap()
}

pub(crate) fn handshake(host: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nX-Subdomain: malmo\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

pub(crate) async fn open(world: &World, host: &str) -> Client {
    let mut client = world.connect().await;
    client.send(handshake(host)).await;
    let head = client.head().await;
    assert!(
        head.starts_with("HTTP/1.1 101 ") && head.contains("upgrade: websocket") && head.contains("sec-websocket-accept: s3pPLM"),
        "{head}"
    );
    client
}

#[tokio::test]
async fn r76_r78_a_websocket_is_carried_both_ways_untouched() {
    let (address, _app) = app(echo).await;
    let world = World::new(Some(address)).await;
    let mut client = open(&world, "goteborg.localhost").await;
    client.until("hello goteborg\n").await;
    let sent: Vec<u8> = (0..=255).cycle().take(1024 * 1024).collect();
    let (mut reader, mut writer) = client.stream.split();
    let mut received = vec![0; sent.len()];
    let (write, read) = tokio::join!(writer.write_all(&sent), reader.read_exact(&mut received));
    write.unwrap();
    read.unwrap();
    assert_eq!(received, sent);
    assert_eq!((world.count("tunnels_open"), world.count("tunnels_opened")), (1, 1));
    // What was on its way when the client said its last word still comes back.
    client.send("last").await;
    client.stream.shutdown().await.unwrap();
    assert_eq!(client.rest().await, "last");
    world.counted("tunnels_open", 0).await;
    world.counted("connections_open", 0).await;
}

#[tokio::test]
async fn bytes_that_a_client_sends_before_the_handshake_is_answered_are_not_lost() {
    let (address, _app) = app(echo).await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send(handshake("malmo.localhost") + "early").await;
    client.head().await;
    client.until("hello malmo\n").await;
    client.until("early").await;
}

#[tokio::test]
async fn no_protocol_but_a_websocket_is_changed_to() {
    let (address, _app) = app(echo).await;
    let world = World::new(Some(address)).await;
    for upgrade in ["h2c", "TLS/1.0", "websocket, h2c", "foo"] {
        let fields = format!("Connection: Upgrade, HTTP2-Settings, close\r\nUpgrade: {upgrade}\r\nHTTP2-Settings: AAMAAABk");
        let answer = world.exchange(format!("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n{fields}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("asked for nothing"), "{upgrade}\n{answer}");
    }
    let with_a_body = handshake("goteborg.localhost").replace("Upgrade\r\n", "Upgrade, close\r\nContent-Length: 2\r\n") + "{}";
    let answer = world.exchange(with_a_body).await;
    assert!(answer.ends_with("asked for nothing"), "{answer}");
}

#[tokio::test]
async fn an_app_that_changes_the_protocol_unasked_is_not_followed() {
    let (address, _app) = app(|_| async {
        let switching =
            Response::builder().status(StatusCode::SWITCHING_PROTOCOLS).header("connection", "upgrade").header("upgrade", "h2c");
        switching.body(text("")).unwrap()
    })
    .await;
    let world = World::new(Some(address)).await;
    let answer = world.exchange("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    let answer = world.exchange(handshake("goteborg.localhost").replace("keep-alive", "close")).await;
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
}

#[tokio::test]
async fn a_handshake_that_the_app_refuses_stays_http() {
    let (address, _app) =
        app(|_| async { Response::builder().status(StatusCode::UPGRADE_REQUIRED).body(text("version 13 only")).unwrap() }).await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send(handshake("goteborg.localhost")).await;
    client.until("version 13 only").await;
    // The next bytes are a request again, and for the tenant that it names.
    client.send("GET / HTTP/1.1\r\nHost: uppsala.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(client.rest().await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_tunnel_in_which_nothing_moves_is_closed() {
    let (address, _app) = app(echo).await;
    let world = World::with(Some(address), |config| config.tunnel_idle_timeout = Duration::from_millis(100)).await;
    let mut client = open(&world, "goteborg.localhost").await;
    assert_eq!(client.rest().await, "hello goteborg\n");
    world.counted("tunnels_open", 0).await;
}
