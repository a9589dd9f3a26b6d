//! Two `holm serve` on one catalog and one cluster: either may die, stand still, be replaced by another version, or leave.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use holm_engine::node::{NodeConfig, NodeRole};
use holm_engine::tenant::delete;
use holm_testkit::eventually;
use holm_testkit::hooks::{HookReceiver, Reply};
use rustix::process::Signal;
use serde_json::json;
use serving::{BY, ENVIRONMENT, Installation, PATIENCE, Serving, connect, until};
use tokio::task::JoinHandle;
use tokio_postgres::Client;

/// What the issue asks for.
const FAILOVER_MAX: Duration = Duration::from_secs(10);

/// Short sessions, one after the other, until told to stop.
struct Traffic {
    stop: Arc<AtomicBool>,
    done: Arc<AtomicUsize>,
    failed: Arc<AtomicUsize>,
    task: JoinHandle<Vec<String>>,
}

impl Traffic {
    fn start(ports: Vec<u16>, slug: &'static str) -> Self {
        let (stop, done, failed) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (stopped, finished, wrong) = (Arc::clone(&stop), Arc::clone(&done), Arc::clone(&failed));
        let task = tokio::spawn(async move {
            let mut why = Vec::new();
            while !stopped.load(Ordering::Relaxed) {
                match one_session(&ports, slug).await {
                    Ok(()) => drop(finished.fetch_add(1, Ordering::Relaxed)),
                    Err(error) => {
                        wrong.fetch_add(1, Ordering::Relaxed);
                        why.push(error);
                    }
                }
            }
            why
        });
        Self { stop, done, failed, task }
    }

    async fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let why = self.task.await.unwrap();
        assert_eq!(self.failed.load(Ordering::Relaxed), 0, "{why:?}");
        self.done.load(Ordering::Relaxed)
    }
}

/// Connecting may be tried on each host, twice; what comes after it may not fail.
async fn one_session(ports: &[u16], slug: &str) -> Result<(), String> {
    let client = match connect(ports, slug).await {
        Ok(client) => client,
        Err(_) => connect(ports, slug).await.map_err(|error| format!("connect: {error:?}"))?,
    };
    client.batch_execute("BEGIN").await.map_err(|error| format!("begin: {error:?}"))?;
    for _ in 0..3 {
        client.query_one("SELECT count(*) FROM pg_catalog.pg_class", &[]).await.map_err(|error| format!("query: {error:?}"))?;
    }
    client.batch_execute("COMMIT").await.map_err(|error| format!("commit: {error:?}"))
}

/// Asks for the deletion of one tenant after the other, until a process has one in hand: the other may be faster.
async fn delete_until_in_hand(installation: &Installation, catalog: &Client, slugs: &[String], by: &Serving) {
    let control = installation.control(None).await;
    let in_hand = format!("SELECT EXISTS (SELECT FROM operation WHERE finished_at IS NULL AND lease_owner LIKE '{}-%')", by.pid());
    for slug in slugs {
        delete::delete(&control, &BY, &ENVIRONMENT.parse().unwrap(), &slug.parse().unwrap(), Duration::ZERO, None).await.unwrap();
        until(catalog, "NOT EXISTS (SELECT FROM operation WHERE finished_at IS NULL AND lease_owner IS NULL)").await;
        if catalog.query_one(&in_hand, &[]).await.unwrap().get(0) {
            return;
        }
    }
    panic!("the process had none of {} in hand", slugs.len());
}

const ALL_OVER: &str = "NOT EXISTS (SELECT FROM operation WHERE finished_at IS NULL)";
const ALL_SUCCEEDED: &str = "NOT EXISTS (SELECT FROM operation WHERE state <> 'succeeded')";

