//! The story: somebody wants to know what all customers come to, and learns nothing of any one.

use serde_json::Value;

use crate::installation::{holm, json, ok};

const ASK: [&str; 4] = ["fleet", "statistics", "--env", "preview"];

#[test]
fn r104_numbers_are_asked_for_with_a_purpose_that_the_log_keeps_and_what_is_withheld_says_why() {
    // Nobody makes a tenant there.
    let said = ok(&[&ASK[..], &["--purpose", "price list of 2027", "--by", "cluster"]].concat());
    let heading = said.lines().next().unwrap();
    assert!(["GROUP", "TENANTS", "MEASURE", "SUM", "MEAN", "WITHHELD"].iter().all(|column| heading.contains(column)), "{said}");
    assert_eq!(said.matches("(all)").count(), 5, "{said}");
    assert_eq!(said.matches("fewer than 5 tenants").count(), 5, "{said}");
    let (code, found) = json(&["audit", "search", "--action", "statistics.ask", "--limit", "1000"]);
    let items = found["data"].as_array().unwrap();
    let noted = |one: &Value| one["reason"] == "price list of 2027" && one["detail"].as_str().unwrap().contains(r#""by":"cluster""#);
    assert!(code == 0 && items.iter().any(noted), "{found}");

    for (more, why) in [
        (["--purpose", "p", "--at-least", "2"], "3 to 1000"),
        (["--purpose", "p", "--by", "tenant"], "`cluster`, `region`, `profile`"),
        (["--purpose", " ", "--by", "region"], "1 to 200 characters"),
    ] {
        let (code, refused) = json(&[&ASK[..], &more].concat());
        assert_eq!(
            (code, &refused["error"]["code"], &refused["error"]["changed"]),
            (64, &"HOLM-1001".into(), &"nothing".into()),
            "{refused}"
        );
        assert!(refused["error"]["why"].as_str().unwrap().contains(why), "{refused}");
    }
    assert_eq!(holm(&ASK).status.code(), Some(64), "a purpose is required");
}
