//! A person wishes a new tenant near a place, and reads how far each server is and why it came to be where it is.

use crate::installation::{WHOLE, fresh, holm, json, ok};
use crate::residency_answers::a_place_that_is_allowed;
use crate::stories::until;

#[test]
fn a_tenant_is_wished_near_a_place_by_command_and_the_answers_say_how_far_each_server_is() {
    a_place_that_is_allowed();
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(holm_testkit::new_server(&[]));
    let name = fresh("server");
    let add = ["cluster", "add", &name, "--env", "staging", "--server", &server.url("postgres")];
    ok(&[&add[..], &["--provider", "nordavind", "--region", "se-sto"]].concat());
    let open = until(&name, |shown| shown["data"]["state"] == "open");
    assert!(open["data"]["round_trip"]["fastest_us"].as_u64().unwrap() > 0, "{open}");
    assert!(open["data"]["round_trip"]["measured_at"].is_string(), "{open}");
    let listed = ok(&["cluster", "list"]);
    let (head, row) = (listed.lines().next().unwrap(), listed.lines().find(|line| line.starts_with(&name)).unwrap());
    assert!(head.contains("ROUND-TRIP") && row.contains(" ms"), "{listed}");

    let slug = fresh("goteborg");
    let create = ["tenant", "create", &slug, "--env", "staging", "--profile", "eea-jurisdiction", "--timeout", "60", "--near"];
    for (wished, hint) in [("nordavind/se-stk", "se-sto"), ("no", "NO"), ("nordavnd/se-sto", "holm provider list")] {
        let (code, refused) = json(&[&create[..], &[wished]].concat());
        assert_eq!((code, &refused["error"]["code"], &refused["error"]["changed"]), (64, &"HOLM-1001".into(), &"nothing".into()));
        assert!(refused["error"].to_string().contains(hint), "{refused}");
    }
    let both = holm(&[&create[..], &["NO", "--cluster", "production-1"]].concat());
    assert_eq!(both.status.code(), Some(64), "there is nothing to choose");
    let (code, made) = json(&[&create[..], &["nordavind/se-sto"]].concat());
    assert_eq!((code, &made["data"]["cluster"], &made["data"]["near"]), (0, &name.as_str().into(), &"nordavind/se-sto".into()), "{made}");
    let why = ok(&["residency", "explain", &slug, "--env", "staging"]);
    assert!(why.contains(", near nordavind/se-sto being wished"), "{why}");
    let chosen = why.lines().find(|line| line.contains("it is near nordavind/se-sto, which was wished")).unwrap();
    assert!(chosen.contains(&name) && chosen.contains(" ms from Holm"), "{why}");
    let record = ok(&["residency", "decision", &slug, "--env", "staging"]);
    assert!(record.contains("Near `nordavind/se-sto` was wished"), "{record}");

    // What is in the catalog of it is looked after by Holm for as long as the process lives.
    std::mem::forget((runtime, server));
}
