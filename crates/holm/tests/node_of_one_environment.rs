//! `holm node add --env`: a node that is told of one environment, and of another not a byte.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{SystemTime, UNIX_EPOCH};

use holm_core::credential::Level;
use holm_core::environment::EnvironmentKind;
use holm_core::id::{InstallationId, NodeId};
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::environment::{self, NewEnvironment};
use holm_engine::tenant::{self, NewTenant};
use holm_link::bundle::{self, Envelope, PairKey, PublicKey};
use holm_link::message::{Answer, Hello, Nonce};
use holm_testkit::{TestServer, eventually, new_server};
use serde_json::json;
use serving::{BY, Installation, PATIENCE, SECRET, Serving, connect_as};
use tokio_postgres::Client;

fn command(installation: &Installation, by: &Serving, arguments: &[&str]) -> Output {
    let token = installation.path("admin.token");
    let mut command = installation.command();
    command.args(["--url", &by.url(), "--token-file", token.to_str().unwrap()]).args(arguments).output().unwrap()
}

/// A second environment beside the installation's production, with a server and a tenant of its own, which has a name that one of
/// production has too.
async fn furnish_staging(installation: &Installation) -> TestServer {
    let (control, server) = (installation.control(None).await, new_server(&[("max_connections", "100")]).await);
    control.start();
    let name = || "staging".parse().unwrap();
    let new = NewEnvironment {
        name: name(),
        kind: EnvironmentKind::Staging,
        domain: "try.test".parse().unwrap(),
        pool_size: 2,
        migrations: None,
        seed: None,
    };
    environment::ensure(&control, &BY, new).await.unwrap();
    let new = NewCluster {
        name: "staging-1".parse().unwrap(),
        environment: name(),
        address: server.address.clone(),
        admin_role: server.superuser.clone(),
        admin_password: Secret::new(server.password.expose().clone()),
        connections_max: None,
    };
    cluster::register(&control, &BY, new).await.unwrap();
    let new = NewCredential {
        environment: name(),
        name: "trial".parse().unwrap(),
        scope: CredentialScope::App,
        level: Level::Rw,
        secret: Some(Secret::new(SECRET.to_owned())),
    };
    credential::issue(&control, &BY, new).await.unwrap();
    for slug in ["goteborg", "rehearsal"] {
        let slug = slug.parse().unwrap();
        let new = NewTenant { environment: name(), slug, cluster: None, parameters: Vec::new(), ttl: None, profile: None, near: None };
        tenant::create(&control, &BY, new, PATIENCE).await.unwrap();
    }
    control.shutdown().await;
    server
}

