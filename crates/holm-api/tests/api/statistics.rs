//! Who may ask for numbers about all tenants, and what is refused before a server is asked.

use serde_json::{Value, json};

use crate::installation::Installation;

const STATISTICS: &str = "/v1/environments/staging/statistics";

#[tokio::test(flavor = "multi_thread")]
async fn r104_r61_whoever_sees_the_tenants_of_an_environment_may_ask_for_a_purpose_and_the_log_has_it() {
    let holm = Installation::without_cluster().await;
    let viewer = holm.somebody("vera", &[("viewer", Some("staging"))], json!({})).await;
    let privacy = holm.somebody("petra", &[("privacy", None)], json!({})).await;
    let nobody = holm.somebody("nils", &[], json!({})).await;
    let asked = json!({ "purpose": "capacity for 2027", "by": "region", "at_least": 3 });
    assert_eq!(nobody.post(STATISTICS, asked.clone()).await.0, 403);
    assert_eq!(viewer.post("/v1/environments/production/statistics", asked.clone()).await.0, 403);
    assert_eq!(holm.post("/v1/environments/unheard-of/statistics", asked.clone()).await.0, 404);
    for who in [&viewer, &privacy] {
        let (status, told) = who.post(STATISTICS, asked.clone()).await;
        assert_eq!((status, &told["data"]["total"]["tenants"], &told["data"]["groups"]), (200, &0.into(), &json!([])), "{told}");
        let first = &told["data"]["total"]["figures"][0];
        let expected =
            json!({ "measure": "size_bytes", "sum": null, "mean": null, "withheld": "too_few", "because": "fewer than 3 tenants" });
        assert_eq!(first, &expected);
    }
    let (_, found) = privacy.get("/v1/audit?action=statistics.ask").await;
    let noted = |item: &Value| [&item["actor"], &item["reason"], &item["environment"], &item["detail"]].map(Clone::clone);
    let items: Vec<_> = found["data"]["items"].as_array().unwrap().iter().map(noted).collect();
    let entry = |who: &str| [who, "capacity for 2027", "staging", r#"{"by":"region","at_least":3,"tenants":0}"#].map(Value::from);
    assert_eq!(items, [entry("petra"), entry("vera")], "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn r104_without_a_purpose_or_for_groups_that_are_too_small_nothing_is_asked_of_anybody() {
    let holm = Installation::without_cluster().await;
    let long = "x".repeat(201);
    for (body, said) in [
        (json!({}), "purpose"),
        (json!({ "purpose": "" }), "1 to 200 characters"),
        (json!({ "purpose": "  " }), "1 to 200 characters"),
        (json!({ "purpose": "two\nlines" }), "1 to 200 characters"),
        (json!({ "purpose": long }), "1 to 200 characters"),
        (json!({ "purpose": "p", "by": "tenant" }), "`cluster`, `region`, `profile`"),
        (json!({ "purpose": "p", "at_least": 2 }), "3 to 1000"),
        (json!({ "purpose": "p", "at_least": 1001 }), "3 to 1000"),
    ] {
        let (status, refused) = holm.post(STATISTICS, body.clone()).await;
        assert_eq!((status, &refused["error"]["changed"]), (400, &"nothing".into()), "{body}: {refused}");
        assert!(refused["error"].to_string().contains(said), "{body}: {refused}");
    }
    assert_eq!(holm.post(STATISTICS, json!({ "purpose": "p", "at_least": 1000 })).await.0, 200);
    assert_eq!(holm.get("/v1/audit?action=statistics.ask").await.1["data"]["items"].as_array().unwrap().len(), 1);
}
