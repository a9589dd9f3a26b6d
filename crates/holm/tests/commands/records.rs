//! What a privacy officer tells an installation: facts, papers, exceptions.

use std::fs;
use std::path::{Path, PathBuf};

use holm_policy::registry::Registry;

use crate::installation::{fresh, holm, json, ok};

/// A company of one's own.
pub(crate) fn company(id: &str) -> String {
    format!(
        "[[source]]\nid = \"register\"\nwhat = \"the register of companies\"\non = 2026-11-01\nvalid_until = 2090-01-01\n\
         certainty = \"verified\"\n\n[[entity]]\nid = \"{id}\"\nname = \"Umeå Drift AB\"\ncountry = {{ is = \"SE\", from = \"register\" }}\n\
         parents = {{ is = [], from = \"register\" }}\naffiliates = \"unknown\"\nexposed_to = \"unknown\"\ndpf = \"unknown\"\n"
    )
}

/// A file of this test's own.
pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, text).unwrap();
    path
}

fn said(words: &[&str]) -> (i32, String) {
    let output = holm(words);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn r31_facts_of_ones_own_are_a_file_that_is_put_in_force_shown_and_taken_away_and_say_what_is_wrong_with_them() {
    let name = fresh("facts");
    let path = file(&format!("{name}.toml"), &company(&name));
    let path = path.to_str().unwrap();
    let (code, made) = json(&["residency", "facts", "add", path]);
    assert_eq!((code, made["data"]["facts"]["name"].as_str()), (0, Some(name.as_str())), "{made}");
    let (_, listed) = json(&["residency", "facts", "list"]);
    let found = listed["data"].as_array().unwrap().iter().find(|facts| facts["name"] == name.as_str()).unwrap();
    assert_eq!(found["text"].as_str(), Some(company(&name).as_str()));
    // A text of the same name takes its place only if it is whole.
    fs::write(path, company(&name).replace("[[entity]]", "[[entitty]]").replace("2090-01-01", "soon")).unwrap();
    let (code, text) = said(&["residency", "facts", "add", path]);
    assert!(code == 64 && text.contains("HOLM-4004") && text.contains("not TOML"), "{code}: {text}");
    fs::write(path, company(&name).replace("affiliates", "afiliates").replace("\"SE\"", "\"Sweden\"")).unwrap();
    let (code, text) = said(&["residency", "facts", "add", path]);
    for words in ["HOLM-4004", "Sweden", "did you mean `affiliates`?", "changed: nothing", "docs/how-to/residency.md"] {
        assert!(code == 64 && text.contains(words), "{words}: {code}: {text}");
    }
    let (_, listed) = json(&["residency", "facts", "list"]);
    let found = listed["data"].as_array().unwrap().iter().find(|facts| facts["name"] == name.as_str()).unwrap();
    assert_eq!(found["text"].as_str(), Some(company(&name).as_str()));

    for (words, code) in [
        (vec!["residency", "facts", "add", "./nowhere.toml"], 64),
        (vec!["residency", "facts", "add", path, "--name", "of mine"], 64),
        (vec!["residency", "facts", "add", path, "--name", "supposed"], 64),
        (vec!["residency", "facts", "remove", &name], 5),
        (vec!["residency", "facts", "remove", "nowhere", "--yes"], 6),
    ] {
        assert_eq!(said(&words).0, code, "{words:?}");
    }
    fs::write(path, "# long\n".repeat(10_000)).unwrap();
    let (code, text) = said(&["residency", "facts", "add", path]);
    assert!(code == 64 && text.contains("48 KiB"), "{text}");
    ok(&["residency", "facts", "remove", &name, "--yes"]);
    assert_eq!(said(&["residency", "facts", "remove", &name, "--yes"]).0, 6);
}

#[test]
fn r6_a_paper_is_on_file_with_the_hash_of_its_document_and_the_document_stays_here() {
    // Taking a company away with whom a paper is on file is told; no other test has papers with this one.
    let name = fresh("company");
    let facts = file(&format!("{name}.toml"), &company(&name));
    ok(&["residency", "facts", "add", facts.to_str().unwrap()]);
    let document = file(&format!("{name}.pdf"), "abc");
    let add = ["residency", "paper", "add", "dpa", "--with", &name, "--signed-on", "2026-03-12"];
    let more = ["--ends-on", "2027-03-12", "--edition", "of March", "--env", "staging", "--document", document.to_str().unwrap()];
    let (code, made) = json(&[&add[..], &more].concat());
    let paper = &made["data"];
    assert_eq!(code, 0, "{made}");
    // FIPS 180-2, appendix B.1.
    assert_eq!(paper["document_sha256"], "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!((&paper["environment"], &paper["ends_on"]), (&"staging".into(), &"2027-03-12".into()), "{made}");
    let id = paper["id"].as_str().unwrap();
    assert!(ok(&["residency", "paper", "list", "-o", "name"]).lines().any(|line| line == id));

    let (code, text) = said(&["residency", "paper", "add", "dpa", "--with", "scalingo-sass", "--signed-on", "2026-03-12"]);
    assert!(code == 64 && text.contains("did you mean `scalingo-sas`?"), "{text}");
    let before = ok(&["residency", "paper", "list"]);
    for (more, code) in [
        (["--signed-on", "12 March"], 64),
        (["--ends-on", "2026-03-12"], 64),
        (["--env", "nowhere"], 6),
        (["--document", "./nowhere.pdf"], 64),
    ] {
        let words = if more[0] == "--signed-on" { [&add[..6], &more].concat() } else { [&add[..], &more].concat() };
        assert_eq!(said(&words).0, code, "{words:?}");
    }
    assert_eq!(ok(&["residency", "paper", "list"]), before);
    let removed = said(&["residency", "facts", "remove", &name, "--yes"]);
    assert!(removed.0 == 0 && removed.1.contains(&format!("note: paper {id}")), "{removed:?}");
    assert_eq!(said(&["residency", "paper", "remove", id]).0, 5);
    ok(&["residency", "paper", "remove", id, "--yes"]);
    assert_eq!(said(&["residency", "paper", "remove", id, "--yes"]).0, 6);
    assert_eq!(said(&["residency", "paper", "remove", "7", "--yes"]).0, 64);
}

#[test]
fn r16_an_exception_is_granted_by_name_until_a_day_listed_and_revoked() {
    let slug = fresh("excepted");
    ok(&["tenant", "create", &slug, "--env", "production", "--timeout", "60"]);
    let rest = ["--owner", "dpo", "--reason", "until spring", "--measure", "no names in free text"];
    let grant = |rule: &'static str, until: &'static str| {
        let what = ["residency", "exception", "grant", &slug, "--env", "production", "--copy", "primary", "--rule", rule, "--until", until];
        json(&[&what[..], &rest].concat())
    };
    let (code, granted) = grant("control.affiliates", "2089-03-01");
    let exception = &granted["data"];
    assert_eq!((code, &exception["until"], &exception["ended"]), (0, &"2089-03-01T00:00:00Z".into(), &false.into()), "{granted}");
    for (rule, until, words) in [
        ("control.running_database", "2089-03-01", "no exception covers"),
        ("control.afiliates", "2089-03-01", "did you mean `control.affiliates`?"),
        ("control.affiliates", "2020-03-01T12:00:00Z", "not after now"),
    ] {
        let (code, refused) = grant(rule, until);
        assert_eq!((code, &refused["error"]["changed"]), (64, &"nothing".into()), "{refused}");
        assert!(refused["error"]["why"].as_str().unwrap().contains(words), "{refused}");
    }
    let until_spring =
        ["residency", "exception", "grant", &slug, "--env", "production", "--copy", "primary", "--rule", "control.affiliates"];
    assert_eq!(said(&[&until_spring[..], &rest, &["--until", "spring"]].concat()).0, 64);
    assert_eq!(said(&[&until_spring[..], &rest].concat()).0, 64, "one without an end");

    let id = exception["id"].as_str().unwrap();
    let of_tenant = ["residency", "exception", "list", "--env", "production", "--tenant", &slug, "-o", "name"];
    assert_eq!(ok(&of_tenant).trim(), id);
    assert!(ok(&["residency", "exception", "list", "--env", "production", "-o", "name"]).lines().any(|line| line == id));
    assert!(!ok(&["residency", "exception", "list", "--env", "staging", "-o", "name"]).lines().any(|line| line == id));
    assert_eq!(said(&["residency", "exception", "revoke", id]).0, 5);
    ok(&["residency", "exception", "revoke", id, "--yes"]);
    assert_eq!(said(&["residency", "exception", "revoke", id, "--yes"]).0, 6);
    assert_eq!(ok(&of_tenant).trim(), "");
}

#[test]
fn r31_the_example_of_the_documentation_can_be_put_in_force() {
    let page = include_str!("../../../../docs/how-to/residency.md");
    let example = page.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
    let registry = Registry::shipped().overlaid(("umea-hall", example)).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(registry.region(&"umea-hall/hall-2".parse().unwrap()).is_some());
}