/// What a stale runner could have changed: every journal, every tenant.
async fn everything(catalog: &Client) -> String {
    let sql = "SELECT (SELECT string_agg(format('%s %s %s', operation_id, seq, encode(digest, 'hex')), e'\\n' ORDER BY operation_id, seq) FROM operation_event)
        || (SELECT string_agg(format('%s %s %s', id, state, epoch), e'\\n' ORDER BY id) FROM tenant)";
    catalog.query_one(sql, &[]).await.unwrap().get(0)
}

/// Two processes delete tenants and carry a customer's queries. One is killed with an operation in hand: the other finishes
/// everything within ten seconds, and no query through it fails. Then one stands still with an operation in hand: the other
/// finishes, a suspension says that one node has not confirmed it, and when the sleeper wakes it changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn operations_of_a_process_that_dies_or_stands_still_are_finished_by_the_other_within_ten_seconds() {
    let slugs: Vec<String> = (0..24).map(|n| format!("leaving-{n}")).collect();
    let mut names: Vec<&str> = slugs.iter().map(String::as_str).collect();
    names.push("goteborg");
    names.push("malmo");
    let installation = Installation::new(6, &names).await;
    let catalog = installation.catalog().await;
    let (mut one, two) = (installation.serve("one").await, installation.serve("two").await);
    let traffic = Traffic::start(vec![two.proxy_port], "goteborg");

    delete_until_in_hand(&installation, &catalog, &slugs[..12], &one).await;
    one.kill();
    let took = until(&catalog, ALL_OVER).await;
    println!("after SIGKILL the other finished everything in {took:?}");
    assert!(took < FAILOVER_MAX, "{took:?}");
    until(&catalog, ALL_SUCCEEDED).await;

    // The same name again: whoever died under it is forgotten, and nobody is warned of it any more.
    let one = installation.serve("one").await;
    delete_until_in_hand(&installation, &catalog, &slugs[12..], &one).await;
    one.signal(Signal::STOP);
    let took = until(&catalog, ALL_OVER).await;
    println!("after SIGSTOP the other finished everything in {took:?}");
    assert!(took < FAILOVER_MAX, "{took:?}");
    until(&catalog, ALL_SUCCEEDED).await;

    let (status, answer) = two.tell("malmo", "suspend").await;
    assert_eq!(status, 504, "{answer}");
    assert!(answer.to_string().contains("HOLM-7004") && answer.to_string().contains("not confirmed by one "), "{answer}");

    let before = everything(&catalog).await;
    one.signal(Signal::CONT);
    until(
        &catalog,
        "(SELECT route_version FROM node WHERE name = 'one' ORDER BY started_at DESC LIMIT 1) >= (SELECT version FROM route_clock)",
    )
    .await;
    assert_eq!(everything(&catalog).await, before, "the one that slept changed something");
    let (status, answer) = two.tell("malmo", "suspend").await;
    assert_eq!(status, 200, "{answer}");
    assert!(one.connect("malmo").await.is_err());
    println!("{} sessions without a failed query", traffic.stop().await);
}

/// Whatever one process confirms is in force in the other's data plane, at once.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_process_confirms_is_in_force_in_the_data_plane_of_the_other() {
    let installation = Installation::new(1, &["goteborg"]).await;
    let (one, two) = (installation.serve("one").await, installation.serve("two").await);
    let mut slowest = Duration::ZERO;
    for _ in 0..10 {
        let begun = Instant::now();
        assert_eq!(one.tell("goteborg", "suspend").await.0, 200);
        slowest = slowest.max(begun.elapsed());
        assert!(two.connect("goteborg").await.is_err(), "suspended by the other");
        assert_eq!(two.tell("goteborg", "resume").await.0, 200);
        one.connect("goteborg").await.unwrap();
    }
    println!("a suspension over two nodes took {slowest:?} at the most");
}

