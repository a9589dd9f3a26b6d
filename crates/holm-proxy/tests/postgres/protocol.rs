//! Versions, parameters, and what is left when nobody is connected.

use crate::raw::{Raw, query, startup};
use crate::support::{SECRET, World, cluster};

async fn show(client: &tokio_postgres::Client, name: &str) -> String {
    client.query_one("SELECT current_setting($1)", &[&name]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_client_of_3_2_gets_a_long_cancel_key_and_one_of_3_0_a_short_one() {
    let world = World::new().await;
    world.tenant("malmo").await;
    for (minor, key_length) in [(0, 4), (1, 4), (2, 32)] {
        let mut raw = Raw::connect(&world).await;
        raw.send(&startup(minor, &[("user", "app"), ("database", "malmo")])).await;
        let before = raw.prove(SECRET).await;
        assert_eq!(before.len(), 1, "nothing to negotiate");
        let messages = raw.until(b'Z').await;
        let (_, key) = messages.iter().find(|(tag, _)| *tag == b'K').unwrap();
        assert_eq!(key.len(), 4 + key_length, "3.{minor}");
    }
}

#[tokio::test]
async fn grease_is_answered_with_the_version_we_speak_and_the_extensions_we_do_not() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let mut raw = Raw::connect(&world).await;
    raw.send(&startup(9999, &[("user", "app"), ("_pq_.test_protocol_negotiation", ""), ("database", "malmo")])).await;
    let before = raw.prove(SECRET).await;
    assert_eq!(before[0], (b'v', b"\0\x03\0\x02\0\0\0\x01_pq_.test_protocol_negotiation\0".to_vec()));
    assert_eq!(before.len(), 2);
    raw.until(b'Z').await;
    raw.send(&query("SELECT 1")).await;
    let answer = raw.until(b'Z').await;
    assert!(answer.contains(&(b'C', b"SELECT 1\0".to_vec())), "{answer:?}");
}

#[tokio::test]
async fn r33_a_schema_in_the_url_is_one_quoted_identifier_of_the_search_path() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let owner = world.connect("app_owner", "malmo").await;
    owner.batch_execute(r#"CREATE SCHEMA "a, ""b"; CREATE TABLE "a, ""b".t (x int)"#).await.unwrap();
    for (schema, expected) in [("public", "\"public\""), ("a, \"b", "\"a, \"\"b\"")] {
        let mut raw = Raw::connect(&world).await;
        raw.send(&startup(0, &[("user", "app_owner"), ("database", "malmo"), ("schema", schema)])).await;
        raw.prove(SECRET).await;
        raw.until(b'Z').await;
        raw.send(&query("SHOW search_path")).await;
        let (_, row) = raw.until(b'D').await.pop().unwrap();
        assert_eq!(&row[6..], expected.as_bytes());
    }
}

#[tokio::test]
async fn r79_a_tenants_parameters_arrive_and_the_clients_own_come_after_them() {
    let world = World::new().await;
    world.tenant_in("production", "malmo", &[("work_mem", "7MB"), ("statement_timeout", "31 s")]).await;
    world.tenant_in("production", "lund", &[]).await;
    let (client, connection) = tokio_postgres::connect(
        &format!("{}?application_name=stage&options=-c%20work_mem%3D9MB%20-c%20holm.tenant%3Dmalmo", world.url("app", "malmo")),
        tokio_postgres::NoTls,
    )
    .await
    .unwrap();
    tokio::spawn(connection);
    assert_eq!((show(&client, "work_mem").await, show(&client, "statement_timeout").await), ("9MB".into(), "31s".into()));
    assert_eq!(show(&client, "application_name").await, "stage");
    assert!(client.query_one("SELECT current_setting('holm.tenant')", &[]).await.is_err(), "what is for Holm stays with Holm");
    let other = world.connect("app", "lund").await;
    assert_eq!((show(&other, "work_mem").await, show(&other, "statement_timeout").await), ("4MB".into(), "0".into()));
}

#[tokio::test]
async fn r75_a_new_tenant_and_a_new_address_are_right_for_the_next_connection_without_a_reload() {
    let world = World::new().await;
    assert!(world.try_connect("app", "malmo").await.is_err());
    world.tenant("malmo").await;
    world.connect("app", "malmo").await;
    let mut elsewhere = cluster("production", &world.server.address, 100);
    elsewhere.address.port = 1;
    world.publish_and_wait([holm_core::route::RouteChange::Cluster(elsewhere)]).await;
    let error = world.try_connect("app", "malmo").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "08006");
}
