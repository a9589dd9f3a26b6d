//! Secrets that are known to the test, searched for in every place that Holm writes.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod running;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use holm_postgres::account::private_root;
use running::Holm;
use serde_json::{Value, json};

/// 32 bytes each that can be recognised.
const MASTER_KEY: &[u8; 32] = b"planted-master-key-0123456789abc";
const FORMER_KEY: &[u8; 32] = b"planted-former-key-0123456789abc";

/// What somebody types who mistakes the password, or tries one that leaked.
const WRONG_PASSWORD: &str = "planted-wrong-password-71c2e9";
const WRONG_TOKEN: &str = "planted-wrong-token-6b03d8aa41f7";

/// The files of `holm dev` whose purpose it is to hold a secret; nobody but their owner may read them.
const SECRET_FILES: [&str; 4] = ["master.key", "servers.json", "credentials.json", "token"];

/// Name and bytes of each secret.
type Secrets = BTreeMap<String, Vec<u8>>;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A secret as it would be written by one who did not mean to: as it is, in hexadecimal, in base64.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    // Whatever follows it, base64 of whole groups of three bytes stays the same.
    let whole = &secret[..secret.len() / 3 * 3];
    let mut forms = vec![secret.to_vec(), hex(secret).into_bytes(), hex(secret).to_uppercase().into_bytes()];
    forms.extend([STANDARD.encode(whole), URL_SAFE_NO_PAD.encode(whole)].map(String::into_bytes));
    forms
}

fn found(secrets: &Secrets, place: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(place);
    let holds = |form: &Vec<u8>| text.contains(std::str::from_utf8(form).unwrap());
    secrets.iter().filter(|(_, secret)| forms(secret).iter().any(holds)).map(|(name, _)| name.clone()).collect()
}

/// Files below some directories that hold one of these texts; grep, since a server's data is hundreds of megabytes.
fn files_with(texts: &[Vec<u8>], directories: &[&Path]) -> Vec<PathBuf> {
    let mut patterns = tempfile::NamedTempFile::new().unwrap();
    patterns.write_all(&texts.join(&b'\n')).unwrap();
    let mut grep = Command::new("grep");
    grep.args(["-rlaFs", "-f"]).arg(patterns.path()).args(directories).env("LC_ALL", "C");
    let output = grep.output().expect("grep is on every machine that tests run on");
    String::from_utf8(output.stdout).unwrap().lines().map(PathBuf::from).collect()
}

/// Every row of every table, whatever the tables are called; bytes come as hexadecimal.
async fn rows(client: &tokio_postgres::Client) -> String {
    let sql = "SELECT format('SELECT coalesce(jsonb_agg(t)::text, %L) FROM %I.%I t', '', table_schema, table_name)
               FROM information_schema.tables WHERE table_schema NOT IN ('pg_catalog', 'information_schema')";
    let mut all = String::new();
    for table in client.query(sql, &[]).await.unwrap() {
        all += client.query_one(table.get::<_, &str>(0), &[]).await.unwrap().get(0);
    }
    all
}

async fn activity(client: &tokio_postgres::Client) -> String {
    let rows = client.query("SELECT to_jsonb(a)::text FROM pg_stat_activity a", &[]).await.unwrap();
    rows.iter().map(|row| row.get::<_, String>(0)).collect()
}

/// Command lines of all processes, and the environments of those that this one has started.
fn processes(parent: i32) -> Vec<u8> {
    let (mut all, mut children) = (Vec::new(), 0);
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        all.extend(fs::read(path.join("cmdline")).unwrap_or_default());
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        // proc(5): the name, in brackets, may hold anything; state and parent follow it.
        let of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse().ok());
        if of == Some(parent) {
            children += 1;
            all.extend(fs::read(path.join("environ")).unwrap_or_default());
        }
    }
    assert!(children >= 2, "two servers run");
    all
}

