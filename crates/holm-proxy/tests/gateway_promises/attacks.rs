//! Clients that try to be another tenant, or to make the gateway and the app read two different requests.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::world::{World, app, mirror};

/// What the app saw under any name that it could read as one of ours, and in trailers.
fn seen(answer: &str) -> String {
    let folds = |name: &str| name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect::<String>();
    let ours =
        |line: &&str| line.split_once(": ").is_some_and(|(name, _)| folds(name) == "x-subdomain" || folds(name).starts_with("x-holm"));
    let mut lines: Vec<String> = answer
        .lines()
        .filter(ours)
        .map(|line| if line.starts_with("x-holm-signature: t=") { "x-holm-signature: t=..".to_owned() } else { line.to_owned() })
        .collect();
    lines.extend(answer.lines().filter(|line| line.starts_with("signature ") || line.starts_with("trailers ")).map(str::to_owned));
    if lines.is_empty() {
        return answer.lines().next().unwrap_or("closed").to_owned();
    }
    lines.join(" | ")
}

#[tokio::test]
async fn r76_no_spelling_of_a_tenant_header_reaches_the_app() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let mut table = String::new();
    for spoof in [
        "",
        "x-subdomain: malmo",
        "X-SubDomain: malmo",
        "X_SUBDOMAIN: malmo",
        "x.subdomain: malmo",
        "x-subdomain: malmo|x-subdomain: malmo",
        "x-subdomain: malmo|X_Subdomain: malmo|x-Subdomain: malmo",
        "x-subdomain:malmo",
        "x-subdomain: ",
        "x-subdomain : malmo",
        " x-subdomain: malmo",
        "x-a: b| x-subdomain: malmo",
        "x-holm-tenant: ten_00000000000000000000000000000002",
        "x_holm_tenant: ten_00000000000000000000000000000002",
        "X-HOLM-ENVIRONMENT: staging",
        "x-holm-signature: t=1,v1=00",
        "x-holm-anything-later: 1",
        "x-holm: 1",
        "Connection: close, x-subdomain|x-subdomain: malmo",
        "Connection: close, x-subdomain, x-holm-tenant, x-holm-signature",
        "Connection: x_subdomain|x_subdomain: malmo",
        "Trailer: x-subdomain|Transfer-Encoding: chunked||0|x-subdomain: malmo|x_holm_tenant: ten_2",
        "Trailer: x-checksum, x-subdomain|Transfer-Encoding: chunked||0|x-checksum: 1|x-subdomain: malmo",
        "X-Forwarded-Host: malmo.localhost|Forwarded: host=malmo.localhost|X-Host: malmo.localhost",
    ] {
        let request = format!("POST / HTTP/1.1\r\nHost: goteborg.localhost\r\nConnection: close\r\n{spoof}\r\n\r\n").replace('|', "\r\n");
        let request = if spoof.is_empty() { request.replacen("\r\n\r\n\r\n", "\r\n\r\n", 1) } else { request };
        table += &format!("{spoof}\n    {}\n", seen(&world.exchange(request).await));
    }
    assert!(!table.contains("    malmo") && !table.contains("_2 "), "{table}");
    assert!(world.count("headers_forged") >= 15, "{}", world.count("headers_forged"));
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn a_client_cannot_say_where_it_comes_from() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let forged = "X-Forwarded-For: 203.0.113.9\r\nx_forwarded_for: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nX-Real-IP: 203.0.113.9\r\n\
                  X-Forwarded-Proto: https\r\nX-Forwarded-Port: 443\r\nX-Forwarded-Prefix: /evil\r\nProxy: http://evil.example";
    let request = format!("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\nConnection: close\r\n{forged}\r\n\r\n");
    let answer = world.exchange(&request).await;
    assert!(!answer.contains("203.0.113.9") && !answer.contains("evil") && !answer.contains("x-forwarded-port"), "{answer}");
    assert!(answer.contains("x-forwarded-for: 127.0.0.1\n") && answer.contains("x-forwarded-proto: http\n"), "{answer}");

    let behind_a_proxy = World::with(Some(address), |config| config.trusted_proxies.push("127.0.0.1".parse().unwrap())).await;
    let answer = behind_a_proxy.exchange(&request).await;
    assert!(answer.contains("x-forwarded-for: 203.0.113.9, 127.0.0.1\n") && answer.contains("x-forwarded-proto: https\n"), "{answer}");
    assert!(answer.contains("x-forwarded-host: goteborg.localhost\n"), "{answer}");
}

