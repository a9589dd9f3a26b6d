//! A person asks where a customer's data was on another day, by what was known then and by what is known now.

use jiff::Timestamp;

use crate::installation::{WHOLE, fresh, holm, json, ok};
use crate::residency_answers::a_place_that_is_allowed;
use crate::stories::until;

/// On a server of which something wrong was said at first: the tenant, and a moment at which that was believed.
fn believed_elsewhere() -> (String, String, String) {
    a_place_that_is_allowed();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(holm_testkit::new_server(&[]));
    let (name, slug) = (fresh("server"), fresh("goteborg"));
    let add = ["cluster", "add", &name, "--env", "staging", "--server", &server.url("postgres")];
    ok(&[&add[..], &["--provider", "nordavind", "--region", "se-sto", "--evidence", "by telephone"]].concat());
    until(&name, |shown| shown["data"]["state"] == "open");
    let create = ["tenant", "create", &slug, "--env", "staging", "--cluster", &name];
    ok(&[&create[..], &["--profile", "eea-jurisdiction", "--timeout", "60"]].concat());
    let march = Timestamp::now().to_string();
    let place = ["--provider", "nordavind", "--region", "no-osl", "--evidence", "order of 12 March"];
    ok(&[&["cluster", "set-place", &name, "--env", "staging"][..], &place].concat());
    // What is in the catalog of it is looked after by Holm for as long as the process lives.
    std::mem::forget((runtime, server));
    (name, slug, march)
}

fn places(words: &[&str]) -> Vec<String> {
    let (code, told) = json(words);
    assert_eq!(code, 0, "{told}");
    let copies = told["data"].as_array().unwrap().iter();
    copies.map(|copy| copy["placed"]["place"].as_str().unwrap_or_else(|| panic!("{told}")).to_owned()).collect()
}

#[test]
fn r52_r53_by_what_was_known_then_and_by_what_is_known_now_a_person_gets_two_answers() {
    let _whole = WHOLE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let (name, slug, march) = believed_elsewhere();
    let at = ["residency", "where", &slug, "--env", "staging"];
    let of = |more: &[&str]| places(&[&at[..], more].concat());
    let everywhere = |place: &str| vec![place.to_owned(); 2];
    assert_eq!(of(&["--as-of", &march, "--known-at", &march]), everywhere("nordavind/se-sto"));
    assert_eq!(of(&["--as-of", &march]), everywhere("nordavind/no-osl"), "it is known now that it was there then too");
    assert_eq!(of(&[]), everywhere("nordavind/no-osl"));
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
    assert_eq!(of(&["--as-of", &today]), everywhere("nordavind/no-osl"), "a day is meant whole");

    let then = ["--as-of", march.as_str(), "--known-at", march.as_str()];
    let told = holm(&[&at[..], &then].concat());
    let (said, notes) = (String::from_utf8(told.stdout).unwrap(), String::from_utf8(told.stderr).unwrap());
    assert!(said.lines().any(|line| line.starts_with("primary") && line.contains("nordavind/se-sto")), "{said}");
    assert!(notes.contains("the facts that come with Holm") && !said.contains("the facts that come"), "{notes}");
    let csv = ok(&[&["-o", "csv"], &at[..], &then].concat());
    assert!(csv.lines().any(|line| line.contains("nordavind/se-sto") && line.contains(&name)), "{csv}");
    let why = ok(&[&["residency", "explain", &slug, "--env", "staging"][..], &then].concat());
    assert!(why.contains("Why here: primary at nordavind/se-sto: allow"), "{why}");
    let matrix = ok(&[&["residency", "matrix", "--env", "staging", "--profile", "eea-jurisdiction"][..], &then].concat());
    assert!(matrix.lines().any(|line| line.contains("nordavind/se-sto") && line.contains("allow")), "{matrix}");

    // Both reports are of the day too.
    let report = |which: &str| json(&[&["residency", "report", which, "--env", "staging"][..], &then].concat()).1;
    let (list, record) = (report("sub-processors"), report("record"));
    assert!(list["data"]["places"].as_array().unwrap().contains(&"nordavind/se-sto".into()), "{list}");
    let tenants = record["data"]["tenants"].as_array().unwrap();
    let its = tenants.iter().find(|one| one["tenant"] == slug.as_str()).unwrap_or_else(|| panic!("{record}"));
    assert!(its.to_string().contains("nordavind/se-sto") && !its.to_string().contains("nordavind/no-osl"), "{its}");
}

#[test]
fn a_day_of_which_nothing_can_be_known_is_refused_and_says_what_would_be_accepted() {
    a_place_that_is_allowed();
    let matrix = ["residency", "matrix", "--env", "production"];
    for (asked, hint) in [
        (&["--as-of", "1999-12-31"][..], "it knows nothing of"),
        (&["--as-of", "yesterday"], "2026-03-03"),
        (&["--as-of", "2026-02-30"], "2026-03-03"),
        (&["--as-of", "2998-01-01", "--known-at", "2999-01-01"], "not there yet"),
    ] {
        let (code, refused) = json(&[&matrix[..], asked].concat());
        assert_eq!(
            (code, &refused["error"]["code"], &refused["error"]["changed"]),
            (64, &"HOLM-1001".into(), &"nothing".into()),
            "{refused}"
        );
        assert!(refused["error"].to_string().contains(hint), "{asked:?}: {refused}");
    }
    assert_eq!(holm(&[&matrix[..], &["--known-at", "2026-03-03"]].concat()).status.code(), Some(64), "of which day?");
}
