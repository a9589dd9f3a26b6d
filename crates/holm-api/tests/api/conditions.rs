//! `ETag`, `If-Match`, `If-None-Match`: nobody changes what they have not seen, nobody reads twice what they have.

use reqwest::{Method, Response};
use serde_json::Value;

use crate::installation::{Installation, read};

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
