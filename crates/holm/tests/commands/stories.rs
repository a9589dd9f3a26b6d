//! What people and scripts do with the command line, an hour at a time.

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::Value;

use crate::installation::{SECRET, WHOLE, fresh, holm, installation, json, ok, program};

/// `SECRET`, as a URL carries it.
const ENCODED: &str = "p%40ss%3Aw%2Frd%3F%23%25%26%22%27%24%28id%29%60";

fn created(kind: &str) -> String {
    let slug = fresh(kind);
    ok(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
    slug
}

/// The story: somebody creates a customer, reads what was made and what to do next, and looks at it again.
#[test]
fn creating_says_what_was_made_how_long_it_took_and_what_comes_next_and_keeps_talk_apart_from_data() {
    let slug = fresh("uppsala");
    let output = holm(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
    let (data, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    // On which of the clusters that tests of this process added is not said here.
    assert!(talk.starts_with(&format!("✓ {slug} is ready in production on ")) && talk.contains(" after "), "{talk}");
    assert!(talk.contains(&format!("holm tenant url {slug} --env production")), "{talk}");
    assert!(data.starts_with("tenant ") && data.contains("serving") && !data.contains('✓'), "{data}");
    let again = holm(&["tenant", "create", &slug, "--env", "production"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8(again.stderr).unwrap().starts_with("HOLM-1102  "), "a taken name is said to be taken");
    assert!(ok(&["tenant", "list", "--env", "production", "-o", "name"]).lines().any(|line| line == slug));
    assert_eq!(holm(&["-q", "tenant", "suspend", &slug, "--env", "production"]).stderr, b"", "quiet is quiet");
    let (_, shown) = json(&["tenant", "show", &slug, "--env", "production"]);
    assert_eq!(shown["data"]["state"], "suspended");
    ok(&["tenant", "resume", &slug, "--env", "production"]);
}

#[test]
fn r33_a_url_is_one_line_that_psql_takes_and_env_print_has_the_form_that_prisma_expects() {
    let slug = created("url");
    let said = ok(&["tenant", "url", &slug, "--env", "production"]);
    assert_eq!(said, format!("postgresql://production-rw:{ENCODED}@127.0.0.1:6432/{slug}\n"));
    let said = ok(&["tenant", "url", &slug, "--env", "production", "--level", "owner", "--schema", "public"]);
    assert_eq!(said, format!("postgresql://production-owner:{ENCODED}@127.0.0.1:6432/{slug}?schema=public\n"));
    let printed = ok(&["env", "print", "--env", "production", "--level", "ro", "--tenant", &slug]);
    assert!(printed.starts_with(&format!("DATABASE_URL=\"postgresql://production-ro:{ENCODED}@127.0.0.1:6432/{slug}?schema=public\"\n")));
}

/// The story: an app of before Holm reads one variable for each orchestra, sourced by a shell.
#[test]
fn r73_every_tenant_has_its_variable_and_a_shell_reads_exactly_the_url() {
    let slug = created("norra-skane");
    let printed = ok(&["env", "print", "--env", "production"]);
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{slug}.env"));
    fs::write(&file, printed).unwrap();
    let variable = format!("DATABASE_URL_{}", slug.to_uppercase().replace('-', "_"));
    let script = format!("set -eu; . '{}'; printf %s \"${variable}\"", file.display());
    let read = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
    let expected = format!("postgresql://production-rw:{ENCODED}@127.0.0.1:6432/{slug}?schema=public");
    assert_eq!(String::from_utf8(read.stdout).unwrap(), expected, "{}", String::from_utf8_lossy(&read.stderr));
    let other = ok(&["env", "print", "--env", "production", "--prefix", "PG_URL", "--schema", ""]);
    assert!(other.contains(&format!("PG_URL_{}=\"postgresql://", slug.to_uppercase().replace('-', "_"))) && !other.contains("schema"));
}

/// The story: a stand-in for psql tells what it was given.
#[test]
fn psql_gets_the_secret_in_its_environment_and_nobody_sees_it_among_its_arguments() {
    let slug = created("psql");
    let bin = tempfile::tempdir().unwrap();
    let psql = bin.path().join("psql");
    fs::write(
        &psql,
        "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" \"$PGHOST $PGPORT $PGUSER $PGDATABASE\" \"$PGPASSWORD\" \"${PGSERVICE-none}\"\nexit 9\n",
    )
    .unwrap();
    fs::set_permissions(&psql, fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = program();
    command.arg("--dir").arg(&installation().directory).args(["tenant", "psql", &slug, "--env", "production", "--level", "ro"]);
    command.args(["--", "-c", "SELECT 1"]).env("PATH", format!("{}:/usr/bin:/bin", bin.path().display())).env("PGSERVICE", "elsewhere");
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said, format!("2\n-c\nSELECT 1\n127.0.0.1 6432 production-ro {slug}\n{SECRET}\nnone\n"));
    assert_eq!(output.status.code(), Some(9), "psql's own exit code");
}

#[test]
fn a_mistyped_name_is_answered_with_the_one_that_was_meant() {
    let slug = created("stockholm");
    let mistyped = slug.replacen("stock", "stok", 1);
    let output = holm(&["tenant", "show", &mistyped, "--env", "production"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("HOLM-1104  ") && said.contains("  changed: nothing\n") && said.contains(&format!("`{slug}`")), "{said}");
    let (exit, envelope) = json(&["tenant", "create", "Göteborg", "--env", "production"]);
    assert_eq!((exit, &envelope["error"]["next"][0]), (64, &"use `goteborg`".into()));
    for reserved in ["admin", "www", "postgres", "template1", "..", ""] {
        assert_eq!(json(&["tenant", "create", reserved, "--env", "production"]).1["error"]["code"], "HOLM-1101", "{reserved}");
        assert_eq!(json(&["tenant", "show", reserved, "--env", "production"]).1["error"]["code"], "HOLM-1101", "{reserved}");
    }
}

/// The story: a pipeline names its server by URL, with a token in a file, then in the environment, then wrongly.
#[test]
fn a_server_elsewhere_is_named_by_url_and_wants_a_token_that_it_knows() {
    let token = installation().directory.join("token");
    let here = tempfile::tempdir().unwrap();
    let list = |variables: &[(&str, &str)]| {
        let mut command = program();
        command.args(["env", "list", "-o", "json"]).current_dir(here.path()).envs(variables.iter().copied());
        let output = command.output().unwrap();
        let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), envelope["error"]["code"].as_str().unwrap_or_default().to_owned())
    };
    let url = ("HOLM_URL", installation().url.as_str());
    let text = fs::read_to_string(&token).unwrap();
    assert_eq!(list(&[url, ("HOLM_TOKEN_FILE", token.to_str().unwrap())]), (0, String::new()));
    assert_eq!(list(&[url, ("HOLM_TOKEN", &text)]), (0, String::new()));
    assert_eq!(list(&[url, ("HOLM_TOKEN", "wrong")]), (7, "HOLM-1201".to_owned()));
    assert_eq!(list(&[url]), (7, "HOLM-1201".to_owned()));
    assert_eq!(list(&[("HOLM_URL", "http://127.0.0.1:1"), ("HOLM_TOKEN", &text)]), (1, "HOLM-7003".to_owned()));
    let mut command = program();
    command.args(["tenant", "list"]).current_dir(here.path()).envs([url, ("HOLM_TOKEN", &text), ("HTTP_PROXY", "http://127.0.0.1:1")]);
    assert_eq!(command.output().unwrap().status.code(), Some(0), "no proxy of the environment gets between this machine and itself");
}

/// A server that gives these answers, a connection each, and then ends; its URL.
fn stand_in(answers: Vec<String>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut socket, _) = listener.accept().unwrap();
            let _ = socket.read(&mut [0; 4096]).unwrap();
            socket.write_all(answer.as_bytes()).unwrap();
        }
    });
    format!("http://{address}")
}

