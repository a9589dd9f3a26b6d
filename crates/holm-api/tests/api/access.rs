//! Who may ask for what, over the wire.

use reqwest::Method;
use serde_json::{Value, json};

use crate::installation::{Installation, read};

/// Somebody with a token of their own.
pub(crate) struct Somebody<'a> {
    holm: &'a Installation,
    secret: String,
}

impl Somebody<'_> {
    pub(crate) async fn send(&self, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
        let request = self.holm.unsigned(method, path).bearer_auth(&self.secret);
        read(if let Some(body) = body { request.json(&body) } else { request }.send().await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        self.send(Method::GET, path, None).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.send(Method::POST, path, Some(body)).await
    }
}

impl Installation {
    /// A principal with roles, each `(role, environment)`, and a token with this scope.
    pub(crate) async fn somebody(&self, name: &str, roles: &[(&str, Option<&str>)], scope: Value) -> Somebody<'_> {
        let (status, made) = self.post("/v1/principals", json!({ "name": name, "kind": "person" })).await;
        assert_eq!(status, 201, "{made}");
        for (role, environment) in roles {
            let mut body = json!({ "role": role });
            if let Some(environment) = environment {
                body["environment"] = (*environment).into();
            }
            assert_eq!(self.post(&format!("/v1/principals/{name}/roles"), body).await.0, 200);
        }
        let mut token = json!({ "name": "laptop", "principal": name });
        token.as_object_mut().unwrap().extend(scope.as_object().unwrap().clone());
        let (status, issued) = self.post("/v1/tokens", token).await;
        assert_eq!(status, 201, "{issued}");
        Somebody { holm: self, secret: issued["data"]["secret"].as_str().unwrap().to_owned() }
    }
}

fn code(answer: &Value) -> &str {
    answer["error"]["code"].as_str().unwrap_or_default()
}

