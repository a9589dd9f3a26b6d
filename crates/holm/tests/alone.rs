//! A node that starts while the catalog is away: it serves what it kept, and goes over to the catalog when that is back.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use axum::Router;
use axum::http::HeaderMap;
use holm_core::credential::Level;
use holm_core::error::ErrorCode;
use holm_core::id::InstallationId;
use holm_core::secret::Secret;
use holm_engine::control::Control;
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::{key, tenant};
use holm_link::bundle::{self, Envelope, NodeId, PairKey};
use holm_link::kept;
use holm_testkit::eventually;
use holm_testkit::wire_faults::{Fault, FaultProxy};
use rustix::process::Signal;
use serving::{BY, ENVIRONMENT, Installation, PATIENCE, SECRET, Serving, connect_as, create, until};
use tokio_postgres::Client;

/// An installation whose processes reach their catalog over a line that can be cut, and keep their routes.
struct Line {
    installation: Installation,
    faults: FaultProxy,
    data: PathBuf,
}

impl Line {
    async fn new(tenants: &[&str]) -> Self {
        let mut installation = Installation::new(2, tenants).await;
        let address = installation.catalog.server.address.to_string();
        let faults = FaultProxy::start(address.as_str()).await.unwrap();
        let url = installation.catalog.url().replace(&address, &faults.address().to_string());
        fs::write(installation.path("catalog.url"), url).unwrap();
        let data = installation.path("node");
        installation.variables.push(("HOLM_DATA_DIR", data.to_str().unwrap().to_owned()));
        Self { installation, faults, data }
    }

    fn routes(&self) -> Vec<u8> {
        fs::read(self.data.join("routes")).unwrap()
    }

    /// Starts one that must not.
    async fn refused(&self) -> String {
        let mut serving = Serving::spawn(&self.installation, "one", 0);
        assert!(!serving.ended().await.success(), "{}", serving.log());
        serving.log()
    }
}

/// An app that says which tenant the gateway told it.
async fn app() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tell = async |headers: HeaderMap| headers["x-subdomain"].to_str().unwrap().to_owned();
    tokio::spawn(async move { axum::serve(listener, Router::new().fallback(tell)).await });
    url
}

