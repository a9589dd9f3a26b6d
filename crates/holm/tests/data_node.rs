//! `holm serve --role data`: a process that carries sessions and reaches a control plane, but neither catalog nor master key.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use holm_core::id::{InstallationId, NodeId};
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_link::bundle::{self, Envelope, PairKey, PublicKey};
use holm_link::message::{Answer, Hello, Nonce};
use holm_testkit::eventually;
use holm_testkit::wire_faults::{Fault, FaultProxy};
use rustix::process::Signal;
use serde_json::json;
use serving::{ENVIRONMENT, Installation, PATIENCE, Serving, until};
use tokio_postgres::Client;

const NORDLYS: &str = include_str!("../../../demo/facts/nordlys.toml");
const SKYLINE: &str = include_str!("../../../demo/facts/skyline.toml");

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

/// What is denied, and blocked at once, is over at a node that only carries sessions, open sessions too (R2). Prints how long that takes.
#[tokio::test(flavor = "multi_thread")]
async fn r2_what_a_profile_takes_away_is_taken_away_at_a_node_that_knows_no_facts() {
    let installation = Installation::new(1, &["goteborg"]).await;
    let control = installation.serve("control").await;
    let directory = let_in(&installation, &control, "stockholm-1");
    let node = Serving::carry(&installation, "ignored", &directory, &[&control.url()]).await;
    let holm = |arguments: &[&str]| {
        let output = command(&installation, &control, arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
    };
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = today.checked_add(jiff::Span::new().days(365)).unwrap();
    for (name, text) in [("nordlys", NORDLYS), ("skyline", SKYLINE)] {
        let file = installation.path(&format!("{name}.toml"));
        fs::write(&file, text.replace("@today@", &today.to_string()).replace("@until@", &until.to_string())).unwrap();
        holm(&["residency", "facts", "add", file.to_str().unwrap()]);
    }
    for company in ["nordlys-as", "skyline-europe-ab"] {
        holm(&["residency", "paper", "add", "dpa", "--with", company, "--signed-on", "2026-01-10"]);
    }
    let shipped = holm_engine::residency::profile::shipped("eea-jurisdiction").unwrap();
    let (before, rest) = shipped.split_once("[[on_breach]]").unwrap();
    let at_once = format!("{before}[[on_breach]]\nafter_days = 0\nstep = \"block\"\n\n[[case]]{}", rest.split_once("[[case]]").unwrap().1);
    fs::write(installation.path("at-once.toml"), at_once).unwrap();
    holm(&["residency", "profile", "add", installation.path("at-once.toml").to_str().unwrap()]);
    let cluster = installation.catalog().await.query_one("SELECT name FROM cluster", &[]).await.unwrap().get::<_, String>(0);
    holm(&["cluster", "set-place", &cluster, "--env", ENVIRONMENT, "--provider", "nordlys", "--region", "no-osl"]);
    holm(&["tenant", "set-profile", "goteborg", "--env", ENVIRONMENT, "--profile", "eea-jurisdiction"]);

    for _ in 0..3 {
        let open = node.connect("goteborg").await.unwrap();
        database(&open).await;
        let begun = Instant::now();
        let (status, answer) = control
            .api(
                "POST",
                &format!("/v1/environments/{ENVIRONMENT}/clusters/{cluster}/set-place"),
                Some(json!({ "place": { "provider": "skyline", "region": "se-sto" } })),
            )
            .await;
        assert_eq!(status, 200, "{answer}");
        eventually(PATIENCE, "its session is closed", async || open.is_closed().then_some(())).await;
        println!("a session at the node ended {:?} after the change was begun", begun.elapsed());
        let refused = node.connect("goteborg").await.unwrap_err();
        let refused = refused.as_db_error().unwrap();
        assert!(refused.message().contains("HOLM-5024"), "{refused:?}");
        holm(&["cluster", "set-place", &cluster, "--env", ENVIRONMENT, "--provider", "nordlys", "--region", "no-osl"]);
        eventually(PATIENCE, "it is let in again", async || node.connect("goteborg").await.is_ok().then_some(())).await;
    }
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

    // Somebody on the way says what only a control plane may say: nothing comes of it.
    let forger = forger().await;
    let mut node = Serving::carry(&installation, "one", &directory, &[&forger]).await;
    assert!(node.log().contains("this node serves the routes on its disk"), "{}", node.log());
    node.kill();

    let mut node = Serving::carry(&installation, "one", &directory, &[&line]).await;
    assert!(node.log().contains("no control plane answers: this node serves the routes on its disk"), "{}", node.log());
    assert_eq!(database(&node.connect("goteborg").await.unwrap()).await, home);
    assert!(node.connect("malmo").await.unwrap_err().as_db_error().unwrap().message().contains("suspended"));
    // Longer than it takes to write again what lies there: that must not make it older, or newer.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(1500) {
        database(&node.connect("goteborg").await.unwrap()).await;
    }
    node.kill();
    let mut node = Serving::carry(&installation, "one", &directory, &[&line]).await;
    assert!(node.log().contains("this node serves the routes on its disk"), "{}", node.log());
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
    assert!(!directory.join("routes").exists(), "it could start from them");

    // A key of another installation, and none.
    let foreign = let_in(&other, &elsewhere, "stockholm-2");
    let mut foreign = Serving::spawn_carrying(&installation, "foreign", &foreign, &[&control.url()]);
    assert!(!foreign.ended().await.success());
    assert!(foreign.log().contains("HOLM-7010") && !foreign.log().contains("ready"), "{}", foreign.log());
    let mut none = Serving::spawn_carrying(&installation, "none", &installation.path("empty"), &[&control.url()]);
    assert!(!none.ended().await.success());
    assert!(none.log().contains("holm node add"), "{}", none.log());

    // Its run may still be there: nobody gets the name before somebody says that it is not. A key is written over nothing.
    let fresh = installation.path("fresh.key");
    for (file, why) in [(&fresh, "HOLM-7012"), (&directory.join("node.key"), "is there already")] {
        let again = command(&installation, &control, &["node", "add", "stockholm-1", "--key-file", file.to_str().unwrap()]);
        assert!(!again.status.success() && String::from_utf8_lossy(&again.stderr).contains(why), "{again:?}");
    }
    assert!(!fresh.exists(), "a key that is good for nothing");
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

/// Whoever has a node's key is that node, and nobody else; from the moment of its removal it is told nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_nodes_key_speaks_for_that_node_alone_and_for_nobody_when_it_is_removed() {
    let installation = Installation::new(1, &["goteborg"]).await;
    let control = installation.serve("control").await;
    let key = Key::read(&let_in(&installation, &control, "stockholm-1"));
    let catalog = installation.catalog().await;
    let other: uuid::Uuid = catalog.query_one("SELECT id FROM node WHERE name = 'control'", &[]).await.unwrap().get(0);
    let newest: i64 = catalog.query_one("SELECT version FROM route_clock", &[]).await.unwrap().get(0);
    let newest = RouteVersion(u64::try_from(newest).unwrap());

    // As another node, which would have confirmed what it never heard of; and as itself, of what nobody was given.
    for (run, uses, has) in
        [(other, newest, newest), (other, newest, RouteVersion(newest.0 - 1)), (uuid::Uuid::new_v4(), newest, RouteVersion(0))]
    {
        let (status, body) = post(&control, key.question(run, uses, has, Nonce([1; 16]))).await;
        assert_eq!(status, 403, "{body}");
    }
    let leaves = "SELECT count(*) FROM node WHERE name = 'control' AND seen_at > now() - interval '7 seconds'";
    assert_eq!(catalog.query_one(leaves, &[]).await.unwrap().get::<_, i64>(0), 1);
    assert_eq!(catalog.query_one("SELECT count(*) FROM node", &[]).await.unwrap().get::<_, i64>(0), 1, "nobody else joined");

    let (run, nonce) = (uuid::Uuid::new_v4(), Nonce([2; 16]));
    let told = key.answered(nonce, &raw_post(&control, key.question(run, RouteVersion(0), RouteVersion(0), nonce)).await);
    let Answer::Table(table) = told else { panic!("{told:?}") };
    // This question waits for news; the node is removed meanwhile, and what comes then is not for it.
    let held = key.question(run, table.version(), table.version(), nonce);
    let url = control.url();
    let waiting = tokio::spawn(async move { raw_post_at(&url, held).await });
    until(&catalog, &format!("EXISTS (SELECT FROM node WHERE id = '{run}' AND route_version = {})", table.version())).await;
    let output = command(&installation, &control, &["node", "remove", "stockholm-1", "--yes"]);
    assert!(output.status.success(), "{output:?}");
    catalog.execute("DELETE FROM node WHERE id = $1", &[&run]).await.unwrap();
    create(&control, "malmo").await;
    assert!(matches!(key.answered(nonce, &waiting.await.unwrap()), Answer::Removed | Answer::Nothing));
    assert!(matches!(
        key.answered(nonce, &raw_post(&control, key.question(run, table.version(), table.version(), nonce)).await),
        Answer::Removed
    ));
}

