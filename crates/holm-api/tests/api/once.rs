//! A change that is sent twice is made once, and answered twice with the same answer.

use std::time::{Duration, Instant};

use holm_api::ApiConfig;
use holm_testkit::eventually;
use reqwest::{Method, Response};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::installation::{Installation, TOKEN, config, read};

const TENANTS: &str = "/v1/environments/production/tenants";

async fn send(holm: &Installation, path: &str, key: &str, body: &Value) -> Response {
    holm.request(Method::POST, path).header("idempotency-key", key).json(body).send().await.unwrap()
}

async fn rows(catalog: &tokio_postgres::Client) -> i64 {
    catalog.query_one("SELECT count(*) FROM idempotency", &[]).await.unwrap().get(0)
}

fn replayed(response: &Response) -> bool {
    response.headers().get("idempotency-replayed").is_some_and(|value| value == "true")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_change_twice_is_one_change_and_the_same_answer_and_another_change_under_its_key_is_refused() {
    let holm = Installation::start().await;
    let body = json!({ "slug": "goteborg" });
    let first = send(&holm, TENANTS, "k-1", &body).await;
    assert!(!replayed(&first));
    let location = first.headers()["location"].clone();
    let (status, made) = read(first).await;
    assert_eq!(status, 201, "{made}");
    let second = send(&holm, TENANTS, "k-1", &body).await;
    assert!(replayed(&second) && second.headers()["location"] == location);
    assert_eq!(read(second).await, (201, made));

    for (path, other) in [
        (TENANTS.to_owned(), json!({ "slug": "malmo" })),
        (format!("{TENANTS}?wait=7"), body.clone()),
        (format!("{TENANTS}/goteborg/suspend"), Value::Null),
    ] {
        let (status, refused) = read(send(&holm, &path, "k-1", &other).await).await;
        assert_eq!(
            (status, &refused["error"]["code"], &refused["error"]["changed"]),
            (409, &"HOLM-1010".into(), &"nothing".into()),
            "{path}"
        );
    }
    // A refusal is an answer as well: the same one, also when it would be another one now.
    let nowhere = "/v1/environments/production/tenants/malmo/suspend";
    assert_eq!(read(send(&holm, nowhere, "k-2", &Value::Null).await).await.0, 404);
    holm.create("malmo").await;
    let again = send(&holm, nowhere, "k-2", &Value::Null).await;
    assert!(replayed(&again));
    assert_eq!(read(again).await.0, 404);
    assert_eq!(read(send(&holm, nowhere, "k-3", &Value::Null).await).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_at_the_same_moment_are_one_and_the_second_waits_for_the_answer_of_the_first() {
    let holm = Installation::start().await;
    let body = json!({ "slug": "malmo" });
    let path = format!("{TENANTS}?wait=60");
    let (one, other) = tokio::join!(send(&holm, &path, "k", &body), send(&holm, &path, "k", &body));
    assert!(replayed(&one) != replayed(&other), "one was carried out");
    let (one, other) = (read(one).await, read(other).await);
    assert_eq!((one.0, &one), (201, &other));
}

/// The story: a suspension hangs, since somebody holds the tenant's row; whoever sends it again meanwhile hears that it is under
/// way, as soon as patience ends, and may come again for the answer.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_one_waits_for_the_first_as_long_as_it_has_patience_and_then_hears_that_it_is_under_way() {
    let holm = Installation::start_with(ApiConfig { same_request_patience: Duration::from_millis(300), ..config() }).await;
    holm.create("goteborg").await;
    let mut catalog = holm.catalog().await;
    let held = catalog.transaction().await.unwrap();
    held.execute("SELECT 1 FROM tenant FOR UPDATE", &[]).await.unwrap();
    let path = format!("{TENANTS}/goteborg/suspend");
    let first = holm.request(Method::POST, &path).header("idempotency-key", "k").json(&Value::Null).send();
    let first = tokio::spawn(first);
    let looking = holm.catalog().await;
    eventually(Duration::from_secs(20), "the first is begun", async || (rows(&looking).await == 1).then_some(())).await;
    let begun = Instant::now();
    let (status, refused) = read(send(&holm, &path, "k", &Value::Null).await).await;
    assert_eq!(
        (status, &refused["error"]["code"], &refused["error"]["changed"]),
        (409, &"HOLM-1011".into(), &"nothing".into()),
        "{refused}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(300), "it did not wait");
    assert!(!first.is_finished());
    held.commit().await.unwrap();
    let first = first.await.unwrap().unwrap();
    assert!(!replayed(&first));
    let (status, answer) = read(first).await;
    assert_eq!(status, 200, "{answer}");
    let again = send(&holm, &path, "k", &Value::Null).await;
    assert!(replayed(&again));
    assert_eq!(read(again).await, (200, answer));
}

/// The story: a new credential's answer is lost on the way; the second attempt brings the very secret, and whoever reads
/// the catalog finds it nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_the_second_answer_too_and_not_readable_in_the_catalog() {
    let holm = Installation::without_cluster().await;
    let (path, body) = ("/v1/environments/production/credentials", json!({ "name": "booking", "level": "rw" }));
    let (status, made) = read(send(&holm, path, "k", &body).await).await;
    assert_eq!(status, 201);
    let again = send(&holm, path, "k", &body).await;
    assert!(replayed(&again));
    assert_eq!(read(again).await.1["data"]["secret"], made["data"]["secret"]);
    let row = holm.catalog().await.query_one("SELECT key_hash, sealed_answer, idempotency::text FROM idempotency", &[]).await.unwrap();
    let (hash, sealed, text): (Vec<u8>, Vec<u8>, String) = (row.get(0), row.get(1), row.get(2));
    let secret = made["data"]["secret"].as_str().unwrap();
    assert!(!sealed.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()) && !text.contains(secret));
    assert!(sealed.len() > 100 && hash.len() == 32);
    // Sealed as the answer to this request: moved elsewhere, it does not open.
    holm.catalog()
        .await
        .batch_execute("UPDATE idempotency SET sealed_answer = set_byte(sealed_answer, 20, 255 - get_byte(sealed_answer, 20))")
        .await
        .unwrap();
    let (status, gone) = read(send(&holm, path, "k", &body).await).await;
    assert_eq!((status, &gone["error"]["code"], &gone["error"]["changed"]), (409, &"HOLM-1014".into(), &"something".into()));
}

/// Every answer that has a secret: it comes again under its key, and is nowhere in the store of answers, in no form.
#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_answer_is_readable_in_the_store_of_answers() {
    let holm = Installation::without_cluster().await;
    let hook = json!({ "name": "ci", "url": "http://127.0.0.1:1/", "actions": ["key.rotate"], "allow_private": true });
    let credential = json!({ "name": "booking", "level": "rw" });
    let credentials = "/v1/environments/production/credentials";
    let mut secrets = Vec::new();
    for (path, body) in [
        ("/v1/webhooks", hook),
        ("/v1/webhooks/ci/rotate", Value::Null),
        (credentials, credential),
        (&format!("{credentials}/booking/rotate"), json!({})),
        ("/v1/tokens", json!({ "name": "deploy", "principal": "test" })),
    ] {
        let (status, made) = read(send(&holm, path, path, &body).await).await;
        assert!((200..300).contains(&status), "{path}: {made}");
        let again = send(&holm, path, path, &body).await;
        assert!(replayed(&again), "{path}");
        assert_eq!(read(again).await, (status, made.clone()), "{path}");
        secrets.push((path.to_owned(), secret_of(&made["data"]).unwrap_or_else(|| panic!("{path} has none: {made}")).to_owned()));
    }
    let hex = |text: &str| text.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    let stored: Vec<String> =
        holm.catalog().await.query("SELECT i::text FROM idempotency i", &[]).await.unwrap().iter().map(|row| row.get(0)).collect();
    assert_eq!(stored.len(), secrets.len());
    for (path, secret) in secrets {
        assert!(secret.len() >= 32, "{path}: {secret}");
        for row in &stored {
            assert!(!row.contains(&secret) && !row.contains(&hex(&secret)), "the secret of {path}");
        }
    }
}