fn names(answer: &Value) -> Vec<&str> {
    answer["data"]["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect()
}

/// The story: a pipeline's token for staging is tried in production.
#[tokio::test(flavor = "multi_thread")]
async fn r61_a_token_of_staging_is_refused_in_production_with_the_reason_and_sees_nothing_of_it() {
    let holm = Installation::without_cluster().await;
    let ci = holm.somebody("ci", &[("operator", None)], json!({ "environment": "staging" })).await;
    assert_eq!(ci.get("/v1/environments/staging/tenants").await.0, 200);
    for (method, path) in [
        (Method::GET, "/v1/environments/production/tenants"),
        (Method::POST, "/v1/environments/production/tenants/goteborg/suspend"),
        (Method::POST, "/v1/environments/production/credentials"),
        (Method::GET, "/v1/doctor"),
        (Method::GET, "/v1/principals"),
    ] {
        let (status, answer) = ci.send(method.clone(), path, None).await;
        assert_eq!((status, code(&answer)), (403, "HOLM-1202"), "{method} {path}");
        assert_eq!(answer["error"]["why"], "the token is good for one environment only, and this is not in it", "{method} {path}");
    }
    let (_, environments) = ci.get("/v1/environments").await;
    assert_eq!(names(&environments), ["staging"]);
    let (_, me) = ci.get("/v1/whoami").await;
    assert_eq!((&me["data"]["name"], &me["data"]["token"]["environment"]), (&"ci".into(), &"staging".into()));
    assert_eq!(me["data"]["roles"], json!([{ "role": "operator", "environment": null }]));
}

#[tokio::test(flavor = "multi_thread")]
async fn r61_each_role_gets_through_where_the_table_says_and_nowhere_else() {
    let holm = Installation::without_cluster().await;
    let viewer = holm.somebody("vera", &[("viewer", Some("staging"))], json!({})).await;
    let support = holm.somebody("sune", &[("support", None)], json!({})).await;
    let privacy = holm.somebody("petra", &[("privacy", None)], json!({})).await;
    let nobody = holm.somebody("nils", &[], json!({})).await;
    let capped = holm.somebody("carl", &[("admin", None)], json!({ "role": "viewer", "hours": 1 })).await;
    for (who, path, expected) in [
        (&viewer, "/v1/environments/staging/tenants", 200),
        (&viewer, "/v1/environments/staging/usage", 200),
        (&viewer, "/v1/environments/production/usage", 403),
        (&support, "/v1/environments/unheard-of/usage", 404),
        (&viewer, "/v1/environments/staging/credentials", 403),
        (&viewer, "/v1/environments/production/tenants", 403),
        (&viewer, "/v1/environments/unheard-of/tenants", 403),
        (&viewer, "/v1/environments", 200),
        (&viewer, "/v1/audit", 403),
        (&support, "/v1/environments/production/credentials", 200),
        (&support, "/v1/environments/unheard-of/tenants", 404),
        (&support, "/v1/audit/export", 403),
        (&privacy, "/v1/audit", 200),
        (&privacy, "/v1/audit/export", 200),
        (&privacy, "/v1/audit/verify", 200),
        (&privacy, "/v1/principals", 403),
        (&nobody, "/v1/whoami", 200),
        (&nobody, "/v1/environments", 403),
        (&capped, "/v1/tokens", 403),
        (&capped, "/v1/environments/production/tenants", 200),
    ] {
        let (status, answer) = who.get(path).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
    let (status, answer) = support.post("/v1/environments/production/credentials", json!({ "name": "mine", "level": "ro" })).await;
    assert_eq!((status, code(&answer)), (403, "HOLM-1202"), "support sees no secret");
    // Decided before the body is read.
    let (status, _) = support.post("/v1/environments/production/tenants", json!("nonsense")).await;
    assert_eq!(status, 403);
}

/// The story: somebody leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_principals_and_a_revoked_token_are_as_good_as_none_and_one_that_is_over_says_so() {
    let holm = Installation::without_cluster().await;
    let anna = holm.somebody("anna k", &[("admin", None)], json!({})).await;
    let (_, tokens) = anna.get("/v1/tokens").await;
    let own = &tokens["data"]["items"].as_array().unwrap().iter().find(|token| token["principal"] == "anna k").unwrap().clone();
    assert!(own["last_used_at"].is_string() && own["expires_at"].is_null() && !tokens.to_string().contains(&anna.secret));
    let (status, itself) = anna.send(Method::DELETE, "/v1/principals/anna%20k", None).await;
    assert_eq!((status, code(&itself)), (400, "HOLM-1001"), "nobody locks itself out by a slip");
    let gone = holm.request(Method::DELETE, "/v1/principals/anna%20k").send().await.unwrap();
    let (status, disabled) = read(gone).await;
    assert!(status == 200 && disabled["data"]["disabled_at"].is_string());
    let (status, answer) = anna.get("/v1/whoami").await;
    assert_eq!((status, code(&answer)), (401, "HOLM-1201"));

    let ben = holm.somebody("ben", &[("admin", None)], json!({})).await;
    let id = ben.get("/v1/whoami").await.1["data"]["token"]["id"].as_str().unwrap().to_owned();
    let revoked = holm.request(Method::DELETE, &format!("/v1/tokens/{id}")).send().await.unwrap();
    assert_eq!(read(revoked).await.0, 200);
    assert_eq!(ben.get("/v1/whoami").await.0, 401);
    let again = holm.request(Method::DELETE, &format!("/v1/tokens/{id}")).send().await.unwrap();
    let (status, answer) = read(again).await;
    assert_eq!((status, code(&answer)), (404, "HOLM-1210"));
    for (body, expected) in [
        (json!({ "name": "x", "principal": "nobody" }), (404, "HOLM-1208")),
        (json!({ "name": "x", "principal": "anna k" }), (400, "HOLM-1001")),
        (json!({ "name": "x", "principal": "ben", "hours": 0 }), (400, "HOLM-1001")),
        (json!({ "name": "x", "principal": "ben", "role": "root" }), (400, "HOLM-1001")),
        (json!({ "name": "x", "principal": "ben", "environment": "unheard-of" }), (404, "HOLM-1105")),
        (json!({ "name": "x", "principal": "ben", "scope": "all" }), (400, "HOLM-1002")),
    ] {
        let (status, answer) = holm.post("/v1/tokens", body.clone()).await;
        assert_eq!((status, code(&answer)), expected, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r23_an_approval_goes_from_one_to_another_over_the_wire() {
    let holm = Installation::without_cluster().await;
    let anna = holm.somebody("anna", &[("operator", Some("staging"))], json!({})).await;
    let ben = holm.somebody("ben", &[("operator", Some("staging"))], json!({})).await;
    let other = holm.somebody("olle", &[("operator", Some("production"))], json!({})).await;
    let hash = "ab".repeat(32);
    let wish = json!({ "kind": "tenant.delete", "hash": hash, "environment": "staging", "reason": "contract ended" });
    let (status, asked) = anna.post("/v1/approvals", wish.clone()).await;
    assert_eq!(status, 201, "{asked}");
    assert_eq!(other.post("/v1/approvals", wish).await.0, 403);
    let path = format!("/v1/approvals/{}", asked["data"]["id"].as_str().unwrap());
    let (status, answer) = anna.post(&format!("{path}/approve"), json!(null)).await;
    assert_eq!((status, code(&answer)), (403, "HOLM-1303"));
    let (status, answer) = other.post(&format!("{path}/approve"), json!(null)).await;
    assert_eq!((status, code(&answer)), (404, "HOLM-1304"), "of another environment is as good as none");
    assert_eq!(other.get("/v1/approvals").await.1["data"]["items"], json!([]));
    let (status, approved) = ben.post(&format!("{path}/approve"), json!(null)).await;
    assert_eq!((status, &approved["data"]["verdict"], &approved["data"]["decided_by"]), (200, &"approved".into(), &"ben".into()));
    let (status, answer) = ben.post(&format!("{path}/reject"), json!(null)).await;
    assert_eq!((status, code(&answer)), (409, "HOLM-1305"));
    assert_eq!(ben.get(&path).await.1["data"]["hash"], hash.as_str());
    assert_eq!(ben.get("/v1/approvals").await.1["data"]["items"].as_array().unwrap().len(), 1);
    for body in [
        json!({ "kind": "tenant.delete", "hash": "ab", "environment": "staging", "reason": "x" }),
        json!({ "kind": "Tenant Delete", "hash": hash, "environment": "staging", "reason": "x" }),
        json!({ "kind": "tenant.delete", "hash": hash, "environment": "staging", "reason": " " }),
        json!({ "kind": "tenant.delete", "hash": hash, "environment": "staging", "reason": "x", "hours": 721 }),
    ] {
        assert_eq!(anna.post("/v1/approvals", body.clone()).await.0, 400, "{body}");
    }
}

/// The story: production demands four eyes; the refusal says how to ask, and a second person lets the very request through once.
#[tokio::test(flavor = "multi_thread")]
async fn r23_a_demanded_approval_is_asked_for_decided_by_another_and_used_once_over_the_wire() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let anna = holm.somebody("anna", &[("admin", None)], json!({})).await;
    let ben = holm.somebody("ben", &[("operator", Some("production"))], json!({})).await;
    let rule = "/v1/environments/production/require-approval";
    let on = json!({ "operation": "tenant.delete", "required": true });
    assert_eq!(ben.post(rule, on.clone()).await.0, 403, "an operator does not change what production is");
    let (status, set) = anna.post(rule, on).await;
    assert_eq!((status, &set["data"]["needs_approval"]), (200, &json!(["tenant.delete"])), "{set}");
    for (body, expected) in [
        (json!({ "operation": "tenant.create", "required": true }), 400),
        (json!({ "operation": "tenant.delete" }), 400),
        (json!({ "operation": "tenant.delete", "required": true, "for": "anna" }), 400),
    ] {
        assert_eq!(anna.post(rule, body.clone()).await.0, expected, "{body}");
    }
    let path = "/v1/environments/production/tenants/goteborg?grace=12h";
    let (status, refused) = anna.send(Method::DELETE, path, None).await;
    assert_eq!((status, code(&refused), &refused["error"]["changed"]), (403, "HOLM-1301", &"nothing".into()));
    let command = refused["error"]["next"][0].as_str().unwrap();
    let hash = command.split_once("--hash ").unwrap().1.split_once(' ').unwrap().0;
    let content = command.split_once("--content '").unwrap().1.split_once('\'').unwrap().0;
    let wish =
        |content: &str| json!({ "kind": "tenant.delete", "hash": hash, "content": content, "environment": "production", "reason": "4711" });
    assert_eq!(anna.post("/v1/approvals", wish("something harmless")).await.0, 400, "words of another hash");
    let (_, asked) = anna.post("/v1/approvals", wish(content)).await;
    let approval = format!("/v1/approvals/{}", asked["data"]["id"].as_str().unwrap());
    assert_eq!(code(&anna.post(&format!("{approval}/approve"), json!(null)).await.1), "HOLM-1303");
    let (_, read) = ben.get(&approval).await;
    assert!(read["data"]["content"].as_str().unwrap().contains("delete tenant goteborg"), "{read}");
    assert_eq!(ben.post(&format!("{approval}/approve"), json!(null)).await.0, 200);
    assert_eq!(code(&anna.send(Method::DELETE, "/v1/environments/production/tenants/goteborg", None).await.1), "HOLM-1302");
    let (status, begun) = anna.send(Method::DELETE, path, None).await;
    assert_eq!((status, begun["operation"].is_string()), (202, true), "{begun}");
    assert!(ben.get(&approval).await.1["data"]["used_at"].is_string());
    let (status, off) = anna.post(rule, json!({ "operation": "tenant.delete", "required": false })).await;
    assert_eq!((status, code(&off)), (403, "HOLM-1301"), "not by one alone");
}

/// The story: at night, support needs more than it has; the privacy officer reads about it in the morning.
#[tokio::test(flavor = "multi_thread")]
async fn r88_the_glass_is_broken_with_a_reason_for_a_time_and_the_log_tells_of_it() {
    let holm = Installation::without_cluster().await;
    let sune = holm.somebody("sune", &[("support", Some("production"))], json!({})).await;
    let petra = holm.somebody("petra", &[("privacy", None)], json!({})).await;
    let credential = json!({ "name": "night", "level": "ro" });
    let path = "/v1/environments/production/credentials";
    assert_eq!(sune.post(path, credential.clone()).await.0, 403);
    let glass = |environment: &str, reason: &str, minutes: u32| json!({ "environment": environment, "role": "operator", "reason": reason, "minutes": minutes });
    for (body, expected) in [
        (glass("production", "", 60), 400),
        (glass("production", "line\nbreak", 60), 400),
        (glass("production", "page 4711", 0), 400),
        (glass("production", "page 4711", 481), 400),
        (glass("staging", "page 4711", 60), 403),
        (json!({ "environment": "production", "role": "operator", "minutes": 60 }), 400),
    ] {
        let (status, answer) = sune.post("/v1/break-glass", body.clone()).await;
        assert_eq!(status, expected, "{body}: {answer}");
    }
    let (status, open) = sune.post("/v1/break-glass", glass("production", "page 4711", 60)).await;
    assert_eq!(status, 200, "{open}");
    assert_eq!(sune.post(path, credential).await.0, 201);
    let close = format!("/v1/break-glass/{}", open["data"]["id"].as_str().unwrap());
    assert_eq!(petra.send(Method::DELETE, &close, None).await.0, 404, "only who took it gives it back");
    assert_eq!(sune.send(Method::DELETE, &close, None).await.0, 200);
    assert_eq!(sune.post(path, json!({ "name": "day", "level": "ro" })).await.0, 403);

    let (_, found) = petra.get("/v1/audit?actor=sune").await;
    let items = found["data"]["items"].as_array().unwrap();
    let actions: Vec<&str> = items.iter().rev().map(|item| item["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["access.denied", "access.denied", "break_glass.open", "credential.issue", "break_glass.close", "access.denied"]);
    assert_eq!((&items[3]["reason"], &items[3]["environment"]), (&"page 4711".into(), &"production".into()));
    assert_eq!(petra.get("/v1/break-glass").await.1["data"]["items"][0]["principal"], "sune");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_searched_in_parts_copied_whole_and_verified() {
    let holm = Installation::without_cluster().await;
    for name in ["a", "b", "c"] {
        holm.somebody(name, &[], json!({})).await;
    }
    let (_, first) = holm.get("/v1/audit?action=principal.create&limit=2").await;
    let next = first["data"]["next"].as_str().unwrap();
    let (_, second) = holm.get(&format!("/v1/audit?action=principal.create&limit=2&cursor={next}")).await;
    assert_eq!(first["data"]["items"].as_array().unwrap().len() + second["data"]["items"].as_array().unwrap().len(), 4);
    let (_, copy) = holm.get("/v1/audit/export").await;
    let items = copy["data"]["items"].as_array().unwrap();
    let numbers: Vec<i64> = items.iter().map(|item| item["seq"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=numbers.len()).map(|n| i64::try_from(n).unwrap()).collect::<Vec<_>>());
    assert!(items.windows(2).all(|pair| pair[1]["previous_hash"] == pair[0]["hash"]));
    let (_, rest) = holm.get(&format!("/v1/audit/export?cursor={}", copy["data"]["next"].as_str().unwrap())).await;
    assert_eq!((&rest["data"]["items"], &rest["data"]["next"]), (&json!([]), &Value::Null));
    let (_, verdict) = holm.get("/v1/audit/verify").await;
    assert_eq!((&verdict["data"]["intact"], &verdict["data"]["finding"]), (&true.into(), &Value::Null));
    for wrong in ["action=tenant.explode", "since=yesterday", "until=1", "limit=0", "cursor=x", "environment=Not%20a%20name"] {
        assert_eq!(holm.get(&format!("/v1/audit?{wrong}")).await.0, 400, "{wrong}");
    }
    assert_eq!(holm.get("/v1/audit?since=2020-01-01T00:00:00Z&until=2020-01-02T00:00:00Z").await.1["data"]["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn r61_papers_and_exceptions_of_an_environment_are_shown_and_changed_only_by_who_may_there() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let paper =
        |environment: Option<&str>| json!({ "kind": "dpa", "with": "scalingo-sas", "signed_on": "2026-03-12", "environment": environment });
    let exception = json!({
        "copy": "primary", "rule": "control.affiliates", "owner": "dpo", "reason": "until spring", "measure": "none needed",
        "until": "2090-01-01T00:00:00Z",
    });
    let exceptions = "/v1/environments/production/tenants/goteborg/exceptions";
    let mut ids = Vec::new();
    for (path, body) in
        [("/v1/residency/papers", paper(Some("production"))), ("/v1/residency/papers", paper(None)), (exceptions, exception.clone())]
    {
        let (status, made) = holm.post(path, body).await;
        assert_eq!(status, 201, "{made}");
        ids.push(made["data"]["id"].as_str().unwrap().to_owned());
    }
    let gone = |kind: &str, id: &str| format!("/v1/residency/{kind}/{id}");
    let items = async |who: &Somebody<'_>, path: &str| who.get(path).await.1["data"]["items"].as_array().map_or(0, Vec::len);

    // Who answers for staging knows what counts there, and nothing of production: not even that there is something.
    let staging = holm.somebody("petra", &[("privacy", Some("staging"))], json!({})).await;
    assert_eq!(items(&staging, "/v1/residency/papers").await, 1);
    assert_eq!(items(&staging, "/v1/residency/exceptions").await, 0);
    for (path, status) in [("/v1/residency/exceptions?environment=production", 403), (exceptions, 403)] {
        assert_eq!(staging.get(path).await.0, status, "{path}");
    }
    for (path, code) in [(gone("papers", &ids[0]), 404), (gone("papers", &ids[1]), 403), (gone("exceptions", &ids[2]), 404)] {
        assert_eq!(staging.send(Method::DELETE, &path, None).await.0, code, "{path}");
    }
    assert_eq!(staging.post("/v1/residency/papers", paper(Some("production"))).await.0, 403);
    assert_eq!(staging.post("/v1/residency/papers", paper(None)).await.0, 403);
    assert_eq!(staging.post(exceptions, exception.clone()).await.0, 403);
    assert_eq!(staging.post("/v1/residency/facts", json!({ "name": "own", "text": "" })).await.0, 403);
    assert_eq!(staging.post("/v1/residency/papers", paper(Some("staging"))).await.0, 201);

    // Who may only read, reads.
    let viewer = holm.somebody("vera", &[("viewer", Some("production"))], json!({})).await;
    assert_eq!(items(&viewer, "/v1/residency/papers").await, 2);
    assert_eq!(items(&viewer, "/v1/residency/exceptions?environment=production").await, 1);
    assert_eq!(items(&viewer, exceptions).await, 1);
    for path in [gone("papers", &ids[0]), gone("exceptions", &ids[2]), gone("facts", "own")] {
        assert_eq!(viewer.send(Method::DELETE, &path, None).await.0, 403, "{path}");
    }
    assert_eq!(viewer.post(exceptions, exception).await.0, 403);

    assert_eq!(holm.get("/v1/residency/exceptions").await.1["data"]["items"][0]["id"], ids[2].as_str());
    assert_eq!(holm.get("/v1/residency/exceptions?environment=nowhere").await.0, 404);
}
