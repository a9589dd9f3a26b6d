//! The life of a tenant and of a credential, through the API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::installation::{Installation, read};

/// The story: a customer is created, shown, suspended and let in again; a credential for it is made, listed and revoked.
#[tokio::test(flavor = "multi_thread")]
async fn r97_a_tenant_is_created_shown_suspended_and_resumed_and_each_answer_says_where_it_stands() {
    let holm = Installation::start().await;
    let body = json!({ "slug": "goteborg", "cluster": "production-1", "parameters": { "work_mem": "8MB" } });
    let response = holm.request(Method::POST, "/v1/environments/production/tenants").json(&body).send().await.unwrap();
    assert_eq!(response.headers()["location"], "/v1/environments/production/tenants/goteborg");
    let (status, created) = read(response).await;
    assert_eq!((status, &created["data"]["state"]), (201, &"serving".into()), "{created}");

    let (status, shown) = holm.get("/v1/environments/production/tenants/goteborg").await;
    assert_eq!(status, 200);
    assert_eq!(shown["data"]["id"], created["data"]["id"]);
    assert_eq!(shown["data"]["parameters"], json!({ "work_mem": "8MB" }));
    assert_eq!(shown["data"]["cluster"], "production-1");

    let (status, suspended) = holm.post("/v1/environments/production/tenants/goteborg/suspend", json!(null)).await;
    assert_eq!((status, &suspended["data"]["state"]), (200, &"suspended".into()));
    let metrics = holm.unsigned(Method::GET, "/metrics").send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("holm_tenants{environment=\"production\",state=\"suspended\"} 1\n"), "{metrics}");
    assert!(metrics.contains("holm_tenants{environment=\"staging\",state=\"serving\"} 0\n"), "{metrics}");
    assert!(metrics.contains("holm_build_info{version=") && metrics.ends_with("holm_proxy_clients 7\n"), "{metrics}");
    let (status, resumed) = holm.post("/v1/environments/production/tenants/goteborg/resume", json!(null)).await;
    assert_eq!((status, &resumed["data"]["state"]), (200, &"serving".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn r75_a_rename_is_begun_with_202_and_names_that_are_kept_are_refused_with_until_when() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let path = "/v1/environments/production/tenants/goteborg/rename";
    let response =
        holm.request(Method::POST, path).json(&json!({ "to": "vast", "grace": "12h", "reason": "merged" })).send().await.unwrap();
    let location = response.headers()["location"].to_str().unwrap().to_owned();
    let (status, begun) = read(response).await;
    assert_eq!((status, location), (202, format!("/v1/operations/{}", begun["operation"].as_str().unwrap())));
    assert_eq!(begun["data"]["id"], begun["operation"]);
    holm_testkit::eventually(std::time::Duration::from_secs(60), "the new name", async || {
        let (status, shown) = holm.get("/v1/environments/production/tenants/vast").await;
        if status == 200 { Ok(()) } else { Err(shown) }
    })
    .await;
    let (status, kept) = holm.post("/v1/environments/production/tenants", json!({ "slug": "goteborg" })).await;
    assert_eq!((status, &kept["error"]["code"]), (409, &"HOLM-1115".into()), "{kept}");
    for (body, code) in [
        (json!({ "to": "Vast" }), "HOLM-1101"),
        (json!({ "to": "ost", "grace": "soon" }), "HOLM-1001"),
        (json!({ "to": "ost", "force": true }), "HOLM-1002"),
        (json!({ "to": "vast" }), "HOLM-1001"),
    ] {
        let (status, refused) = holm.post("/v1/environments/production/tenants/vast/rename", body).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &code.into()), "{refused}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r35_an_end_is_refused_in_production_and_a_copy_without_its_programs_says_what_is_missing() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let (status, refused) = holm.post("/v1/environments/production/tenants", json!({ "slug": "run-1", "ttl": "1h" })).await;
    assert_eq!((status, &refused["error"]["code"]), (403, &"HOLM-1116".into()), "{refused}");
    let (status, refused) = holm.post("/v1/environments/production/tenants/goteborg/extend", json!({ "ttl": "1h" })).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &"HOLM-1109".into()), "{refused}");
    let (status, refused) = holm.post("/v1/environments/production/tenants/goteborg/copy", json!({ "slug": "copy" })).await;
    assert_eq!((status, &refused["error"]["code"]), (500, &"HOLM-6011".into()), "{refused}");
    let (_, shown) = holm.get("/v1/environments/production/tenants/goteborg").await;
    assert_eq!(shown["data"]["expires_at"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_changed_one_by_one_shown_and_refused_with_the_numbers() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let change = async |body: Value| {
        read(holm.request(Method::PATCH, "/v1/environments/production/tenants/goteborg/limits").json(&body).send().await.unwrap()).await
    };
    for (body, limits) in [
        (json!({ "min": 1, "max": 5 }), json!({ "min": 1, "max": 5, "weight": 1 })),
        (json!({ "weight": 3 }), json!({ "min": 1, "max": 5, "weight": 3 })),
        (json!({ "max": null }), json!({ "min": 1, "max": null, "weight": 3 })),
        (json!({}), json!({ "min": 1, "max": null, "weight": 3 })),
        (json!({ "reset": true, "max": 2 }), json!({ "min": 0, "max": 2, "weight": 1 })),
    ] {
        let (status, changed) = change(body).await;
        assert_eq!((status, &changed["data"]["limits"]), (200, &limits), "{changed}");
        assert_eq!(holm.get("/v1/environments/production/tenants/goteborg").await.1["data"]["limits"], limits);
    }
    for (body, status, code) in [
        (json!({ "min": 3 }), 400, "HOLM-1001"),
        (json!({ "max": 0 }), 400, "HOLM-1001"),
        (json!({ "weight": 101 }), 400, "HOLM-1001"),
        (json!({ "min": -1 }), 400, "HOLM-1001"),
        (json!({ "most": 1 }), 400, "HOLM-1002"),
        (json!({ "min": 200_000, "max": null }), 507, "HOLM-1117"),
    ] {
        let (answered, refused) = change(body).await;
        assert_eq!(
            (answered, &refused["error"]["code"], &refused["error"]["changed"]),
            (status, &code.into(), &"nothing".into()),
            "{refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_paused_and_resumed_and_a_wait_that_cannot_be_is_refused() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let path = "/v1/environments/production/tenants/goteborg";
    for wait in ["0", "61"] {
        let (status, refused) = holm.post(&format!("{path}/pause?wait={wait}"), Value::Null).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &"HOLM-1001".into()), "{refused}");
    }
    assert_eq!(holm.get(path).await.1["data"]["state"], "serving");
    for _ in 0..2 {
        let (status, paused) = holm.post(&format!("{path}/pause?wait=10"), Value::Null).await;
        assert_eq!((status, &paused["data"]["state"]), (200, &"paused".into()), "{paused}");
    }
    let (status, resumed) = holm.post(&format!("{path}/resume"), Value::Null).await;
    assert_eq!((status, &resumed["data"]["state"]), (200, &"serving".into()), "{resumed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_that_take_one_name_one_gets_it_and_the_other_a_clear_409() {
    let holm = Installation::start().await;
    let create = || holm.post("/v1/environments/production/tenants?wait=60", json!({ "slug": "malmo" }));
    let (one, two) = tokio::join!(create(), create());
    let mut statuses = [one.0, two.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409], "{one:?} {two:?}");
    let refused = if one.0 == 409 { one.1 } else { two.1 };
    assert_eq!((&refused["error"]["code"], &refused["error"]["changed"]), (&"HOLM-1102".into(), &"nothing".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn r1_a_credential_is_made_in_one_environment_shown_once_listed_without_its_secret_and_revoked() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let path = "/v1/environments/production/credentials";
    let (status, issued) = holm.post(path, json!({ "name": "goteborg-app", "level": "rw", "tenant": "goteborg" })).await;
    assert_eq!(status, 201, "{issued}");
    let secret = issued["data"]["secret"].as_str().unwrap().to_owned();
    assert!(secret.len() >= 32);
    assert_eq!(issued["data"]["credential"]["tenant"], "goteborg");

    let (_, listed) = holm.get(path).await;
    assert_eq!(listed["data"]["items"][0]["name"], "goteborg-app");
    assert!(!listed.to_string().contains(&secret));
    let (_, elsewhere) = holm.get("/v1/environments/staging/credentials").await;
    assert_eq!(elsewhere["data"]["items"], json!([]));
    let (status, refused) = holm.post("/v1/environments/staging/credentials", json!({ "name": "goteborg-app", "level": "ro" })).await;
    assert_eq!((status, &refused["error"]["code"]), (409, &"HOLM-1108".into()));

    let foreign = holm.request(Method::DELETE, "/v1/environments/staging/credentials/goteborg-app").send().await.unwrap();
    assert_eq!(read(foreign).await.0, 404);
    let own = holm.request(Method::DELETE, "/v1/environments/production/credentials/goteborg-app").send().await.unwrap();
    assert_eq!(read(own).await.0, 200);
    assert_eq!(holm.get(path).await.1["data"]["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_finds_everything_good_in_an_installation_that_is() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let (status, examined) = holm.get("/v1/doctor").await;
    assert_eq!(status, 200);
    let findings = examined["data"]["items"].as_array().unwrap();
    assert!(!findings.is_empty() && findings.iter().all(|finding| finding["verdict"] != "bad"), "{examined}");
}