fn answer(body: &Value) -> String {
    let body = body.to_string();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// The story: something that is not Holm listens at the address.
#[test]
fn an_answer_that_is_not_holms_is_not_believed() {
    let other = answer(&serde_json::json!({}));
    let elsewhere = "HTTP/1.1 302 Found\r\nLocation: http://evil.example/\r\nContent-Length: 0\r\n\r\n".to_owned();
    for said in [other, elsewhere, String::new()] {
        let mut command = program();
        command.args(["tenant", "suspend", "goteborg", "--env", "production", "-o", "json"]);
        let output = command.env("HOLM_URL", stand_in(vec![said])).env("HOLM_TOKEN", "t").output().unwrap();
        let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&envelope["error"]["code"], &envelope["error"]["changed"]), (&"HOLM-7003".into(), &"unknown".into()), "{envelope}");
    }
}

#[test]
fn a_list_is_read_to_its_end_and_a_server_that_repeats_itself_is_not_followed_for_ever() {
    let part = |slug: &str, next: Option<&str>| {
        let (_, shown) = json(&["tenant", "show", slug, "--env", "production"]);
        answer(&serde_json::json!({"ok": true, "data": {"items": [shown["data"]], "next": next}, "error": null, "operation": null}))
    };
    let (one, two) = (created("part"), created("part"));
    let list = |answers: Vec<String>| {
        let mut command = program();
        command.args(["tenant", "list", "--env", "production", "-o", "name"]).env("HOLM_URL", stand_in(answers)).env("HOLM_TOKEN", "t");
        let output = command.output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    };
    assert_eq!(list(vec![part(&one, Some("a")), part(&two, None)]), (0, format!("{one}\n{two}\n")));
    assert_eq!(list(vec![part(&one, Some("a")), part(&one, Some("a"))]).0, 1);
}