async fn browse(serving: &Serving, slug: &str) -> (u16, String) {
    let request = reqwest::Client::new().get(format!("http://{}/", serving.gateway)).header("host", format!("{slug}.example.test"));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

async fn database(client: &Client) -> String {
    client.query_one("SELECT current_database()", &[]).await.unwrap().get(0)
}

async fn second_credential(control: &Control) {
    let new = NewCredential {
        environment: ENVIRONMENT.parse().unwrap(),
        name: "second".parse().unwrap(),
        scope: CredentialScope::App,
        level: Level::Rw,
        secret: Some(Secret::new(SECRET.to_owned())),
    };
    credential::issue(control, &BY, new).await.unwrap();
}

/// The story: the catalog cannot be reached, and the node is started anew. Its tenants are served, by the proxy and by the
/// gateway, and it says that it is alone. Meanwhile somebody else, who reaches the catalog, revokes a credential, suspends a
/// tenant and makes one; each time that closes something they are told that this node has not heard of it. When the line is there again,
/// the node takes it all up without a restart, and closes the session that is open.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_starts_and_serves_without_the_catalog_and_takes_up_what_was_changed_when_it_is_back() {
    let mut line = Line::new(&["goteborg", "malmo"]).await;
    line.installation.variables.push(("HOLM_APP", app().await));
    let control = line.installation.control(None).await;
    control.start();
    second_credential(&control).await;
    let mut one = line.installation.serve("one").await;
    let home = database(&one.connect("goteborg").await.unwrap()).await;
    one.signal(Signal::TERM);
    assert!(one.ended().await.success(), "{}", one.log());
    line.faults.set(Fault::Refuse);
    let kept = line.routes();

    let one = line.installation.serve("one").await;
    assert!(one.log().contains("from disk, since the catalog does not answer"), "{}", one.log());
    assert!(one.log().contains("this node serves the routes on its disk"), "{}", one.log());
    let open = connect_as("second", &[one.proxy_port], "goteborg").await.unwrap();
    assert_eq!(database(&open).await, home);
    let stays = one.connect("goteborg").await.unwrap();
    assert_eq!(browse(&one, "malmo").await, (200, "malmo".to_owned()));
    let (status, ready) = one.api("GET", "/readyz", None).await;
    assert!(status == 503 && ready.to_string().contains("with the routes on its disk"), "{ready}");
    let (status, list) = one.api("GET", &format!("/v1/environments/{ENVIRONMENT}/tenants"), None).await;
    assert!(status == 503 && list["error"]["code"] == "HOLM-7001", "{list}");
    assert_eq!(one.api("GET", "/healthz", None).await.0, 200);
    let metrics = async || reqwest::get(format!("{}/metrics", one.url())).await.unwrap().text().await.unwrap();
    assert!(metrics().await.contains("\nholm_routes_from_disk 1\n"), "{}", metrics().await);
    assert!(metrics().await.contains("holm_tenants{environment=\"production\",state=\"serving\"} 2"));

    let second = "second".parse().unwrap();
    let revoked = credential::revoke(&control, &BY, &ENVIRONMENT.parse().unwrap(), &second).await.unwrap_err();
    assert!(revoked.code == ErrorCode::DataPlaneSilent && revoked.what.contains("by one "), "{revoked:?}");
    let suspended = tenant::suspend(&control, &BY, &ENVIRONMENT.parse().unwrap(), &"malmo".parse().unwrap()).await.unwrap_err();
    assert!(suspended.code == ErrorCode::DataPlaneSilent && suspended.what.contains("by one "), "{suspended:?}");
    create(&control, "uppsala").await;
    assert_eq!(database(&open).await, home, "what it cannot hear of goes on");
    assert!(one.connect("uppsala").await.is_err());
    assert_eq!(line.routes(), kept, "a node that is alone has nothing newer to keep");

    line.faults.set(Fault::Pass);
    eventually(PATIENCE, "the new tenant is served", async || one.connect("uppsala").await).await;
    eventually(PATIENCE, "the session of the revoked credential is closed", async || open.is_closed().then_some(())).await;
    assert!(connect_as("second", &[one.proxy_port], "goteborg").await.is_err());
    assert_eq!(database(&stays).await, home, "who may stay is not disturbed");
    assert!(one.connect("malmo").await.is_err());
    assert_ne!(browse(&one, "malmo").await.0, 200);
    eventually(PATIENCE, "the API answers", async || (one.api("GET", "/readyz", None).await.0 == 200).then_some(())).await;
    assert!(metrics().await.contains("\nholm_routes_from_disk 0\n"));
    assert_eq!(one.tell("malmo", "resume").await.0, 200);
    one.connect("malmo").await.unwrap();
    assert_eq!(one.tell("malmo", "suspend").await.0, 200, "it is heard of again, so that nobody is lost");
    assert_ne!(line.routes(), kept);
    control.shutdown().await;
}

/// The same with a catalog whose server is stopped, a node that is killed, and nobody who changes anything.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_was_killed_starts_while_the_catalogs_server_is_down_and_creates_tenants_when_it_is_up() {
    // For the life of the test process, as the one that is shared.
    let server = Box::leak(Box::new(holm_testkit::new_server(&[]).await));
    let mut installation = Installation::on(server, 2, &["goteborg"]).await;
    installation.variables.push(("HOLM_DATA_DIR", installation.path("node").to_str().unwrap().to_owned()));
    let mut one = installation.serve("one").await;
    server.stop().await;
    one.connect("goteborg").await.unwrap();
    one.kill();
    let one = installation.serve("one").await;
    database(&one.connect("goteborg").await.unwrap()).await;
    server.restart().await;
    let new = serde_json::json!({ "slug": "uppsala" });
    let created = async || {
        let (status, answer) = one.api("POST", &format!("/v1/environments/{ENVIRONMENT}/tenants"), Some(new.clone())).await;
        if status == 201 { Ok(()) } else { Err(answer) }
    };
    eventually(PATIENCE, "a tenant is made", created).await;
    database(&one.connect("uppsala").await.unwrap()).await;
}

/// A suspension is answered, and the node is killed at that moment. Without the catalog it starts from its disk: the tenant
/// is suspended there, every time.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_confirmed_as_closed_stays_closed_through_a_kill_and_a_start_without_the_catalog() {
    let line = Line::new(&["goteborg", "malmo"]).await;
    let mut one = line.installation.serve("one").await;
    for round in 0..4 {
        let verb = if round % 2 == 0 { "suspend" } else { "resume" };
        let (status, answer) = one.tell("goteborg", verb).await;
        assert_eq!(status, 200, "{answer}");
        one.kill();
        line.faults.set(Fault::Refuse);
        one = line.installation.serve("one").await;
        assert!(one.log().contains("from disk"), "{}", one.log());
        assert!(one.connect("malmo").await.is_ok());
        if verb == "suspend" {
            let refused = one.connect("goteborg").await.unwrap_err();
            assert!(refused.as_db_error().unwrap().message().contains("suspended"), "{refused:?}");
        }
        line.faults.set(Fault::Pass);
        eventually(PATIENCE, "the API answers", async || (one.api("GET", "/readyz", None).await.0 == 200).then_some(())).await;
    }
}