fn read_json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// A seed that writes down what it was given, and what it can see.
fn seed_script(directory: &Path) -> PathBuf {
    let (script, dump) = (directory.join("seed.sh"), directory.display());
    let text =
        format!("#!/bin/sh\necho \"$DATABASE_URL\" > {dump}/url\nenv > {dump}/env\ncat /proc/[0-9]*/cmdline > {dump}/cmdlines\ntrue\n");
    fs::write(&script, text).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    script
}

/// Has the servers log everything that they can.
async fn log_everything(holm: &Holm) {
    for server in ["catalog", "env-development"] {
        let server = holm.server(server).await;
        for setting in ["log_statement = 'all'", "log_min_duration_statement = 0", "log_connections = on", "log_min_messages = debug1"] {
            server.batch_execute(&format!("ALTER SYSTEM SET {setting}")).await.unwrap();
        }
        server.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    }
}

/// A day of requests, good ones and bad ones; what was answered, and the secret of a credential that was issued.
async fn day(holm: &Holm) -> (Vec<String>, String) {
    let base = "/v1/environments/development";
    let mut requests: Vec<(&str, String, Option<Value>)> = Vec::new();
    // More than the pool has, so that some are made while everything is logged.
    requests.extend((0..5).map(|n| ("POST", format!("{base}/tenants"), Some(json!({ "slug": format!("t{n}") })))));
    let lists = ["environments", "clusters", "tenants", "keys", "doctor"].map(|list| ("GET", format!("/v1/{list}"), None));
    requests.extend(lists);
    requests.extend(["tenants", "credentials"].map(|list| ("GET", format!("{base}/{list}"), None)));
    requests.extend(["keys/rotate", "keys/rewrap"].map(|act| ("POST", format!("/v1/{act}"), None)));
    requests.extend(["suspend", "resume"].map(|act| ("POST", format!("{base}/tenants/t0/{act}"), None)));
    let chosen = json!({ "name": "app", "level": "rw", "secret": WRONG_PASSWORD });
    requests.push(("POST", format!("{base}/credentials"), Some(chosen)));
    let mut answers = Vec::new();
    for (method, path, body) in requests {
        let (status, answer) = holm.api(method, &path, body).await;
        answers.push(format!("{method} {path} {status} {answer}"));
    }
    let new = || Some(json!({ "name": "app", "level": "rw" }));
    let (status, issued) = holm.api("POST", &format!("{base}/credentials"), new()).await;
    assert_eq!(status, 201, "{issued}");
    answers.push(holm.api("POST", &format!("{base}/credentials"), new()).await.1.to_string());
    let secret = issued["data"]["secret"].as_str().unwrap().to_owned();
    running::connect(&holm.config(&("app".to_owned(), secret.clone()), "t1")).await.unwrap().query_one("SELECT 1", &[]).await.unwrap();
    let wrong = running::connect(&holm.config(&("app".to_owned(), WRONG_PASSWORD.to_owned()), "t1")).await;
    answers.push(format!("{:?}", wrong.err().unwrap()));
    answers.push(holm.api("DELETE", &format!("{base}/credentials/app"), None).await.1.to_string());
    let url = |path: &str| format!("http://{}/{path}", holm.address("api"));
    let refused = reqwest::Client::new().get(url("v1/tenants")).bearer_auth(WRONG_TOKEN).send().await.unwrap();
    answers.push(refused.text().await.unwrap());
    for path in ["metrics", "openapi.json", "readyz"] {
        answers.push(reqwest::get(url(path)).await.unwrap().text().await.unwrap());
    }
    (answers, secret)
}

fn secrets(holm: &Holm, issued: String, role_password: String) -> Secrets {
    let mut secrets = Secrets::from([
        ("master key".to_owned(), MASTER_KEY.to_vec()),
        ("former master key".to_owned(), FORMER_KEY.to_vec()),
        ("wrong password".to_owned(), WRONG_PASSWORD.into()),
        ("wrong token".to_owned(), WRONG_TOKEN.into()),
        ("api token".to_owned(), holm.token().into()),
        ("issued secret".to_owned(), issued.into()),
        ("role password".to_owned(), role_password.into()),
    ]);
    for (server, password) in read_json(&holm.directory().join("servers.json")).as_object().unwrap() {
        secrets.insert(format!("admin password of {server}"), password.as_str().unwrap().into());
    }
    for stored in read_json(&holm.directory().join("credentials.json")).as_array().unwrap() {
        secrets.insert(format!("secret of {}", stored["name"]), stored["secret"].as_str().unwrap().into());
    }
    assert!(secrets.len() >= 12 && secrets.values().all(|secret| secret.len() > 16), "{:?}", secrets.keys());
    secrets
}