/// The story: Ctrl-C while the server takes its time.
#[test]
fn ctrl_c_ends_a_wait_with_130() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let child = program().args(["tenant", "list"]).env("HOLM_URL", url).env("HOLM_TOKEN", "t").spawn().unwrap();
    // The request has come, so that the program is waiting.
    let (mut socket, _) = listener.accept().unwrap();
    assert!(socket.read(&mut [0; 4096]).unwrap() > 0);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
}

#[test]
fn an_environment_may_be_named_once_for_a_session_and_what_can_change_things_has_no_default() {
    let slug = created("session");
    let run = |variables: &[(&str, &str)]| {
        let mut command = program();
        command.arg("--dir").arg(&installation().directory).args(["tenant", "show", &slug]).envs(variables.iter().copied());
        command.output().unwrap().status.code().unwrap()
    };
    assert_eq!(run(&[("HOLM_ENV", "production")]), 0);
    assert_eq!(run(&[("HOLM_ENV", "staging")]), 6);
    assert_eq!(run(&[]), 64);
}

#[test]
fn columns_are_chosen_by_name_and_in_order() {
    let slug = created("columns");
    let csv = ok(&["tenant", "show", &slug, "--env", "production", "-o", "csv", "--columns", "state,tenant"]);
    assert_eq!(csv, format!("state,tenant\nserving,{slug}\n"));
    let (exit, envelope) = json(&["tenant", "list", "--columns", "size"]);
    assert_eq!((exit, &envelope["error"]["code"]), (64, &"HOLM-1001".into()));
}

#[test]
fn a_new_credentials_secret_is_printed_once_and_never_listed() {
    let name = fresh("reports");
    let (_, made) = json(&["credential", "create", &name, "--env", "production", "--level", "ro"]);
    let secret = made["data"]["secret"].as_str().unwrap();
    assert!(secret.len() >= 32);
    let listed = ok(&["credential", "list", "--env", "production", "-o", "json"]);
    assert!(listed.contains(&name) && !listed.contains(secret));
}