/// A node's directory, let in for an environment.
fn let_in(installation: &Installation, by: &Serving, name: &str, environment: &str) -> PathBuf {
    let directory = installation.path(name);
    fs::create_dir(&directory).unwrap();
    let key = directory.join("node.key");
    let output = command(installation, by, &["node", "add", name, "--env", environment, "--key-file", key.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    directory
}

async fn create(by: &Serving, environment: &str, slug: &str) {
    let (status, answer) = by.api("POST", &format!("/v1/environments/{environment}/tenants"), Some(json!({ "slug": slug }))).await;
    assert_eq!(status, 201, "{answer}");
}

async fn database(client: &Client) -> String {
    client.query_one("SELECT current_database()", &[]).await.unwrap().get(0)
}

/// What a client is told that is not let in.
async fn told(node: &Serving, credential: &str, slug: &str) -> (String, String, Option<String>, Option<String>) {
    let error = connect_as(credential, &[node.proxy_port], slug).await.unwrap_err();
    let error = error.as_db_error().unwrap();
    let text = |text: Option<&str>| text.map(|text| text.replace(credential, "<who>").replace(slug, "<tenant>"));
    let message = error.message().replace(credential, "<who>").replace(slug, "<tenant>");
    (error.code().code().to_owned(), message, text(error.detail()), text(error.hint()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_of_one_environment_serves_that_one_and_what_is_anothers_is_as_unknown_there_as_what_there_is_not() {
    let installation = Installation::new(2, &["goteborg", "malmo"]).await;
    let _server = furnish_staging(&installation).await;
    let control = installation.serve("control").await;
    let directory = let_in(&installation, &control, "try-1", "staging");
    let node = Serving::carry(&installation, "try", &directory, &[&control.url()]).await;

    let open = connect_as("trial", &[node.proxy_port], "goteborg").await.unwrap();
    let production = control.connect("goteborg").await.unwrap();
    assert_ne!(database(&open).await, database(&production).await);
    // Changes reach it when whoever made them hears so; those of production too, of which it is told nothing.
    create(&control, "staging", "kalmar").await;
    database(&connect_as("trial", &[node.proxy_port], "kalmar").await.unwrap()).await;
    create(&control, "production", "ystad").await;
    control.connect("ystad").await.unwrap();

    assert_eq!(told(&node, "app", "goteborg").await, told(&node, "nobody", "goteborg").await);
    assert_eq!(told(&node, "app", "ystad").await, told(&node, "nobody", "ystad").await);
    assert_eq!(told(&node, "trial", "malmo").await, told(&node, "trial", "nobody").await);
    let host = |host: &str| reqwest::Client::new().get(format!("http://{}/", node.gateway)).header("host", host).send();
    let [known, unknown] = [host("malmo.example.test").await.unwrap(), host("malmo.nowhere.test").await.unwrap()];
    assert_eq!((known.status(), unknown.status()), (reqwest::StatusCode::NOT_FOUND, reqwest::StatusCode::NOT_FOUND));

    // It tells who uses it, and is not waited for where it has nothing to tell.
    let top = |environment: &str| {
        let output = command(&installation, &control, &["fleet", "top", "--once", "--env", environment]);
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    eventually(PATIENCE, "it tells of its session", async || {
        let said = top("staging");
        (said.contains("goteborg") && said.contains("2 nodes (")).then_some(())
    })
    .await;
    let said = top("production");
    assert!(!said.contains("did not answer") && !said.contains("try-1"), "{said}");

    let keys = command(&installation, &control, &["node", "keys", "-o", "json"]);
    let keys: serde_json::Value = serde_json::from_slice(&keys.stdout).unwrap();
    assert_eq!(keys["data"][0]["environment"], "staging", "{keys}");
    let nowhere = installation.path("nowhere.key");
    let output = command(&installation, &control, &["node", "add", "x", "--env", "nowhere", "--key-file", nowhere.to_str().unwrap()]);
    assert!(!output.status.success() && !nowhere.exists() && String::from_utf8_lossy(&output.stderr).contains("nowhere"), "{output:?}");
    // It stays with its environment: the name is taken, and the row says which.
    let again = installation.path("again.key");
    let output = command(&installation, &control, &["node", "add", "try-1", "--env", "production", "--key-file", again.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&output.stderr).contains("HOLM-7012") && !again.exists(), "{output:?}");
}

/// A `node.key`, with which the test asks what the node asks.
struct Key {
    mine: Envelope,
    sender: PublicKey,
    pair: PairKey,
}

impl Key {
    fn read(directory: &Path) -> Self {
        let bytes = fs::read(directory.join("node.key")).unwrap();
        let part = |from: usize| -> [u8; 32] { bytes[from..from + 32].try_into().unwrap() };
        let installation = InstallationId::from_uuid(uuid::Uuid::from_slice(&bytes[8..24]).unwrap());
        let mine = Envelope { installation, node: bundle::NodeId(bytes[24..40].try_into().unwrap()), version: RouteVersion(0) };
        Self { mine, sender: PublicKey(part(40)), pair: PairKey::from_bytes(&Secret::new(part(72))) }
    }

    /// What it is told, opened, and as bytes.
    async fn ask(&self, control: &Serving, run: uuid::Uuid, uses: RouteVersion) -> (Answer, Vec<u8>) {
        let asked = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let (run, nonce) = (NodeId::from_uuid(run), Nonce([7; 16]));
        let hello = Hello { run, asked, nonce, uses, has: uses, leaves: false, holm_version: "0.1.0".to_owned(), told: None };
        let ephemeral = [*uuid::Uuid::new_v4().as_bytes(), *uuid::Uuid::new_v4().as_bytes()].concat().try_into().unwrap();
        let question = bundle::seal(&self.pair, &self.sender, &Secret::new(ephemeral), &self.mine, &hello.encode()).unwrap();
        let response = reqwest::Client::new().post(format!("{}/link", control.url())).body(question).send().await.unwrap();
        assert_eq!(response.status(), 200);
        let (_, plain) = bundle::open(&self.pair, &self.sender, &self.mine, &response.bytes().await.unwrap()).unwrap();
        (Answer::decode(nonce, plain.expose()).unwrap(), plain.expose().clone())
    }
}

/// Everything that the catalog has of an environment by which it could be known: names, hosts, ids, and what credentials are checked by.
async fn marks(installation: &Installation, environment: &str) -> Vec<Vec<u8>> {
    const TEXTS: &str = "\
SELECT e.name FROM environment e WHERE e.name = $1
UNION SELECT e.domain FROM environment e WHERE e.name = $1
UNION SELECT c.name FROM cluster c JOIN environment e ON e.id = c.environment_id WHERE e.name = $1
UNION SELECT k.name FROM credential k JOIN environment e ON e.id = k.environment_id WHERE e.name = $1
UNION SELECT d.name FROM database d JOIN cluster c ON c.id = d.cluster_id JOIN environment e ON e.id = c.environment_id WHERE e.name = $1";
    const BYTES: &str = "\
SELECT uuid_send(c.id) FROM cluster c JOIN environment e ON e.id = c.environment_id WHERE e.name = $1
UNION SELECT uuid_send(t.id) FROM tenant t JOIN environment e ON e.id = t.environment_id WHERE e.name = $1
UNION SELECT uuid_send(k.id) FROM credential k JOIN environment e ON e.id = k.environment_id WHERE e.name = $1
UNION SELECT k.stored_key FROM credential k JOIN environment e ON e.id = k.environment_id WHERE e.name = $1
UNION SELECT k.salt FROM credential k JOIN environment e ON e.id = k.environment_id WHERE e.name = $1";
    let catalog = installation.catalog().await;
    let texts = catalog.query(TEXTS, &[&environment]).await.unwrap();
    let bytes = catalog.query(BYTES, &[&environment]).await.unwrap();
    let texts = texts.iter().map(|row| row.get::<_, String>(0).into_bytes());
    let marks = texts.chain(bytes.iter().map(|row| row.get(0)));
    // Fewer bytes could stand anywhere by chance.
    let marks: Vec<Vec<u8>> = marks.filter(|mark| mark.len() >= 8).collect();
    assert!(marks.len() > 8, "{marks:?}");
    marks
}

fn found<'a>(bytes: &[u8], marks: &'a [Vec<u8>]) -> Vec<&'a Vec<u8>> {
    marks.iter().filter(|mark| bytes.windows(mark.len()).any(|window| window == mark.as_slice())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sealed_for_a_node_of_one_environment_has_no_byte_of_another() {
    let installation = Installation::new(2, &["goteborg", "malmo"]).await;
    let _server = furnish_staging(&installation).await;
    let control = installation.serve("control").await;
    let (theirs, all) = (Key::read(&let_in(&installation, &control, "try-1", "staging")), installation.path("all"));
    fs::create_dir(&all).unwrap();
    let key = all.join("node.key");
    assert!(command(&installation, &control, &["node", "add", "all", "--key-file", key.to_str().unwrap()]).status.success());
    let everything = Key::read(&all);
    let (production, staging) = (marks(&installation, "production").await, marks(&installation, "staging").await);
    let (run, other_run) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());

    let (answer, whole) = everything.ask(&control, other_run, RouteVersion(0)).await;
    let Answer::Table(table) = answer else { panic!("{answer:?}") };
    assert_eq!((table.tenant_count(), table.environments().count()), (4, 2));
    // The pool's databases are nobody's, and in no table.
    assert!(found(&whole, &production).len() > 8 && found(&whole, &staging).len() > 8);
    let (answer, part) = theirs.ask(&control, run, RouteVersion(0)).await;
    let Answer::Table(table) = answer else { panic!("{answer:?}") };
    assert_eq!((table.tenant_count(), table.environments().count(), table.clusters().count(), table.credentials().count()), (2, 1, 1, 1));
    assert_eq!(found(&part, &production), Vec::<&Vec<u8>>::new());
    assert!(found(&part, &staging).len() > 8);

    // What changes in production, and what goes there, are changes of nothing.
    let mut known = table.version();
    for verb in ["suspend", "resume"] {
        // Nobody says that this node uses it, and so the answer to who asked is that it does not.
        let (_, (answer, news)) = tokio::join!(control.tell("goteborg", verb), theirs.ask(&control, run, known));
        let Answer::Changes(changes) = answer else { panic!("{answer:?}") };
        assert!(changes.to() > known);
        known = changes.to();
        assert_eq!(found(&news, &production), Vec::<&Vec<u8>>::new());
    }
    // A question about production is asked of nobody who must not know of it.
    let asked = control.api("GET", "/v1/environments/production/usage", None);
    let (_, (answer, news)) = tokio::join!(asked, theirs.ask(&control, run, known));
    assert!(matches!(answer, Answer::Nothing) && found(&news, &production).is_empty(), "{answer:?}");
}
