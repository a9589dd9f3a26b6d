//! Statements that were prepared by the protocol and are executed in SQL, by the name that their client gave them, in
//! transaction pooling: `sqlx::query!` asks so what can be NULL.

use crate::raw::{Raw, query};
use crate::support::World;
use crate::transaction::{logged_in, sent, tags, world};

/// Prepares a statement on whichever connection is free.
async fn with(world: &World, name: &str, text: &str) -> Raw {
    let mut client = logged_in(world).await;
    prepare(&mut client, name, text).await;
    client
}

async fn prepare(client: &mut Raw, name: &str, text: &str) {
    client.send(&[sent(b'P', format!("{name}\0{text}\0\0\0").as_bytes()), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&client.until(b'Z').await), "1Z");
}

/// What a Query is answered with: the first column of the last row, or the SQLSTATE.
async fn said(client: &mut Raw, text: &str) -> String {
    client.send(&query(text)).await;
    let mut said = String::new();
    for (tag, body) in client.until(b'Z').await {
        match tag {
            b'D' => {
                let length = u32::from_be_bytes(body[2..6].try_into().unwrap()) as usize;
                said = String::from_utf8_lossy(&body[6..6 + length]).into_owned();
            }
            b'E' => said = String::from_utf8_lossy(&body).split('\0').find_map(|field| field.strip_prefix('C')).unwrap().to_owned(),
            _ => {}
        }
    }
    said
}

#[tokio::test]
async fn a_statement_prepared_by_the_protocol_is_executed_and_explained_in_sql_under_its_clients_name() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with(&world, "sqlx_s_1", "SELECT $1::int4 + 1").await, with(&world, "sqlx_s_1", "SELECT $1::text").await);
    for _ in 0..3 {
        assert_eq!(said(&mut one, "EXECUTE sqlx_s_1(41)").await, "42");
        assert_eq!(said(&mut other, "EXECUTE \"sqlx_s_1\"('other')").await, "other", "each has its own");
    }
    let plan = said(&mut one, "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE SQLX_S_1(NULL)").await;
    assert!(plan.contains("Result"), "{plan}");
    assert_eq!(said(&mut one, "BEGIN; CREATE TABLE made AS EXECUTE sqlx_s_1(1); SELECT * FROM made; ROLLBACK").await, "2");
    assert_eq!(world.proxy.counters().pinned_now(), 0, "nobody keeps a connection for it");
}

#[tokio::test]
async fn the_name_of_a_client_is_there_for_nobody_else() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with(&world, "mine", "SELECT 1").await, logged_in(&world).await);
    assert_eq!(said(&mut one, "EXECUTE mine").await, "1");
    assert_eq!(said(&mut other, "EXECUTE mine").await, "26000");
    assert_eq!(said(&mut other, "SELECT count(*) FROM pg_prepared_statements WHERE name = 'mine'").await, "0");
    assert_eq!(said(&mut other, "PREPARE mine AS SELECT 2; EXECUTE mine").await, "2");
}

