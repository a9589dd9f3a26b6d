//! Prepared statements in transaction pooling: each client has its own, whoever has the server connection.

use crate::raw::{Raw, query};
use crate::support::World;
use crate::transaction::{logged_in, number, sent, tags, world};

/// Prepares a statement `a` that gives 1, on whichever connection is free.
async fn with_a(world: &World) -> Raw {
    let mut client = logged_in(world).await;
    client.send(&[sent(b'P', b"a\0SELECT 1\0\0\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&client.until(b'Z').await), "1Z");
    client
}

async fn bound(client: &mut Raw, statement: &str) -> String {
    let bind = [b"\0", statement.as_bytes(), b"\0\0\0\0\0\0\0"].concat();
    client.send(&[sent(b'B', &bind), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat()).await;
    tags(&client.until(b'Z').await)
}

#[tokio::test]
async fn a_statement_is_parsed_once_on_a_server_connection_however_many_clients_prepare_it() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    for client in [&one, &other] {
        let statement = client.prepare("SELECT $1::int4 + 1").await.unwrap();
        for _ in 0..3 {
            assert_eq!(client.query_one(&statement, &[&41]).await.unwrap().get::<_, i32>(0), 42);
        }
    }
    let known = number(&one, "SELECT count(*)::int4 FROM pg_prepared_statements WHERE statement = 'SELECT $1::int4 + 1'").await;
    assert_eq!(known, 1);
}

#[tokio::test]
async fn a_statement_without_a_name_may_be_bound_in_a_later_transaction() {
    let (world, _) = world(1).await;
    let (mut one, other) = (logged_in(&world).await, world.connect("app", "malmo").await);
    one.send(&[sent(b'P', b"\0SELECT 7\0\0\0"), sent(b'D', b"S\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1tTZ");
    assert_eq!(number(&other, "SELECT 8").await, 8);
    one.send(&[sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat()).await;
    let answer = one.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), &answer[1].1[6..]), ("2DCZ", &b"7"[..]));
}

#[tokio::test]
async fn a_statement_that_an_error_skipped_is_there_for_the_next_part_of_the_pipeline() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with_a(&world).await, logged_in(&world).await);
    let (bad, sync) = (sent(b'B', b"\0never\0\0\0\0\0\0\0"), sent(b'S', b""));
    let bound = |name: &str| sent(b'B', &[b"\0", name.as_bytes(), b"\0\0\0\0\0\0\0"].concat());
    let parsed = |name: &str| sent(b'P', &[name.as_bytes(), b"\0SELECT 2\0\0\0"].concat());
    let execute = sent(b'E', b"\0\0\0\0\0");
    // Nobody has used the second text: what an error skips is the first that the server would have heard of it.
    other.send(&[&bad[..], &parsed("b"), &sync, &parsed("c"), &bound("c"), &execute, &sync].concat()).await;
    assert_eq!(tags(&other.until(b'Z').await), "EZ");
    assert_eq!(tags(&other.until(b'Z').await), "12DCZ");
    // The server forgets them, and hears of the first again in what an error skips.
    other.send(&query("DISCARD ALL")).await;
    other.until(b'Z').await;
    one.send(&[&bad[..], &bound("a"), &sync, &bound("a"), &execute, &sync, &bound("a"), &execute, &sync].concat()).await;
    for expected in ["EZ", "2DCZ", "2DCZ"] {
        assert_eq!(tags(&one.until(b'Z').await), expected);
    }
}

#[tokio::test]
async fn a_statement_without_a_name_is_never_the_one_of_another_client() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (logged_in(&world).await, logged_in(&world).await);
    let (bad, sync) = (sent(b'B', b"\0never\0\0\0\0\0\0\0"), sent(b'S', b""));
    let [parse_7, parse_8] = [b'7', b'8'].map(|digit| sent(b'P', &[b"\0SELECT ", &[digit][..], b"\0\0\0"].concat()));
    let run = [sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat();
    one.send(&[&parse_7[..], &sync].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1Z");
    other.send(&run).await;
    assert_eq!(tags(&other.until(b'Z').await), "EZ", "it has none");
    other.send(&[&bad[..], &parse_8, &sync, &run].concat()).await;
    assert_eq!(tags(&other.until(b'Z').await), "EZ");
    let answer = other.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), &answer[1].1[6..]), ("2DCZ", &b"8"[..]));
    one.send(&run).await;
    assert_eq!(one.until(b'Z').await[1].1[6..], b"7"[..]);
    one.send(&[query("SELECT 9"), run.clone()].concat()).await;
    one.until(b'Z').await;
    assert_eq!(tags(&one.until(b'Z').await), "EZ", "a query ends it");
    one.send(&[&parse_7[..], &sent(b'C', b"S\0"), &sync].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "13Z");
    other.send(&[&parse_8[..], &sync].concat()).await;
    assert_eq!(tags(&other.until(b'Z').await), "1Z");
    one.send(&run).await;
    assert_eq!(tags(&one.until(b'Z').await), "EZ", "so does its end");
}

