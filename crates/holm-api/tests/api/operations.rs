//! Operations as the API shows them, and what people say to them.

use std::time::Duration;

use holm_testkit::eventually;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::installation::{Installation, read};

const PATIENCE: Duration = Duration::from_secs(30);
const TENANT: &str = "/v1/environments/production/tenants/goteborg";

/// Waits until an operation rests in its grace period; gives its tag.
pub(crate) async fn resting(holm: &Installation, path: &str) -> String {
    let look = async || {
        let response = holm.request(Method::GET, path).send().await.unwrap();
        let tag = response.headers()["etag"].to_str().unwrap().to_owned();
        let (_, answer) = read(response).await;
        if answer["data"]["rests_until"].is_null() { Err(answer) } else { Ok(tag) }
    };
    eventually(PATIENCE, "the operation rests", look).await
}

/// Deletes the tenant with a month's grace; gives the operation's path.
async fn deleted(holm: &Installation) -> String {
    holm.create("goteborg").await;
    let response = holm.request(Method::DELETE, &format!("{TENANT}?reason=contract%20ended")).send().await.unwrap();
    let path = response.headers()["location"].to_str().unwrap().to_owned();
    let (status, answer) = read(response).await;
    assert_eq!((status, &answer["operation"]), (202, &answer["data"]["id"]), "{answer}");
    assert_eq!(path, format!("/v1/operations/{}", answer["operation"].as_str().unwrap()));
    resting(holm, &path).await;
    path
}

fn words(events: &Value) -> Vec<&str> {
    events["data"]["items"].as_array().unwrap().iter().map(|row| row["event"].as_str().unwrap()).collect()
}

