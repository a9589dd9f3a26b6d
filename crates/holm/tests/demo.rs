//! The README's first command and what it promises: a newcomer's first hour, run against the real binary.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod running;

use std::process::Output;

use running::Holm;
use serde_json::Value;

fn ok(output: &Output) -> String {
    assert!(output.status.success(), "{}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap().trim().to_owned()
}

fn url(holm: &Holm, slug: &str, environment: &str, level: &str) -> String {
    holm.cli_ok(&["tenant", "url", slug, "--env", environment, "--level", level]).trim().to_owned()
}

/// The story: somebody starts the demo, lists the orchestras, and reads each one's own data with `psql` and the printed URL.
#[tokio::test(flavor = "multi_thread")]
async fn r73_r78_three_orchestras_each_answer_on_a_database_of_their_own_with_a_url_that_psql_takes() {
    let mut holm = Holm::demo().await;
    let postgres = running::postgres().await;
    let listed: Value = serde_json::from_str(&holm.cli_ok(&["tenant", "list", "-o", "json"])).unwrap();
    let mut names: Vec<String> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| format!("{}@{}", tenant["slug"].as_str().unwrap(), tenant["environment"].as_str().unwrap()))
        .collect();
    names.sort();
    assert_eq!(names, ["goteborg@production", "goteborg@staging", "malmo@production", "stockholm@production"]);

    let mut databases = Vec::new();
    for (slug, environment) in [("goteborg", "production"), ("malmo", "production"), ("stockholm", "production"), ("goteborg", "staging")] {
        let query = "SELECT current_database() || ' ' || (SELECT count(*) > 0 FROM concerts) || ' ' || (SELECT min(title) FROM concerts)";
        let said = ok(&postgres.command("psql").arg(url(&holm, slug, environment, "rw")).args(["-XqAt", "-c", query]).output().unwrap());
        assert!(said.starts_with("t_") && said.contains(" true "), "{slug}@{environment}: {said}");
        assert!(!said.split(' ').next().unwrap().contains(slug), "a database's name tells nothing of the tenant: {said}");
        databases.push(said.split(' ').next().unwrap().to_owned());
    }
    databases.sort();
    databases.dedup();
    assert_eq!(databases.len(), 4);

    // The same data after a stop and a start, and the URL stays the tenant's: only the port was left to chance (R94).
    assert!(holm.terminate().await.success());
    assert!(!holm.directory().join("endpoints.json").exists());
    holm.restart().await;
    let client = holm.connect("production", "ro", "malmo").await.unwrap();
    let concerts: i64 = client.query_one("SELECT count(*) FROM concerts", &[]).await.unwrap().get(0);
    assert!(concerts > 0);
}

/// The story: a developer dumps one orchestra, restores it into a new one, and a program works on both meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn r33_r94_psql_pg_dump_pg_restore_and_a_program_work_on_two_tenants_at_once() {
    let holm = Holm::start(&["--demo"]).await;
    let postgres = running::postgres().await;
    holm.cli_ok(&["tenant", "create", "uppsala", "--env", "production"]);
    let dump = holm.directory().join("goteborg.dump");

    let one = holm.connect("production", "rw", "goteborg").await.unwrap();
    let two = holm.connect("production", "rw", "malmo").await.unwrap();
    let count = "SELECT count(*) FROM musicians";
    let working = tokio::spawn(async move {
        let mut seen = Vec::new();
        for _ in 0..200 {
            let (a, b) = tokio::join!(one.query_one(count, &[]), two.query_one(count, &[]));
            seen.push((a.unwrap().get::<_, i64>(0), b.unwrap().get::<_, i64>(0)));
        }
        seen
    });
    ok(&postgres
        .command("pg_dump")
        .args(["--format=custom", "--no-owner", "--no-privileges", "--file"])
        .arg(&dump)
        .arg(url(&holm, "goteborg", "production", "owner"))
        .output()
        .unwrap());
    let target = url(&holm, "uppsala", "production", "owner");
    ok(&postgres
        .command("psql")
        .arg(&target)
        .args(["-XqAt", "-v", "ON_ERROR_STOP=1", "-c", "DROP SCHEMA public CASCADE; CREATE SCHEMA public"])
        .output()
        .unwrap());
    ok(&postgres
        .command("pg_restore")
        .args(["--exit-on-error", "--no-owner", "--no-privileges", "-d", &target])
        .arg(&dump)
        .output()
        .unwrap());
    let seen = working.await.unwrap();
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");

    let titles = "SELECT string_agg(title, ',' ORDER BY title) FROM concerts";
    let read = |slug: &str, level: &str| {
        ok(&postgres.command("psql").arg(url(&holm, slug, "production", level)).args(["-XqAt", "-c", titles]).output().unwrap())
    };
    assert_eq!(read("uppsala", "owner"), read("goteborg", "rw"));
    assert_ne!(read("uppsala", "owner"), read("malmo", "rw"));
}

