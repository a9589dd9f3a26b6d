//! Where a tenant's data is, why, and what is on a server: as people and programs read it.

use std::sync::Once;

use crate::installation::{fresh, holm, in_catalog, installation, json, ok};

/// The demo's provider under another name, a contract with it, and the cluster there; once for all tests of this process.
pub(crate) fn a_place_that_is_allowed() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        installation();
        let today = jiff::Zoned::now().date();
        let until = today.checked_add(jiff::Span::new().days(365)).unwrap();
        let facts = include_str!("../../../../demo/facts/nordlys.toml").replace("nordlys", "nordavind");
        let facts = facts.replace("@today@", &today.to_string()).replace("@until@", &until.to_string());
        in_catalog(&format!(
            "INSERT INTO residency_facts (id, name, text) VALUES (gen_random_uuid(), 'nordavind', $facts${facts}$facts$);
             INSERT INTO residency_paper (id, kind, entity, signed_on) VALUES (gen_random_uuid(), 'dpa', 'nordavind-as', '2026-01-10');
             UPDATE residency SET epoch = epoch + 1"
        ));
        ok(&["residency", "profile", "add", "eea-jurisdiction"]);
        let place = ["--provider", "nordavind", "--region", "no-osl", "--evidence", "order of 12 March"];
        ok(&[&["cluster", "set-place", "production-1", "--env", "production"][..], &place].concat());
    });
}

fn judged() -> String {
    a_place_that_is_allowed();
    let slug = fresh("goteborg");
    let line = ["tenant", "create", &slug, "--env", "production", "--cluster", "production-1", "--profile", "eea-jurisdiction"];
    ok(&[&line[..], &["--timeout", "60"]].concat());
    slug
}

#[test]
fn r29_r32_a_person_reads_where_a_tenant_is_why_what_would_break_it_and_how_it_was_decided() {
    let slug = judged();
    let at = ok(&["residency", "where", &slug, "--env", "production"]);
    let primary = at.lines().find(|line| line.starts_with("primary")).unwrap();
    assert!(["allow", "production-1", "nordavind/no-osl", "NO", "nordavind-as"].iter().all(|word| primary.contains(word)), "{at}");
    assert!(at.lines().any(|line| line.starts_with("backup")), "what the provider makes by itself is a copy: {at}");
    let why = ok(&["residency", "explain", &slug, "--env", "production"]);
    for expected in [
        "Why here: primary at nordavind/no-osl: allow",
        "location.countries: ",
        "Why not there",
        "What would break it",
        "What was decided on",
    ] {
        assert!(why.contains(expected), "no {expected:?} in\n{why}");
    }
    assert!(why.lines().any(|line| line.trim().starts_with("entity:nordavind-as.parents is known until ")), "{why}");
    let record = ok(&["residency", "decision", &slug, "--env", "production"]);
    assert!(record.starts_with("# The data of ") && record.contains("- Deciders: data protection officer"), "{record}");
    for said in [&at, &why, &record] {
        assert!(!said.contains('\u{1b}') && !said.to_lowercase().contains("complian"), "{said}");
    }
    let bare = fresh("malmo");
    ok(&["tenant", "create", &bare, "--env", "production", "--cluster", "production-1", "--timeout", "60"]);
    let (code, none) = json(&["residency", "decision", &bare, "--env", "production"]);
    assert_eq!((code, &none["error"]["code"]), (6, &"HOLM-4005".into()), "{none}");
}

#[test]
fn r21_what_if_is_asked_in_words_that_people_know_and_answers_with_tenants_copies_and_a_plan() {
    let slug = judged();
    let (code, asked) =
        json(&["residency", "what-if", "region:nordavind/no-osl.countries=[\"NO\", \"US\"]", "dpf=annulled", "--env", "production"]);
    assert_eq!((code, asked["data"]["supposed"].as_array().unwrap().len()), (0, 3), "the mechanism, its decision, and the region: {asked}");
    let changes = asked["data"]["changes"].as_array().unwrap();
    let of_it: Vec<_> = changes.iter().filter(|one| one["tenant"] == slug.as_str()).collect();
    assert_eq!(of_it.len(), 2, "{asked}");
    assert!(of_it.iter().all(|one| one["before"] == "allow" && one["after"] == "deny" && one["cluster"] == "production-1"), "{asked}");
    let plan = asked["data"]["plan"].as_array().unwrap();
    let step = plan.iter().find(|one| one["tenant"] == slug.as_str()).unwrap();
    assert_eq!((&step["from"], &step["copies"]), (&"nordavind/no-osl".into(), &serde_json::json!(["primary", "backup"])), "{asked}");
    for (wrong, nearest) in [("eu-us-dfp=annulled", "did you mean `eu-us-dpf`?"), ("dpf=anulled", "did you mean `annulled`?")] {
        let refused = holm(&["residency", "what-if", wrong]);
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(refused.status.code() == Some(64) && said.contains(nearest), "{said}");
    }
}

#[test]
fn a_breach_is_answered_with_a_table_for_the_report_and_the_end_of_72_hours() {
    let slug = judged();
    let said = ok(&["residency", "breach-scope", "production-1", "--known-since", "2026-01-01T09:30:00Z"]);
    assert!(said.contains("72 hours are over at 2026-01-04T09:30:00Z, which is over"), "{said}");
    assert!(said.contains(&format!("| {slug} | serving | primary | yes | NO | eea-jurisdiction |")), "{said}");
    assert!(said.contains("as was said on ") && !said.contains('\u{1b}'), "{said}");
    let (_, scope) = json(&["residency", "breach-scope", "production-1"]);
    let tenants = scope["data"]["tenants"].as_array().unwrap();
    assert_eq!(scope["data"]["tenants_count"], tenants.len());
    assert!(tenants.iter().any(|one| one["tenant"] == slug.as_str()) && scope["data"]["notify_by"].is_null(), "{scope}");
    let (code, refused) = json(&["residency", "breach-scope", "production-1", "--known-since", "2999-01-01T00:00:00Z"]);
    assert_eq!((code, &refused["error"]["code"]), (64, &"HOLM-1001".into()), "{refused}");
}

#[test]
fn r9_a_report_is_a_page_that_prints_with_nothing_fetched_and_says_by_which_facts_as_of_when() {
    let slug = judged();
    let directory = tempfile::tempdir().unwrap();
    for (report, expected) in [("sub-processors", "Nordlys Drift AS"), ("record", slug.as_str())] {
        let page = ok(&["residency", "report", report, "--env", "production", "--format", "html"]);
        assert!(page.starts_with("<!doctype html>") && page.contains("@media print") && page.contains(expected), "{page}");
        assert!(!page.contains("<script") && !page.contains("src=") && !page.to_lowercase().contains("complian"), "{page}");
        assert!(page.contains("As of ") && page.contains("by facts with the hash "), "{page}");
        let file = directory.path().join(report).with_extension("html");
        let out = ["residency", "report", report, "--env", "production", "--out", file.to_str().unwrap()];
        ok(&out);
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("<!doctype html>"));
        let again = holm(&out);
        assert_eq!(again.status.code(), Some(64), "what is there is not written over");
    }
    let (_, record) = json(&["residency", "report", "record", "--env", "production"]);
    assert!(record["data"]["not_in_it"].as_array().unwrap().iter().any(|one| one.as_str().unwrap().contains("purposes")), "{record}");
}