/// What a `node.key` has.
struct Key {
    mine: Envelope,
    sender: PublicKey,
    pair: PairKey,
}

impl Key {
    fn read(directory: &std::path::Path) -> Self {
        let bytes = fs::read(directory.join("node.key")).unwrap();
        let part = |from: usize| -> [u8; 32] { bytes[from..from + 32].try_into().unwrap() };
        let installation = InstallationId::from_uuid(uuid::Uuid::from_slice(&bytes[8..24]).unwrap());
        let node = holm_link::bundle::NodeId(bytes[24..40].try_into().unwrap());
        let mine = Envelope { installation, node, version: RouteVersion(0) };
        Self { mine, sender: PublicKey(part(40)), pair: PairKey::from_bytes(&Secret::new(part(72))) }
    }

    fn question(&self, run: uuid::Uuid, uses: RouteVersion, has: RouteVersion, nonce: Nonce) -> Vec<u8> {
        let asked = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        let hello =
            Hello { run: NodeId::from_uuid(run), asked, nonce, uses, has, leaves: false, holm_version: "0.1.0".to_owned(), told: None };
        let ephemeral = Secret::new([*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat().try_into().unwrap());
        bundle::seal(&self.pair, &self.sender, &ephemeral, &self.mine, &hello.encode()).unwrap()
    }

    fn answered(&self, nonce: Nonce, bytes: &[u8]) -> Answer {
        let (_, plain) = bundle::open(&self.pair, &self.sender, &self.mine, bytes).unwrap();
        Answer::decode(nonce, plain.expose()).unwrap()
    }
}

async fn raw_post(control: &Serving, body: Vec<u8>) -> Vec<u8> {
    raw_post_at(&control.url(), body).await
}

async fn raw_post_at(url: &str, body: Vec<u8>) -> Vec<u8> {
    let response = reqwest::Client::new().post(format!("{url}/link")).body(body).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.bytes().await.unwrap().to_vec()
}

/// Says to everybody that they were removed, under no seal.
async fn forger() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let error = json!({ "code": "HOLM-7011", "what": "this node was removed", "changed": "nothing", "next": [] });
    let says = axum::Json(json!({ "ok": false, "data": null, "error": error, "operation": null }));
    let answer = async move || (reqwest::StatusCode::FORBIDDEN, says.clone());
    tokio::spawn(async move { axum::serve(listener, axum::Router::new().fallback(answer)).await });
    url
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

/// Who uses the nodes is the sum of what all say: a process on the catalog, another one, and a node that only asks. One that stands still
/// is named, and the others are shown all the same.
#[tokio::test(flavor = "multi_thread")]
async fn who_uses_all_nodes_is_added_up_and_one_that_does_not_answer_is_named() {
    let installation = Installation::new(2, &["goteborg", "malmo"]).await;
    let (one, two) = (installation.serve("one").await, installation.serve("two").await);
    let directory = let_in(&installation, &one, "stockholm-1");
    let node = Serving::carry(&installation, "ignored", &directory, &[&two.url()]).await;
    let mut sessions = Vec::new();
    for (serving, slug) in [(&one, "goteborg"), (&two, "goteborg"), (&node, "goteborg"), (&node, "malmo")] {
        let session = serving.connect(slug).await.unwrap();
        database(&session).await;
        sessions.push(session);
    }
    // Whichever control plane is asked, and whichever the node asks.
    for asked in [&one, &two] {
        let top = eventually(PATIENCE, "all are heard", async || {
            let top = top(&installation, asked);
            (top.matches("goteborg").count() == 1 && top.contains("3 nodes (")).then_some(top)
        })
        .await;
        let line = |slug: &str| top.lines().find(|line| line.starts_with(slug)).unwrap_or_else(|| panic!("{top}")).to_owned();
        assert!(line("goteborg").contains("3 nodes"), "{top}");
        assert!(line("malmo").contains("stockholm-1"), "{top}");
        assert!(top.contains("): sessions 4, ") && !top.contains("did not answer"), "{top}");
    }
    two.signal(Signal::STOP);
    let top = top(&installation, &one);
    assert!(top.contains("two did not answer"), "{top}");
    two.signal(Signal::CONT);
    drop(sessions);
}

fn top(installation: &Installation, asked: &Serving) -> String {
    let output = command(installation, asked, &["fleet", "top", "--once"]);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}
