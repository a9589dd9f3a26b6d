//! Lists, part by part.

use serde_json::Value;

use crate::installation::Installation;

fn slugs(answer: &Value) -> Vec<&str> {
    answer["data"]["items"].as_array().unwrap().iter().map(|tenant| tenant["slug"].as_str().unwrap()).collect()
}

/// The story: somebody reads a list in parts of two while another customer is created in what was read already.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_in_parts_repeats_nothing_and_misses_nothing_that_was_there() {
    let holm = Installation::start().await;
    for slug in ["malmo", "goteborg", "uppsala", "lund", "stockholm"] {
        holm.create(slug).await;
    }
    let path = "/v1/environments/production/tenants";
    let (_, first) = holm.get(&format!("{path}?limit=2")).await;
    assert_eq!(slugs(&first), ["goteborg", "lund"]);
    holm.create("boras").await;
    let next = first["data"]["next"].as_str().unwrap();
    let (_, second) = holm.get(&format!("{path}?limit=2&cursor={next}")).await;
    assert_eq!(slugs(&second), ["malmo", "stockholm"]);
    let next = second["data"]["next"].as_str().unwrap();
    let (_, third) = holm.get(&format!("{path}?limit=2&cursor={next}")).await;
    assert_eq!((slugs(&third), &third["data"]["next"]), (vec!["uppsala"], &Value::Null));
    let (_, whole) = holm.get(path).await;
    assert_eq!(slugs(&whole), ["boras", "goteborg", "lund", "malmo", "stockholm", "uppsala"]);
    assert_eq!(whole["data"]["next"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn r13_environments_and_clusters_are_listed_and_a_cluster_says_which_environment_it_is_of() {
    let holm = Installation::start().await;
    let (_, environments) = holm.get("/v1/environments").await;
    let names: Vec<_> = environments["data"]["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["production", "staging"]);
    let (_, clusters) = holm.get("/v1/clusters").await;
    let cluster = &clusters["data"]["items"][0];
    assert_eq!((&cluster["name"], &cluster["environment"]), (&"production-1".into(), &"production".into()));
    assert!(!clusters.to_string().contains(holm.server.unwrap().password.expose().as_str()), "no password is shown");
}
