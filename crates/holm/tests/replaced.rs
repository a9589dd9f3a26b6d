//! A server that was made anew under its tenants: nobody is let in there before somebody says that it takes the former's place, and
//! everybody is when the command has ended, on every node.

#![allow(clippy::unwrap_used, reason = "in a test it is the assertion")]

mod serving;

use serde_json::{Value, json};
use serving::{ENVIRONMENT, Installation, Serving};

const DATABASE: &str = "SELECT name FROM database WHERE state = 'claimed'";

async fn kept(node: &Serving) -> i32 {
    let client = node.connect("goteborg").await.unwrap();
    client.query_one("SELECT n FROM kept", &[]).await.unwrap().get(0)
}

/// What a client hears that is let in by the proxy, and asks for something of the server's.
async fn refused(node: &Serving) -> String {
    let asked = node.connect("goteborg").await.unwrap().query_one("SELECT n FROM kept", &[]).await;
    asked.err().unwrap().as_db_error().unwrap().to_string()
}

async fn set_server(node: &Serving, url: &str, more: &[(&str, Value)]) -> (u16, Value) {
    let mut body = json!({"url": url});
    for (name, value) in more {
        body[name] = value.clone();
    }
    node.api("POST", &format!("/v1/environments/{ENVIRONMENT}/clusters/production-1/set-server"), Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn r2_a_server_that_was_made_anew_lets_nobody_in_until_somebody_says_that_it_takes_the_formers_place() {
    let installation = Installation::new(1, &["goteborg"]).await;
    let (one, two) = (installation.serve("one").await, installation.serve("two").await);
    let database: String = installation.catalog().await.query_one(DATABASE, &[]).await.unwrap().get(0);
    let inside = installation.cluster.connect(&database).await;
    inside.batch_execute("CREATE TABLE kept AS SELECT 7 AS n; GRANT SELECT ON kept TO PUBLIC").await.unwrap();
    assert_eq!((kept(&one).await, kept(&two).await), (7, 7));
    installation.cluster.become_another(installation.cluster.made_anew().await).await;
    for node in [&one, &two] {
        let said = refused(node).await;
        assert!(said.contains("HOLM-5025"), "{said}");
    }
    let url = installation.cluster.url("postgres");
    let reason = ("reason", json!("upgraded, change 4711"));
    let replaced = ("replaced", json!(true));
    for (more, status, code) in [
        (&[][..], 409, "HOLM-2008"),
        (&[replaced.clone()][..], 400, "HOLM-1001"),
        (&[reason.clone()][..], 400, "HOLM-1001"),
        (&[replaced.clone(), ("reason", json!("on two\nlines"))][..], 400, "HOLM-1001"),
    ] {
        let (found, answer) = set_server(&one, &url, more).await;
        assert_eq!((found, &answer["error"]["code"]), (status, &code.into()), "{more:?}: {answer}");
        assert_eq!(answer["error"]["changed"], "nothing", "{answer}");
    }
    let said = ["set-server", "production-1", "--env", ENVIRONMENT, "--server", &url, "--replaced", "--reason", "upgraded, change 4711"];
    let mut command = installation.command();
    command.arg("cluster").args(said).env("HOLM_URL", one.url()).env("HOLM_TOKEN", installation.token.trim());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    // Without a wait: it ended when both had it.
    assert_eq!((kept(&one).await, kept(&two).await), (7, 7));
    let (_, entries) = one.api("GET", "/v1/audit?action=cluster.replace", None).await;
    let [entry] = entries["data"]["items"].as_array().unwrap().as_slice() else { panic!("{entries}") };
    let now = installation.cluster.system_identifier().to_string();
    assert!(entry["reason"] == "upgraded, change 4711" && entry["detail"].as_str().unwrap().contains(&now), "{entry}");
}
