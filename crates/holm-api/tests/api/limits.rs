//! How many requests, and how many guesses.

use std::time::Duration;

use holm_api::ApiConfig;
use holm_api::rate::Rate;
use holm_testkit::eventually;
use reqwest::{Method, Response};

use crate::installation::{Installation, config, read};

fn number(response: &Response, name: &str) -> u64 {
    response.headers()[name].to_str().unwrap().parse().unwrap()
}

/// The story: a script goes mad; it is told when to come back, and comes back.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_asks_too_often_is_told_when_to_come_back_and_served_then() {
    let slow = Rate { per_second: 1, burst: 3 };
    let holm = Installation::without_cluster_with(ApiConfig { token_rate: slow, ..config() }).await;
    let ask = async || holm.request(Method::GET, "/v1/environments").send().await.unwrap();
    for left in [2, 1, 0] {
        let response = ask().await;
        assert_eq!((response.status().as_u16(), number(&response, "ratelimit-limit")), (200, 3));
        assert!(number(&response, "ratelimit-remaining") >= left && number(&response, "ratelimit-reset") >= 1);
    }
    let mut refused = ask().await;
    while refused.status().is_success() {
        refused = ask().await;
    }
    assert_eq!((number(&refused, "ratelimit-remaining"), number(&refused, "retry-after")), (0, 1));
    let (status, answer) = read(refused).await;
    assert_eq!((status, &answer["error"]["code"], &answer["error"]["changed"]), (429, &"HOLM-1013".into(), &"nothing".into()));
    assert_eq!(holm.unsigned(Method::GET, "/healthz").send().await.unwrap().status(), 200, "probes have no token and no limit");
    let served = async || (ask().await.status() == 200).then_some(());
    eventually(Duration::from_secs(20), "the next one is served", served).await;
}

/// The story: somebody tries tokens from behind the address that the office has too.
#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_held_up_and_who_was_known_a_moment_ago_is_not() {
    let holm = Installation::without_cluster_with(ApiConfig { guess_rate: Rate { per_second: 1, burst: 5 }, ..config() }).await;
    assert_eq!(holm.get("/v1/environments").await.0, 200);
    let guess = async |n: u32| holm.unsigned(Method::GET, "/v1/environments").bearer_auth(format!("guess-{n:030}")).send().await.unwrap();
    let mut statuses = Vec::new();
    for n in 0..20 {
        statuses.push(guess(n).await.status().as_u16());
    }
    let held = statuses.iter().filter(|status| **status == 429).count();
    assert!(statuses[..5].iter().all(|status| *status == 401) && held >= 10, "{statuses:?}");
    let refused = guess(0).await;
    assert!(number(&refused, "retry-after") >= 1);
    let (_, answer) = read(refused).await;
    assert_eq!(answer["error"]["code"], "HOLM-1013");
    assert_eq!(holm.get("/v1/environments").await.0, 200, "a good token goes on");
    let secret = holm_core::secret::Secret::new("another-token-0123456789-0123".to_owned());
    holm_engine::access::bootstrap::ensure(&holm.control, &"other".parse().unwrap(), secret).await.unwrap();
    let stranger = holm.unsigned(Method::GET, "/v1/environments").bearer_auth("another-token-0123456789-0123").send().await.unwrap();
    assert_eq!(stranger.status(), 429, "a token that was never seen is a guess as well, right or wrong");
}
