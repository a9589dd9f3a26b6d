//! Promises of the registry.

use jiff::Timestamp;

use super::*;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

#[test]
fn what_is_shipped_is_a_registry() {
    match Registry::load(load::SHIPPED) {
        Ok(registry) => assert!(registry.providers.len() >= 2),
        Err(problems) => panic!("{problems}"),
    }
}

#[test]
fn every_shipped_file_is_on_the_list_and_is_called_like_its_provider() {
    let listed: Vec<&str> = load::SHIPPED.iter().map(|(file, _)| *file).collect();
    let mut sorted = listed.clone();
    sorted.sort_unstable();
    assert_eq!(listed, sorted);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/registry/providers");
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = format!("providers/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(listed.contains(&name.as_str()), "{name} is not in SHIPPED");
    }
}

#[test]
fn a_shipped_fact_is_known_until_its_source_ends() {
    let registry = Registry::shipped();
    let place: Place = "scalingo/osc-fr1".parse().unwrap();
    let (_, region) = registry.region(&place).unwrap();
    assert!(region.countries.at(at("2027-02-20T23:59:59Z")).is_ok());
    assert!(region.countries.at(at("2027-02-21T00:00:00Z")).is_err());
}
