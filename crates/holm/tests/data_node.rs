//! `holm serve --role data`: a process that carries sessions and reaches a control plane, but neither catalog nor master key.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use holm_testkit::eventually;
use holm_testkit::wire_faults::{Fault, FaultProxy};
use rustix::process::Signal;
use serde_json::json;
use serving::{ENVIRONMENT, Installation, PATIENCE, Serving, until};
use tokio_postgres::Client;

/// A node's directory with the key that `holm node add` wrote.
fn let_in(installation: &Installation, by: &Serving, name: &str) -> PathBuf {
    let directory = installation.path(name);
    fs::create_dir(&directory).unwrap();
    let key = directory.join("node.key");
    let output = command(installation, by, &["node", "add", name, "--key-file", key.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    directory
}

fn command(installation: &Installation, by: &Serving, arguments: &[&str]) -> std::process::Output {
    let mut command = installation.command();
    let token = installation.path("admin.token");
    command.args(["--url", &by.url(), "--token-file", token.to_str().unwrap()]).args(arguments).output().unwrap()
}

async fn database(client: &Client) -> String {
    client.query_one("SELECT current_database()", &[]).await.unwrap().get(0)
}

async fn create(by: &Serving, slug: &str) {
    let (status, answer) = by.api("POST", &format!("/v1/environments/{ENVIRONMENT}/tenants"), Some(json!({ "slug": slug }))).await;
    assert_eq!(status, 201, "{answer}");
}

/// Every change is in force at the node when whoever made it hears so.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_catalog_and_master_key_serves_tenants_and_obeys_every_change_when_it_is_answered() {
    let installation = Installation::new(2, &["goteborg"]).await;
    let control = installation.serve("control").await;
    let directory = let_in(&installation, &control, "stockholm-1");
    let node = Serving::carry(&installation, "ignored", &directory, &[&control.url()]).await;
    let open = node.connect("goteborg").await.unwrap();
    assert_eq!(database(&open).await, database(&control.connect("goteborg").await.unwrap()).await);

    for round in 0..5 {
        let slug = format!("malmo-{round}");
        create(&control, &slug).await;
        database(&node.connect(&slug).await.unwrap()).await;
        assert_eq!(control.tell(&slug, "suspend").await.0, 200);
        let refused = node.connect(&slug).await.unwrap_err();
        assert!(refused.as_db_error().unwrap().message().contains("suspended"), "{refused:?}");
    }
    assert_eq!(control.tell("goteborg", "suspend").await.0, 200);
    eventually(PATIENCE, "its session is closed", async || open.is_closed().then_some(())).await;

    let (status, nodes) = control.api("GET", "/v1/nodes", None).await;
    let nodes = nodes["data"]["items"].as_array().unwrap().clone();
    let known = nodes.iter().find(|node| node["name"] == "stockholm-1").unwrap();
    assert!(status == 200 && known["role"] == "data" && known["lives"] == true, "{nodes:?}");
    assert_eq!(node.api("GET", "/readyz", None).await.0, 200);
    let (status, answer) = node.api("GET", "/v1/nodes", None).await;
    assert!(status == 404 && answer.to_string().contains("only carries sessions"), "{answer}");
}

/// Killed while the line to the control plane is cut, it starts from its disk: what was closed stays closed, and whoever closes
/// something meanwhile is told that this node has not heard of it.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_on_and_starts_anew_while_no_control_plane_answers_and_catches_up_when_one_does() {
    let installation = Installation::new(2, &["goteborg", "malmo", "visby"]).await;
    let control = installation.serve("control").await;
    let faults = FaultProxy::start(control.url().trim_start_matches("http://")).await.unwrap();
    let line = format!("http://{}", faults.address());
    let catalog = installation.catalog().await;
    let directory = let_in(&installation, &control, "stockholm-1");
    let mut node = Serving::carry(&installation, "one", &directory, &[&line]).await;
    let open = node.connect("goteborg").await.unwrap();
    assert_eq!(control.tell("malmo", "suspend").await.0, 200);
    faults.set(Fault::Refuse);
    let home = database(&open).await;
    database(&node.connect("goteborg").await.unwrap()).await;
    node.kill();

    let mut node = Serving::carry(&installation, "one", &directory, &[&line]).await;
    assert!(node.log().contains("no control plane answers: this node serves the routes on its disk"), "{}", node.log());
    assert_eq!(database(&node.connect("goteborg").await.unwrap()).await, home);
    assert!(node.connect("malmo").await.unwrap_err().as_db_error().unwrap().message().contains("suspended"));
    let (status, answer) = control.tell("visby", "suspend").await;
    assert!(status == 504 && answer.to_string().contains("stockholm-1"), "{answer}");
    node.connect("visby").await.expect("it could not hear of it");

    faults.set(Fault::Pass);
    eventually(PATIENCE, "it hears of it", async || node.connect("visby").await.is_err().then_some(())).await;
    create(&control, "uppsala").await;
    database(&node.connect("uppsala").await.unwrap()).await;
    assert_eq!(control.tell("malmo", "resume").await.0, 200);
    node.connect("malmo").await.unwrap();

    // Told to stop, it leaves, and nobody waits for it.
    node.signal(Signal::TERM);
    assert!(node.ended().await.success(), "{}", node.log());
    let left = "NOT EXISTS (SELECT FROM node WHERE name = 'stockholm-1' AND seen_at > now() - interval '6 seconds')";
    assert!(catalog.query_one(&format!("SELECT {left}"), &[]).await.unwrap().get::<_, bool>(0));
}

