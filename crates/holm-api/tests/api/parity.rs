//! Who may compare environments, and who may say that a difference does not count: asked in both.

use reqwest::Method;
use serde_json::json;

use crate::installation::Installation;

const PARITY: &str = "/v1/environments/staging/parity";

#[tokio::test(flavor = "multi_thread")]
async fn r20_r61_who_may_see_and_waive_a_difference_is_asked_in_both_environments() {
    let holm = Installation::without_cluster().await;
    let id = uuid::Uuid::now_v7();
    let kept = "INSERT INTO parity_waiver (id, environment_id, with_id, difference, values_here, values_there, owner, reason, until)
        SELECT $1, e.id, o.id, 'parameter/TimeZone', '[\"UTC\"]', '[null]', 'platform', 'r', now() + interval '1 day'
        FROM environment e, environment o WHERE e.name = 'staging' AND o.name = 'production'";
    holm.catalog().await.execute(kept, &[&id]).await.unwrap();
    let of_staging = holm.somebody("vera", &[("viewer", Some("staging"))], json!({})).await;
    let viewer = holm.somebody("vidar", &[("viewer", None)], json!({})).await;
    let operator = holm.somebody("olga", &[("operator", None)], json!({})).await;
    let (one, with) = (format!("/v1/parity/waivers/{id}"), format!("{PARITY}?with=production"));
    let wanted =
        json!({ "with": "production", "difference": "parameter/TimeZone", "owner": "o", "reason": "r", "until": "2089-03-01T00:00:00Z" });

    assert_eq!(of_staging.get(&with).await.0, 403);
    assert_eq!(of_staging.get("/v1/parity/waivers").await.1["data"]["items"], json!([]));
    assert_eq!(of_staging.send(Method::DELETE, &one, None).await.0, 403);
    let (status, told) = viewer.get(&with).await;
    assert_eq!((status, &told["data"]["verdict"]), (200, &"unknown".into()), "{told}");
    let (_, listed) = viewer.get("/v1/parity/waivers?environment=production").await;
    assert_eq!((&listed["data"]["items"][0]["id"], &listed["data"]["items"][0]["there"]), (&id.to_string().into(), &json!([null])));
    // Somebody who runs staging does not say what counts for production.
    for who in [&viewer, &operator] {
        assert_eq!(who.post(&format!("{PARITY}/waivers"), wanted.clone()).await.0, 403);
        assert_eq!(who.send(Method::DELETE, &one, None).await.0, 403);
    }

    for (path, expected) in
        [(PARITY, 400), ("/v1/environments/staging/parity?with=staging", 400), ("/v1/environments/staging/parity?with=x", 404)]
    {
        let (status, answer) = holm.get(path).await;
        assert_eq!(status, expected, "{path}: {answer}");
    }
    // Nothing is there to differ.
    let (status, refused) = holm.post(&format!("{PARITY}/waivers"), wanted).await;
    assert_eq!((status, &refused["error"]["code"]), (400, &"HOLM-1001".into()), "{refused}");
    for expected in [200, 404] {
        let answer = holm.request(Method::DELETE, &one).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), expected);
    }
}
