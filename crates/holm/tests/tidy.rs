//! What a newcomer may rely on in every source file, and which tests show which requirement.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use holm_core::parity::{DifferenceId, Kind, parameter};

/// Past this a file has a second idea that wants a room of its own.
const LINES_MAX: usize = 600;

/// The requirements that this version of Holm claims; each must be named by a test.
const CLAIMED: &[u16] = &[1, 4, 5, 13, 20, 23, 26, 30, 33, 34, 35, 47, 59, 61, 72, 73, 74, 75, 76, 77, 78, 79, 85, 86, 88, 94, 95, 97, 104];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

fn sources(under: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(under).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_none_or(|name| name != "target" && name != "corpus") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

fn all_sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    sources(&root().join("crates"), &mut found);
    found.sort();
    assert!(found.len() > 50, "the walk finds the sources");
    found
}

#[test]
fn every_file_says_what_it_is_and_holds_one_idea() {
    let mut wrong = Vec::new();
    for path in all_sources() {
        let text = fs::read_to_string(&path).unwrap();
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        if !text.starts_with("//!") {
            wrong.push(format!("{shown}: does not begin with //!"));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX {
            wrong.push(format!("{shown}: {lines} lines"));
        }
        if ["util", "utils", "common", "helpers", "misc", "manager"].iter().any(|name| path.file_stem().is_some_and(|stem| stem == *name)) {
            wrong.push(format!("{shown}: a name that names nothing"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// `fn r73_every_orchestra…` shows R73; `fn r1_r13_…` shows both.
fn requirements_of(function: &str) -> Vec<u16> {
    function.split('_').map_while(|part| part.strip_prefix('r')?.parse().ok()).collect()
}

fn shown() -> BTreeMap<u16, BTreeSet<String>> {
    let mut shown: BTreeMap<u16, BTreeSet<String>> = BTreeMap::new();
    for path in all_sources() {
        let file = path.strip_prefix(root()).unwrap().display().to_string();
        for line in fs::read_to_string(&path).unwrap().lines() {
            let line = line.trim_start();
            let Some(rest) = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn ")) else { continue };
            let name = rest.split(['(', '<']).next().unwrap();
            for requirement in requirements_of(name) {
                shown.entry(requirement).or_default().insert(format!("`{name}` in `{file}`"));
            }
        }
    }
    shown
}

#[test]
fn every_claimed_requirement_is_named_by_a_test() {
    let shown = shown();
    let missing: Vec<_> = CLAIMED.iter().filter(|claimed| !shown.contains_key(claimed)).collect();
    assert!(missing.is_empty(), "no test named r<number>_… for {missing:?}");
}

#[test]
fn the_requirements_page_is_what_the_tests_say() {
    let mut page = String::from(
        "# Requirements and the tests that show them\n\n\
         Generated from the names of the tests; `UPDATE_DOCS=1 cargo test -p holm --test tidy` writes it anew.\n",
    );
    for (requirement, tests) in shown() {
        page += &format!("\n## R{requirement}\n\n");
        for test in tests {
            page += &format!("- {test}\n");
        }
    }
    is_written("docs/requirements.md", &page);
}

/// Writes a generated page, if that is asked for, and compares it.
fn is_written(path: &str, page: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&file, page).unwrap();
    }
    let written = fs::read_to_string(&file).unwrap_or_default();
    assert!(written == page, "{path} is out of date: UPDATE_DOCS=1 cargo test -p holm --test tidy");
}

#[test]
fn r20_the_page_of_what_is_compared_lists_all_of_it_with_the_reason() {
    let mut page = String::from(
        "# What is compared between two environments\n\n\
         Generated from the code that compares; `UPDATE_DOCS=1 cargo test -p holm --test tidy` writes it anew.\n\
         [How to compare](../how-to/parity.md). `may_break`: what works in one may fail, or mean something else, in the other. `may_differ`: it works in\n\
         both, and may take longer, cost more or look otherwise.\n\n\
         | difference | severity | why |\n|---|---|---|\n",
    );
    let row = |shown: String, id: &DifferenceId| format!("| `{shown}` | {} | {} |\n", id.severity().as_str(), id.why());
    for kind in Kind::ALL.iter().copied().filter(|kind| *kind != Kind::Parameter) {
        let id = if kind.is_named() { DifferenceId::named(kind, "x").unwrap() } else { DifferenceId::of(kind) };
        page += &row(format!("{}{}", kind.as_str(), if kind.is_named() { "…" } else { "" }), &id);
    }
    page += "\n## Parameters\n\nWhat a session gets that asks for nothing. Not in the list: what is of one program (paths, ports, logging, memory of the server as a\n\
             whole), and what only says how fast a server is, but for the few by which the same query is planned otherwise.\n\n\
             | difference | severity | why |\n|---|---|---|\n";
    for parameter in parameter::ALL {
        let id = DifferenceId::named(Kind::Parameter, parameter.name).unwrap();
        page += &row(id.to_string(), &id);
    }
    is_written("docs/reference/parity.md", &page);
    let how_to = fs::read_to_string(root().join("docs/how-to/parity.md")).unwrap();
    assert!(how_to.contains(&format!("and {} parameters", parameter::ALL.len())), "docs/how-to/parity.md counts them");
}