/// The story: an admin makes a token for a pipeline in staging; the pipeline tries production, and somebody looks who did.
#[test]
fn r61_r88_a_pipelines_token_ends_with_7_where_it_may_not_and_the_audit_log_says_who_tried() {
    let name = fresh("pipeline");
    ok(&["access", "principal", "create", &name, "--kind", "machine"]);
    ok(&["access", "role", "grant", &name, "operator"]);
    let (_, token) = json(&["access", "token", "create", "deploy", "--for", &name, "--env", "staging", "--hours", "1"]);
    let secret = token["data"]["secret"].as_str().unwrap();
    let run = |words: &[&str]| {
        let output = program().args(words).args(["-o", "json"]).env("HOLM_URL", &installation().url).env("HOLM_TOKEN", secret).output();
        let output = output.unwrap();
        let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code().unwrap(), envelope)
    };
    assert_eq!(run(&["tenant", "list", "--env", "staging"]).0, 0);
    let (exit, refused) = run(&["tenant", "create", "goteborg", "--env", "production"]);
    assert_eq!((exit, &refused["error"]["code"], &refused["error"]["changed"]), (7, &"HOLM-1202".into(), &"nothing".into()));
    assert_eq!(run(&["access", "break-glass", "open", "--env", "staging", "--reason", " "]).0, 64);
    assert_eq!(run(&["access", "break-glass", "open", "--env", "staging", "--reason", "x", "--minutes", "481"]).0, 64);
    let (_, found) = json(&["audit", "search", "--actor", &name]);
    let entry = &found["data"][0];
    assert_eq!((&entry["action"], &entry["environment"]), (&"access.denied".into(), &"production".into()));
    assert!(!ok(&["audit", "export"]).contains(secret) && !ok(&["access", "token", "list", "-o", "json"]).contains(secret));
}

/// The story: four eyes are demanded in staging; who switches it off again is refused with a line, which works as it is printed.
#[test]
fn r23_the_line_that_a_refusal_prints_asks_for_the_approval_that_it_wants() {
    let name = fresh("second");
    ok(&["access", "principal", "create", &name]);
    ok(&["access", "role", "grant", &name, "operator"]);
    let (_, token) = json(&["access", "token", "create", "second", "--for", &name, "--hours", "1"]);
    let secret = token["data"]["secret"].as_str().unwrap();
    let demand = ["env", "require-approval", "tenant.delete", "--env", "staging"];
    assert!(ok(&demand).contains("tenant.delete"));
    let off = [&demand[..], &["--off"]].concat();
    let (exit, refused) = json(&off);
    assert_eq!((exit, &refused["error"]["code"]), (4, &"HOLM-1301".into()), "{refused}");
    let line = refused["error"]["next"][0].as_str().unwrap();
    let line = line.split_once('`').unwrap().1.strip_suffix('`').unwrap().replace('…', "ticket 4711");
    let line = line.replacen("holm", env!("CARGO_BIN_EXE_holm"), 1);
    let mut shell = std::process::Command::new("sh");
    shell.arg("-c").arg(format!("{line} -o name")).env("HOLM_URL", &installation().url).env("HOLM_TOKEN", crate::installation::TOKEN);
    let asked = shell.output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    let id = String::from_utf8(asked.stdout).unwrap();
    let listed = ok(&["approval", "list"]);
    assert!(listed.contains("demand no approvals for tenant.delete of staging any more"), "{listed}");
    let agreed = program().args(["approval", "approve", id.trim()]).env("HOLM_URL", &installation().url).env("HOLM_TOKEN", secret).output();
    assert!(agreed.unwrap().status.success());
    ok(&off);
    assert!(!ok(&["env", "list"]).contains("tenant.delete"));
}

/// Waits until a cluster is shown so.
pub(crate) fn until(name: &str, shown: impl Fn(&Value) -> bool) -> Value {
    let begun = std::time::Instant::now();
    loop {
        let (_, envelope) = json(&["cluster", "show", name]);
        if shown(&envelope) {
            return envelope;
        }
        assert!(begun.elapsed().as_secs() < 60, "{envelope}");
    }
}

