//! The description is what clients are made from: a change of it is a change of the contract.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

fn description() -> Value {
    serde_json::to_value(holm_api::openapi()).unwrap()
}

/// `(path, method, operation)`, all of them.
fn operations(description: &Value) -> Vec<(String, String, Value)> {
    let paths = description["paths"].as_object().unwrap();
    let of = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().iter();
        methods.map(|(method, operation)| (path.clone(), method.clone(), operation.clone())).collect::<Vec<_>>()
    };
    paths.iter().flat_map(of).collect()
}

#[test]
fn the_contract_changes_only_on_purpose() {
    let mut description = holm_api::openapi();
    // A release changes nothing for clients.
    description.info.version = "[version]".to_owned();
    insta::assert_json_snapshot!(description);
}

#[test]
fn it_is_openapi_3_1_and_names_how_to_sign_in() {
    let description = description();
    assert_eq!(description["openapi"], "3.1.0");
    assert_eq!(description["components"]["securitySchemes"]["token"]["scheme"], "bearer");
}

#[test]
fn every_route_says_how_it_refuses() {
    for (path, method, operation) in operations(&description()) {
        let responses: Vec<&String> = operation["responses"].as_object().unwrap().keys().collect();
        assert!(responses.iter().any(|status| status.starts_with('4')), "{method} {path} has no 4xx: {responses:?}");
        assert!(responses.iter().any(|status| status.starts_with('2')), "{method} {path} has no 2xx: {responses:?}");
        if path.starts_with("/v1") {
            assert!(operation["responses"].get("401").is_some() && operation["security"][0].get("token").is_some(), "{method} {path}");
        }
        if path.contains('{') {
            assert!(operation["responses"].get("404").is_some(), "{method} {path} names something that may not be there");
        }
        if let Some(body) = operation.get("requestBody") {
            assert!(operation["responses"].get("413").is_some(), "{method} {path}");
            let json = body["content"].get("application/json").is_some();
            assert_eq!(operation["responses"].get("415").is_some(), json, "{method} {path}");
        }
    }
}

#[test]
fn every_parameter_of_a_path_is_described_and_every_operation_has_a_name_of_its_own() {
    let mut names = BTreeSet::new();
    for (path, method, operation) in operations(&description()) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
        let described: BTreeSet<&str> =
            operation["parameters"].as_array().into_iter().flatten().filter_map(|p| p["name"].as_str()).collect();
        for named in path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}')) {
            assert!(described.contains(named), "{method} {path}: {named}");
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn references(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str).map(str::to_owned));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let description = description();
    let mut found = Vec::new();
    references(&description, &mut found);
    assert!(found.len() > 20, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(description.pointer(pointer).is_some(), "{reference} is nowhere");
    }
}

#[test]
fn no_two_shapes_share_a_name_or_one_would_be_described_as_the_other() {
    let mut seen = BTreeMap::new();
    for entry in walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src")) {
        let text = std::fs::read_to_string(&entry).unwrap();
        for (_, rest) in text.match_indices("ToSchema)]").map(|(at, _)| text.split_at(at)) {
            let mut words = rest.split(|c: char| !c.is_alphanumeric());
            let Some(name) = words.find(|word| ["struct", "enum"].contains(word)).and_then(|_| words.next()).map(str::to_owned) else {
                continue;
            };
            let earlier = seen.insert(name.clone(), entry.clone());
            assert!(earlier.is_none(), "{name} is in {} and in {}", earlier.unwrap().display(), entry.display());
        }
    }
    assert!(seen.len() > 50, "they are not found any more");
}

fn walk(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|is| is == "rs"))
        .collect()
}
