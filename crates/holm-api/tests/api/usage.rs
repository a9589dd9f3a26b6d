//! Who uses a process is asked of the process that answers.

use serde_json::Value;

use crate::installation::Installation;

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_carries_no_sessions_says_so_and_how_many_are_wanted_is_bounded() {
    let holm = Installation::without_cluster().await;
    let (status, answer) = holm.get("/v1/environments/production/usage").await;
    assert_eq!((status, &answer["data"]["environment"], &answer["data"]["carried"]), (200, &"production".into(), &Value::Null));
    assert_eq!(holm.get("/v1/environments/production/usage?limit=200").await.0, 200);
    for wrong in ["limit=0", "limit=201", "limit=many", "top=1"] {
        let (status, answer) = holm.get(&format!("/v1/environments/production/usage?{wrong}")).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    let (status, answer) = holm.get("/v1/environments/nowhere/usage").await;
    assert_eq!((status, &answer["error"]["code"]), (404, &"HOLM-1105".into()));
}
