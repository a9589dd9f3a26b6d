//! Webhooks as `docs/how-to/webhooks.md` has them: a receiver here, a message, what became of it, and the message again.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use crate::installation::{fresh, holm, json, ok, program};

/// The receiver; ends with the test.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_developer_sees_messages_arrive_signed_looks_at_them_and_has_one_again() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (name, url) = (fresh("here"), format!("http://127.0.0.1:{port}/"));
    let refused = holm(&["webhook", "create", &name, &url]);
    assert_eq!(refused.status.code(), Some(4), "inside, and not said to be meant");
    let (_, made) = json(&["webhook", "create", &name, &url, "--allow-private", "--action", "principal.create"]);
    let secret = made["data"]["secret"].as_str().unwrap();
    assert_eq!(holm(&["webhook", "test", &name]).status.code(), Some(1), "nobody listens yet");
    let mut command = program();
    command.args(["webhook", "listen", "--port", &port.to_string()]).env("HOLM_WEBHOOK_SECRET", secret);
    let mut receiver = Receiver(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    // It says on stderr that it listens.
    let mut talk = BufReader::new(receiver.0.stderr.take().unwrap()).lines();
    assert!(talk.next().unwrap().unwrap().starts_with("listening on http://127.0.0.1:"));
    let mut lines = BufReader::new(receiver.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    ok(&["webhook", "test", &name]);
    let line = lines.next().unwrap();
    assert!(line.starts_with("✓ signed  msg_") && line.contains("\"type\":\"webhook.test\""), "{line}");
    ok(&["access", "principal", "create", &fresh("told")]);
    let first = lines.next().unwrap();
    assert!(first.starts_with("✓ signed  msg_") && first.contains("\"type\":\"principal.create\""), "{first}");
    let id = first.split_whitespace().nth(2).unwrap().to_owned();
    let (_, listed) = json(&["webhook", "deliveries", &name]);
    assert!(listed["data"].as_array().unwrap().iter().any(|delivery| delivery["id"] == id.as_str()), "{listed}");
    ok(&["webhook", "replay", &name, &id]);
    let again = lines.find(|line| line.contains(&id)).unwrap();
    assert_eq!(again, first, "the same message under the same id");
    ok(&["webhook", "delete", &name, "--yes"]);
    assert_eq!(holm(&["webhook", "deliveries", &name]).status.code(), Some(6));
}
