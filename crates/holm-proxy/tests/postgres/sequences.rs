//! What a client draws from a sequence is its own in transaction pooling: nobody is told another client's number.

use tokio_postgres::Client;

use crate::raw::{Raw, query};
use crate::support::{Tenant, World, eventually};
use crate::transaction::{logged_in, sent, tags, world};

/// A table whose rows are numbered from 101 on, and one whose rows have no numbers.
async fn numbered(connections_max: u32) -> (World, Tenant) {
    let (world, tenant) = world(connections_max).await;
    let client = world.connect("app", "malmo").await;
    let tables = "CREATE TABLE t (id serial, a text); ALTER SEQUENCE t_id_seq RESTART 101; CREATE TABLE plain (a int)";
    client.batch_execute(tables).await.unwrap();
    (world, tenant)
}

async fn clients(world: &World) -> (Client, Client) {
    (world.connect("app", "malmo").await, world.connect("app", "malmo").await)
}

/// What a client is told: the first number, or the SQLSTATE.
async fn asked(client: &Client, sql: &str) -> String {
    match client.simple_query(sql).await {
        Ok(messages) => messages
            .iter()
            .find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap().to_owned()),
                _ => None,
            })
            .unwrap(),
        Err(error) => error.code().unwrap().code().to_owned(),
    }
}

/// `currval` and `lastval` before anything was drawn in a session.
const NOT_YET: &str = "55000";

#[tokio::test]
async fn nobody_is_told_the_number_that_another_client_drew() {
    for (draw, ask) in [
        ("INSERT INTO t DEFAULT VALUES", "SELECT currval('t_id_seq')"),
        ("INSERT INTO t DEFAULT VALUES", "SELECT lastval()"),
        ("SELECT nextval('t_id_seq')", "SELECT currval('t_id_seq')"),
        ("SELECT setval('t_id_seq', 500)", "BEGIN; SELECT lastval()"),
        ("BEGIN; INSERT INTO t DEFAULT VALUES; COMMIT", "SET LOCAL work_mem = '1MB'; SELECT lastval()"),
        (
            "WITH a AS (INSERT INTO t DEFAULT VALUES RETURNING 1) SELECT 1 FROM a",
            "WITH a AS (SELECT pg_catalog.\"currval\"('t_id_seq')) SELECT * FROM a",
        ),
    ] {
        let (world, _) = numbered(1).await;
        let (one, other) = clients(&world).await;
        one.simple_query(draw).await.unwrap();
        assert_eq!(asked(&other, ask).await, NOT_YET, "{draw}; {ask}");
    }
}

#[tokio::test]
async fn a_transaction_that_has_only_begun_is_not_told_another_clients_number() {
    for begin in ["BEGIN", "START TRANSACTION ISOLATION LEVEL SERIALIZABLE"] {
        let (world, _) = numbered(1).await;
        let (one, other) = clients(&world).await;
        one.simple_query("SELECT nextval('t_id_seq')").await.unwrap();
        other.batch_execute(begin).await.unwrap();
        assert_eq!(asked(&other, "SELECT currval('t_id_seq')").await, NOT_YET, "{begin}");
        other.batch_execute("ROLLBACK").await.unwrap();
    }
}

#[tokio::test]
async fn a_transaction_is_told_what_it_drew_and_keeps_no_connection_for_it() {
    let (world, _) = numbered(1).await;
    let (one, other) = clients(&world).await;
    one.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    for ask in ["currval('t_id_seq')", "lastval()"] {
        other.batch_execute("BEGIN").await.unwrap();
        let drawn = asked(&other, "INSERT INTO t DEFAULT VALUES RETURNING id").await;
        assert_eq!(asked(&other, &format!("SELECT {ask}")).await, drawn);
        other.batch_execute("COMMIT").await.unwrap();
        let text = format!("INSERT INTO t DEFAULT VALUES; SELECT {ask}");
        assert_eq!(asked(&other, &text).await, (drawn.parse::<i32>().unwrap() + 1).to_string());
        assert_eq!(world.proxy.counters().pinned_now(), 0);
        one.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    }
}

