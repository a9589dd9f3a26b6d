//! Which host means which tenant, and what everybody else is told.

use hyper::Response;
use serde_json::Value;

use crate::world::{World, app, mirror, tenant_id, text};

/// Status and code of an answer, or who the app was told it is for.
fn outcome(answer: &str) -> String {
    let status = answer.split(' ').nth(1).unwrap_or("none");
    let field = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("-");
    if status == "200" {
        return format!("{} of {} ({})", field("x-subdomain: "), field("x-holm-environment: "), field("signature "));
    }
    let code = answer.find("HOLM-").map_or("no code", |at| &answer[at..at + 9]);
    format!("{status} {code}")
}

#[tokio::test]
async fn r75_r77_r1_a_host_reaches_its_own_tenant_or_nobody() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let mut table = String::new();
    for host in [
        "goteborg.localhost",
        "goteborg.localhost:8080",
        "GOTEBORG.LocalHost",
        "goteborg.localhost.",
        "malmo.localhost",
        "goteborg.staging.localhost",
        "malmo.staging.localhost",
        "uppsala.localhost",
        "admin.localhost",
        "www.localhost",
        "localhost",
        "staging.localhost",
        "127.0.0.1",
        "[::1]:8080",
        "goteborg.localhost.evil.example",
        "goteborg.evil.example",
        "a.goteborg.localhost",
        "goteborg.localhost:http",
        "goteborg.localhost:99999",
        "user@goteborg.localhost",
        "goteborg.localhost, malmo.localhost",
        "goteborg.localhost/malmo",
        "g\u{f6}teborg.localhost",
        "goteborg%2elocalhost",
        "",
    ] {
        table += &format!("{host:?} -> {}\n", outcome(&world.get(host, "/").await));
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn r77_a_request_that_names_two_hosts_or_none_reaches_nobody() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let mut table = String::new();
    for head in [
        "GET / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET / HTTP/1.0|Host: goteborg.localhost",
        "GET / HTTP/1.1|Host: goteborg.localhost|Host: malmo.localhost",
        "GET / HTTP/1.1|Host: goteborg.localhost|Host: goteborg.localhost",
        "GET / HTTP/1.1|Host: goteborg.localhost|hOsT: malmo.localhost",
        "GET http://goteborg.localhost/ HTTP/1.1|Host: goteborg.localhost",
        "GET http://GOTEBORG.localhost:80/ HTTP/1.1|Host: goteborg.localhost",
        "GET http://goteborg.localhost/ HTTP/1.1|Host: malmo.localhost",
        "GET http://goteborg.localhost/ HTTP/1.1",
        "GET http://malmo.localhost@goteborg.localhost/ HTTP/1.1|Host: goteborg.localhost",
        "GET ftp://goteborg.localhost/ HTTP/1.1|Host: goteborg.localhost",
        "GET / HTTP/1.1|Host: goteborg.localhost|X-Forwarded-Host: malmo.localhost",
        "GET / HTTP/1.1|Host: goteborg.localhost|Connection: close, host",
        "OPTIONS * HTTP/1.1|Host: goteborg.localhost",
        "CONNECT malmo.localhost:80 HTTP/1.1|Host: malmo.localhost",
    ] {
        let request = format!("{}\r\nConnection: close\r\n\r\n", head.replace('|', "\r\n"));
        table += &format!("{head} -> {}\n", outcome(&world.exchange(request).await));
    }
    insta::assert_snapshot!(table);
}

#[tokio::test]
async fn r76_r78_the_app_learns_the_tenant_from_one_request_header() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let answer = world.get("goteborg.localhost:8080", "/gigs?month=12").await;
    for line in [
        "saw GET /gigs?month=12",
        "x-subdomain: goteborg",
        "x-holm-environment: production",
        "host: goteborg.localhost:8080",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: goteborg.localhost:8080",
        "x-forwarded-proto: http",
        "signature good",
    ] {
        assert!(answer.lines().any(|seen| seen == line), "{line} in\n{answer}");
    }
    assert!(answer.contains(&format!("x-holm-tenant: {}", tenant_id(1))), "{answer}");
}