/// Of two control planes either will do.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_goes_to_the_other_control_plane_when_one_dies_and_no_session_notices() {
    let installation = Installation::new(2, &["goteborg"]).await;
    let (mut one, two) = (installation.serve("one").await, installation.serve("two").await);
    let directory = let_in(&installation, &one, "stockholm-1");
    let node = Serving::carry(&installation, "node", &directory, &[&one.url(), &two.url()]).await;
    let open = node.connect("goteborg").await.unwrap();
    let home = database(&open).await;
    one.kill();
    // Nobody waits for the dead one after some seconds; the node is heard of by the other meanwhile.
    let catalog = installation.catalog().await;
    until(&catalog, "EXISTS (SELECT FROM node WHERE name = 'one' AND seen_at < now() - interval '8 seconds')").await;
    until(&catalog, "EXISTS (SELECT FROM node WHERE name = 'stockholm-1' AND seen_at > now() - interval '4 seconds')").await;
    create(&two, "malmo").await;
    database(&node.connect("malmo").await.unwrap()).await;
    assert_eq!(database(&open).await, home);
}

/// Whoever has a key is told everything: who is removed stops, and who was never let in learns nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_removed_stops_and_one_that_was_never_let_in_does_not_start() {
    let installation = Installation::new(2, &["goteborg"]).await;
    let other = Installation::new(1, &[]).await;
    let (control, elsewhere) = (installation.serve("control").await, other.serve("elsewhere").await);
    let directory = let_in(&installation, &control, "stockholm-1");
    let mut node = Serving::carry(&installation, "node", &directory, &[&control.url()]).await;
    let open = node.connect("goteborg").await.unwrap();
    database(&open).await;
    let output = command(&installation, &control, &["node", "remove", "stockholm-1", "--yes"]);
    assert!(output.status.success(), "{output:?}");
    assert!(!node.ended().await.success());
    assert!(node.log().contains("HOLM-7011"), "{}", node.log());
    eventually(PATIENCE, "its session is closed", async || open.is_closed().then_some(())).await;
    let mut again = Serving::spawn_carrying(&installation, "again", &directory, &[&control.url()]);
    assert!(!again.ended().await.success());
    assert!(again.log().contains("HOLM-7011"), "{}", again.log());

    // A key of another installation, and none.
    let foreign = let_in(&other, &elsewhere, "stockholm-2");
    let mut foreign = Serving::spawn_carrying(&installation, "foreign", &foreign, &[&control.url()]);
    assert!(!foreign.ended().await.success());
    assert!(foreign.log().contains("HOLM-7010") && !foreign.log().contains("ready"), "{}", foreign.log());
    let mut none = Serving::spawn_carrying(&installation, "none", &installation.path("empty"), &[&control.url()]);
    assert!(!none.ended().await.success());
    assert!(none.log().contains("holm node add"), "{}", none.log());

    // The name is free again, with another key; the same file is not written over.
    let key = directory.join("node.key");
    let again = command(&installation, &control, &["node", "add", "stockholm-1", "--key-file", key.to_str().unwrap()]);
    assert!(!again.status.success(), "{again:?}");
    let output = command(&installation, &control, &["node", "keys", "-o", "json"]);
    let keys = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && !keys.contains("stockholm"), "{keys}");
    let_in(&installation, &control, "stockholm-3");
    let taken = installation.path("taken.key");
    let output = command(&installation, &control, &["node", "add", "stockholm-3", "--key-file", taken.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("HOLM-7012") && !taken.exists(), "{output:?}");
}

/// A word that somebody recorded on the way counts no second time, and one that nobody sealed is answered with nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_twice_or_sealed_by_nobody_is_refused() {
    let installation = Installation::new(1, &["goteborg"]).await;
    let control = installation.serve("control").await;
    let directory = let_in(&installation, &control, "stockholm-1");
    // Somebody on the way: it passes on what it is sent, and keeps it.
    let (recorder, recorded) = recorder(control.url()).await;
    let mut node = Serving::carry(&installation, "node", &directory, &[&recorder]).await;
    node.connect("goteborg").await.unwrap();
    node.kill();
    let said = recorded.lock().unwrap().clone();
    assert!(!said.is_empty());
    for (question, answer) in said {
        for secret in ["goteborg", "stockholm-1", "app"] {
            assert!(!answer.windows(secret.len()).any(|window| window == secret.as_bytes()), "it can be read on the way");
        }
        let (status, body) = post(&control, question.clone()).await;
        assert!(status == 403 && body.contains("HOLM-7010"), "{status} {body}");
        let mut changed = question;
        *changed.last_mut().unwrap() ^= 1;
        assert_eq!(post(&control, changed).await.0, 403);
    }
    assert_eq!(post(&control, b"nothing".to_vec()).await.0, 403);
    assert_eq!(post(&control, Vec::new()).await.0, 403);
}

async fn post(control: &Serving, body: Vec<u8>) -> (u16, String) {
    let response = reqwest::Client::new().post(format!("{}/link", control.url())).body(body).timeout(Duration::from_secs(10)).send();
    let response = response.await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

type Recorded = std::sync::Arc<std::sync::Mutex<Vec<(Vec<u8>, Vec<u8>)>>>;

async fn recorder(to: String) -> (String, Recorded) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let recorded = Recorded::default();
    let kept = std::sync::Arc::clone(&recorded);
    let pass = async move |body: axum::body::Bytes| {
        let response = reqwest::Client::new().post(format!("{to}/link")).body(body.clone()).send().await.unwrap();
        let (status, answer) = (response.status(), response.bytes().await.unwrap());
        kept.lock().unwrap().push((body.to_vec(), answer.to_vec()));
        (status, answer)
    };
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().route("/link", axum::routing::post(pass))).await });
    (url, recorded)
}