/// Each of these is read as one request or two by one server or another. Whatever the gateway makes of it, the second
/// must never reach the app as a request of its own for another tenant, nor be answered on somebody else's connection.
#[tokio::test]
async fn r72_no_request_is_smuggled_past_the_gateway() {
    let reached: Arc<Mutex<Vec<String>>> = Arc::default();
    let (address, _app) = app({
        let reached = Arc::clone(&reached);
        move |request| {
            let tenant = request.headers()["x-subdomain"].to_str().unwrap().to_owned();
            reached.lock().unwrap().push(format!("{} for {tenant}", request.uri()));
            mirror(request)
        }
    })
    .await;
    let world = World::new(Some(address)).await;
    let hidden = "GET /hidden HTTP/1.1\r\nHost: malmo.localhost\r\nX-Subdomain: malmo\r\n\r\n";
    let length = hidden.len() + 5;
    let mut table = String::new();
    for (name, rest) in [
        ("length and chunked", format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("chunked and length", format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{hidden}")),
        ("two lengths", format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}")),
        ("a list of lengths", format!("Content-Length: 0, {length}\r\n\r\n{hidden}")),
        ("a signed length", format!("Content-Length: +{length}\r\n\r\n{hidden}")),
        ("a length in hex", format!("Content-Length: 0x{length:x}\r\n\r\n{hidden}")),
        ("chunked twice", format!("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{hidden}")),
        ("not quite chunked", format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("chunked after a vertical tab", format!("Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a space before the colon", format!("Transfer-Encoding : chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{hidden}")),
        ("a folded line", format!("Transfer-Encoding:\r\n chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{hidden}")),
        ("a bare line feed in a value", format!("X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a bare carriage return in a value", format!("X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}")),
        ("a zero byte in a value", format!("X-A: b\0\r\nContent-Length: 0\r\n\r\n{hidden}")),
        ("a chunk size that overflows", format!("Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n{hidden}")),
        ("a chunk size with a sign", format!("Transfer-Encoding: chunked\r\n\r\n+0\r\n\r\n{hidden}")),
        ("a chunk extension with a bare line feed", format!("Transfer-Encoding: chunked\r\n\r\n0;a\nb\r\n\r\n{hidden}")),
        ("a chunk longer than its size", format!("Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n{hidden}")),
        ("an upgrade to h2c", format!("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n{hidden}")),
    ] {
        // No `Connection: close` of the client's: only the gateway's own doubt may close.
        let last = "GET /last HTTP/1.1\r\nHost: goteborg.localhost\r\nConnection: close\r\n\r\n";
        let answer = world.exchange(format!("POST /open HTTP/1.1\r\nHost: goteborg.localhost\r\n{rest}{last}")).await;
        let statuses: Vec<&str> = answer.split("HTTP/1.1 ").skip(1).map(|part| &part[..3]).collect();
        let saw: Vec<String> = answer.lines().filter_map(|line| line.strip_prefix("saw ")).map(str::to_owned).collect();
        table += &format!(
            "{name}: {} -> {}
",
            statuses.join(" "),
            saw.join(", ")
        );
        assert!(!answer.contains("signature the"), "{name}\n{answer}");
    }
    // A pipelined request of the client's own is its good right, and is for the host that it names; whatever else the
    // app read, answered or not, was for the tenant of its connection's host.
    let reached: BTreeSet<String> = reached.lock().unwrap().iter().cloned().collect();
    let expected = ["/hidden for malmo", "/last for goteborg", "/open for goteborg"].map(str::to_owned);
    assert_eq!(reached, BTreeSet::from(expected));
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn bytes_that_are_not_http_are_refused_and_closed() {
    let world = World::new(None).await;
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"GET\r\n\r\n",
    ] {
        let answer = world.exchange(bytes).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
}
