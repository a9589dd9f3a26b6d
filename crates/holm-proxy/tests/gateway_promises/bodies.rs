//! Bodies: streamed both ways, held back when the reader is slow, complete or known not to be.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use hyper::{Request, Response, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::time::timeout;

use crate::world::{AppBody, DEADLINE, World, app, mirror, streamed, text};

const BODY_BYTES: usize = 100 * 1024 * 1024;
const CHUNK_BYTES: usize = 64 * 1024;
/// What four loopback socket buffers may hold (6 MiB each is Linux's largest by default) and what hyper holds; a third of
/// the body.
const IN_FLIGHT_MAX: usize = BODY_BYTES / 3;

/// A response body that a test feeds.
fn fed(receiver: mpsc::Receiver<std::io::Result<Bytes>>) -> AppBody {
    let frames = stream::unfold(receiver, |mut receiver| async move { Some((receiver.recv().await?.map(Frame::data), receiver)) });
    streamed(frames)
}

#[tokio::test]
async fn an_upload_of_100_mb_is_held_back_while_the_app_does_not_read_and_arrives_whole() {
    let (read, go) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (address, _app) = app({
        let (read, go) = (Arc::clone(&read), Arc::clone(&go));
        move |request: Request<Incoming>| {
            let (read, go) = (Arc::clone(&read), Arc::clone(&go));
            async move {
                go.notified().await;
                let mut body = request.into_body();
                while let Some(frame) = body.frame().await {
                    read.fetch_add(frame.unwrap().into_data().unwrap().len(), Ordering::SeqCst);
                }
                Response::new(text(format!("{} bytes", read.load(Ordering::SeqCst))))
            }
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send(format!("PUT /file HTTP/1.1\r\nHost: malmo.localhost\r\nContent-Length: {BODY_BYTES}\r\nConnection: close\r\n\r\n")).await;
    let chunk = vec![7; CHUNK_BYTES];
    let mut sent = 0;
    let mut in_flight_max = 0;
    let mut released = false;
    while sent < BODY_BYTES {
        let mut rest = &chunk[..chunk.len().min(BODY_BYTES - sent)];
        while !rest.is_empty() {
            // Until the app reads, the way fills up; a pause that is taken for that too early only makes it emptier.
            let patience = if released { DEADLINE } else { Duration::from_millis(500) };
            match timeout(patience, client.stream.write(rest)).await {
                Ok(written) => {
                    let written = written.unwrap();
                    sent += written;
                    rest = &rest[written..];
                }
                Err(_) if !released => {
                    released = true;
                    go.notify_one();
                }
                Err(_) => panic!("stuck after {sent} bytes"),
            }
            in_flight_max = in_flight_max.max(sent - read.load(Ordering::SeqCst));
        }
    }
    assert!(released && in_flight_max < IN_FLIGHT_MAX, "{in_flight_max} bytes were under way at once");
    let answer = client.rest().await;
    assert!(answer.ends_with(&format!("{BODY_BYTES} bytes")), "{answer}");
}

#[tokio::test]
async fn a_download_of_100_mb_is_held_back_while_the_client_does_not_read_and_arrives_whole() {
    let written = Arc::new(AtomicUsize::new(0));
    let (address, _app) = app({
        let written = Arc::clone(&written);
        move |_| {
            let written = Arc::clone(&written);
            let frames = stream::unfold(written, |written| async move {
                let before = written.fetch_add(CHUNK_BYTES, Ordering::SeqCst);
                (before < BODY_BYTES).then(|| (Ok(Frame::data(Bytes::from(vec![7; CHUNK_BYTES]))), written))
            });
            async move { Response::new(streamed(frames)) }
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send("GET /file HTTP/1.0\r\nHost: malmo.localhost\r\n\r\n").await;
    client.head().await;
    // The app is asked for no more once the way is full.
    let mut before = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let now = written.load(Ordering::SeqCst);
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before < IN_FLIGHT_MAX, "{before} bytes were taken from the app for a client that reads nothing");
    let mut read = 0;
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        match timeout(DEADLINE, client.stream.read(&mut buffer)).await.unwrap().unwrap() {
            0 => break,
            length => read += length,
        }
    }
    assert_eq!(read, BODY_BYTES);
}

#[tokio::test]
async fn server_sent_events_arrive_when_they_are_sent() {
    let (events, receiver) = mpsc::channel(1);
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let (address, _app) = app(move |_| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        async move { Response::builder().header("content-type", "text/event-stream").body(fed(receiver)).unwrap() }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send("GET /events HTTP/1.1\r\nHost: goteborg.localhost\r\nAccept: text/event-stream\r\n\r\n").await;
    let head = client.head().await;
    assert!(head.contains("text/event-stream"), "{head}");
    // Each is awaited before the next is sent, so that one that is kept back would be waited for in vain.
    for number in 0..5 {
        events.send(Ok(Bytes::from(format!("data: {number}\n\n")))).await.unwrap();
        client.until(&format!("data: {number}\n\n\r\n")).await;
    }
}

#[tokio::test]
async fn a_request_body_is_streamed_while_it_is_written() {
    let (seen, mut frames) = mpsc::channel(8);
    let (address, _app) = app(move |request: Request<Incoming>| {
        let seen = seen.clone();
        async move {
            let mut body = request.into_body();
            while let Some(frame) = body.frame().await {
                seen.send(frame.unwrap().into_data().unwrap()).await.unwrap();
            }
            Response::new(text("done"))
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send("POST / HTTP/1.1\r\nHost: goteborg.localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n").await;
    for part in ["one", "two"] {
        client.send(format!("3\r\n{part}\r\n")).await;
        assert_eq!(timeout(DEADLINE, frames.recv()).await.unwrap().unwrap(), part);
    }
    client.send("0\r\n\r\n").await;
    assert!(client.rest().await.ends_with("done"));
}

#[tokio::test]
async fn a_client_that_waits_for_100_continue_is_told_to_go_on_and_a_stranger_is_not() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let ask =
        |host: &str| format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n");
    let mut client = world.connect().await;
    client.send(ask("goteborg.localhost")).await;
    assert_eq!(client.head().await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("abc").await;
    let answer = client.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("body abc") && !answer.contains("expect"), "{answer}");
    let answer = world.exchange(ask("uppsala.localhost")).await;
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
}

#[tokio::test]
async fn every_method_may_have_a_body_and_none_gets_one_it_did_not_have() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"] {
        let line = format!("{method} / HTTP/1.1\r\nHost: goteborg.localhost\r\nConnection: close\r\n");
        let sized = world.exchange(format!("{line}Content-Length: 3\r\n\r\nabc")).await;
        assert!(sized.contains("content-length: 3\n") && sized.contains("body abc\n"), "{sized}");
        let chunked = world.exchange(format!("{line}Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")).await;
        assert!(chunked.contains("transfer-encoding: chunked\n") && chunked.contains("body abc\n"), "{chunked}");
        let none = world.exchange(format!("{line}\r\n")).await;
        assert!(!none.contains("transfer-encoding: ") && none.contains("body \n"), "{none}");
    }
}

#[tokio::test]
async fn trailers_cross_both_ways() {
    let (address, _app) = app(|request: Request<Incoming>| async move {
        let trailers = request.into_body().collect().await.unwrap().trailers().cloned().unwrap_or_default();
        let mut reply = http::HeaderMap::new();
        reply.insert("x-sum", trailers.get("x-sum").cloned().unwrap_or_else(|| "none".parse().unwrap()));
        reply.insert("x-holm-tenant", "forged".parse().unwrap());
        let frames = stream::iter([Ok(Frame::data(Bytes::from("hej"))), Ok(Frame::trailers(reply))]);
        Response::builder().header("trailer", "x-sum, x-holm-tenant").body(streamed(frames)).unwrap()
    })
    .await;
    let world = World::new(Some(address)).await;
    let request = "POST / HTTP/1.1\r\nHost: goteborg.localhost\r\nTE: trailers\r\nConnection: close, TE\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n0\r\nx-sum: 42\r\n\r\n";
    let answer = world.exchange(request).await;
    assert!(answer.contains("trailer: x-sum\r\n") && answer.ends_with("3\r\nhej\r\n0\r\nx-sum: 42\r\n\r\n"), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_have_none_and_keep_what_their_headers_say() {
    let (address, _app) = app(|request: Request<Incoming>| async move {
        let builder = Response::builder().header("etag", "\"1\"");
        match request.uri().path() {
            "/204" => builder.status(StatusCode::NO_CONTENT).body(text("")).unwrap(),
            "/304" => builder.status(StatusCode::NOT_MODIFIED).body(text("")).unwrap(),
            _ => builder.header("content-length", "5").body(text("12345")).unwrap(),
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    for (method, target, expected) in [("GET", "/204", "204"), ("GET", "/304", "304"), ("HEAD", "/", "200"), ("GET", "/", "200")] {
        client.send(format!("{method} {target} HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n")).await;
        let head = client.head().await;
        assert!(
            head.starts_with(&format!("HTTP/1.1 {expected} ")) && head.contains("etag: \"1\"") && !head.contains("transfer-encoding"),
            "{head}"
        );
        assert_eq!(head.contains("content-length: 5\r\n"), target == "/", "{head}");
    }
    // The connection is still in step: the last answer's body is the next thing on it.
    client.until("12345").await;
}

#[tokio::test]
async fn a_client_that_goes_away_takes_its_request_with_it() {
    let (began, mut begins) = mpsc::channel(1);
    let (ended, mut ends) = mpsc::channel::<()>(1);
    let (address, _app) = app(move |_| {
        let (began, ended) = (began.clone(), ended.clone());
        async move {
            began.send(()).await.unwrap();
            // Dropped with the request; the channel closes with the last of them.
            let _ended = ended;
            std::future::pending::<Response<AppBody>>().await
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send("GET /slow HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    timeout(DEADLINE, begins.recv()).await.unwrap().unwrap();
    drop(client);
    world.counted("connections_open", 0).await;
    // The app's own server notices that its client is gone, and drops the handler.
    drop(_app);
    assert!(timeout(DEADLINE, ends.recv()).await.unwrap().is_none());
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_not_made_to_look_whole() {
    let (parts, receiver) = mpsc::channel(1);
    let receiver = Arc::new(std::sync::Mutex::new(Some(receiver)));
    let (address, _app) = app(move |_| {
        let receiver = receiver.lock().unwrap().take().unwrap();
        async move { Response::new(fed(receiver)) }
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut client = world.connect().await;
    client.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    parts.send(Ok(Bytes::from("half"))).await.unwrap();
    client.until("half\r\n").await;
    parts.send(Err(std::io::Error::other("the app died"))).await.unwrap();
    assert_eq!(client.rest().await, "", "no last chunk");
}