/// The story: a customer leaves; somebody sees what is done, by whom, why, and until when it can be undone; and undoes it.
#[tokio::test(flavor = "multi_thread")]
async fn r85_an_operation_shows_its_steps_who_asked_why_and_what_comes_next_until_it_is_over() {
    let holm = Installation::start().await;
    let path = deleted(&holm).await;
    let (_, shown) = holm.get(&path).await;
    let data = &shown["data"];
    let plan: Vec<(&str, &str)> =
        data["plan"].as_array().unwrap().iter().map(|step| (step["name"].as_str().unwrap(), step["state"].as_str().unwrap())).collect();
    let expected = [
        ("close", "done"),
        ("end sessions", "done"),
        ("grace", "waiting"),
        ("give up", "pending"),
        ("drop database", "pending"),
        ("forget", "pending"),
    ];
    assert_eq!(plan, expected);
    assert_eq!((&data["state"], &data["running"], &data["reason"]), (&"active".into(), &false.into(), &"contract ended".into()));
    assert_eq!((&data["requested_by"]["name"], &data["step"], &data["done"]), (&"test".into(), &"grace".into(), &2.into()));
    assert!(data["next_run_at"] == data["rests_until"] && data["problem"].is_null() && data["finished_at"].is_null(), "{shown}");

    let (_, events) = holm.get(&format!("{path}/events")).await;
    assert_eq!(words(&events), ["requested", "claimed", "done", "done", "waits"]);
    assert!(!events.to_string().contains("\"state\""), "what steps work with is nobody's business: {events}");
    let (_, part) = holm.get(&format!("{path}/events?limit=2")).await;
    let (_, rest) = holm.get(&format!("{path}/events?limit=2&cursor={}", part["data"]["next"].as_str().unwrap())).await;
    assert_eq!((words(&part), words(&rest)), (vec!["requested", "claimed"], vec!["done", "done"]));

    let (status, back) = holm.post(&format!("{TENANT}/undelete"), Value::Null).await;
    assert_eq!((status, &back["data"]["state"], &back["operation"]), (200, &"serving".into(), &Value::Null), "{back}");
    let (_, over) = holm.get(&path).await;
    assert_eq!((&over["data"]["state"], over["data"]["finished_at"].is_string()), (&"undone".into(), true));
    let (status, again) = holm.post(&format!("{TENANT}/undelete"), Value::Null).await;
    assert_eq!((status, &again["error"]["code"]), (409, &"HOLM-1109".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_hears_news_when_there_is_some_and_the_end_when_it_comes() {
    let holm = Installation::start().await;
    let path = deleted(&holm).await;
    let seen = holm.get(&path).await.1["data"]["last_seq"].as_u64().unwrap();
    let (_, known) = holm.get(&format!("{path}?wait=1&seen={}", seen - 1)).await;
    assert_eq!(known["data"]["last_seq"], seen, "what was not seen yet is answered at once");
    let (news, end) = (format!("{path}?wait=60&seen={seen}"), format!("{path}?wait=60"));
    let (pause, proceed) = (format!("{path}/pause"), format!("{path}/proceed"));
    let ((_, news), (status, _)) = tokio::join!(holm.get(&news), holm.post(&pause, json!({})));
    assert_eq!((status, &news["data"]["state"]), (202, &"paused".into()), "{news}");
    let resume = format!("{path}/resume");
    assert_eq!(holm.post(&resume, Value::Null).await.0, 202);
    let ((_, end), (status, _)) = tokio::join!(holm.get(&end), holm.post(&proceed, Value::Null));
    assert_eq!((status, &end["data"]["state"], &end["data"]["done"]), (202, &"succeeded".into(), &6.into()), "{end}");
    assert_eq!(holm.get(TENANT).await.0, 404);
}

/// A stream's events: `(type, id, data)`.
async fn streamed(mut response: Response, until: &str) -> Vec<(String, String, Value)> {
    let mut text = String::new();
    let read = async {
        while let Some(bytes) = response.chunk().await.unwrap() {
            text.push_str(std::str::from_utf8(&bytes).unwrap());
            if text.lines().any(|line| line == until) && text.ends_with("\n\n") {
                break;
            }
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| panic!("no `{until}` came: {text}"));
    let field =
        |event: &str, name: &str| event.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).unwrap_or_default().to_owned();
    let events = text.split("\n\n").filter(|event| event.contains("data: "));
    events.map(|event| (field(event, "event"), field(event, "id"), serde_json::from_str(&field(event, "data")).unwrap())).collect()
}

/// The story: a browser follows a deletion, loses the line, comes back with the last id that it saw, and sees the end.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_hears_every_row_once_also_when_the_line_was_cut() {
    let holm = Installation::start().await;
    let path = deleted(&holm).await;
    let follow = async |last: &str| {
        let request = holm.request(Method::GET, &format!("{path}/events")).header("accept", "text/html, text/event-stream;q=0.9");
        let response = request.header("last-event-id", last).send().await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        response
    };
    let first = streamed(follow("0").await, "id: 5").await;
    let ids: Vec<&str> = first.iter().map(|(_, id, _)| id.as_str()).collect();
    assert_eq!(ids, ["1", "2", "3", "4", "5"]);
    let cancel = format!("{path}/cancel");
    let (stream, _) = tokio::join!(follow("3"), holm.post(&cancel, json!({ "reason": "a mistake" })));
    let rest = streamed(stream, "event: over").await;
    let kinds: Vec<(&str, &str)> = rest.iter().map(|(kind, id, _)| (kind.as_str(), id.as_str())).collect();
    assert_eq!(kinds[..3], [("journal", "4"), ("journal", "5"), ("journal", "6")]);
    assert_eq!(
        (&rest[2].2["event"], &rest[2].2["reason"], &rest[2].2["by"]["name"]),
        (&"cancel_asked".into(), &"a mistake".into(), &"test".into())
    );
    assert_eq!(rest.last().unwrap().2["state"], "undone");
    let (status, wrong) = read(
        holm.request(Method::GET, &format!("{path}/events"))
            .header("accept", "text/event-stream")
            .header("last-event-id", "x")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((status, &wrong["error"]["code"]), (400, &"HOLM-1001".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_the_server_stops() {
    let holm = Installation::start().await;
    let path = deleted(&holm).await;
    let mut stream = holm.request(Method::GET, &format!("{path}/events")).header("accept", "text/event-stream").send().await.unwrap();
    assert!(stream.chunk().await.unwrap().is_some());
    holm.stop.cancel();
    let ended = async { while stream.chunk().await.is_ok_and(|chunk| chunk.is_some()) {} };
    tokio::time::timeout(PATIENCE, ended).await.expect("the stream ends");
    tokio::time::timeout(PATIENCE, holm.task).await.expect("the server stops").unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_of_an_environment_of_states_and_of_a_tenant_and_go_on_after_a_part() {
    let holm = Installation::start().await;
    let path = deleted(&holm).await;
    let tenant = holm.get(TENANT).await.1["data"]["id"].as_str().unwrap().to_owned();
    holm.post(&format!("{TENANT}/undelete"), Value::Null).await;
    let second = holm.request(Method::DELETE, TENANT).send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    resting(&holm, &second).await;
    let listed = async |query: &str| {
        let (status, answer) = holm.get(&format!("/v1/operations{query}")).await;
        assert_eq!(status, 200, "{query}: {answer}");
        let ids: Vec<String> = answer["data"]["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| format!("/v1/operations/{}", item["id"].as_str().unwrap()))
            .collect();
        (ids, answer["data"]["next"].as_str().map(str::to_owned))
    };
    let both = vec![second.clone(), path.clone()];
    assert_eq!(listed("").await, (both.clone(), None), "the newest first");
    assert_eq!(listed("?environment=production&tenant=goteborg").await.0, both);
    assert_eq!(listed(&format!("?subject={tenant}&state=undone")).await.0, std::slice::from_ref(&path));
    assert_eq!(listed("?state=unfinished").await.0, std::slice::from_ref(&second));
    assert_eq!(listed("?environment=staging").await.0, [""; 0]);
    let (part, next) = listed("?limit=1").await;
    assert_eq!(part, [second]);
    assert_eq!(listed(&format!("?limit=1&cursor={}", next.unwrap())).await.0, [path]);
    for (query, expected) in [
        ("state=sleeping", (400, "HOLM-1001")),
        ("tenant=goteborg", (400, "HOLM-1001")),
        ("subject=goteborg", (400, "HOLM-1001")),
        ("environment=production&tenant=gotborg", (404, "HOLM-1104")),
        ("environment=prodcution&tenant=goteborg", (404, "HOLM-1105")),
        ("cursor=x", (400, "HOLM-1001")),
    ] {
        let (status, answer) = holm.get(&format!("/v1/operations?{query}")).await;
        assert_eq!((status, answer["error"]["code"].as_str().unwrap()), expected, "{query}: {answer}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_no_meaning_is_refused_with_how_it_stands() {
    let holm = Installation::start().await;
    let path = deleted(&holm).await;
    assert_eq!(holm.post(&format!("{path}/retry"), Value::Null).await.0, 202, "there was nothing to retry, and no harm in it");
    let (status, refused) = holm.post(&format!("{path}/abandon"), json!({ "reason": " " })).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &"HOLM-1001".into()));
    let (status, given_up) = holm.post(&format!("{path}/abandon"), json!({ "reason": "by hand" })).await;
    assert_eq!((status, &given_up["data"]["state"]), (202, &"abandoned".into()));
    for word in ["pause", "resume", "cancel", "retry", "proceed"] {
        let (status, refused) = holm.post(&format!("{path}/{word}"), Value::Null).await;
        assert_eq!((status, &refused["error"]["code"]), (409, &"HOLM-3003".into()), "{word}: {refused}");
        assert_eq!(refused["error"]["why"], "it is abandoned");
    }
    let nobody = "/v1/operations/op_018f3e5c2d7a7b3c9d4e5f60718293a4";
    for path in [nobody.to_owned(), format!("{nobody}/events")] {
        assert_eq!(holm.get(&path).await.1["error"]["code"], "HOLM-3001");
    }
    assert_eq!(holm.post(&format!("{nobody}/pause"), Value::Null).await.0, 404);
    assert_eq!(holm.get("/v1/operations/goteborg").await.0, 400);
    for wait in ["0", "61", "x"] {
        assert_eq!(holm.get(&format!("{path}?wait={wait}")).await.0, 400, "{wait}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grace_period_is_a_span_of_a_year_at_the_most_and_nothing_else_is_begun() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    for grace in ["", "30", "-1d", "367d", "forever"] {
        let (status, refused) = read(holm.request(Method::DELETE, &format!("{TENANT}?grace={grace}")).send().await.unwrap()).await;
        assert_eq!((status, &refused["error"]["code"]), (400, &"HOLM-1001".into()), "{grace}");
    }
    let long = "x".repeat(301);
    assert_eq!(read(holm.request(Method::DELETE, &format!("{TENANT}?reason={long}")).send().await.unwrap()).await.0, 400);
    assert_eq!(holm.get("/v1/operations").await.1["data"]["items"], json!([]));
    let now = holm.request(Method::DELETE, &format!("{TENANT}?grace=0")).send().await.unwrap();
    let path = now.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(now.status(), 202, "always 202, however fast it is");
    assert_eq!(holm.get(&format!("{path}?wait=60")).await.1["data"]["state"], "succeeded");
}