/// A catalog that was put back to an earlier state would confirm what this node never hears of: it is not gone over to, and the
/// node goes on with what it has. Started again, it goes by the catalog.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_behind_what_is_served_is_not_taken_up_until_the_node_is_started_anew() {
    let line = Line::new(&["goteborg"]).await;
    let catalog = line.installation.catalog().await;
    catalog.batch_execute("UPDATE route_clock SET version = version + 10").await.unwrap();
    let mut one = line.installation.serve("one").await;
    one.kill();
    line.faults.set(Fault::Refuse);
    let mut one = line.installation.serve("one").await;
    catalog.batch_execute("UPDATE route_clock SET version = version - 10").await.unwrap();
    line.faults.set(Fault::Pass);
    let said = async || one.log().contains("put back to an earlier state").then_some(());
    eventually(PATIENCE, "it says so", said).await;
    let (status, ready) = one.api("GET", "/readyz", None).await;
    assert!(status == 503 && ready.to_string().contains("with the routes on its disk"), "{ready}");
    one.connect("goteborg").await.unwrap();
    assert_eq!(catalog.query_one("SELECT count(*) FROM node", &[]).await.unwrap().get::<_, i64>(0), 1, "only the one that was killed");
    one.kill();
    let one = line.installation.serve("one").await;
    assert!(one.log().contains("the catalog is behind the routes that were kept"), "{}", one.log());
    one.connect("goteborg").await.unwrap();
    assert_eq!(one.tell("goteborg", "suspend").await.0, 200);
}

/// The bundle on disk with another time of the catalog's last word, sealed as the control plane does.
fn heard_before(line: &Line, control: &Control, time: Duration) {
    let identity = fs::read(line.data.join("node.key")).unwrap();
    let pair = PairKey::from_bytes(&Secret::new(identity[72..104].try_into().unwrap()));
    let node = NodeId(identity[24..40].try_into().unwrap());
    let (installation, sender): (InstallationId, _) = key::bundle::sender(control);
    let mine = Envelope { installation, node, version: holm_core::route::RouteVersion(0) };
    let (version, plain) = bundle::open(&pair, &sender, &mine, &line.routes()).unwrap();
    let known = kept::decode(plain.expose()).unwrap();
    let older = kept::encode(&known.heard.before(time), &known.table);
    let sealed = key::bundle::seal(control, node, &pair.public(), version, older.expose()).unwrap();
    fs::write(line.data.join("routes"), sealed).unwrap();
}

/// Each is refused by name and left as it is; the same directory is good again when the file is.
#[tokio::test(flavor = "multi_thread")]
async fn kept_routes_that_are_damaged_foreign_or_too_old_are_refused_by_name_and_left_as_they_are() {
    let line = Line::new(&["goteborg"]).await;
    let control = line.installation.control(None).await;
    line.faults.set(Fault::Refuse);
    let log = line.refused().await;
    assert!(log.contains("HOLM-7001") && log.contains("no routes on its disk yet"), "{log}");

    line.faults.set(Fault::Pass);
    let (mut one, mut two) = (line.installation.serve("one").await, Serving::spawn(&line.installation, "two", 0));
    assert!(!two.ended().await.success() && two.log().contains("HOLM-6004"), "{}", two.log());
    one.kill();
    line.faults.set(Fault::Refuse);
    let good = line.routes();

    let other = Line::new(&["lund"]).await;
    drop(other.installation.serve("one").await);
    let mut changed = good.clone();
    changed[200] ^= 1;
    let cases = [("cut", good[..good.len() - 1].to_vec()), ("cut, changed", changed), ("another installation", other.routes())];
    for (why, content) in cases {
        fs::write(line.data.join("routes"), &content).unwrap();
        let log = line.refused().await;
        assert!(log.contains("HOLM-7009") && log.contains(why) && log.contains("the catalog does not answer"), "{why}: {log}");
        assert_eq!(line.routes(), content);
    }

    fs::write(line.data.join("routes"), &good).unwrap();
    heard_before(&line, &control, Duration::from_secs(100 * 3600));
    let log = line.refused().await;
    assert!(log.contains("HOLM-7009") && log.contains("the catalog was last heard of 100 h ago"), "{log}");

    fs::write(line.data.join("routes"), &good).unwrap();
    heard_before(&line, &control, Duration::from_secs(84 * 3600));
    let alone = line.installation.serve("one").await;
    assert!(alone.log().contains("hours_left=10") || alone.log().contains("hours_left=11"), "{}", alone.log());
    // R2: three days and a half without a control plane have ended no placement certificate.
    alone.connect("goteborg").await.unwrap();
    drop(alone);

    // The directory of another installation, with the catalog at hand: nothing is mixed.
    line.faults.set(Fault::Pass);
    let mut variables = line.installation.variables.clone();
    variables.retain(|(name, _)| *name != "HOLM_DATA_DIR");
    let mut mixed = line.installation.command();
    mixed.envs(variables).env("HOLM_DATA_DIR", &other.data);
    mixed.args(["serve", "--proxy-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0"]);
    let theirs = other.routes();
    let output = mixed.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("HOLM-7009") && said.contains("another installation"), "{said}");
    assert_eq!(other.routes(), theirs);
}