#[tokio::test]
async fn a_name_has_the_text_that_its_client_gave_it_last_and_none_when_it_was_closed() {
    let (world, _) = world(1).await;
    let mut one = with(&world, "a", "SELECT 1").await;
    assert_eq!(said(&mut one, "EXECUTE a").await, "1");
    one.send(&[sent(b'C', b"Sa\0"), sent(b'P', b"a\0SELECT 2\0\0\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "31Z");
    assert_eq!(said(&mut one, "EXECUTE a").await, "2");
    one.send(&[sent(b'C', b"Sa\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "3Z");
    assert_eq!(said(&mut one, "EXECUTE a").await, "26000");
    assert_eq!(said(&mut one, "PREPARE a AS SELECT 3").await, "", "the name is free");
    assert_eq!(said(&mut one, "EXECUTE a").await, "3");
}

#[tokio::test]
async fn a_statement_is_deallocated_among_other_statements() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with(&world, "a", "SELECT 1").await, with(&world, "a", "SELECT 1").await);
    assert_eq!(said(&mut one, "SELECT 7; DEALLOCATE a").await, "7");
    assert_eq!(said(&mut one, "EXECUTE a").await, "26000");
    assert_eq!(said(&mut other, "EXECUTE a").await, "1");
}

#[tokio::test]
async fn a_statement_is_deallocated_among_others_whatever_has_become_of_what_it_reads() {
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    said(&mut one, "CREATE TABLE t (n int)").await;
    prepare(&mut one, "a", "SELECT n FROM t").await;
    for (text, answered) in [("BEGIN; DROP TABLE t", ""), ("SELECT 7; DEALLOCATE a", "7"), ("SELECT 8", "8"), ("COMMIT", "")] {
        assert_eq!(said(&mut one, text).await, answered, "{text}");
    }
    assert_eq!(said(&mut one, "EXECUTE a").await, "26000");
}

/// Parses a text without a name and executes it.
fn executed(text: &str) -> Vec<u8> {
    let parse = sent(b'P', format!("\0{text}\0\0\0").as_bytes());
    [parse, sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0")].concat()
}

fn reparsed(name: &str, text: &str) -> Vec<u8> {
    [sent(b'C', format!("S{name}\0").as_bytes()), sent(b'P', format!("{name}\0{text}\0\0\0").as_bytes())].concat()
}

#[tokio::test]
async fn a_name_has_the_text_that_it_was_given_last_in_a_pipeline_too() {
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    let steps: Vec<u8> =
        ["SELECT 1", "SELECT 2", "SELECT 1"].iter().flat_map(|text| [reparsed("a", text), executed("EXECUTE a")].concat()).collect();
    one.send(&[steps, sent(b'S', b"")].concat()).await;
    let answer = one.until(b'Z').await;
    let rows: Vec<_> = answer.iter().filter(|(tag, _)| *tag == b'D').map(|(_, body)| &body[6..]).collect();
    assert_eq!(rows, [b"1", b"2", b"1"], "{}", tags(&answer));
}

#[tokio::test]
async fn a_pipeline_that_names_more_than_it_may_is_one_error_and_the_next_begins_anew() {
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    let step = |n: usize| [reparsed(&format!("a{n}"), &format!("SELECT {n}")), executed(&format!("EXECUTE a{n}"))].concat();
    one.send(&[(0..65).flat_map(step).collect::<Vec<_>>(), sent(b'S', b"")].concat()).await;
    let answered = tags(&one.until(b'Z').await);
    assert_eq!((answered.matches('D').count(), answered.ends_with("EZ")), (64, true), "{answered}");
    for n in [64, 0] {
        assert_eq!(said(&mut one, &format!("EXECUTE a{n}")).await, n.to_string());
    }
}

#[tokio::test]
async fn a_statement_is_executed_by_the_extended_protocol_too_and_in_a_later_transaction() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with(&world, "a", "SELECT $1::int4 * 2").await, logged_in(&world).await);
    let parse = sent(b'P', b"\0EXECUTE a(21)\0\0\0");
    let run = [sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'D', b"P\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat();
    one.send(&[&parse[..], &sent(b'D', b"S\0"), &run].concat()).await;
    let answer = one.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), &answer[5].1[6..]), ("1tT2TDCZ", &b"42"[..]));
    one.send(&[parse, sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1Z");
    assert_eq!(said(&mut other, "SELECT 8").await, "8");
    one.send(&run).await;
    assert_eq!(tags(&one.until(b'Z').await), "2TDCZ");
}

#[tokio::test]
async fn a_statement_that_cannot_be_prepared_any_more_is_one_error_and_the_session_goes_on() {
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    said(&mut one, "CREATE TABLE t (n int)").await;
    prepare(&mut one, "a", "SELECT n FROM t").await;
    said(&mut one, "DROP TABLE t").await;
    one.send(&query("EXECUTE a")).await;
    assert_eq!(tags(&one.until(b'Z').await), "EZ");
    for (text, answered) in [("BEGIN", ""), ("SELECT 1/0", "22012"), ("EXECUTE a", "25P02"), ("ROLLBACK", "")] {
        assert_eq!(said(&mut one, text).await, answered, "{text}");
    }
    assert_eq!(said(&mut one, "SELECT 5").await, "5");
}

#[tokio::test]
async fn what_a_statement_does_to_the_session_counts_when_it_is_executed_in_sql() {
    let (world, _) = world(2).await;
    let (mut one, mut other) = (with(&world, "a", "SELECT pg_advisory_lock(7)").await, logged_in(&world).await);
    said(&mut one, "EXECUTE a").await;
    assert_eq!(world.proxy.counters().pinned_now(), 1);
    assert_eq!(said(&mut other, "SELECT pg_try_advisory_xact_lock(7)").await, "f");
}

#[tokio::test]
async fn a_statement_of_the_pools_own_name_is_not_replaced_by_a_client_that_calls_its_own_so() {
    let (world, _) = world(1).await;
    let (mut one, mut other) = (with(&world, "a", "SELECT 1").await, with(&world, "holm 1", "SELECT 2").await);
    said(&mut other, "EXECUTE \"holm 1\"").await;
    one.send(&[sent(b'B', b"\0a\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat()).await;
    let answer = one.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), &answer[1].1[6..]), ("2DCZ", &b"1"[..]));
}

#[tokio::test]
async fn a_long_text_that_executes_a_statement_does_so() {
    let (world, _) = world(1).await;
    let mut one = with(&world, "a", "SELECT length($1::text)::text").await;
    assert_eq!(said(&mut one, &format!("EXECUTE a('{}')", "x".repeat(200_000))).await, "200000");
}

#[tokio::test]
async fn a_prepared_statement_that_executes_another_has_each_clients_own_and_says_what_it_returns() {
    // sqlx prepares its EXPLAIN EXECUTE too, under the next name, and executes it when the answer to that has come.
    let (world, _) = world(1).await;
    let mut clients = [with(&world, "s1", "SELECT 41 AS one").await, with(&world, "s1", "SELECT 'x' AS a, 'y' AS b").await];
    let (describe, sync) = (sent(b'D', b"Ss2\0"), sent(b'S', b""));
    let bind = [sent(b'B', b"\0s2\0\0\0\0\0\0\0"), sent(b'D', b"P\0"), sent(b'E', b"\0\0\0\0\0"), sync.clone()].concat();
    for text in ["EXECUTE s1", "EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE s1"] {
        for (client, columns) in clients.iter_mut().zip([1, if text.starts_with("EXPLAIN") { 1 } else { 2 }]) {
            let parse = [sent(b'C', b"Ss2\0"), sent(b'P', format!("s2\0{text}\0\0\0").as_bytes())].concat();
            client.send(&[&parse[..], &describe, &sync].concat()).await;
            let answer = client.until(b'Z').await;
            assert_eq!((tags(&answer).as_str(), answer[3].1[1]), ("31tTZ", columns), "{text}");
        }
        for (client, columns) in clients.iter_mut().zip([1, if text.starts_with("EXPLAIN") { 1 } else { 2 }]) {
            client.send(&bind).await;
            let answer = client.until(b'Z').await;
            assert_eq!((tags(&answer).as_str(), answer[1].1[1]), ("2TDCZ", columns), "{text}");
        }
    }
    let most = format!("SELECT ARRAY[{}]::int4[]", (1..=65_535).map(|n| format!("${n}")).collect::<Vec<_>>().join(","));
    let [client, _] = &mut clients;
    prepare(client, "most", &most).await;
    let text = format!("s2\0EXPLAIN (VERBOSE, FORMAT JSON) EXECUTE most({})\0\0\0", vec!["NULL"; 65_535].join(", "));
    client.send(&[sent(b'C', b"Ss2\0"), sent(b'P', text.as_bytes()), describe, sync, bind].concat()).await;
    assert_eq!(tags(&client.until(b'Z').await), "31tTZ");
    assert_eq!(tags(&client.until(b'Z').await), "2TDCZ");
}
