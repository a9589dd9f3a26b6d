//! The catalog backed up and restored, with every command of `docs/how-to/catalog-backup.md`.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;
use std::time::{Duration, Instant};

use holm_engine::tenant::delete;
use holm_testkit::certificates::Authority;
use holm_testkit::{TestServer, new_server};
use serving::{BY, ENVIRONMENT, Installation, PATIENCE, Serving, until};

const HOW_TO: &str = include_str!("../../../docs/how-to/catalog-backup.md");

/// The commands that the page tells people to type, in order.
fn commands() -> Vec<Vec<&'static str>> {
    HOW_TO.lines().filter_map(|line| line.strip_prefix("$ holm ")).map(|line| line.split(' ').collect()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

async fn recreate(installation: &Installation) {
    let server = installation.catalog.server.connect("postgres").await;
    let name = installation.catalog.name.as_ident();
    server.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    server.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).await.unwrap();
}

/// Waits until a node lets sessions of a tenant in, or does not any more.
async fn until_served(serving: &Serving, slug: &str, served: bool) {
    let deadline = Instant::now() + PATIENCE;
    while serving.connect(slug).await.is_ok() != served {
        assert!(Instant::now() < deadline, "{slug}: {}", serving.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A backup is taken while a tenant is being deleted; then another customer comes and gets a database that was ready at the
/// backup. The catalog is lost and restored under a node that runs on: it serves what the backup knows and nothing else, the
/// deletion rests, and the newer customer's database is neither dropped nor given to somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_restored_under_a_running_node_and_gives_nobodys_database_to_another() {
    let installation = Installation::new(3, &["goteborg", "malmo"]).await;
    let one = installation.serve("one").await;
    let catalog = installation.catalog().await;
    until(&catalog, "(SELECT count(*) FROM database WHERE state = 'ready') = 3").await;
    let control = installation.control(None).await;
    let hour = Duration::from_secs(3600);
    delete::delete(&control, &BY, &ENVIRONMENT.parse().unwrap(), &"malmo".parse().unwrap(), hour, None).await.unwrap();
    until(&catalog, "EXISTS (SELECT FROM operation WHERE step_name = 'grace' AND lease_owner IS NULL)").await;

    let mut commands = commands().into_iter();
    let (backup, restore, doctor) = (commands.next().unwrap(), commands.next().unwrap(), commands.next().unwrap());
    assert_eq!((commands.next(), backup[1], restore[1], doctor[0]), (None, "backup", "restore", "doctor"));
    let output = installation.run(&backup);
    assert!(output.status.success(), "{output:?}");
    let file = installation.path("catalog.backup");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let (bytes, key) = (fs::read(&file).unwrap(), fs::read(installation.master_key()).unwrap());
    assert!(!bytes.windows(key.len()).any(|window| window == key), "the master key is in it");
    assert!(said(&installation.run(&backup)).contains("not written over"));
    assert!(said(&installation.run(&restore)).contains("HOLM-6009"), "a catalog that is in use");

    let (status, answer) =
        one.api("POST", &format!("/v1/environments/{ENVIRONMENT}/tenants"), Some(serde_json::json!({ "slug": "later" }))).await;
    assert_eq!(status, 201, "{answer}");
    until_served(&one, "later", true).await;
    let later: String = catalog
        .query_one("SELECT d.name FROM tenant t JOIN database d ON d.id = t.database_id WHERE t.slug = 'later'", &[])
        .await
        .unwrap()
        .get(0);
    installation.cluster.connect(&later).await.batch_execute("CREATE TABLE theirs AS SELECT 'a secret' AS word").await.unwrap();

    drop(catalog);
    recreate(&installation).await;
    refusals(&installation, &file, &bytes);
    let output = installation.run(&restore);
    assert!(output.status.success(), "{output:?}");
    assert!(said(&output).contains("rests"), "{output:?}");

    until_served(&one, "later", false).await;
    until_served(&one, "goteborg", true).await;
    let catalog = installation.catalog().await;
    let resting: String = catalog.query_one("SELECT string_agg(state, ',') FROM operation", &[]).await.unwrap().get(0);
    assert_eq!(resting, "paused");
    // The pool is made anew, out of databases that nobody has.
    until(&catalog, "(SELECT count(*) FROM database WHERE state = 'ready') = 3").await;
    let (status, answer) =
        one.api("POST", &format!("/v1/environments/{ENVIRONMENT}/tenants"), Some(serde_json::json!({ "slug": "newest" }))).await;
    assert_eq!(status, 201, "{answer}");
    until_served(&one, "newest", true).await;
    let known: i64 = catalog.query_one("SELECT count(*) FROM database WHERE name = $1", &[&later]).await.unwrap().get(0);
    assert_eq!(known, 0);
    installation.cluster.connect(&later).await.query_one("SELECT word FROM theirs", &[]).await.unwrap();
    let told = installation
        .command()
        .args(&doctor)
        .args(["--url", &one.url(), "--token-file"])
        .arg(installation.path("admin.token"))
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&told.stdout).contains(&later), "{told:?}");
    let (_, log) = one.api("GET", "/v1/audit?limit=500", None).await;
    assert!(log.to_string().contains("catalog.restore"), "{log}");
}

