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

#[test]
fn an_id_says_where_its_fact_is_and_overlays_replace_it_there() {
    let registry = Registry::shipped();
    let on = "2026-11-20".parse().unwrap();
    let facts = registry.facts();
    let mut ids: Vec<&crate::fact::FactId> = facts.iter().map(|fact| fact.id).collect();
    assert!(ids.len() > 100);
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "no two facts share an id");
    let unknown: Vec<Supposition> =
        ids.iter().map(|id| Supposition { fact: (*id).clone(), is: toml::Value::String("unknown".to_owned()) }).collect();
    let nothing = registry.supposing(&unknown, on).unwrap();
    assert!(nothing.facts().iter().all(|fact| fact.evidence.is_none()), "every fact is reached by its id");
}

const SOURCE: &str = "[[source]]\nid = \"s\"\nwhat = \"a page\"\non = 2026-11-01\ncertainty = \"verified\"\nvalid_until = 2027-05-01\n";

fn problems(text: &str) -> String {
    Registry::shipped().overlaid(("mine.toml", &format!("{SOURCE}{text}"))).unwrap_err().to_string()
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    insta::assert_snapshot!(problems(
        r#"
[provider]
id = "mine"
name = "Mine"
contracting = { is = "mine-as", from = "s" }
support_from = { is = ["NO", "UK"], from = "s" }
sub_procesors = "unknown"
mcp = { is = "offical", from = "s" }
dpa = true
sub_processors = { is = [{ entity = "x", purpose = "support", reach = "all" }], from = "s" }

[[region]]
id = "north"
countries = { is = [], from = "s" }
backup_regions = { is = ["scalingo/osc-fr2"], from = "t" }

[[region]]
id = "north"
countries = { is = ["NO"], from = "s", valid_until = 2026-10-01 }

[[service]]
kind = "object"
pitr = { is = "yes", from = "s" }
residue_days = { is = { backups = 3 }, from = "s" }

[[fact]]
id = "entity:scalingo-gmbh.country"
is = "FR"
from = "s"
"#
    ));
}

#[test]
fn references_that_lead_nowhere_are_refused_with_the_nearest_that_do() {
    insta::assert_snapshot!(problems(
        r#"
[provider]
id = "mine"
name = "Mine"
contracting = { is = "scalingo-sa", from = "s" }
support_from = { is = ["@EAA"], from = "s" }

[[region]]
id = "north"
countries = { is = [], from = "s" }
infrastructure = { is = ["nobody"], from = "s" }
backup_regions = { is = ["scalingo/osc-fr2"], from = "s" }
"#
    ));
}

#[test]
fn owners_that_go_in_a_circle_are_refused() {
    let text = ["a", "b", "c"]
        .iter()
        .zip(["b", "c", "a"])
        .map(|(id, parent)| format!("[[entity]]\nid = \"{id}\"\nname = \"{id}\"\nparents = {{ is = [\"{parent}\"], from = \"s\" }}\n"));
    insta::assert_snapshot!(
        problems(&text.collect::<String>()),
        @"registry: entity:a.parents: owners go in a circle: a -> b -> c -> a; accepted: parents that end in an entity without any"
    );
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let problems = Registry::load(&[("mine.toml", "[provider]\nid = \"mine\"\nname = Mine\n")]).unwrap_err();
    assert!(problems.to_string().starts_with("mine.toml: line 3: not TOML: "), "{problems}");
}

#[test]
fn the_hash_is_of_the_content_and_not_of_its_order() {
    let a = Registry::load(&[("a", "[[group]]\nid = \"X\"\n"), ("b", "[[country]]\ncode = \"NO\"\nen = \"a\"\nnb = \"b\"\nsv = \"c\"\n")])
        .unwrap();
    let b = Registry::load(&[("b", "[[country]]\nsv = \"c\"\nnb = \"b\"\nen = \"a\"\ncode = \"NO\"\n"), ("a", "[[group]]\nid = \"X\"\n")])
        .unwrap();
    assert_eq!(a.hash(), b.hash());
    let c = Registry::load(&[("a", "[[group]]\nid = \"Y\"\n")]).unwrap();
    assert_ne!(a.hash(), c.hash());
    let on = "2026-11-20".parse().unwrap();
    assert_ne!(Registry::shipped().hash(), Registry::shipped().supposing(&[], on).unwrap().hash());
}

#[test]
fn stale_facts_are_found_worst_first() {
    let registry = Registry::shipped();
    let at = |text: &str| registry.stale(text.parse().unwrap(), 30);
    let fact = |stale: &[findings::StaleFact]| stale.iter().find(|s| s.fact.as_str() == "region:scalingo/osc-fr1.countries").map(|s| s.why);
    let today = at("2026-11-22T00:00:00Z");
    let remembered = today.iter().find(|stale| stale.fact.as_str() == "law:us_cloud_act.status").map(|stale| stale.why);
    assert_eq!(remembered, Some(findings::Attention::NeverLookedUp));
    assert_eq!(fact(&today), None);
    let before = at("2027-02-20T23:59:59Z");
    let after = at("2027-02-21T00:00:00Z");
    assert_eq!(fact(&before), Some(findings::Attention::EndsSoon));
    assert_eq!(fact(&after), Some(findings::Attention::Ended));
    assert!(after.windows(2).all(|pair| pair[0].why <= pair[1].why));
}

#[test]
fn r10_a_supposition_is_written_as_a_fact_and_a_value() {
    let registry = Registry::shipped();
    let on = "2026-11-20".parse().unwrap();
    let suppose = |text: &str| registry.supposing(&[text.parse::<Supposition>().unwrap()], on);
    let status = suppose("adequacy:US.status=annulled").unwrap();
    assert_eq!(status.adequacy[&"US".parse().unwrap()].status.claimed(), Some(&law::LawStatus::Annulled));
    let country = suppose("region:scalingo/osc-fr1.countries = [\"FR\", \"GB\"]").unwrap();
    assert_eq!(
        country.region(&"scalingo/osc-fr1".parse().unwrap()).unwrap().1.countries.claimed().map(std::collections::BTreeSet::len),
        Some(2)
    );
    let nothing = suppose("provider:scalingo.support_from=unknown").unwrap();
    assert_eq!(nothing.provider(&"scalingo".parse().unwrap()).unwrap().support_from.claimed(), None);
    assert!(suppose("adequacy:US.status=anulled").unwrap_err().to_string().contains("did you mean `annulled`?"));
    assert!(suppose("adequacy:US.statis=annulled").unwrap_err().to_string().contains("did you mean `status`?"));
    for wrong in ["", "x", "adequacy:US.status", "adequacy:US.status=", "adequacy=annulled"] {
        assert!(wrong.parse::<Supposition>().is_err(), "{wrong}");
    }
}