#[tokio::test]
async fn a_client_that_asks_between_transactions_keeps_its_connection_and_is_counted() {
    let (world, _) = numbered(2).await;
    let (one, other) = clients(&world).await;
    one.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    asked(&one, "SELECT lastval()").await;
    let sequence = world.proxy.counters().pins().find(|(reason, _)| *reason == "sequence").unwrap().1;
    assert_eq!((world.proxy.counters().pinned_now(), sequence), (1, 1));
    for _ in 0..3 {
        let drawn = asked(&one, "INSERT INTO t DEFAULT VALUES RETURNING id").await;
        other.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
        assert_eq!(asked(&one, "SELECT currval('t_id_seq')").await, drawn);
        assert_eq!(asked(&one, "SELECT lastval()").await, drawn);
    }
    one.batch_execute("DISCARD ALL").await.unwrap();
    eventually("nobody keeps a connection", async || match world.proxy.counters().pinned_now() {
        0 => Ok(()),
        pinned => Err(format!("{pinned} do")),
    })
    .await;
}

#[tokio::test]
async fn who_draws_and_asks_at_once_after_is_told_as_long_as_nobody_had_the_connection() {
    let (world, _) = numbered(1).await;
    let (one, other) = clients(&world).await;
    // The first question shows that clients ask.
    one.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    asked(&one, "SELECT lastval()").await;
    drop(one);
    for _ in 0..3 {
        other.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
        let next = world.connect("app", "malmo").await;
        let drawn = asked(&next, "INSERT INTO t DEFAULT VALUES RETURNING id").await;
        assert_eq!(asked(&next, "SELECT lastval()").await, drawn);
    }
}

#[tokio::test]
async fn once_somebody_has_asked_no_transaction_is_told_anothers_number_whatever_it_did_before() {
    let (world, _) = numbered(2).await;
    let (one, other) = clients(&world).await;
    asked(&one, "SELECT lastval()").await;
    let third = world.connect("app", "malmo").await;
    third.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    other.batch_execute("BEGIN; INSERT INTO plain VALUES (1)").await.unwrap();
    assert_eq!(asked(&other, "SELECT currval('t_id_seq')").await, NOT_YET);
}

#[tokio::test]
async fn limit_the_first_question_amid_a_transaction_that_wrote_something_else_is_answered_wrongly() {
    let (world, _) = numbered(1).await;
    let (one, other) = clients(&world).await;
    one.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    other.batch_execute("BEGIN; INSERT INTO plain VALUES (1)").await.unwrap();
    assert_eq!(asked(&other, "SELECT currval('t_id_seq')").await, "101");
}

const ASK: &[u8] = b"SELECT currval('t_id_seq')\0\0\0";