/// The catalog is far away: it lets nobody in without TLS, and every part of Holm goes there so, PostgreSQL's own programs too.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_that_is_spoken_to_over_tls_is_served_from_backed_up_and_restored() {
    let server: &'static TestServer = Box::leak(Box::new(new_server(&[]).await));
    let mut installation = Installation::on(server, 1, &["goteborg"]).await;
    let (authority, theirs) = (Authority::new("the catalog's authority"), Authority::new("somebody else's authority"));
    let admin = server.connect("postgres").await;
    // Only the role that tests look with is let in without.
    admin.batch_execute("CREATE ROLE faraway SUPERUSER LOGIN PASSWORD 'faraway'").await.unwrap();
    server.speak_tls(&authority.issue(&["127.0.0.1"])).await;
    let address = format!("127.0.0.1:{}/{}", server.address.port, installation.catalog.name);
    fs::write(installation.path("catalog.url"), format!("postgresql://faraway:faraway@{address}?sslmode=verify-full")).unwrap();
    let (roots, other) = (installation.path("roots.pem"), installation.path("other.pem"));
    fs::write(&roots, authority.pem()).unwrap();
    fs::write(&other, theirs.pem()).unwrap();

    let backup = ["catalog", "backup", "far.backup"];
    let refused = said(&installation.command().env("HOLM_CATALOG_SSL_ROOT_CERT", &other).args(backup).output().unwrap());
    assert!(refused.contains("leads to no root certificate") && !installation.path("far.backup").exists(), "{refused}");
    let missing = installation.path("missing.pem");
    let refused = said(&installation.command().env("HOLM_CATALOG_SSL_ROOT_CERT", &missing).args(backup).output().unwrap());
    assert!(refused.contains("missing.pem"), "{refused}");

    installation.variables.push(("HOLM_CATALOG_SSL_ROOT_CERT", roots.to_str().unwrap().to_owned()));
    let one = installation.serve("one").await;
    until_served(&one, "goteborg", true).await;
    let sql = "SELECT count(*) FILTER (WHERE ssl), count(*) FILTER (WHERE NOT ssl)
               FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'faraway'";
    let row = admin.query_one(sql, &[]).await.unwrap();
    assert!(row.get::<_, i64>(0) > 0 && row.get::<_, i64>(1) == 0, "{row:?}");
    drop(one);
    let output = installation.run(&backup);
    assert!(output.status.success(), "{output:?}");
    recreate(&installation).await;
    let output = installation.run(&["catalog", "restore", "far.backup"]);
    assert!(output.status.success(), "{output:?}");
    let two = installation.serve("two").await;
    until_served(&two, "goteborg", true).await;
}

/// Before anything is written: the database is as empty afterwards as it was.
fn refusals(installation: &Installation, file: &std::path::Path, whole: &[u8]) {
    let damaged = installation.path("damaged");
    let restore = |key: &std::path::Path, file: &std::path::Path| {
        said(&installation.command().env("HOLM_MASTER_KEY_FILE", key).args(["catalog", "restore"]).arg(file).output().unwrap())
    };
    let key = installation.master_key();
    fs::write(&damaged, &whole[..whole.len() - 1]).unwrap();
    assert!(restore(&key, &damaged).contains("HOLM-6008"));
    fs::write(&damaged, newer(whole)).unwrap();
    assert!(restore(&key, &damaged).contains("HOLM-7002"));
    let other = installation.path("other.key");
    assert!(restore(&other, file).contains("HOLM-6005"), "missing");
    assert!(!other.exists(), "a key was made");
    fs::write(&other, [7; 32]).unwrap();
    let refused = restore(&other, file);
    assert!(refused.contains("HOLM-6005") && refused.contains("changed: nothing"), "{refused}");
}

/// The same backup, as if a newer Holm had made it.
fn newer(whole: &[u8]) -> Vec<u8> {
    let mut lines = whole.splitn(3, |byte| *byte == b'\n');
    let (_, facts, dump) = (lines.next().unwrap(), lines.next().unwrap(), lines.next().unwrap());
    let mut facts: serde_json::Value = serde_json::from_slice(facts).unwrap();
    facts["schema_version"] = 9999.into();
    let facts = facts.to_string();
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, facts.as_bytes());
    let hash: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
    [format!("HOLM-CATALOG-BACKUP 1 {hash}\n{facts}\n").as_bytes(), dump].concat()
}
