//! What is refused, and how: always in the envelope, always with a code, never silently.

use reqwest::Method;
use serde_json::{Value, json};

use crate::installation::{Installation, read};

/// `(method, path)` of every operation in the description, with made-up names in its path.
fn operations() -> Vec<(Method, String)> {
    let description = serde_json::to_value(holm_api::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        let path = path.replace("{environment}", "production").replace("{slug}", "goteborg").replace("{name}", "reports");
        let path =
            path.replace("{id}", "op_018f3e5c2d7a7b3c9d4e5f60718293a4").replace("{code}", "HOLM-1001").replace("{copy}", "log-grafana");
        assert!(!path.contains('{'), "{path}: give the parameter a value here");
        for method in item.as_object().unwrap().keys() {
            found.push((method.to_uppercase().parse().unwrap(), path.clone()));
        }
    }
    assert!(found.len() >= 14, "{found:?}");
    found
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_takes_a_query_parameter_that_it_does_not_know() {
    let holm = Installation::without_cluster().await;
    for (method, path) in operations() {
        for query in ["read_only-true", "dry_run=true", "LIMIT=1", "limit%20=1", "wait[]=1"] {
            let response = holm.request(method.clone(), &format!("{path}?{query}")).json(&json!({})).send().await.unwrap();
            let (status, answer) = read(response).await;
            assert_eq!((status, code(&answer)), (400, "HOLM-1002"), "{method} {path}?{query}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_route_takes_a_field_of_a_body_that_it_does_not_know() {
    let holm = Installation::without_cluster().await;
    // What a node says is sealed: it has no fields.
    let changes = operations().into_iter().filter(|(method, path)| *method != Method::GET && path != "/link");
    for (method, path) in changes {
        let response = holm.request(method.clone(), &path).json(&json!({ "nonsense": 1 })).send().await.unwrap();
        let (status, answer) = read(response).await;
        assert_eq!((status, code(&answer)), (400, "HOLM-1002"), "{method} {path}: {answer}");
    }
}

/// The story: somebody finds a code in a log, and asks the server that wrote it.
#[tokio::test(flavor = "multi_thread")]
async fn every_problem_leads_to_its_page_on_the_server_that_answered() {
    let holm = Installation::without_cluster().await;
    let (_, refused) = holm.get("/v1/environments/production/tenants/nobody").await;
    assert_eq!(refused["title"], "No such tenant in that environment.");
    let page = holm.unsigned(Method::GET, refused["type"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/markdown; charset=utf-8");
    assert!(page.text().await.unwrap().starts_with("# HOLM-1104: TenantNotFound\n"));
    for path in ["/errors/HOLM-1000", "/errors/..%2F..%2Fetc%2Fpasswd", "/errors/holm-1104"] {
        assert_eq!(read(holm.unsigned(Method::GET, path).send().await.unwrap()).await.0, 404, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_known_token_learns_nothing_from_any_route_of_v1() {
    let holm = Installation::without_cluster().await;
    let mut answers = std::collections::BTreeSet::new();
    for (method, path) in operations().into_iter().filter(|(_, path)| path.starts_with("/v1")) {
        for authorization in
            [None, Some("Bearer"), Some("Bearer "), Some("Bearer wrong"), Some("Basic dXNlcjpwdw=="), Some("bearer\twrong")]
        {
            let mut request = holm.unsigned(method.clone(), &format!("{path}?nonsense=1")).body("{not json");
            if let Some(authorization) = authorization {
                request = request.header("authorization", authorization);
            }
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["www-authenticate"], "Bearer realm=\"holm\"");
            let (status, mut answer) = read(response).await;
            // Which path was asked for is no news to who asked.
            answer["instance"].take();
            assert_eq!((status, code(&answer)), (401, "HOLM-1201"), "{method} {path} {authorization:?}");
            answers.insert(answer.to_string());
        }
    }
    assert_eq!(answers.len(), 1, "missing, malformed and unknown are answered alike");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_json_of_the_fields_that_exist_and_no_larger_than_it_needs_to_be() {
    let holm = Installation::without_cluster().await;
    let path = "/v1/environments/production/tenants?wait=1";
    let send = |kind: &'static str, body: String| {
        let request = holm.request(Method::POST, path).header("content-type", kind).body(body);
        async move { read(request.send().await.unwrap()).await }
    };
    let json = "application/json";
    for (kind, body, expected) in [
        (json, r#"{"slug":"a","read_only":true}"#.to_owned(), (400, "HOLM-1002")),
        (json, r#"{"slug":"a","Slug":"b"}"#.to_owned(), (400, "HOLM-1002")),
        (json, r#"{"slug":1}"#.to_owned(), (400, "HOLM-1001")),
        (json, r#"{"slug":"a","slug":"b"}"#.to_owned(), (400, "HOLM-1001")),
        (json, r#"{}"#.to_owned(), (400, "HOLM-1001")),
        (json, r#"{"slug":"a","parameters":{"session_preload_libraries":"evil"}}"#.to_owned(), (400, "HOLM-1001")),
        (json, r#"{"slug":"a","cluster":"Not A Name"}"#.to_owned(), (400, "HOLM-1001")),
        (json, r#"{"slug":"a""#.to_owned(), (400, "HOLM-1003")),
        (json, String::new(), (400, "HOLM-1003")),
        (json, "\u{feff}{}".to_owned(), (400, "HOLM-1003")),
        (json, "[".repeat(10_000), (400, "HOLM-1003")),
        (json, r#"["a"]"#.to_owned(), (400, "HOLM-1003")),
        (json, "null".to_owned(), (400, "HOLM-1003")),
        (json, format!("{}{}", r#"{"slug":"#.repeat(5_000), "}".repeat(5_000)), (400, "HOLM-1001")),
        (json, format!(r#"{{"slug":"{}"}}"#, "a".repeat(70_000)), (413, "HOLM-1006")),
        ("text/plain", r#"{"slug":"a"}"#.to_owned(), (415, "HOLM-1007")),
        ("application/x-www-form-urlencoded", "slug=a".to_owned(), (415, "HOLM-1007")),
    ] {
        let shown: String = body.chars().take(60).collect();
        let (status, answer) = send(kind, body).await;
        assert_eq!((status, code(&answer)), expected, "{kind} {shown}: {answer}");
        assert_eq!(answer["error"]["changed"], "nothing");
    }
    // A charset does no harm. There is no cluster to make a database on, so waiting ends before the tenant is there.
    let (status, answer) = send("application/json; charset=utf-8", r#"{"slug":"lund"}"#.to_owned()).await;
    assert_eq!((status, code(&answer), &answer["error"]["changed"]), (504, "HOLM-2004", &"something".into()), "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slug_that_is_none_is_refused_with_the_reason_and_the_nearest_one_and_reserved_names_stay_reserved() {
    let holm = Installation::without_cluster().await;
    let path = "/v1/environments/production/tenants";
    let long = "a".repeat(64);
    for slug in
        ["Göteborg", "admin", "www", "postgres", "template1", "", "-a", "2026", "x'; DROP TABLE tenant; --", "a\u{0}b", "a.b", &long]
    {
        let (status, answer) = holm.post(path, json!({ "slug": slug })).await;
        assert_eq!((status, code(&answer)), (400, "HOLM-1101"), "{slug}");
        assert!(answer["error"]["why"].is_string() && answer["error"]["next"][0].is_string());
    }
    let (_, answer) = holm.post(path, json!({ "slug": "Göteborg" })).await;
    assert_eq!(answer["error"]["next"][0], "use `goteborg`");
    for segment in ["G%C3%B6teborg", "..%2Fx", "%00", "a%20b", "admin"] {
        let (status, answer) = holm.get(&format!("{path}/{segment}")).await;
        assert_eq!((status, code(&answer)), (400, "HOLM-1101"), "{segment}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404_with_what_was_probably_meant() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    for (path, expected, meant) in [
        ("/v1/environments/production/tenants/gotborg", "HOLM-1104", "did you mean `goteborg`?"),
        ("/v1/environments/production/tenants/uppsala", "HOLM-1104", "list them: `holm tenant list --env production`"),
        ("/v1/environments/staging/tenants/goteborg", "HOLM-1104", "list them: `holm tenant list --env staging`"),
        ("/v1/environments/prodcution/tenants/goteborg", "HOLM-1105", "did you mean `production`?"),
        ("/v1/environments/prodcution/tenants", "HOLM-1105", "did you mean `production`?"),
        ("/v1/environments/prodcution/credentials", "HOLM-1105", "did you mean `production`?"),
        ("/v1/environments/production", "HOLM-1004", "the paths are in `/openapi.json`"),
        ("/v1/environments/production/tenants/", "HOLM-1004", "the paths are in `/openapi.json`"),
        ("/", "HOLM-1004", "the paths are in `/openapi.json`"),
    ] {
        let (status, answer) = holm.get(path).await;
        assert_eq!((status, code(&answer), answer["error"]["next"][0].as_str().unwrap()), (404, expected, meant), "{path}");
    }
    let (status, answer) = holm.post("/v1/environments/production/tenants", json!({ "slug": "a", "cluster": "nowhere" })).await;
    assert_eq!((status, code(&answer)), (404, "HOLM-1106"));
    let gone = holm.request(Method::DELETE, "/v1/environments/production/credentials/nobody").send().await.unwrap();
    assert_eq!(read(gone).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_and_a_wait_have_bounds_and_a_cursor_that_nobody_gave_is_refused() {
    let holm = Installation::without_cluster().await;
    let path = "/v1/environments/production/tenants";
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "limit=1&limit=2", "cursor=%27%20OR%20true", "cursor=", "limit="] {
        let (status, answer) = holm.get(&format!("{path}?{query}")).await;
        assert_eq!((status, code(&answer)), (400, "HOLM-1001"), "{query}: {answer}");
    }
    for wait in ["0", "61", "-1", "1e1", "99999999999999999999"] {
        let (status, answer) = holm.post(&format!("{path}?wait={wait}"), json!({ "slug": "lund" })).await;
        assert_eq!((status, code(&answer)), (400, "HOLM-1001"), "{wait}: {answer}");
    }
    assert_eq!(holm.get(&format!("{path}/lund")).await.0, 404, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn methods_are_what_http_says_and_a_browsers_script_has_no_business_here() {
    let holm = Installation::without_cluster().await;
    let path = "/v1/environments/production/tenants";
    let wrong = holm.request(Method::PUT, path).send().await.unwrap();
    assert_eq!(wrong.headers()["allow"], "GET,HEAD,POST");
    let (status, answer) = read(wrong).await;
    assert_eq!((status, code(&answer)), (405, "HOLM-1005"));

    let head = holm.request(Method::HEAD, path).send().await.unwrap();
    assert_eq!((head.status().as_u16(), head.headers()["content-type"].to_str().unwrap()), (200, "application/json"));
    assert!(head.bytes().await.unwrap().is_empty());

    let preflight =
        holm.request(Method::OPTIONS, path).header("origin", "https://evil.example").header("access-control-request-method", "POST");
    let preflight = preflight.send().await.unwrap();
    assert_eq!((preflight.status().as_u16(), preflight.headers()["allow"].to_str().unwrap()), (204, "GET,HEAD,POST"));
    let read = holm.request(Method::GET, path).header("origin", "https://evil.example").send().await.unwrap();
    for response in [preflight, read] {
        assert!(response.headers().keys().all(|name| !name.as_str().starts_with("access-control-")), "{:?}", response.headers());
    }
}
