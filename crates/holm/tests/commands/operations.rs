//! Deleting, watching, stopping to watch, and lines that are cut.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::installation::{TOKEN, fresh, holm, in_catalog, installation, json, ok, program};

const PATIENCE: Duration = Duration::from_secs(60);

fn created(kind: &str) -> String {
    let slug = fresh(kind);
    ok(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
    slug
}

/// Deletes with a month's grace, and gives the operation.
fn deleted(slug: &str) -> String {
    let (exit, envelope) = json(&["tenant", "delete", slug, "--env", "production", "--confirm", slug, "--reason", "contract ended"]);
    assert_eq!(exit, 0, "{envelope}");
    envelope["operation"].as_str().unwrap().to_owned()
}

/// The story: a customer leaves and comes back within the month.
#[test]
fn deleting_says_until_when_it_can_be_undone_and_how_and_it_can() {
    let slug = created("leaves");
    let output = holm(&["tenant", "delete", &slug, "--env", "production", "--confirm", &slug, "--reason", "contract ended"]);
    let (data, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{talk}");
    assert!(talk.contains("✓ `close` is done\n") && talk.matches("`close`").count() == 1, "{talk}");
    assert!(talk.contains(&format!("✓ {slug} in production is closed; it is dropped at 20")), "{talk}");
    assert!(talk.contains(&format!("undo: holm tenant undelete {slug} --env production")), "{talk}");
    assert!(data.contains("tenant.delete") && data.contains("contract ended") && !data.contains('✓'), "{data}");
    let listed = ok(&["op", "list", "--env", "production", "--tenant", &slug, "--state", "unfinished", "-o", "name"]);
    assert_eq!(listed.lines().count(), 1);
    let events = ok(&["op", "events", listed.trim()]);
    assert!(events.contains("`end sessions` is done") && events.contains("`grace` waits until"), "{events}");
    ok(&["tenant", "undelete", &slug, "--env", "production"]);
    assert_eq!(json(&["tenant", "show", &slug, "--env", "production"]).1["data"]["state"], "serving");
}

#[test]
fn in_production_nothing_but_the_name_is_a_confirmation() {
    let slug = created("kept");
    for given in [&[][..], &["--yes"], &["--confirm", "other"], &["--confirm", "other", "--yes"]] {
        let (exit, envelope) = json(&[&["tenant", "delete", &slug, "--env", "production"], given].concat());
        assert_eq!((exit, &envelope["error"]["code"]), (5, &"HOLM-1009".into()), "{given:?}: {envelope}");
        assert!(envelope["error"]["next"][0].as_str().unwrap().contains(&format!("--confirm {slug}")), "{envelope}");
    }
    assert_eq!(json(&["tenant", "show", &slug, "--env", "production"]).1["data"]["state"], "serving");
}

#[test]
fn who_does_not_wait_is_told_where_to_look_and_who_stops_waiting_ends_with_8() {
    let slug = created("unwaited");
    let (exit, envelope) = json(&["tenant", "delete", &slug, "--env", "production", "--confirm", &slug, "--no-wait"]);
    let id = envelope["operation"].as_str().unwrap();
    assert_eq!((exit, &envelope["ok"], &envelope["data"]["id"]), (0, &true.into(), &id.into()));
    let (exit, envelope) = json(&["op", "watch", id, "--timeout", "1"]);
    assert_eq!((exit, &envelope["error"]["code"], &envelope["operation"]), (8, &"HOLM-3005".into(), &id.into()), "{envelope}");
    assert_eq!(envelope["error"]["next"][0], format!("watch it: `holm op watch {id}`"));
    let (exit, envelope) = json(&["op", "cancel", id, "--reason", "a mistake"]);
    assert_eq!((exit, &envelope["data"]["state"]), (0, &"undone".into()), "what was wanted is the undoing: {envelope}");
    let (exit, envelope) = json(&["op", "watch", id]);
    assert_eq!((exit, &envelope["error"]["code"], &envelope["operation"]), (1, &"HOLM-3004".into(), &id.into()), "{envelope}");
}

/// The story: of a fleet's tenants one failed; a script tells that from success and from failure.
#[test]
fn an_operation_whose_parts_did_not_all_succeed_ends_with_3() {
    let (done, undone, parent) = (created("part"), created("part"), created("parent"));
    let drop = |slug: &str| ok(&["tenant", "delete", slug, "--env", "production", "--confirm", slug, "--grace", "0", "-o", "name"]);
    let (done, parent) = (drop(&done).trim().to_owned(), drop(&parent).trim().to_owned());
    let failed = deleted(&undone);
    ok(&["op", "cancel", &failed]);
    let uuid = |id: &str| id.trim_start_matches("op_").to_owned();
    in_catalog(&format!("UPDATE operation SET parent_id = '{}' WHERE id IN ('{}', '{}')", uuid(&parent), uuid(&done), uuid(&failed)));
    let (exit, envelope) = json(&["op", "watch", &parent]);
    assert_eq!((exit, &envelope["ok"]), (3, &true.into()), "{envelope}");
    assert_eq!(envelope["data"]["children"], serde_json::json!({ "unfinished": 0, "succeeded": 1, "failed": 1 }));
}

fn watching(id: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut command = program();
    command.arg("--dir").arg(&installation().directory).args(["op", "watch", id, "-o", "json"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    // What happened until now is told first, and the last of it is that it waits.
    while !line.contains("`grace` waits until") {
        line.clear();
        assert!(talk.read_line(&mut line).unwrap() > 0, "it ended before it watched");
    }
    (child, talk)
}

/// The story: somebody watches, has seen enough, and presses Ctrl-C.
#[test]
fn ctrl_c_stops_watching_and_not_the_work() {
    let slug = created("watched");
    let id = deleted(&slug);
    let (child, mut talk) = watching(&id);
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    let output = child.wait_with_output().unwrap();
    let mut rest = String::new();
    talk.read_to_string(&mut rest).unwrap();
    assert_eq!(output.status.code(), Some(8), "{rest}");
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&envelope["ok"], &envelope["error"]["code"], &envelope["operation"]),
        (&false.into(), &"HOLM-3005".into(), &id.as_str().into())
    );
    assert!(rest.contains("stopped waiting") && rest.contains("goes on") && rest.contains(&format!("holm op watch {id}")), "{rest}");
    assert_eq!(json(&["op", "show", &id]).1["data"]["state"], "active");
}

/// The same on a real terminal, where there are bars, and Ctrl-C is a key.
#[test]
fn on_a_terminal_there_are_bars_and_the_key_ctrl_c_ends_with_8_and_leaves_no_bar() {
    let slug = created("drawn");
    let id = deleted(&slug);
    // `exec`: a shell that stayed would end with 130 whatever its command says.
    let line = format!("exec {} --dir '{}' op watch {id}", env!("CARGO_BIN_EXE_holm"), installation().directory.display());
    // `script`, of Debian's essential package bsdutils, gives its command a terminal and passes on what is typed.
    let mut script = Command::new("script");
    script.args(["-qefc", &line, "/dev/null"]).env("TERM", "xterm").env("SHELL", "/bin/sh").env_remove("HOLM_ENV");
    let mut child = script.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut typed, mut shown) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut seen = String::new();
    let mut bytes = [0; 4096];
    let deadline = Instant::now() + PATIENCE;
    while !(seen.contains("grace until") && seen.contains('█')) {
        assert!(Instant::now() < deadline, "no bar: {seen}");
        let count = shown.read(&mut bytes).unwrap();
        assert!(count > 0, "it ended before it drew: {seen}");
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    assert!(seen.contains("tenant.delete of tenant"), "{seen}");
    typed.write_all(b"\x03").unwrap();
    let mut rest = String::new();
    shown.read_to_string(&mut rest).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(8), "{seen}{rest}");
    let last = rest.rsplit("HOLM-3005").next().unwrap();
    assert!(rest.contains("HOLM-3005") && !last.contains('█'), "the bar is away before anything is said: {rest}");
}

/// A server's way that cuts the first answers off: the request arrives, is carried out, and nothing comes back.
fn cutting(answers: usize) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let cut = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&cut);
    let server = installation().url.trim_start_matches("http://").to_owned();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let (client, server) = (client.unwrap(), TcpStream::connect(&server).unwrap());
            let silent = count.load(Ordering::SeqCst) < answers;
            let (mut up, mut down) = (client.try_clone().unwrap(), client);
            let (mut to, mut from) = (server.try_clone().unwrap(), server);
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut up, &mut to);
                let _ = to.shutdown(Shutdown::Write);
            });
            let count = Arc::clone(&count);
            std::thread::spawn(move || {
                if silent {
                    // The answer is made, and lost.
                    let _ = from.read(&mut [0; 1]);
                    count.fetch_add(1, Ordering::SeqCst);
                    let _ = down.shutdown(Shutdown::Both);
                } else {
                    let _ = std::io::copy(&mut from, &mut down);
                    let _ = down.shutdown(Shutdown::Both);
                }
            });
        }
    });
    (url, cut)
}

/// The story: the line is cut twice after the server did what was asked; the command asks again and gets the first answer.
#[test]
fn a_change_whose_answer_is_lost_is_asked_for_again_and_made_once() {
    let (url, cut) = cutting(2);
    let name = fresh("lost");
    let mut command = program();
    command.env("HOLM_TOKEN", TOKEN).args(["--url", &url, "-o", "json", "credential", "create", &name, "--env", "production"]);
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let envelope: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(envelope["data"]["secret"].as_str().unwrap().len() >= 32, "the answer is that of the attempt that made it");
    assert_eq!(cut.load(Ordering::SeqCst), 2);
    let listed = ok(&["credential", "list", "--env", "production", "-o", "name"]);
    assert_eq!(listed.lines().filter(|line| **line == name).count(), 1);
}
