//! The walls of ARCHITECTURE.md, held: which crate may use which, and what the pure crates must not pull in.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Every edge between our crates, and no other. Adding one is a decision: change this table and ARCHITECTURE.md together.
const EDGES: &[(&str, &[&str])] = &[
    ("holm-core", &[]),
    ("holm-policy", &["holm-core"]),
    ("holm-migrate", &["holm-core"]),
    ("holm-pgwire", &[]),
    ("holm-link", &["holm-core"]),
    ("holm-tls", &["holm-core", "holm-pgwire"]),
    ("holm-proxy", &["holm-core", "holm-link", "holm-pgwire", "holm-tls"]),
    ("holm-store", &["holm-core", "holm-tls"]),
    ("holm-engine", &["holm-core", "holm-link", "holm-migrate", "holm-pgwire", "holm-policy", "holm-store", "holm-tls"]),
    ("holm-api", &["holm-core", "holm-engine", "holm-store"]),
    ("holm-postgres", &["holm-core"]),
    ("holm-testkit", &["holm-core", "holm-postgres"]),
    (
        "holm",
        &["holm-api", "holm-core", "holm-engine", "holm-link", "holm-migrate", "holm-policy", "holm-postgres", "holm-proxy", "holm-store"],
    ),
];

/// What would give a pure crate a runtime, a socket or a database.
const NOT_IN_PURE_CRATES: &[&str] = &["tokio", "mio", "hyper", "rustls", "tokio-postgres", "socket2", "reqwest"];

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env!("CARGO")).args(args).current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).output().unwrap();
    assert!(output.status.success(), "cargo {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn crates_use_each_other_only_as_the_map_says() {
    let metadata: serde_json::Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps", "--offline"])).unwrap();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap().to_owned();
        let ours = package["dependencies"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|dependency| dependency["name"].as_str().unwrap().starts_with("holm"));
        let mut normal = BTreeSet::new();
        for dependency in ours {
            let to = dependency["name"].as_str().unwrap().to_owned();
            if dependency["kind"] == "dev" {
                // Tests may stand on the testkit; anything else that only tests need would be a way around a wall.
                assert_eq!(to, "holm-testkit", "{name} uses {to} in tests");
            } else {
                normal.insert(to);
            }
        }
        found.insert(name, normal);
    }
    let allowed: BTreeMap<String, BTreeSet<String>> =
        EDGES.iter().map(|(name, uses)| ((*name).to_owned(), uses.iter().map(|used| (*used).to_owned()).collect())).collect();
    assert_eq!(found, allowed);
}

#[test]
fn what_decides_and_what_speaks_pulls_in_no_runtime_driver_or_tls() {
    for pure in ["holm-core", "holm-policy", "holm-pgwire", "holm-migrate"] {
        let tree = cargo(&["tree", "--offline", "--package", pure, "--edges", "normal", "--prefix", "none", "--format", "{p}"]);
        let pulled: BTreeSet<&str> = tree.lines().filter_map(|line| line.split(' ').next()).collect();
        assert!(pulled.contains(pure), "{tree}");
        for unwanted in NOT_IN_PURE_CRATES {
            assert!(!pulled.contains(unwanted), "{pure} pulls in {unwanted}");
        }
    }
}