/// Each of two processes is replaced in turn, as an upgrade does it, while a client that knows both hosts works.
#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_fails_no_query_of_a_client_that_retries_only_to_connect() {
    let installation = Installation::new(1, &["goteborg"]).await;
    let (mut one, mut two) = (installation.serve("one").await, installation.serve("two").await);
    let (first, second) = (one.proxy_port, two.proxy_port);
    let traffic = [Traffic::start(vec![first, second], "goteborg"), Traffic::start(vec![second, first], "goteborg")];
    for _ in 0..2 {
        for (serving, port, name) in [(&mut one, first, "one"), (&mut two, second, "two")] {
            let begun = Instant::now();
            serving.signal(Signal::TERM);
            assert!(serving.ended().await.success(), "{}", serving.log());
            println!("{name} left in {:?}", begun.elapsed());
            *serving = Serving::start(&installation, name, port).await;
        }
    }
    for traffic in traffic {
        println!("{} sessions without a failed query", traffic.stop().await);
    }
    let left: i64 = installation.catalog().await.query_one("SELECT count(*) FROM node", &[]).await.unwrap().get(0);
    assert_eq!(left, 2, "who left in order is forgotten at once");
}

/// The next version has migrated the catalog and runs beside this one. It said that this one may go on, so this one starts,
/// works, and is shown beside the other; when a version says that it may not, it refuses and changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_of_the_version_before_runs_beside_the_next_one_if_that_allows_it_and_refuses_otherwise() {
    let installation = Installation::new(2, &["goteborg"]).await;
    let catalog = installation.catalog().await;
    let known: i32 = catalog.query_one("SELECT max(version) FROM holm_migration", &[]).await.unwrap().get(0);
    catalog.batch_execute("ALTER TABLE tenant ADD COLUMN future text").await.unwrap();
    let record = "INSERT INTO holm_migration (version, name, checksum, runs_with) VALUES (9999, '9999_future', 'x', $1)";
    catalog.execute(record, &[&known]).await.unwrap();
    let next = NodeConfig { name: "next".to_owned(), role: NodeRole::Control, holm_version: "99.0.0".to_owned(), keeps_routes: false };
    let next = installation.control(Some(next)).await;
    next.start();

    let mut this = installation.serve("this").await;
    let new = serde_json::json!({ "slug": "uppsala" });
    let (status, answer) = this.api("POST", &format!("/v1/environments/{ENVIRONMENT}/tenants"), Some(new)).await;
    assert_eq!(status, 201, "{answer}");
    this.connect("uppsala").await.unwrap();
    let (_, doctor) = this.api("GET", "/v1/doctor", None).await;
    let doctor = doctor.to_string();
    assert!(doctor.contains("different versions of Holm run") && doctor.contains("99.0.0"), "{doctor}");

    this.signal(Signal::TERM);
    assert!(this.ended().await.success());
    catalog.execute("UPDATE holm_migration SET runs_with = 9999 WHERE version = 9999", &[]).await.unwrap();
    let mut refused = Serving::spawn(&installation, "this", 0);
    assert!(!refused.ended().await.success());
    assert!(refused.log().contains("HOLM-7002"), "{}", refused.log());
    next.shutdown().await;
}

/// A receiver has a message and the process is killed before it could write that down: the other tells it again under the
/// same id, then the rest in order. At least once, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_was_telling_is_told_again_by_the_other_under_the_same_id_and_in_order() {
    let installation = Installation::new(0, &[]).await;
    let catalog = installation.catalog().await;
    let receiver = HookReceiver::start().await.unwrap();
    receiver.reply([Reply::Silence]);
    let mut one = installation.serve("one").await;
    let new = json!({ "name": "ci", "url": receiver.url(), "actions": ["principal.create"], "allow_private": true });
    let (status, answer) = one.api("POST", "/v1/webhooks", Some(new)).await;
    assert_eq!(status, 201, "{answer}");
    for name in ["anna", "ben", "cleo"] {
        assert_eq!(one.api("POST", "/v1/principals", Some(json!({ "name": name, "kind": "person" }))).await.0, 201);
    }
    eventually(PATIENCE, "the first message arrives", async || (receiver.hooks().len() == 1).then_some(())).await;
    one.kill();
    until(&catalog, "(SELECT bool_and(state = 'pending' AND attempts = 0) FROM webhook_delivery)").await;
    let two = installation.serve("two").await;
    // The dead one's lease is over.
    catalog.batch_execute("UPDATE webhook SET leased_until = now() - interval '1 second'").await.unwrap();
    until(&catalog, "(SELECT count(*) FROM webhook_delivery WHERE state = 'delivered' AND attempts = 1) = 3").await;
    let hooks = receiver.hooks();
    let ids: Vec<&str> = hooks.iter().map(|hook| hook.header("webhook-id")).collect();
    let seqs: Vec<i64> = hooks.iter().map(|hook| hook.json()["data"]["seq"].as_i64().unwrap()).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert_eq!((ids[0], hooks[0].body == hooks[1].body), (ids[1], true), "the same message, twice");
    assert!(ids[1] != ids[2] && ids[2] != ids[3] && seqs.is_sorted(), "{ids:?} {seqs:?}");
    drop(two);
}