/// The story: a day of a Holm with everything logged that can be, here and on its servers; then somebody searches.
#[tokio::test(flavor = "multi_thread")]
async fn no_planted_secret_is_found_in_any_place_that_holm_writes() {
    let (key, former) = (hex(MASTER_KEY), STANDARD.encode(FORMER_KEY));
    let variables = [("HOLM_MASTER_KEY", &*key), ("HOLM_MASTER_KEY_PREVIOUS", &*former), ("LOG_LEVEL", "debug")];
    let holm = Holm::start_with(&[], &variables).await;
    let outside = tempfile::tempdir().unwrap();
    log_everything(&holm).await;
    let catalog = holm.server("catalog").await;
    let seed = json!({ "kind": "command", "value": [seed_script(outside.path())] });
    catalog.execute("UPDATE environment SET seed = $1", &[&seed]).await.unwrap();
    let (answers, issued) = day(&holm).await;
    let seen = |name: &str| fs::read_to_string(outside.path().join(name)).unwrap();
    let role_password = seen("url").split(':').nth(2).unwrap().split('@').next().unwrap().to_owned();
    let secrets = secrets(&holm, issued, role_password);
    let nothing = Vec::<String>::new();

    for answer in &answers {
        assert_eq!(found(&secrets, answer.as_bytes()), nothing, "in an answer: {answer}");
    }
    let log = holm.log();
    assert!(log.contains("DEBUG") && log.contains("HOLM-5001"), "nothing was logged: {log}");
    assert_eq!(found(&secrets, log.as_bytes()), nothing, "in the log");
    let contents = rows(&catalog).await;
    assert!(contents.contains("sealed_logins") && contents.contains("wrapped"), "the catalog was read");
    assert_eq!(found(&secrets, contents.as_bytes()), nothing, "in the catalog");
    for server in ["catalog", "env-development"] {
        let seen = activity(&holm.server(server).await).await;
        assert_eq!(found(&secrets, seen.as_bytes()), nothing, "in pg_stat_activity of {server}");
    }
    let running = processes(holm.pid().as_raw_nonzero().get());
    assert_eq!(found(&secrets, &running), nothing, "in a command line, or in the environment of a child");
    assert_eq!(found(&secrets, seen("cmdlines").as_bytes()), nothing, "in a command line while a seed ran");
    assert_eq!(found(&secrets, seen("env").as_bytes()), ["role password"], "a seed is given its own password and no other secret");
    search_files(&holm, &secrets).await;
}

/// Its directory, its servers' data, their logs.
async fn search_files(holm: &Holm, secrets: &Secrets) {
    let root = private_root(holm.directory());
    let directories = [holm.directory(), &*root];
    // A server writes its log when it likes: what was said before this is there when this is.
    let marker = "planted-marker-3f7a";
    holm.server("env-development").await.batch_execute(&format!("SELECT '{marker}'")).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(10);
    while files_with(&[marker.into()], &directories).is_empty() {
        assert!(Instant::now() < deadline, "the servers log nothing");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!files_with(&[b"PASSWORD E'SCRAM-SHA-256$".to_vec()], &directories).is_empty(), "roles were made while statements were logged");
    let texts: Vec<_> = secrets.values().flat_map(|secret| forms(secret)).collect();
    let mut names = Vec::new();
    for path in files_with(&texts, &directories) {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        assert!(SECRET_FILES.contains(&&*name), "in {}", path.display());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{} is readable to others", path.display());
        names.push(name);
    }
    names.sort();
    names.dedup();
    assert_eq!(names, ["credentials.json", "servers.json", "token"], "the search finds what is there");
}
