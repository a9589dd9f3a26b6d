//! Clients and a catalog that misbehave.

use std::time::{Duration, Instant};

use reqwest::Method;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::installation::{Installation, TOKEN, read};

#[tokio::test(flavor = "multi_thread")]
async fn probes_tell_alive_from_ready_and_say_why_not() {
    let holm = Installation::start().await;
    let probe = async |path: &str| read(holm.unsigned(Method::GET, path).send().await.unwrap()).await;
    assert_eq!(probe("/healthz").await.0, 200);
    assert_eq!(probe("/readyz").await.0, 200);
    holm.server.as_ref().unwrap().stop().await;
    let (status, answer) = probe("/readyz").await;
    assert_eq!((status, &answer["error"]["code"]), (503, &"HOLM-7001".into()), "{answer}");
    assert_eq!(probe("/healthz").await.0, 200, "a restart would not bring the catalog back");
    let (status, answer) = read(holm.request(Method::GET, "/v1/environments").send().await.unwrap()).await;
    assert_eq!((status, &answer["error"]["code"]), (503, &"HOLM-7001".into()), "{answer}");
    let metrics = holm.unsigned(Method::GET, "/metrics").send().await.unwrap();
    assert_eq!(metrics.status(), 200, "a scrape needs no catalog");
}

/// The story: a client sends one header line and then nothing, while others are served.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_never_finishes_its_request_is_cut_off_and_holds_nobody_up() {
    let holm = Installation::without_cluster().await;
    let mut slow = TcpStream::connect(holm.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow:").await.unwrap();
    assert_eq!(holm.get("/v1/environments").await.0, 200);
    let began = Instant::now();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(Duration::from_secs(40), slow.read_to_end(&mut rest)).await;
    assert!(closed.is_ok(), "still open after {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_http_end_their_connection_and_nothing_else() {
    let holm = Installation::without_cluster().await;
    for garbage in [b"\0\0\0\x08\x04\xd2\x16\x2f".as_slice(), b"GET / HTTP/9.9\r\n\r\n", b"\xff\xfe\r\n\r\n", &[b'A'; 200_000]] {
        let mut socket = TcpStream::connect(holm.address).await.unwrap();
        // The server may have hung up before the last byte.
        let _ = socket.write_all(garbage).await;
        let _ = socket.shutdown().await;
        let mut said = Vec::new();
        let _ = tokio::time::timeout(Duration::from_secs(40), socket.read_to_end(&mut said)).await.expect("the connection ends");
        assert!(!said.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&said));
    }
    assert_eq!(holm.get("/v1/environments").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn told_to_stop_it_finishes_what_is_in_flight_and_takes_nothing_new() {
    let holm = Installation::without_cluster().await;
    let mut socket = TcpStream::connect(holm.address).await.unwrap();
    let request = format!("GET /v1/environments HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    // The first answer shows that the connection was taken.
    assert_eq!(holm.get("/v1/environments").await.0, 200);
    holm.stop.cancel();
    socket.write_all(b"\r\n").await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(Duration::from_secs(40), socket.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("production"), "{answer}");
    tokio::time::timeout(Duration::from_secs(40), holm.task).await.expect("it returns").unwrap();
    assert!(TcpStream::connect(holm.address).await.is_err());
}