/// Whom to write to is said as `holm dev` is told it, by the environment or by flags; half of it is refused before anything
/// listens, and an address is in no log.
#[tokio::test(flavor = "multi_thread")]
async fn a_serving_process_is_told_whom_to_write_to_and_refuses_half_of_it() {
    let mut installation = Installation::new(0, &[]).await;
    installation.variables = vec![("HOLM_SMTP_URL", "smtp://127.0.0.1:1".to_owned()), ("HOLM_MAIL_FROM", "holm@example.com".to_owned())];
    let half = installation.run(&["serve", "--api-listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&half.stderr).into_owned();
    assert!(!half.status.success() && said.contains("HOLM-6001") && said.contains("HOLM_MAIL_TO"), "{half:?}");
    installation.variables.push(("HOLM_MAIL_TO", "anna@example.com".to_owned()));
    let serving = installation.serve("one").await;
    let (_, doctor) = serving.api("GET", "/v1/doctor", None).await;
    assert!(doctor.to_string().contains("what needs a person is written to"), "{doctor}");
    let metrics = reqwest::get(format!("{}/metrics", serving.url())).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("holm_mail_waiting_entries ") && metrics.contains("holm_mail_failures 0"), "{metrics}");
    assert!(!serving.log().contains("anna@") && !metrics.contains("anna@") && !doctor.to_string().contains("anna@"));
}

/// Nothing is made silently.
#[tokio::test(flavor = "multi_thread")]
async fn a_catalog_is_made_ready_once_and_by_name() {
    let installation = Installation::new(0, &[]).await;
    let again = installation.run(&["init"]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("HOLM-6009"), "{again:?}");
    let empty = holm_testkit::database(holm_testkit::server().await).await;
    let serve = installation.command().env("HOLM_CATALOG_URL", empty.url()).arg("serve").output().unwrap();
    assert!(String::from_utf8_lossy(&serve.stderr).contains("HOLM-6010"), "{serve:?}");
    let tables: i64 =
        empty.connect().await.query_one("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", &[]).await.unwrap().get(0);
    assert_eq!(tables, 0);
    let data = installation.run(&["serve", "--role", "data"]);
    assert!(String::from_utf8_lossy(&data.stderr).contains("needs a control plane"), "{data:?}");
}

/// Tools for PgBouncer find a console where somebody is named for it, with the password that is in a file of theirs alone.
#[tokio::test(flavor = "multi_thread")]
async fn who_is_named_for_the_console_is_let_in_with_the_password_in_the_file() {
    let mut installation = Installation::new(1, &["malmo"]).await;
    let (file, password) = (installation.path("console.password"), "what only operators know");
    let mode = |mode| std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::write(&file, format!("{password}\n")).unwrap();
    mode(0o644);
    let named = vec![("HOLM_CONSOLE_USER", "ops".to_owned()), ("HOLM_CONSOLE_PASSWORD_FILE", file.to_str().unwrap().to_owned())];
    installation.variables = named;
    let refused = installation.run(&["serve"]);
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("is not private"), "{refused:?}");
    mode(0o600);
    let serving = installation.serve("one").await;
    let app = serving.connect("malmo").await.unwrap();
    app.query_one("SELECT 1", &[]).await.unwrap();
    let ask = async |password: &str, database: &str, sql: &str| {
        let conninfo = format!("host=127.0.0.1 port={} user=ops dbname={database}", serving.proxy_port);
        let mut psql = tokio::process::Command::new(installation.cluster.installation().bin.join("psql"));
        let output = psql.env("PGPASSWORD", password).args(["-XAtqc", sql, &conninfo]).output().await.unwrap();
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let pools = ask(password, "pgbouncer", "SHOW POOLS").await;
    assert!(pools.starts_with("malmo|rw|1|0|"), "{pools}");
    assert_eq!(ask(password, "holm", "RECONNECT malmo").await, "");
    assert!(ask("a guess", "pgbouncer", "SHOW POOLS").await.contains("HOLM-5001"));
    assert!(ask(password, "malmo", "SELECT 1").await.contains("HOLM-5002"));
    app.query_one("SELECT 1", &[]).await.unwrap();
    let log = serving.log();
    assert!(log.contains("a command of the console") && log.contains("RECONNECT") && !log.contains(password), "{log}");
}

/// A certificate is renewed under a process that serves: SIGHUP has it read again, and ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn sighup_brings_a_renewed_certificate_into_use_and_ends_no_session() {
    let mut installation = Installation::new(1, &["malmo"]).await;
    let renew = |installation: &Installation, name: &str| {
        let issued = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        std::fs::write(installation.path("cert.pem"), issued.cert.pem()).unwrap();
        std::fs::write(installation.path("key.pem"), issued.signing_key.serialize_pem()).unwrap();
        std::fs::write(installation.path(name), issued.cert.pem()).unwrap();
    };
    renew(&installation, "first.pem");
    let file = |name: &str| installation.path(name).to_str().unwrap().to_owned();
    installation.variables = vec![("HOLM_TLS_CERT", file("cert.pem")), ("HOLM_TLS_KEY", file("key.pem"))];
    let serving = installation.serve("one").await;
    let open = serving.connect("malmo").await.unwrap();
    // Whether libpq believes what it is shown.
    let trusts = async |root: &str| {
        let conninfo = format!(
            "host=localhost hostaddr=127.0.0.1 port={} user=app dbname=malmo sslmode=verify-full sslrootcert={} channel_binding=require",
            serving.proxy_port,
            installation.path(root).display()
        );
        let mut psql = tokio::process::Command::new(installation.cluster.installation().bin.join("psql"));
        psql.env("PGPASSWORD", serving::SECRET).args(["-XAtqc", "SELECT 1", &conninfo]).output().await.unwrap().status.success()
    };
    assert!(trusts("first.pem").await);

    // Said again without a change: that was the signal, and no look at the clock.
    std::fs::write(installation.path("key.pem"), "half a key").unwrap();
    let refusals = || serving.log().matches("the TLS files have changed and cannot be used").count();
    for count in 1..=3 {
        serving.signal(Signal::HUP);
        eventually(PATIENCE, "the files are read and refused", async || (refusals() >= count).then_some(())).await;
    }
    assert!(trusts("first.pem").await);
    renew(&installation, "second.pem");
    serving.signal(Signal::HUP);
    eventually(PATIENCE, "the new certificate is shown", async || trusts("second.pem").await.then_some(())).await;
    assert!(!trusts("first.pem").await);
    open.query_one("SELECT 1", &[]).await.unwrap();
    let metrics = reqwest::get(format!("{}/metrics", serving.url())).await.unwrap().text().await.unwrap();
    for line in ["holm_proxy_certificates_total{outcome=\"replaced\"} 1", "holm_proxy_certificate_stale 0"] {
        assert!(metrics.contains(line), "{metrics}");
    }
}
