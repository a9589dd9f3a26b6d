//! What a user sees when a part of Holm is gone for a while.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod running;

use std::fs;
use std::time::{Duration, Instant};

use holm_postgres::account::private_root;
use running::Holm;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

fn postmaster(holm: &Holm, server: &str) -> Pid {
    let text = fs::read_to_string(private_root(holm.directory()).join(server).join("postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().trim().parse().unwrap()).unwrap()
}

/// The postmaster and everything it has started; each is in a process group of its own.
fn processes(postmaster: Pid) -> Vec<Pid> {
    let parent = |pid: &str| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // proc(5): the name, in brackets, may hold anything; state and parent follow it.
        stat.rsplit(')').next()?.split_whitespace().nth(1)?.parse::<i32>().ok()
    };
    let children = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let pid = entry.unwrap().file_name().into_string().ok()?;
        (parent(&pid)? == postmaster.as_raw_nonzero().get()).then(|| Pid::from_raw(pid.parse().ok()?)).flatten()
    });
    std::iter::once(postmaster).chain(children).collect()
}

/// The story: the catalog does not answer for half a minute. Customers do not notice; who wants to create one is told in time
/// that nothing was changed, and can a moment after it is back.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_gone_for_30_s_stops_no_session_and_loses_no_tenant() {
    let holm = Holm::demo().await;
    let before = holm.connect("production", "rw", "malmo").await.unwrap();
    // Stopped, its processes hold every connection open and answer nothing, the worst way to be gone.
    let catalog = processes(postmaster(&holm, "catalog"));
    for process in &catalog {
        kill_process(*process, Signal::STOP).unwrap();
    }
    let gone = Instant::now();

    let create = || holm.api("POST", "/v1/environments/production/tenants", Some(json!({ "slug": "lund" })));
    let (status, answer) = tokio::time::timeout(Duration::from_secs(70), create()).await.expect("a refusal within its deadline");
    assert_eq!((status, answer["error"]["code"].as_str()), (503, Some("HOLM-7001")), "{answer}");
    assert!(!answer["error"]["next"].as_array().unwrap().is_empty(), "{answer}");
    while gone.elapsed() < Duration::from_secs(30) {
        before.query_one("SELECT count(*) FROM musicians", &[]).await.unwrap();
        holm.connect("staging", "ro", "goteborg").await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    for process in &catalog {
        // A backend may have been ended by a signal that was waiting for it.
        let _ = kill_process(*process, Signal::CONT);
    }

    let deadline = Instant::now() + Duration::from_secs(30);
    loop {
        let (status, answer) = create().await;
        // The first request may have been carried out by the catalog after all, once it could: then it says so.
        if status == 201 || (status == 409 && answer["error"]["code"] == "HOLM-1102") {
            break;
        }
        assert!(Instant::now() < deadline, "{status} {answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let deadline = Instant::now() + Duration::from_secs(30);
    while holm.connect("production", "rw", "lund").await.is_err() {
        assert!(Instant::now() < deadline, "the tenant is served in the end");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The story: an environment's server is killed. `holm dev` says so and ends with 1, and the next start has everything.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_dies_is_named_and_the_next_start_recovers_what_was_committed() {
    let mut holm = Holm::demo().await;
    let client = holm.connect("production", "owner", "goteborg").await.unwrap();
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (7)").await.unwrap();
    kill_process(postmaster(&holm, "env-production"), Signal::KILL).unwrap();
    assert_eq!(holm.ended().await.code(), Some(1));
    let log = holm.log();
    assert!(log.contains("HOLM-6003") && log.contains("env-production"), "{log}");
    holm.restart().await;
    let client = holm.connect("production", "rw", "goteborg").await.unwrap();
    assert_eq!(client.query_one("SELECT n FROM kept", &[]).await.unwrap().get::<_, i32>(0), 7);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_create_one_slug_at_once_one_wins_and_the_other_is_told() {
    let holm = Holm::demo().await;
    for round in 0..10 {
        let create = || holm.api("POST", "/v1/environments/production/tenants", Some(json!({ "slug": format!("race-{round}") })));
        let (one, two) = tokio::join!(create(), create());
        let mut statuses = [one.0, two.0];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 409], "{} {}", one.1, two.1);
        let told = if one.0 == 409 { one.1 } else { two.1 };
        assert_eq!(told["error"]["code"], "HOLM-1102");
        assert_eq!(told["error"]["changed"], "nothing");
    }
}

/// The story: a suspended orchestra's open session is closed, new ones are told why, and after `resume` all is as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_suspended_tenant_is_closed_for_open_and_new_sessions_and_its_neighbour_notices_nothing() {
    let holm = Holm::demo().await;
    let open = holm.connect("production", "rw", "malmo").await.unwrap();
    let neighbour = holm.connect("production", "rw", "goteborg").await.unwrap();
    holm.cli_ok(&["tenant", "suspend", "malmo", "--env", "production"]);
    assert!(open.query_one("SELECT 1", &[]).await.is_err());
    let refused = holm.connect("production", "rw", "malmo").await.err().unwrap();
    assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("57P03"));
    let refused = refused.as_db_error().unwrap();
    assert!(refused.detail().is_some() && refused.hint().is_some(), "{refused:?}");
    neighbour.query_one("SELECT 1", &[]).await.unwrap();
    holm.cli_ok(&["tenant", "resume", "malmo", "--env", "production"]);
    holm.connect("production", "rw", "malmo").await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_unacceptable_slug_is_refused_with_a_reason_and_none_is_created() {
    let holm = Holm::demo().await;
    let long = "a".repeat(64);
    for slug in [
        "admin",
        "www",
        "postgres",
        "template1",
        "Göteborg",
        "a b",
        "x'; DROP TABLE tenant; --",
        "\"",
        "-a",
        "xn--a",
        "",
        &long,
        "a\u{0}b",
        "../x",
    ] {
        let (status, answer) = holm.api("POST", "/v1/environments/production/tenants", Some(json!({ "slug": slug }))).await;
        assert_eq!((status, answer["error"]["code"].as_str()), (400, Some("HOLM-1101")), "{slug:?} {answer}");
        assert_eq!(answer["error"]["changed"], "nothing", "{slug:?}");
    }
    let (_, tenants) = holm.api("GET", "/v1/environments/production/tenants", None).await;
    assert_eq!(tenants["data"].as_array().map_or_else(|| tenants["data"]["items"].as_array().unwrap().len(), Vec::len), 3, "{tenants}");
}