#[tokio::test]
async fn a_statement_that_was_closed_is_gone_and_its_name_is_free() {
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    one.send(&[sent(b'P', b"a\0SELECT 1\0\0\0"), sent(b'C', b"Sa\0"), sent(b'P', b"a\0SELECT 2\0\0\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "131Z");
    one.send(&[sent(b'B', b"\0a\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'C', b"Sa\0"), sent(b'S', b"")].concat()).await;
    let answer = one.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), &answer[1].1[6..]), ("2DC3Z", &b"2"[..]));
    one.send(&[sent(b'B', b"\0a\0\0\0\0\0\0\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "EZ");
}

#[tokio::test]
async fn a_statement_of_a_driver_may_be_deallocated_in_sql_as_older_drivers_do() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (logged_in(&world).await, logged_in(&world).await);
    let bind = [sent(b'B', b"\0a\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat();
    for client in [&mut one, &mut other] {
        client.send(&[sent(b'P', b"a\0SELECT 1\0\0\0"), sent(b'S', b"")].concat()).await;
        assert_eq!(tags(&client.until(b'Z').await), "1Z");
    }
    one.send(&query(" deallocate Prepare A; ")).await;
    let answer = one.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), answer[0].1.as_slice()), ("CZ", &b"DEALLOCATE\0"[..]));
    one.send(&bind).await;
    assert_eq!(tags(&one.until(b'Z').await), "EZ", "it is gone");
    other.send(&bind).await;
    assert_eq!(tags(&other.until(b'Z').await), "2DCZ", "the other client's is not");
    other.send(&query("DEALLOCATE nothing")).await;
    assert_eq!(tags(&other.until(b'Z').await), "EZ");
}

#[tokio::test]
async fn a_statement_is_not_deallocated_by_a_transaction_that_has_failed() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with_a(&world).await, with_a(&world).await);
    for (text, answered) in [("BEGIN", "CZ"), ("SELECT 1/0", "EZ"), ("DEALLOCATE a", "EZ"), ("ROLLBACK", "CZ")] {
        one.send(&query(text)).await;
        assert_eq!(tags(&one.until(b'Z').await), answered, "{text}");
    }
    assert_eq!(bound(&mut one, "a").await, "2DCZ");
    for (text, answered) in [("BEGIN", "CZ"), ("DEALLOCATE a", "CZ"), ("COMMIT", "CZ")] {
        one.send(&query(text)).await;
        assert_eq!(tags(&one.until(b'Z').await), answered, "{text}");
    }
    assert_eq!(bound(&mut one, "a").await, "EZ");
    assert_eq!(bound(&mut other, "a").await, "2DCZ");
    assert_eq!(bound(&mut with_a(&world).await, "a").await, "2DCZ");
}

#[tokio::test]
async fn a_statement_may_be_deallocated_by_the_extended_protocol_as_drivers_do_in_pipelines() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with_a(&world).await, with_a(&world).await);
    let parse = sent(b'P', b"\0DEALLOCATE a\0\0\0");
    let execute = [sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'D', b"P\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat();
    one.send(&[&parse[..], &execute[..]].concat()).await;
    let answer = one.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), answer[3].1.as_slice()), ("12nCZ", &b"DEALLOCATE\0"[..]));
    assert_eq!(bound(&mut one, "a").await, "EZ", "it is gone");
    assert_eq!(bound(&mut other, "a").await, "2DCZ", "the other client's is not");
    // Parsed now, and executed when another client has had the connection.
    other.send(&[parse, sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&other.until(b'Z').await), "1Z");
    assert_eq!(bound(&mut with_a(&world).await, "a").await, "2DCZ");
    other.send(&execute).await;
    assert_eq!(tags(&other.until(b'Z').await), "2nCZ");
    other.send(&execute).await;
    assert_eq!(tags(&other.until(b'Z').await), "2nEZ", "it is gone already");
}