/// The story: something is slow, and an operator looks who is there.
#[tokio::test(flavor = "multi_thread")]
async fn who_uses_the_fleet_is_seen_while_they_use_it() {
    let holm = Holm::start(&["--demo"]).await;
    let mut client = holm.connect("staging", "rw", "goteborg").await.unwrap();
    let busy = client.transaction().await.unwrap();
    let top = |more: &[&str]| holm.cli_ok(&[&["fleet", "top", "--env", "staging"], more].concat());
    let seen: Value = serde_json::from_str(&top(&["-o", "json"])).unwrap();
    let carried = &seen["data"][0]["carried"];
    let tenant = &carried["tenants"][0];
    assert_eq!((&tenant["tenant"], &tenant["sessions"], &tenant["connections"]), (&"goteborg".into(), &1.into(), &1.into()), "{seen}");
    assert_eq!((&carried["clusters"][0]["used"], &carried["sessions"]), (&1.into(), &1.into()), "{seen}");
    let counted = |what: &str| tenant["counted"][what].as_u64().unwrap();
    assert!(counted("lendings") > counted("transactions") && tenant["pinned"] == 0, "one is not over: {seen}");
    let table = top(&[]);
    assert!(table.contains(&format!("the process at http://{} alone: sessions 1", holm.address("api"))), "{table}");
    assert!(table.contains("TX/S") && table.contains("goteborg") && !table.contains('\x1b'), "nobody watches: {table}");
    let every: Value = serde_json::from_str(&holm.cli_ok(&["fleet", "top", "--limit", "1", "-o", "json"])).unwrap();
    assert_eq!(every["data"].as_array().unwrap().len(), 2, "an environment each: {every}");
    busy.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_r13_r74_every_environment_and_the_catalog_have_a_server_of_their_own() {
    let holm = Holm::demo().await;
    let mut systems = Vec::new();
    for server in ["catalog", "env-production", "env-staging"] {
        let client = holm.server(server).await;
        systems.push(client.query_one("SELECT system_identifier::text FROM pg_control_system()", &[]).await.unwrap().get::<_, String>(0));
        // R74: the catalog knows names and places, and holds no table of a tenant; the other servers hold nothing of the catalog.
        let tables = "SELECT count(*) FROM pg_class WHERE relname IN ('musicians', 'tenant') AND relkind = 'r'";
        let expected: i64 = i64::from(server == "catalog");
        assert_eq!(client.query_one(tables, &[]).await.unwrap().get::<_, i64>(0), expected, "{server}");
    }
    systems.sort();
    systems.dedup();
    assert_eq!(systems.len(), 3);
    let (name, secret) = holm.credential("staging", "owner");
    for credential in [(name.clone(), holm.credential("production", "owner").1), (holm.credential("production", "owner").0, secret)] {
        let refused = running::connect(&holm.config(&credential, "goteborg")).await.err().unwrap();
        assert_eq!(refused.code().map(tokio_postgres::error::SqlState::code), Some("28P01"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r73_a_new_tenant_has_its_variable_at_once_and_an_app_needs_no_restart() {
    let holm = Holm::demo().await;
    holm.cli_ok(&["tenant", "create", "norra-skane", "--env", "production"]);
    let printed = holm.cli_ok(&["env", "print", "--env", "production"]);
    for slug in ["GOTEBORG", "MALMO", "STOCKHOLM", "NORRA_SKANE"] {
        let line = printed
            .lines()
            .find(|line| line.starts_with(&format!("DATABASE_URL_{slug}=")))
            .unwrap_or_else(|| panic!("{slug} in {printed}"));
        assert!(line.contains("?schema=public"), "{line}");
    }
    assert!(!printed.contains("staging"), "{printed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_in_use_and_an_address_in_use_are_refused_at_once_and_change_nothing() {
    let holm = Holm::start(&[]).await;
    let second = running::command().args(["dev", "--dir"]).arg(holm.directory()).output().unwrap();
    assert_eq!(second.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&second.stderr).contains("HOLM-6004"), "{second:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let taken = running::command().args(["dev", "--api-listen", &holm.address("api"), "--dir"]).arg(elsewhere.path()).output().unwrap();
    assert_eq!(taken.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&taken.stderr).contains("HOLM-6006"), "{taken:?}");
    holm.create("development", "still-here").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r34_a_postgresql_for_each_tenant_is_there_locally_and_sqlite_is_refused_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let migrations = directory.path().join("migrations/20260101000000_init");
    std::fs::create_dir_all(&migrations).unwrap();
    std::fs::write(directory.path().join("migrations/migration_lock.toml"), "provider = \"sqlite\"\n").unwrap();
    std::fs::write(migrations.join("migration.sql"), "CREATE TABLE t (id INTEGER PRIMARY KEY);\n").unwrap();
    let refused = running::command()
        .args(["dev", "--proxy-listen", "127.0.0.1:0", "--gateway-listen", "127.0.0.1:0", "--api-listen", "127.0.0.1:0", "--migrations"])
        .arg(directory.path().join("migrations"))
        .arg("--dir")
        .arg(directory.path().join("holm"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{said}");
    assert!(said.contains("HOLM-2001") && said.to_lowercase().contains("sqlite"), "{said}");
    let _ = std::fs::remove_dir_all(holm_postgres::account::private_root(&directory.path().join("holm")));
}
