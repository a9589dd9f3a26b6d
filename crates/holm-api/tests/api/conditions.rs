//! `ETag`, `If-Match`, `If-None-Match`: nobody changes what they have not seen, nobody reads twice what they have.

use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::installation::{Installation, description, read};

const PATH: &str = "/v1/environments/production/tenants/goteborg";

fn tag(response: &Response) -> String {
    response.headers()["etag"].to_str().unwrap().to_owned()
}

async fn with(holm: &Installation, method: Method, path: &str, name: &str, value: &str) -> Response {
    holm.request(method, path).header(name, value).send().await.unwrap()
}

/// The story: two people look at a customer; one suspends it, and the other's decision, made on what was before, is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_what_was_changed_meanwhile_is_refused_and_changes_nothing() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let seen = tag(&holm.request(Method::GET, PATH).send().await.unwrap());
    let first = with(&holm, Method::POST, &format!("{PATH}/suspend"), "if-match", &seen).await;
    let after = tag(&first);
    assert_eq!((first.status().as_u16(), after == seen), (200, false));
    for (method, path) in [(Method::POST, format!("{PATH}/resume")), (Method::DELETE, PATH.to_owned())] {
        let (status, answer) = read(with(&holm, method.clone(), &path, "if-match", &seen).await).await;
        assert_eq!((status, &answer["error"]["code"], &answer["error"]["changed"]), (412, &"HOLM-1012".into(), &"nothing".into()));
    }
    assert_eq!(holm.get(PATH).await.1["data"]["state"], "suspended");
    for (given, expected) in
        [(format!("W/{after}"), 412), ("\"x\"".to_owned(), 412), (format!("{seen}, {after}"), 400), ("*".to_owned(), 200)]
    {
        let (status, answer) = read(with(&holm, Method::POST, &format!("{PATH}/suspend"), "if-match", &given).await).await;
        assert_eq!(status, expected, "{given}: {answer}");
    }
    let (status, answer) = read(with(&holm, Method::POST, &format!("{PATH}/resume"), "if-match", &after).await).await;
    assert_eq!((status, &answer["data"]["state"]), (200, &"serving".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_answer_already_gets_304_until_it_is_another_one() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let seen = tag(&holm.request(Method::GET, PATH).send().await.unwrap());
    let again = with(&holm, Method::GET, PATH, "if-none-match", &format!("\"other\", W/{seen}")).await;
    assert_eq!((again.status().as_u16(), tag(&again) == seen, again.headers().contains_key("content-type")), (304, true, false));
    assert!(again.bytes().await.unwrap().is_empty());
    holm.post(&format!("{PATH}/suspend"), Value::Null).await;
    let changed = with(&holm, Method::GET, PATH, "if-none-match", &seen).await;
    assert_eq!((changed.status().as_u16(), tag(&changed) == seen), (200, false));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_words_to_one_operation_on_the_same_sight_of_it_one_is_heard() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let begun = holm.request(Method::DELETE, PATH).send().await.unwrap();
    let path = begun.headers()["location"].to_str().unwrap().to_owned();
    let seen = crate::operations::resting(&holm, &path).await;
    let (pause, cancel) = (format!("{path}/pause"), format!("{path}/cancel"));
    let (one, other) =
        tokio::join!(with(&holm, Method::POST, &pause, "if-match", &seen), with(&holm, Method::POST, &cancel, "if-match", &seen));
    let mut statuses = [one.status().as_u16(), other.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 412]);
}

/// Every change that there is, with a condition that nothing ever was: heeded, or refused by name; never made all the same.
#[tokio::test(flavor = "multi_thread")]
async fn no_route_makes_a_change_under_a_condition_that_it_does_not_heed() {
    let holm = Installation::without_cluster().await;
    let before = holm.get("/v1/audit?limit=1000").await.1["data"]["items"].as_array().unwrap().len();
    let id = |kind: &str| format!("{kind}_{}", "0".repeat(32));
    let (mut heeded, mut refused) = (0, 0);
    for (path, item) in description()["paths"].as_object().unwrap().iter().filter(|(path, _)| path.starts_with("/v1")) {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(method, _)| *method != "get") {
            let at = path.replace("{environment}", "production").replace("{slug}", "goteborg").replace("{name}", "anna");
            let kind = ["operations", "tokens", "break-glass", "approvals", "deliveries"].into_iter().find(|noun| path.contains(noun));
            let kind = kind.map_or("", |noun| match noun {
                "operations" => "op",
                "tokens" => "tok",
                "break-glass" => "brk",
                "approvals" => "apr",
                _ => "msg",
            });
            let method: Method = method.to_uppercase().parse().unwrap();
            let (status, answer) = read(with(&holm, method.clone(), &at.replace("{id}", &id(kind)), "if-match", "\"never\"").await).await;
            let code = answer["error"]["code"].as_str().unwrap();
            let names_it = operation["parameters"].as_array().unwrap().iter().any(|parameter| parameter["name"] == "If-Match");
            match (status, code) {
                (412, "HOLM-1012") if names_it => heeded += 1,
                (400, "HOLM-1015") if !names_it => refused += 1,
                other => panic!("{method} {path}: {other:?} {answer}"),
            }
        }
    }
    assert!(heeded >= 14 && refused >= 25, "{heeded} heeded, {refused} refused");
    assert_eq!(holm.get("/v1/audit?limit=1000").await.1["data"]["items"].as_array().unwrap().len(), before, "something was done");
}

/// Whatever is done with a tenant heeds what was seen of it.
#[tokio::test(flavor = "multi_thread")]
async fn every_change_of_a_tenant_is_refused_if_it_was_changed_since_it_was_seen() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let seen = tag(&holm.request(Method::GET, PATH).send().await.unwrap());
    holm.post(&format!("{PATH}/suspend"), Value::Null).await;
    let send = async |verb: &str, tag: &str| {
        let body = match verb {
            "rename" => json!({ "to": "vast" }),
            "copy" => json!({ "slug": "a-copy" }),
            "extend" => json!({ "ttl": "1h" }),
            "limits" => json!({ "max": 5 }),
            _ => Value::Null,
        };
        let method = if verb == "limits" { Method::PATCH } else { Method::POST };
        let request = holm.request(method, &format!("{PATH}/{verb}")).header("if-match", tag);
        read(request.json(&body).send().await.unwrap()).await
    };
    for verb in ["rename", "copy", "extend", "limits", "rotate-roles", "pause", "resume", "undelete"] {
        let (status, answer) = send(verb, &seen).await;
        assert_eq!((status, &answer["error"]["code"]), (412, &"HOLM-1012".into()), "{verb}: {answer}");
    }
    assert_eq!(holm.get("/v1/operations").await.1["data"]["items"], json!([]));
    let now = tag(&holm.request(Method::GET, PATH).send().await.unwrap());
    let (status, answer) = send("rename", &now).await;
    assert_eq!(status, 202, "{answer}");
}