/// The story: somebody adds a server, brings a database of another one, and takes the server away again.
#[test]
fn servers_come_and_go_by_command_and_no_password_is_ever_printed() {
    installation();
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (server, other) = runtime.block_on(async { tokio::join!(holm_testkit::new_server(&[]), holm_testkit::new_server(&[])) });
    let name = fresh("server");
    let password = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.password"));
    fs::write(&password, format!("{}\n", server.password.expose())).unwrap();
    let url = format!("postgresql://{}@{}", server.superuser, server.address);
    let add = ["cluster", "add", &name, "--env", "production", "--server", &url, "--password-file", password.to_str().unwrap()];
    let output = holm(&add);
    let said = format!("{}{}", String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(output.status.success() && !said.contains(server.password.expose().as_str()), "{said}");
    let (_, again) = json(&add);
    assert!(again["error"]["code"] == "HOLM-2012" || again["error"]["code"] == "HOLM-3002", "known, or just being added: {again}");
    let open = until(&name, |shown| shown["data"]["state"] == "open");
    assert_eq!((&open["data"]["capability"]["suits"], &open["data"]["capability"]["facts"]["superuser"]), (&"pool".into(), &true.into()));
    // It has another name now; another server cannot take its place.
    let renamed = url.replace("127.0.0.1", "localhost");
    let set = ["cluster", "set-server", &name, "--env", "production", "--password-file", password.to_str().unwrap(), "--server"];
    ok(&[&set[..], &[renamed.as_str()]].concat());
    let moved = until(&name, |shown| shown["data"]["address"].as_str().is_some_and(|address| address.starts_with("localhost:")));
    assert_eq!(moved["data"]["state"], "open");
    let (_, refused) = json(&["cluster", "set-server", &name, "--env", "production", "--server", &other.url("postgres")]);
    assert_eq!((&refused["error"]["code"], &refused["error"]["changed"]), (&"HOLM-2008".into(), &"nothing".into()), "{refused}");
    // Not even when somebody says so, as long as the one before answers; and who says so says why.
    let other_url = other.url("postgres");
    let replaced = ["cluster", "set-server", &name, "--env", "production", "--server", &other_url, "--replaced"];
    assert_eq!(holm(&replaced).status.code(), Some(64), "a command line that cannot be");
    let (_, running) = json(&[&replaced[..], &["--reason", "change 4711"]].concat());
    assert!(
        running["error"]["code"] == "HOLM-2008" && running["error"]["next"][0].as_str().unwrap().contains("stop the server"),
        "{running}"
    );

    runtime.block_on(async {
        let admin = other.connect("postgres").await;
        for sql in
            ["CREATE ROLE app LOGIN PASSWORD 'brought by app'", "CREATE DATABASE app OWNER app", "REVOKE ALL ON DATABASE app FROM PUBLIC"]
        {
            admin.batch_execute(sql).await.unwrap();
        }
    });
    let slug = fresh("brought");
    let brought = format!("postgresql://app:brought%20by%20app@{}/app", other.address);
    let superuser = holm(&["tenant", "adopt", &slug, "--env", "production", "--server", &other.url("app")]);
    assert_eq!(superuser.status.code(), Some(4), "a rule says no");
    ok(&["tenant", "adopt", &slug, "--env", "production", "--server", &brought]);
    let adopted = until(&format!("production-{slug}"), |shown| shown["data"]["tenants"] == 1);
    assert_eq!((&adopted["data"]["adopted"], &adopted["data"]["some_tenants"][0]), (&"app".into(), &slug.as_str().into()));

    let early = holm(&["cluster", "remove", &name, "--env", "production", "--yes"]);
    assert_eq!(early.status.code(), Some(1));
    let unnamed = holm(&["cluster", "remove", &name, "--env", "production", "--abandon"]);
    assert_eq!(unnamed.status.code(), Some(5), "nobody is there to type its name");
    ok(&["cluster", "drain", &name, "--env", "production"]);
    until(&name, |shown| shown["data"]["state"] == "drained");
    ok(&["cluster", "remove", &name, "--env", "production", "--yes"]);
    until(&name, |shown| shown["error"]["code"] == "HOLM-1106");
    let adopted = format!("production-{slug}");
    named_before_it_is_abandoned(&adopted, &slug);
    until(&adopted, |shown| shown["error"]["code"] == "HOLM-1106");
}

/// Who goes with a cluster is said to whoever does not say its name, or another, and when it is done.
fn named_before_it_is_abandoned(cluster: &str, slug: &str) {
    for other in [&[][..], &["--confirm", "production-1"]] {
        let unnamed = holm(&[&["cluster", "remove", cluster, "--env", "production", "--abandon"], other].concat());
        let text = String::from_utf8_lossy(&unnamed.stderr);
        assert!(unnamed.status.code() == Some(5) && text.contains(&format!("1 tenant: `{slug}`")), "{text}");
    }
    let told = holm(&["cluster", "remove", cluster, "--env", "production", "--abandon", "--confirm", cluster]);
    assert!(told.status.success() && String::from_utf8_lossy(&told.stderr).contains(&format!("with 1 tenant: `{slug}`")), "{told:?}");
}
