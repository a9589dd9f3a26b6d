//! A tenant that is suspended is cut off before the control plane is told that it is; nobody else notices.

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use holm_core::route::{Route, RouteChange, RouteState};

use hyper::Response;
use hyper::body::{Frame, Incoming};

use crate::tunnels::{echo, handshake, open};
use crate::world::{AppBody, World, app, mirror, route, streamed, tenant_id};

#[tokio::test]
async fn r75_a_suspended_tenant_is_refused_from_the_acknowledgement_on_and_a_resumed_one_is_not() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let mut kept = world.connect().await;
    kept.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    assert!(kept.head().await.starts_with("HTTP/1.1 200 "));
    kept.until("trailers {}\n").await;

    world.suspend(1, "goteborg", "production").await;
    // On a connection that was open all along, too.
    kept.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    let answer = kept.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("HOLM-1206") && answer.contains("retry-after: "), "{answer}");
    assert!(world.get("malmo.localhost", "/").await.starts_with("HTTP/1.1 200 "));
    assert!(world.get("goteborg.staging.localhost", "/").await.starts_with("HTTP/1.1 200 "), "the same name in another environment");

    world.publish([RouteChange::Route(route(1, "goteborg", "production"))]).await;
    assert!(world.get("goteborg.localhost", "/").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_deleted_tenants_address_is_gone_and_says_nothing_of_what_was_there() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    world.publish([RouteChange::Route(Route { state: RouteState::Deleted, ..route(1, "goteborg", "production") })]).await;
    let answer = world.get("goteborg.localhost", "/bookings?of=anna").await;
    assert!(answer.starts_with("HTTP/1.1 410 ") && answer.contains("HOLM-1211") && answer.contains("cache-control: no-store"), "{answer}");
    assert!(!answer.contains("anna") && !answer.contains("bookings") && !answer.contains("ten_"), "{answer}");
    assert!(world.get("malmo.localhost", "/").await.starts_with("HTTP/1.1 200 "));
    assert_eq!(world.count("requests_deleted"), 1);
}

#[tokio::test]
async fn r75_an_old_address_leads_to_the_new_one_with_method_path_and_query_kept_and_what_is_open_stays_open() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    let mut kept = world.connect().await;
    kept.send("GET / HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    assert!(kept.head().await.starts_with("HTTP/1.1 200 "));
    kept.until("trailers {}\n").await;
    let renamed = Route { aliases: Box::new(["goteborg".parse().unwrap()]), epoch: 2, ..route(1, "vast", "production") };
    world.publish([RouteChange::Route(renamed)]).await;
    assert_eq!(world.count("sessions_cut"), 0);
    let answer =
        world.exchange("POST /a/b?c=d HTTP/1.1\r\nHost: GOTEBORG.localhost:8080\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 308 ") && answer.contains("location: //vast.localhost:8080/a/b?c=d\r\n"), "{answer}");
    assert!(answer.contains("cache-control: no-store"), "the old name may be another's one day: {answer}");
    assert!(world.get("goteborg.localhost", "//evil.example/").await.contains("location: //vast.localhost//evil.example/\r\n"));
    assert!(world.get("vast.localhost", "/").await.starts_with("HTTP/1.1 200 "));
    assert!(world.get("goteborg.staging.localhost", "/").await.starts_with("HTTP/1.1 200 "), "the same name in another environment");
    kept.send("GET / HTTP/1.1\r\nHost: vast.localhost\r\n\r\n").await;
    assert!(kept.head().await.starts_with("HTTP/1.1 200 "));
    // When its time is over it is nobody's.
    world.publish([RouteChange::Route(Route { epoch: 3, ..route(1, "vast", "production") })]).await;
    assert!(world.get("goteborg.localhost", "/").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn a_suspension_closes_the_tenants_tunnels_before_it_is_acknowledged_and_no_others() {
    let (address, _app) = app(echo).await;
    let world = World::new(Some(address)).await;
    let mut suspended = open(&world, "goteborg.localhost").await;
    let mut other = open(&world, "malmo.localhost").await;
    suspended.until("hello goteborg\n").await;
    other.until("hello malmo\n").await;

    world.suspend(1, "goteborg", "production").await;
    assert_eq!((world.count("tunnels_open"), world.count("sessions_cut")), (1, 1));
    assert_eq!(suspended.rest().await, "");
    other.send("still here").await;
    other.until("still here").await;
}

#[tokio::test]
async fn a_suspension_ends_answers_that_are_still_coming_and_requests_that_wait_for_one() {
    let (address, _app) = app(|request: hyper::Request<Incoming>| async move {
        if request.uri().path() == "/waits" {
            return std::future::pending::<Response<AppBody>>().await;
        }
        let first = stream::iter([Ok(Frame::data(Bytes::from("first")))]);
        Response::new(streamed(first.chain(stream::pending())))
    })
    .await;
    let world = World::new(Some(address)).await;
    let mut streaming = world.connect().await;
    streaming.send("GET /events HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    streaming.until("first\r\n").await;
    let mut waiting = world.connect().await;
    waiting.send("GET /waits HTTP/1.1\r\nHost: goteborg.localhost\r\n\r\n").await;
    // Whichever way the race goes, the answer is the same: the tenant is suspended.
    world.suspend(1, "goteborg", "production").await;
    assert_eq!(streaming.rest().await, "", "an answer that is cut off does not end as if it were whole");
    let answer = waiting.rest().await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("HOLM-1206"), "{answer}");
}

#[tokio::test]
async fn r77_a_tenant_that_is_gone_is_cut_off_and_its_host_is_nobodys() {
    let (address, _app) = app(echo).await;
    let world = World::new(Some(address)).await;
    let mut client = open(&world, "goteborg.localhost").await;
    client.until("hello goteborg\n").await;
    world.publish([RouteChange::RouteGone(tenant_id(1).parse().unwrap())]).await;
    assert_eq!(client.rest().await, "");
    assert!(world.get("goteborg.localhost", "/").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn r75_a_tenant_that_was_just_created_is_served_without_a_reload() {
    let (address, _app) = app(mirror).await;
    let world = World::new(Some(address)).await;
    assert!(world.get("stockholm.localhost", "/").await.starts_with("HTTP/1.1 404 "));
    world.publish([RouteChange::Route(route(9, "stockholm", "production"))]).await;
    let answer = world.get("stockholm.localhost", "/").await;
    assert!(answer.contains("x-subdomain: stockholm\n") && answer.contains(&tenant_id(9)), "{answer}");
}

/// Handshakes race a suspension on two threads, many times: once it is acknowledged, none of them has a tunnel.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_slips_in_between_a_suspension_and_its_acknowledgement() {
    let (address, _app) = app(echo).await;
    let world = World::new(Some(address)).await;
    let (mut refused, mut carried) = (0, 0);
    for _ in 0..40 {
        let mut clients = Vec::new();
        for _ in 0..8 {
            clients.push(world.connect().await);
        }
        for client in &mut clients {
            client.send(handshake("goteborg.localhost")).await;
        }
        world.suspend(1, "goteborg", "production").await;
        assert_eq!(world.count("tunnels_open"), 0);
        for mut client in clients {
            let answer = client.rest().await;
            refused += usize::from(answer.contains("HOLM-1206"));
            carried += usize::from(answer.starts_with("HTTP/1.1 101 "));
        }
        world.publish([RouteChange::Route(route(1, "goteborg", "production"))]).await;
    }
    assert!(refused > 0, "{refused} refused, {carried} carried until cut off: the two did not race");
}