#[tokio::test]
async fn a_statement_that_the_next_server_does_not_take_is_an_error_for_its_client_and_no_silence() {
    let (world, tenant) = world(1).await;
    let (mut one, other) = (logged_in(&world).await, world.connect("app", "malmo").await);
    let (admin, table) = (world.server.connect("postgres").await, "CREATE TABLE t AS SELECT 1 AS n");
    other.batch_execute(table).await.unwrap();
    one.send(&[sent(b'P', b"a\0SELECT n FROM t\0\0\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1Z");
    other.batch_execute("DROP TABLE t").await.unwrap();
    // The connection that knows the statement goes.
    let end = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = $1";
    admin.query(end, &[&tenant.route.database.as_str()]).await.unwrap();
    assert_eq!(bound(&mut one, "a").await, "EZ");
    one.send(&[sent(b'D', b"Sa\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "EZ");
    other.batch_execute(table).await.unwrap();
    assert_eq!(bound(&mut one, "a").await, "2DCZ");
}

#[tokio::test]
async fn a_client_that_uses_the_poolers_names_reaches_no_statement_of_another() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with_a(&world).await, logged_in(&world).await);
    let ours = "holm 1";
    let known = sent(b'Q', b"SELECT FROM pg_prepared_statements WHERE name = 'holm 1'\0");
    one.send(&known).await;
    assert_eq!(tags(&one.until(b'Z').await), "TDCZ", "it is the name");
    assert_eq!(bound(&mut other, ours).await, "EZ");
    other.send(&[sent(b'D', b"Sholm 1\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&other.until(b'Z').await), "EZ");
    other.send(&[sent(b'C', b"Sholm 1\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&other.until(b'Z').await), "3Z");
    assert_eq!(bound(&mut one, "a").await, "2DCZ");
    other.send(&query("SELECT 1; DEALLOCATE \"holm 1\"")).await;
    assert_eq!(tags(&other.until(b'Z').await), "TDCCZ");
    assert_eq!(bound(&mut one, "a").await, "2DCZ", "the connection is cleaned first");
}

#[tokio::test]
async fn a_statement_that_a_function_deallocates_unseen_costs_one_error_and_no_more() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with_a(&world).await, logged_in(&world).await);
    let function = "CREATE FUNCTION unseen() RETURNS void LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$";
    other.send(&query(function)).await;
    assert_eq!(tags(&other.until(b'Z').await), "CZ");
    assert_eq!(bound(&mut one, "a").await, "2DCZ");
    other.send(&query("SELECT unseen()")).await;
    assert_eq!(tags(&other.until(b'Z').await), "TDCZ");
    assert_eq!(bound(&mut one, "a").await, "EZ");
    assert_eq!(bound(&mut one, "a").await, "2DCZ");
}

#[tokio::test]
async fn a_long_text_that_a_pipeline_uses_again_and_again_is_sent_a_part_at_a_time() {
    const TIMES: usize = 200;
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    let text = format!("s\0SELECT length('{}')\0\0\0", "x".repeat(300_000));
    let again = [sent(b'B', b"\0s\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat();
    one.send(&[sent(b'P', text.as_bytes()), sent(b'S', b""), again.repeat(TIMES)].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1Z");
    for _ in 0..TIMES {
        let answer = one.until(b'Z').await;
        assert_eq!((tags(&answer).as_str(), &answer[1].1[6..]), ("2DCZ", &b"300000"[..]));
    }
}

#[tokio::test]
async fn a_client_that_asks_without_end_for_what_the_proxy_answers_itself_gets_all_of_it() {
    const TIMES: usize = 100_000;
    let (world, _) = world(1).await;
    let mut one = with_a(&world).await;
    let parse = sent(b'P', b"a\0SELECT 1\0\0\0").repeat(TIMES);
    // While the server is busy, all of it is owed.
    one.send(&[query("SELECT pg_sleep(0.2)"), parse, sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "TDCZ");
    assert_eq!(one.until(b'Z').await.len(), TIMES + 1);
    // What the server answered before all of that it keeps to itself until it is asked for it.
    let bind = sent(b'B', b"\0a\0\0\0\0\0\0\0");
    one.send(&[bind, sent(b'P', b"a\0SELECT 1\0\0\0").repeat(TIMES), sent(b'S', b"")].concat()).await;
    assert_eq!(one.until(b'Z').await.len(), TIMES + 2);
}

#[tokio::test]
async fn a_message_that_the_server_refuses_unread_lets_nobody_meet_the_statement_of_another_client() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (logged_in(&world).await, logged_in(&world).await);
    let (sync, run) = (sent(b'S', b""), [sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat());
    one.send(&[sent(b'P', b"\0SELECT 7\0\0\0"), sync.clone()].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1Z");
    // A byte too much; a text that is no UTF-8, as a Parse and as a Query.
    for refused in [
        [sent(b'P', b"\0SELECT 8\0\0\0!"), sync.clone()].concat(),
        [sent(b'P', b"\0SELECT '\xff'\0\0\0"), sync.clone()].concat(),
        sent(b'Q', b"SELECT '\xff'\0"),
    ] {
        other.send(&[refused, run.clone()].concat()).await;
        assert_eq!(tags(&other.until(b'Z').await), "EZ");
        assert_eq!(tags(&other.until(b'Z').await), "EZ");
        one.send(&run).await;
        assert_eq!(one.until(b'Z').await[1].1[6..], b"7"[..]);
    }
}

#[tokio::test]
async fn a_message_with_a_body_that_its_type_has_not_ends_its_session_and_no_other() {
    let (world, _) = world(1).await;
    let mut other = logged_in(&world).await;
    for odd in [sent(b'H', b"!"), sent(b'S', b"!"), sent(b'c', b"!"), sent(b'f', &[b'x'; 9000])] {
        let mut one = logged_in(&world).await;
        one.send(&odd).await;
        let said = one.next().await.unwrap();
        assert_eq!((char::from(said.0), one.next().await), ('E', None));
        other.send(&query("SELECT 2")).await;
        assert_eq!(tags(&other.until(b'Z').await), "TDCZ");
    }
}
