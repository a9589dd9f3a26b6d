//! The story: a pipeline asks whether what works in staging can fail in production, and somebody accepts one difference.

use serde_json::Value;

use crate::installation::{WHOLE, fresh, holm, in_catalog, installation, json, ok};
use crate::stories::until;

const BETWEEN: [&str; 4] = ["--env", "preview", "--with", "production"];

fn shown() -> (i32, Value) {
    json(&[&["env", "parity", "show"], &BETWEEN[..]].concat())
}

fn difference<'a>(shown: &'a Value, id: &str) -> &'a Value {
    let all = shown["data"]["differences"].as_array().unwrap();
    all.iter().find(|one| one["id"] == id).unwrap_or_else(|| panic!("{id}: {shown}"))
}

fn waive(id: &str) -> (i32, Value) {
    let rest = ["--owner", "platform", "--reason", "staging goes first", "--until", "2089-03-01"];
    json(&[&["env", "parity", "waive", id], &BETWEEN[..], &rest].concat())
}

#[test]
fn r20_a_pipeline_stops_at_a_difference_that_may_break_until_somebody_answers_for_it() {
    installation();
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    // Nothing is there to be compared with.
    let (code, alone) = shown();
    assert_eq!((code, &alone["data"]["verdict"]), (3, &"unknown".into()), "{alone}");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(holm_testkit::new_server(&[("timezone", "Pacific/Chatham")]));
    let name = fresh("server");
    ok(&["cluster", "add", &name, "--env", "preview", "--server", &server.url("postgres")]);
    until(&name, |shown| shown["data"]["state"] == "open");

    let (code, told) = shown();
    assert_eq!((code, &told["data"]["verdict"]), (1, &"may_break".into()), "{told}");
    let zone = difference(&told, "parameter/TimeZone");
    assert_eq!((&zone["outcome"], &zone["severity"], &zone["waiver"]), (&"differs".into(), &"may_break".into(), &Value::Null));
    assert_eq!((&zone["here"][0]["cluster"], &zone["here"][0]["value"]), (&name.as_str().into(), &"Pacific/Chatham".into()));
    assert_eq!(zone["there"][0]["cluster"], "production-1");
    assert!(zone["why"].as_str().unwrap().contains("zone"));
    let storage = told["data"]["not_compared"].as_array().unwrap().iter().any(|one| one["what"] == "object storage");
    let asked = told["data"]["servers"].as_array().unwrap().iter().filter(|one| one["server_version"].is_string()).count();
    assert!(storage && asked >= 2, "{told}");
    for format in ["table", "csv", "name"] {
        let output = holm(&[&["env", "parity", "show", "-o", format], &BETWEEN[..]].concat());
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.code() == Some(1) && said.contains("parameter/TimeZone"), "{said}");
    }

    let (code, unlike) = waive("parameter/DateStyle");
    assert_eq!((code, &unlike["error"]["code"], &unlike["error"]["changed"]), (64, &"HOLM-1001".into(), &"nothing".into()), "{unlike}");
    for one in told["data"]["differences"].as_array().unwrap().iter().filter(|one| one["severity"] == "may_break") {
        assert_eq!(waive(one["id"].as_str().unwrap()).0, 0, "{one}");
    }
    let (code, waived) = shown();
    assert_eq!((code, &waived["data"]["verdict"]), (0, &"clear".into()), "{waived}");
    let by = &difference(&waived, "parameter/TimeZone")["waiver"];
    assert_eq!(
        (&by["owner"], &by["until"], &by["here"][0]),
        (&"platform".into(), &"2089-03-01T00:00:00Z".into(), &"Pacific/Chatham".into())
    );
    let (_, listed) = json(&["env", "parity", "waivers", "--env", "production"]);
    assert!(listed["data"].as_array().unwrap().iter().any(|one| one["id"] == by["id"]), "{listed}");

    ok(&["env", "parity", "revoke", by["id"].as_str().unwrap(), "--yes"]);
    assert_eq!(shown().0, 1);
    assert_eq!(waive("parameter/TimeZone").0, 0);
    runtime.block_on(server.stop());
    let (code, silent) = shown();
    assert_eq!((code, &silent["data"]["verdict"]), (3, &"unknown".into()), "{silent}");
    assert_eq!(difference(&silent, &format!("server.seen/{name}"))["outcome"], "unknown");
    runtime.block_on(server.restart());
    assert_eq!(shown().0, 0);

    // Others of these tests have that done only with an approval.
    in_catalog("DELETE FROM approval_rule WHERE operation = 'cluster.remove'");
    ok(&["cluster", "drain", &name, "--env", "preview"]);
    until(&name, |shown| shown["data"]["state"] == "drained");
    ok(&["cluster", "remove", &name, "--env", "preview", "--yes"]);
    until(&name, |shown| shown["error"]["code"] == "HOLM-1106");
}