/// Wherever an answer has it.
fn secret_of(data: &Value) -> Option<&str> {
    let members = data.as_object()?;
    members.get("secret").and_then(Value::as_str).or_else(|| members.values().find_map(secret_of))
}

/// The story: the line is cut while a customer is being created; the second attempt gets the answer of the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_caller_went_away_is_finished_and_its_answer_waits_for_the_second_attempt() {
    let holm = Installation::start().await;
    let body = json!({ "slug": "lund" });
    let text = body.to_string();
    let mut socket = TcpStream::connect(holm.address).await.unwrap();
    let head = format!(
        "POST {TENANTS}?wait=60 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {TOKEN}\r\nIdempotency-Key: k\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
        text.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    let catalog = holm.catalog().await;
    eventually(Duration::from_secs(20), "the change is begun", async || (rows(&catalog).await == 1).then_some(())).await;
    drop(socket);
    let answered = send(&holm, &format!("{TENANTS}?wait=60"), "k", &body).await;
    assert!(replayed(&answered));
    assert_eq!(read(answered).await.0, 201);
}

/// The story: the process is killed between doing and answering. Whoever sends it again is not refused for ever.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_begun_and_never_answered_is_carried_out_again_when_its_claim_is_over() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let path = format!("{TENANTS}/goteborg/suspend");
    assert_eq!(read(send(&holm, &path, "k", &Value::Null).await).await.0, 200);
    let killed = "UPDATE idempotency SET sealed_answer = NULL, claimed_until = now() - interval '1 second'";
    holm.catalog().await.batch_execute(killed).await.unwrap();
    let again = send(&holm, &path, "k", &Value::Null).await;
    assert!(!replayed(&again));
    assert_eq!(read(again).await.1["data"]["state"], "suspended");
    assert!(replayed(&send(&holm, &path, "k", &Value::Null).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_that_changed_nothing_and_may_pass_is_not_kept() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let catalog = holm.catalog().await;
    let path = format!("{TENANTS}/goteborg/suspend");
    // Every change of a tenant fails as it does when the disk is full.
    catalog
        .batch_execute(
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE SQLSTATE '53100'; END $$;
             CREATE TRIGGER full_disk BEFORE UPDATE ON tenant FOR EACH ROW EXECUTE FUNCTION full_disk()",
        )
        .await
        .unwrap();
    let (status, failed) = read(send(&holm, &path, "k", &Value::Null).await).await;
    assert_eq!((status, &failed["error"]["changed"]), (503, &"nothing".into()), "{failed}");
    catalog.batch_execute("DROP TRIGGER full_disk ON tenant").await.unwrap();
    let again = send(&holm, &path, "k", &Value::Null).await;
    assert!(!replayed(&again));
    assert_eq!(read(again).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_one_callers_own_and_is_forgotten_after_a_day() {
    let holm = Installation::start().await;
    holm.create("goteborg").await;
    let other = "a-token-of-somebody-else-0123456789";
    let secret = holm_core::secret::Secret::new(other.to_owned());
    holm_engine::access::bootstrap::ensure(&holm.control, &"other".parse().unwrap(), secret).await.unwrap();
    let path = format!("{TENANTS}/goteborg/suspend");
    assert_eq!(read(send(&holm, &path, "k", &Value::Null).await).await.0, 200);
    let theirs = holm.unsigned(Method::POST, &format!("{TENANTS}/goteborg/resume")).bearer_auth(other).header("idempotency-key", "k");
    let theirs = theirs.send().await.unwrap();
    assert_eq!((theirs.status().as_u16(), replayed(&theirs)), (200, false), "the same key of another caller is another key");

    let catalog = holm.catalog().await;
    let kept = "SELECT min(expires_at) - now() BETWEEN interval '23 hours' AND interval '24 hours', count(*) FROM idempotency";
    let row = catalog.query_one(kept, &[]).await.unwrap();
    assert_eq!((row.get::<_, bool>(0), row.get::<_, i64>(1)), (true, 2));
    catalog.batch_execute("UPDATE idempotency SET expires_at = now() - interval '1 second'").await.unwrap();
    let anew = send(&holm, &path, "k", &Value::Null).await;
    assert!(!replayed(&anew), "what is over is not given again");
    catalog.batch_execute("UPDATE idempotency SET expires_at = now() - interval '1 second'").await.unwrap();
    // It is time to clean, for whichever process is first.
    catalog.batch_execute("UPDATE schedule SET due_at = now() WHERE name = 'forget answers'").await.unwrap();
    let next = crate::installation::another(&holm).await;
    eventually(Duration::from_secs(20), "answers are forgotten", async || (rows(&catalog).await == 0).then_some(())).await;
    next.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_none_is_refused() {
    let holm = Installation::without_cluster().await;
    let path = "/v1/environments/production/credentials";
    for key in ["", " ", "a b", "å", &"a".repeat(201)] {
        let (status, answer) = read(send(&holm, path, key, &json!({ "name": "x", "level": "rw" })).await).await;
        assert_eq!((status, &answer["error"]["code"]), (400, &"HOLM-1001".into()), "{key}");
    }
    let twice = holm.request(Method::POST, path).header("idempotency-key", "a").header("idempotency-key", "b").send().await.unwrap();
    assert_eq!(read(twice).await.0, 400);
    let large = json!({ "name": "a".repeat(70_000), "level": "rw" });
    let (status, answer) = read(send(&holm, path, "k", &large).await).await;
    assert_eq!((status, &answer["error"]["code"]), (413, &"HOLM-1006".into()));
    assert_eq!(holm.get(path).await.1["data"]["items"], json!([]));
}