/// Binds and executes a statement.
fn run(statement: &str) -> Vec<u8> {
    let bind = [b"\0", statement.as_bytes(), b"\0\0\0\0\0\0\0"].concat();
    [sent(b'B', &bind), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat()
}

async fn draw(client: &mut Raw) {
    client.send(&query("INSERT INTO t DEFAULT VALUES")).await;
    assert_eq!(tags(&client.until(b'Z').await), "CZ");
}

async fn code(client: &mut Raw) -> String {
    let answer = client.until(b'Z').await;
    let (_, error) = answer.iter().find(|(tag, _)| *tag == b'E').expect("an error");
    let fields = String::from_utf8_lossy(error).into_owned();
    fields.split('\0').find_map(|field| field.strip_prefix('C')).unwrap().to_owned()
}

#[tokio::test]
async fn a_prepared_statement_that_asks_is_told_nobody_elses_number_either() {
    for name in ["", "named"] {
        let (world, _) = numbered(1).await;
        let (mut asking, mut drawing) = (logged_in(&world).await, logged_in(&world).await);
        // Parsed and described asks for nothing yet.
        let parse = sent(b'P', &[name.as_bytes(), b"\0", ASK].concat());
        asking.send(&[parse, sent(b'D', &[b"S", name.as_bytes(), b"\0"].concat()), sent(b'S', b"")].concat()).await;
        assert_eq!(tags(&asking.until(b'Z').await), "1tTZ");
        assert_eq!(world.proxy.counters().pinned_now(), 0);
        draw(&mut drawing).await;
        asking.send(&run(name)).await;
        assert_eq!(code(&mut asking).await, NOT_YET, "{name:?}");
        // The connection is its own from here on.
        asking
            .send(&[query("INSERT INTO t DEFAULT VALUES"), sent(b'P', &[name.as_bytes(), b"\0", ASK].concat()), run(name)].concat())
            .await;
        assert_eq!(tags(&asking.until(b'Z').await), "CZ");
        let answer = asking.until(b'Z').await;
        assert_eq!((tags(&answer).as_str(), &answer[2].1[6..]), ("12DCZ", &b"102"[..]));
    }
}

#[tokio::test]
async fn a_pipeline_that_draws_and_asks_is_told_its_own_and_keeps_no_connection() {
    let (world, _) = numbered(1).await;
    let (mut asking, mut drawing) = (logged_in(&world).await, logged_in(&world).await);
    draw(&mut drawing).await;
    let step = |text: &[u8]| [sent(b'P', &[b"\0", text].concat()), sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0")].concat();
    asking.send(&[step(b"INSERT INTO t DEFAULT VALUES\0\0\0"), step(ASK), sent(b'S', b"")].concat()).await;
    let answer = asking.until(b'Z').await;
    assert_eq!((tags(&answer).as_str(), &answer[5].1[6..]), ("12C12DCZ", &b"102"[..]));
    draw(&mut drawing).await;
    assert_eq!(world.proxy.counters().pinned_now(), 0);
}

#[tokio::test]
async fn what_was_to_be_discarded_in_a_part_that_an_error_skipped_is_discarded_in_the_next() {
    let (world, _) = numbered(1).await;
    let (mut asking, mut drawing) = (logged_in(&world).await, logged_in(&world).await);
    draw(&mut drawing).await;
    let (bad, parse) = (sent(b'B', b"\0never\0\0\0\0\0\0\0"), sent(b'P', &[b"\0", ASK].concat()));
    asking.send(&[&bad[..], &parse, &run("")].concat()).await;
    assert_eq!(code(&mut asking).await, "26000");
    asking.send(&[parse, run("")].concat()).await;
    assert_eq!(code(&mut asking).await, NOT_YET);
}

#[tokio::test]
async fn what_was_to_be_discarded_in_a_transaction_that_had_failed_is_discarded_in_the_next() {
    let (world, _) = numbered(1).await;
    let (mut asking, mut drawing) = (logged_in(&world).await, logged_in(&world).await);
    draw(&mut drawing).await;
    asking.send(&[sent(b'P', &[b"asks\0", ASK].concat()), sent(b'S', b""), query("BEGIN")].concat()).await;
    assert_eq!((tags(&asking.until(b'Z').await).as_str(), tags(&asking.until(b'Z').await).as_str()), ("1Z", "CZ"));
    asking.send(&[sent(b'P', b"\0nonsense\0\0\0"), sent(b'S', b""), run("asks")].concat()).await;
    assert_eq!((code(&mut asking).await, code(&mut asking).await), ("42601".to_owned(), "25P02".to_owned()));
    asking.send(&query("ROLLBACK")).await;
    asking.until(b'Z').await;
    asking.send(&query("SELECT lastval()")).await;
    assert_eq!(code(&mut asking).await, NOT_YET);
}

#[tokio::test]
async fn a_text_that_asks_behind_a_statement_which_cannot_be_prepared_any_more_is_an_error_and_no_end() {
    let (world, _) = numbered(1).await;
    let (mut asking, mut drawing) = (logged_in(&world).await, logged_in(&world).await);
    asking.send(&[sent(b'P', b"gone\0SELECT a FROM plain\0\0\0"), sent(b'S', b"")].concat()).await;
    asking.until(b'Z').await;
    drawing.send(&query("DROP TABLE plain")).await;
    drawing.until(b'Z').await;
    draw(&mut drawing).await;
    for (text, answered) in [("BEGIN", "CZ"), ("EXECUTE gone; SELECT lastval()", "EZ"), ("ROLLBACK", "CZ"), ("SELECT 1", "TDCZ")] {
        asking.send(&query(text)).await;
        assert_eq!(tags(&asking.until(b'Z').await), answered, "{text}");
    }
    asking.send(&query("SELECT lastval()")).await;
    assert_eq!(code(&mut asking).await, NOT_YET);
}

#[tokio::test]
async fn a_long_text_that_asks_is_told_nobody_elses_number() {
    let (world, _) = numbered(1).await;
    let (one, other) = clients(&world).await;
    one.batch_execute("INSERT INTO t DEFAULT VALUES").await.unwrap();
    let long = format!("SELECT currval('t_id_seq'), '{}'", "x".repeat(200_000));
    assert_eq!(asked(&other, &long).await, NOT_YET);
}
