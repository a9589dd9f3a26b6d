//! Answers about many tenants, part by part: whose data is on a server, what is known of it, what would come of another fact.

use std::fmt::Write as _;

use holm_core::error::ErrorCode;
use serde_json::{Value, json};

use crate::installation::Installation;

const NORDLYS: &str = include_str!("../../../../demo/facts/nordlys.toml");

/// Five tenants on a cluster of the demo's provider, two of them judged.
async fn in_oslo() -> Installation {
    let holm = Installation::start().await;
    for slug in ["malmo", "goteborg", "uppsala", "lund", "bergen"] {
        holm.create(slug).await;
    }
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let until = today.checked_add(jiff::Span::new().days(365)).unwrap();
    let facts = NORDLYS.replace("@today@", &today.to_string()).replace("@until@", &until.to_string());
    holm.catalog()
        .await
        .batch_execute(&format!(
            "INSERT INTO residency_facts (id, name, text) VALUES (gen_random_uuid(), 'nordlys', $facts${facts}$facts$);
         INSERT INTO residency_paper (id, kind, entity, signed_on) VALUES (gen_random_uuid(), 'dpa', 'nordlys-as', '2026-01-10');
         UPDATE residency SET epoch = epoch + 1;
         UPDATE cluster SET place = 'nordlys/no-osl', placed_at = now()"
        ))
        .await
        .unwrap();
    let (status, added) = holm.post("/v1/residency/profiles", json!({"shipped": "eea-jurisdiction"})).await;
    assert!(status < 300, "{added}");
    holm.catalog().await.batch_execute("UPDATE tenant SET profile = 'eea-jurisdiction' WHERE slug IN ('goteborg', 'malmo')").await.unwrap();
    holm
}

/// Every part of an answer, and what each lists under a name.
async fn parts(holm: &Installation, path: &str, limit: usize, list: &str) -> (Vec<Value>, Vec<Value>) {
    let (mut parts, mut listed, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let mut asked = format!("{path}{separator}limit={limit}");
        if !cursor.is_empty() {
            write!(asked, "&cursor={cursor}").unwrap();
        }
        let (status, part) = holm.get(&asked).await;
        assert_eq!(status, 200, "{part}");
        let some = part["data"][list].as_array().unwrap();
        assert!(some.len() <= limit, "{part}");
        listed.extend(some.iter().cloned());
        let next = part["data"]["next"].as_str().map(str::to_owned);
        parts.push(part);
        match next {
            Some(next) => cursor = next,
            None => return (parts, listed),
        }
    }
}

fn tenants(listed: &[Value]) -> Vec<&str> {
    listed.iter().map(|one| one["tenant"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn whose_data_is_on_a_server_and_what_is_known_of_it_come_in_parts_with_counts_of_the_whole() {
    let holm = in_oslo().await;
    let all = ["bergen", "goteborg", "lund", "malmo", "uppsala"];
    for path in ["/v1/clusters/production-1/breach-scope", "/v1/environments/production/processing-record"] {
        let (found, listed) = parts(&holm, path, 2, "tenants").await;
        assert_eq!((found.len(), tenants(&listed)), (3, all.to_vec()), "{path}");
        assert!(found.iter().all(|part| part["data"]["tenants_count"] == 5), "{path}: {found:?}");
        let (_, whole) = holm.get(path).await;
        assert_eq!((tenants(whole["data"]["tenants"].as_array().unwrap()), &whole["data"]["next"]), (all.to_vec(), &Value::Null));
        for wrong in ["limit=0", "limit=1001", "cursor=x"] {
            let (status, refused) = holm.get(&format!("{path}?{wrong}")).await;
            assert_eq!(
                (status, &refused["error"]["code"]),
                (400, &ErrorCode::InvalidValue.to_string().into()),
                "{path} {wrong}: {refused}"
            );
        }
    }
    let (_, scope) = holm.get("/v1/clusters/production-1/breach-scope?limit=1").await;
    assert_eq!((&scope["data"]["copies_on_server"], &scope["data"]["not_known"]), (&5.into(), &Value::Null), "counts are of all");
}

/// A second cluster, in Stockholm, that is like the one there is.
const BESIDE: &str = "\
INSERT INTO cluster SELECT (jsonb_populate_record(c, jsonb_build_object(
    'id', gen_random_uuid(), 'name', 'production-2', 'place', 'nordlys/se-sto', 'port', 1, 'system_identifier', c.system_identifier + 1
))).* FROM cluster c WHERE c.name = 'production-1'";