/// The disk does not take the newest routes. What would let in what was closed is removed, and the change is confirmed; where it
/// cannot be removed either, the change is not confirmed. When the disk takes them again, they are kept again.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_kept_leaves_nothing_on_disk_that_lets_in_too_much_or_is_not_confirmed() {
    let line = Line::new(&["goteborg"]).await;
    let one = line.installation.serve("one").await;
    let (routes, draft) = (line.data.join("routes"), line.data.join(format!("routes.new-{}", one.pid())));
    // No user, not even root, writes a file where a directory is.
    fs::create_dir(&draft).unwrap();
    assert_eq!(one.tell("goteborg", "suspend").await.0, 200);
    assert!(!routes.exists(), "{}", one.log());
    let metrics = reqwest::get(format!("{}/metrics", one.url())).await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("holm_routes_kept_failures_total 0"), "{metrics}");
    fs::remove_dir(&draft).unwrap();
    eventually(PATIENCE, "the routes are kept again", async || routes.exists().then_some(())).await;

    fs::remove_file(&routes).unwrap();
    fs::create_dir(&routes).unwrap();
    let (status, answer) = one.tell("goteborg", "resume").await;
    assert!(status == 504 && answer.to_string().contains("HOLM-7004"), "{answer}");
    fs::remove_dir(&routes).unwrap();
    assert_eq!(one.tell("goteborg", "suspend").await.0, 200);
    assert!(routes.is_file());
    assert!(one.connect("goteborg").await.is_err());
}

/// With the catalog at hand a damaged file costs nothing but a word: it is put aside, and the routes are kept anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_file_beside_a_catalog_that_answers_is_put_aside_and_a_node_that_left_is_named_until_it_is_given_up() {
    let line = Line::new(&["goteborg"]).await;
    let mut one = line.installation.serve("one").await;
    one.signal(Signal::TERM);
    assert!(one.ended().await.success());
    fs::write(line.data.join("routes"), "rubbish").unwrap();
    let mut one = line.installation.serve("one").await;
    assert!(one.log().contains("kept routes are put aside"), "{}", one.log());
    assert_ne!(line.routes(), b"rubbish");
    let aside = fs::read_dir(&line.data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("routes.refused-") && fs::read(path).unwrap() == b"rubbish");
    assert_eq!(aside.count(), 1);

    one.signal(Signal::TERM);
    assert!(one.ended().await.success());
    let catalog = line.installation.catalog().await;
    until(&catalog, "(SELECT count(*) FROM node WHERE name = 'one' AND seen_at < now() - interval '6 seconds') >= 1").await;
    let control = line.installation.control(None).await;
    control.start();
    let goteborg = "goteborg".parse().unwrap();
    let suspended = tenant::suspend(&control, &BY, &ENVIRONMENT.parse().unwrap(), &goteborg).await.unwrap_err();
    assert!(
        suspended.code == ErrorCode::DataPlaneSilent && suspended.next.iter().any(|next| next.contains("holm node forget")),
        "{suspended:?}"
    );
    catalog.batch_execute("DELETE FROM node").await.unwrap();
    tenant::resume(&control, &BY, &ENVIRONMENT.parse().unwrap(), &goteborg).await.unwrap();
    tenant::suspend(&control, &BY, &ENVIRONMENT.parse().unwrap(), &goteborg).await.unwrap();
    control.shutdown().await;
}