#[tokio::test]
async fn r76_path_and_query_arrive_byte_for_byte() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    for target in [
        "/",
        "/?",
        "//",
        "//evil.example/x",
        "/a/../b/./c",
        "/%2e%2E/%00%0a",
        "/a%20b+c?d=%ff&e=\u{f6}",
        "/;a=b,c?x=http://y/?z",
        "/?a=1&a=2&",
        "/a\\b|c^d{e}",
    ] {
        let answer = world.get("malmo.localhost", target).await;
        assert!(answer.contains(&format!("saw GET {target}\n")) && answer.contains("signature good"), "{target}\n{answer}");
    }
    // What cannot be passed on as it is, is refused and not repaired.
    assert!(world.get("malmo.localhost", "/a`b").await.starts_with("HTTP/1.1 400 "));
    let answer = world.exchange("GET http://malmo.localhost?x=1 HTTP/1.1\r\nHost: malmo.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(answer.contains("saw GET /?x=1\n") && answer.contains("signature good"), "{answer}");
}

#[tokio::test]
async fn r77_an_unknown_host_is_told_so_as_json_or_as_a_page() {
    let world = World::new(None).await;
    let json = world.get("uppsala.localhost", "/").await;
    let (head, body) = json.split_once("\r\n\r\n").unwrap();
    assert!(
        head.starts_with("HTTP/1.1 404 ") && head.contains("content-type: application/json") && head.contains("cache-control: no-store"),
        "{head}"
    );
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!((&body["ok"], &body["error"]["code"], &body["data"]), (&Value::Bool(false), &Value::from("HOLM-1203"), &Value::Null));
    let page = world.exchange("GET / HTTP/1.1\r\nHost: uppsala.localhost\r\nAccept: text/html,*/*\r\nConnection: close\r\n\r\n").await;
    assert!(
        page.contains("content-type: text/html")
            && page.contains("<h1>no tenant at `uppsala.localhost`</h1>")
            && page.contains("HOLM-1203"),
        "{page}"
    );
    let head = world.exchange("HEAD / HTTP/1.1\r\nHost: uppsala.localhost\r\nConnection: close\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 404 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(world.count("requests_unknown_host"), 3);
}

#[tokio::test]
async fn r78_without_an_app_the_answer_says_how_to_name_one() {
    let world = World::new(None).await;
    let answer = world.get("goteborg.localhost", "/").await;
    assert!(
        answer.starts_with("HTTP/1.1 503 ") && answer.contains("HOLM-1205") && answer.contains("holm dev --app http://127.0.0.1:3000"),
        "{answer}"
    );
}

#[tokio::test]
async fn an_app_that_is_down_is_told_apart_from_one_that_is_not_there() {
    // A port that was free a moment ago and that nobody listens at.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let world = World::new(Some(nobody)).await;
    let answer = world.get("goteborg.localhost", "/").await;
    assert!(answer.starts_with("HTTP/1.1 502 ") && answer.contains("HOLM-1205"), "{answer}");
    assert!(!answer.contains(&nobody.to_string()), "where the app runs is nobody's business: {answer}");
}

#[tokio::test]
async fn what_the_app_says_in_our_name_does_not_reach_the_client() {
    let (address, _app) = app(|_| async {
        let builder = Response::builder()
            .header("X-Holm-Tenant", "ten_forged")
            .header("x_holm_signature", "forged")
            .header("x-subdomain", "the app's own");
        builder
            .header("connection", "x-private")
            .header("x-private", "hop")
            .header("keep-alive", "timeout=5")
            .header("server", "app")
            .body(text("hej"))
            .unwrap()
    })
    .await;
    let world = World::new(Some(address)).await;
    let answer = world.get("goteborg.localhost", "/").await.to_ascii_lowercase();
    for stripped in ["x-holm", "x_holm", "x-private", "keep-alive"] {
        assert!(!answer.contains(stripped), "{stripped}\n{answer}");
    }
    assert!(answer.contains("x-subdomain: the app's own") && answer.contains("server: app") && answer.ends_with("hej"), "{answer}");
}