#[tokio::test(flavor = "multi_thread")]
async fn a_part_is_refused_where_the_same_tenants_would_go_elsewhere_by_now() {
    let holm = in_oslo().await;
    let path = "/v1/residency/what-if?limit=1&suppose=region:nordlys/no-osl.countries%3D%5B%22NO%22%2C%20%22US%22%5D";
    let (_, first) = holm.get(path).await;
    let next = first["data"]["next"].as_str().unwrap();
    let (status, _) = holm.get(&format!("{path}&cursor={next}")).await;
    assert_eq!(status, 200, "nothing changed yet");
    holm.catalog().await.batch_execute(BESIDE).await.unwrap();
    let (_, now) = holm.get(path).await;
    assert_eq!(now["data"]["changes"], first["data"]["changes"], "the same copies change");
    assert_eq!(now["data"]["plan_count"], first["data"]["plan_count"], "for the same tenants there is something to do");
    assert_ne!(now["data"]["plan"], first["data"]["plan"], "which is another thing");
    let (status, refused) = holm.get(&format!("{path}&cursor={next}")).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &ErrorCode::InvalidValue.to_string().into()), "{refused}");
    assert!(refused["error"]["why"].as_str().unwrap().contains("changed"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r103_where_a_database_and_a_bucket_could_lie_comes_in_parts_with_what_is_needed_and_what_is_refused() {
    let holm = in_oslo().await;
    let path = "/v1/environments/production/places?profile=eea-jurisdiction&all=true&database=nordlys";
    let (_, whole) = holm.get(path).await;
    let data = &whole["data"];
    let databases: Vec<&str> = data["databases"].as_array().unwrap().iter().map(|one| one["place"].as_str().unwrap()).collect();
    assert_eq!(databases, ["nordlys/no-osl", "nordlys/se-sto"], "{whole}");
    assert!(data["databases"].as_array().unwrap().iter().all(|one| one["needs"].as_array().unwrap().is_empty()), "it is on file: {whole}");
    let refused = data["refused"].as_array().unwrap();
    assert_eq!(data["refused_count"], refused.len());
    assert!(refused.iter().all(|one| one["kept"] == "bucket" && !one["against"].as_array().unwrap().is_empty()), "{whole}");
    let (found, listed) = parts(&holm, path, 40, "refused").await;
    assert!(found.len() > 1);
    assert_eq!(&listed, refused);
    for wrong in ["&limit=0", "&cursor=x", "&bucket=nowhere", "&plan=nordlys", "&key_holder=nobody", "&backup=nordlys", "&near=NO"] {
        let (status, refused) = holm.get(&format!("{path}{wrong}")).await;
        assert_eq!(status, 400, "{wrong}: {refused}");
    }
    let next = found[0]["data"]["next"].as_str().unwrap();
    let (status, other) = holm.get(&format!("{path}&key_holder=client_side&cursor={next}")).await;
    assert_eq!(status, 400, "of another answer: {other}");
    assert_eq!(holm.get("/v1/environments/nowhere/places?profile=eea-jurisdiction").await.0, 404);
    assert_eq!(holm.get("/v1/environments/production/places?profile=nobodys").await.0, 404);
    assert_eq!(holm.get("/v1/environments/production/places").await.0, 400, "it has no profile of its own");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_would_come_of_another_fact_comes_in_parts_and_a_part_of_another_answer_is_refused() {
    let holm = in_oslo().await;
    let path = "/v1/residency/what-if?suppose=region:nordlys/no-osl.countries%3D%5B%22NO%22%2C%20%22US%22%5D";
    let (found, changes) = parts(&holm, path, 1, "changes").await;
    assert!(found.iter().all(|part| part["data"]["changes_count"] == 4 && part["data"]["plan_count"] == 2), "{found:?}");
    let copies: Vec<(&str, &str)> = changes.iter().map(|one| (one["tenant"].as_str().unwrap(), one["copy"].as_str().unwrap())).collect();
    let (_, whole) = holm.get(path).await;
    assert_eq!(&changes, whole["data"]["changes"].as_array().unwrap(), "{copies:?}");
    let steps: Vec<&Value> = found.iter().flat_map(|part| part["data"]["plan"].as_array().unwrap()).collect();
    assert_eq!(steps, whole["data"]["plan"].as_array().unwrap().iter().collect::<Vec<_>>());
    // Somebody else is judged since.
    let next = found[0]["data"]["next"].as_str().unwrap();
    holm.catalog().await.batch_execute("UPDATE tenant SET profile = 'eea-jurisdiction' WHERE slug = 'bergen'").await.unwrap();
    let (status, refused) = holm.get(&format!("{path}&cursor={next}")).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &ErrorCode::InvalidValue.to_string().into()), "{refused}");
    assert!(refused["error"]["why"].as_str().unwrap().contains("changed"), "{refused}");
}
