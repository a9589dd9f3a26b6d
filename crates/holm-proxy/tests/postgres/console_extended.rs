//! The admin console in the extended protocol: drivers that speak no other read it, and their errors leave the session in order.

use std::collections::BTreeMap;

use holm_pgwire::extended::{Bind, Subject, write_bind, write_describe, write_execute, write_parse};
use tokio_postgres::types::{FromSql, Type};
use tokio_postgres::{Client, Row};

use crate::console::{console, logged_in, show, told, world};
use crate::raw::query;
use crate::support::eventually;

/// A `numeric` that is a whole number, as `numeric_send` writes it.
struct Whole(u64);

impl<'a> FromSql<'a> for Whole {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let words: Vec<u16> = raw.as_chunks().0.iter().map(|word| u16::from_be_bytes(*word)).collect();
        let [count, weight, 0, 0, ref digits @ ..] = words[..] else { return Err(format!("{raw:?}").into()) };
        assert_eq!(usize::from(count), digits.len());
        let digit = |at: u16| u64::from(digits.get(usize::from(at)).copied().unwrap_or_default());
        Ok(Self((0..=weight).fold(0, |sum, at| sum * 10_000 + digit(at))))
    }

    fn accepts(kind: &Type) -> bool {
        *kind == Type::NUMERIC
    }
}

/// A value that came in binary, as it would be as text.
fn as_text(row: &Row, at: usize) -> String {
    let kind = row.columns()[at].type_();
    let text = if *kind == Type::INT4 {
        row.get::<_, Option<i32>>(at).map(|number| number.to_string())
    } else if *kind == Type::INT8 {
        row.get::<_, Option<i64>>(at).map(|number| number.to_string())
    } else if *kind == Type::NUMERIC {
        row.get::<_, Option<Whole>>(at).map(|number| number.0.to_string())
    } else {
        row.get(at)
    };
    text.unwrap_or_else(|| "NULL".to_owned())
}

async fn asked(console: &Client, what: &str) -> Vec<BTreeMap<String, String>> {
    let rows = console.query(&format!("SHOW {what}"), &[]).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let row = |row: &Row| row.columns().iter().enumerate().map(|(at, column)| (column.name().to_owned(), as_text(row, at))).collect();
    rows.iter().map(row).collect()
}

#[tokio::test]
async fn a_driver_that_speaks_no_simple_queries_reads_the_same() {
    // tokio-postgres prepares, describes, binds with binary results, and executes.
    let (world, _) = world(&["malmo", "lund"]).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app_owner", "lund").await);
    for _ in 0..3 {
        one.simple_query("SELECT 1").await.unwrap();
        other.simple_query("SELECT 1").await.unwrap();
    }
    let console = console(&world, "watch").await;
    for what in [
        "VERSION",
        "CONFIG",
        "DATABASES",
        "POOLS",
        "CLIENTS",
        "SERVERS",
        "STATS",
        "STATS_TOTALS",
        "TOTALS",
        "LISTS",
        "USERS",
        "STATE",
        "server_version",
    ] {
        eventually("both see the same, when nothing moves", async || {
            let (simple, extended) = (show(&console, what).await, asked(&console, what).await);
            if simple == extended && !simple.is_empty() { Ok(()) } else { Err(format!("{what}: {simple:?} {extended:?}")) }
        })
        .await;
    }
    assert!(console.query("SHOW HELP", &[]).await.unwrap().is_empty(), "the help is a notice");
    assert_eq!(console.query_one("SELECT 1", &[]).await.unwrap().get::<_, i32>(0), 1);
    assert_eq!(console.execute("SET extra_float_digits = 3", &[]).await.unwrap(), 0);
    assert_eq!(console.execute("", &[]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_prepared_command_is_run_again_until_it_is_discarded() {
    let (world, _) = world(&["malmo"]).await;
    let console = console(&world, "watch").await;
    let prepared = console.prepare("SHOW LISTS").await.unwrap();
    assert_eq!(prepared.columns().len(), 2);
    let used = async || {
        console
            .query(&prepared, &[])
            .await
            .unwrap()
            .iter()
            .find(|row| row.get::<_, &str>(0) == "used_clients")
            .map(|row| row.get::<_, i32>(1))
    };
    assert_eq!(used().await, Some(0));
    let client = world.connect("app", "malmo").await;
    assert_eq!(used().await, Some(1), "each run is a picture of its own");
    drop(client);
    console.simple_query("DISCARD ALL").await.unwrap();
    let (code, words) = told(&console.query(&prepared, &[]).await.unwrap_err());
    assert!(code == "08P01" && words.contains("there is no prepared statement"), "{code} {words}");
}

#[tokio::test]
async fn acts_and_their_refusals_are_the_same_and_the_session_goes_on() {
    let (world, _) = world(&["malmo"]).await;
    let (ops, watch) = (console(&world, "ops").await, console(&world, "watch").await);
    assert_eq!(ops.execute("PAUSE malmo", &[]).await.unwrap(), 0);
    assert_eq!(show(&watch, "DATABASES").await[0]["paused"], "1");
    for (console, said, expected) in [
        (&watch, "RESUME malmo", "42501"),
        (&ops, "PAUSE nobody", "3D000"),
        (&ops, "SHUTDOWN", "0A000"),
        (&ops, "SHOW NOTHING", "22023"),
        (&ops, "KILL $1", "0A000"),
    ] {
        let (code, words) = told(&console.execute(said, &[]).await.unwrap_err());
        assert_eq!(code, expected, "{said}: {words}");
        assert_eq!(asked(console, "STATE").await.len(), 3, "after {said}");
    }
    ops.execute("RESUME malmo", &[]).await.unwrap();
    world.connect("app", "malmo").await.simple_query("SELECT 1").await.unwrap();
}

fn bound(out: &mut Vec<u8>, text: &str, rows_max: u32) {
    write_parse(out, b"", text.len() + 3).unwrap();
    out.extend_from_slice(&[text.as_bytes(), b"\0\0\0"].concat());
    write_bind(out, Bind { portal: b"", statement: b"" }, 6).unwrap();
    out.extend_from_slice(&[0; 6]);
    write_describe(out, Subject::Portal(b"")).unwrap();
    write_execute(out, b"", rows_max).unwrap();
}

const FLUSH: &[u8] = b"H\0\0\0\x04";
const SYNC: &[u8] = b"S\0\0\0\x04";

fn types(heard: &[(u8, Vec<u8>)]) -> String {
    heard.iter().map(|(tag, _)| char::from(*tag)).collect()
}

#[tokio::test]
async fn pipelines_limits_and_errors_go_by_the_protocol() {
    let (world, _) = world(&[]).await;
    let mut raw = logged_in(&world).await;
    let mut out = Vec::new();
    bound(&mut out, "SHOW STATE", 0);
    bound(&mut out, "SHOW STATE", 2);
    out.extend_from_slice(FLUSH);
    raw.send(&out).await;
    // Two rows of three: the portal is suspended, and there is no Sync yet.
    assert_eq!(types(&raw.until(b's').await), "12TDDDC12TDDs");
    // It is not gone on with, and what follows the error is passed over.
    let mut out = Vec::new();
    write_execute(&mut out, b"", 0).unwrap();
    bound(&mut out, "SHOW STATE", 0);
    out.extend_from_slice(&query("SHOW STATE"));
    out.extend_from_slice(SYNC);
    bound(&mut out, "SHOW VERSION", 0);
    out.extend_from_slice(SYNC);
    raw.send(&out).await;
    let heard = raw.until(b'Z').await;
    assert_eq!(types(&heard), "EZ");
    assert!(String::from_utf8_lossy(&heard[0].1).contains("has been run"));
    assert_eq!(types(&raw.until(b'Z').await), "12TDCZ");
    // What runs and fails is passed over from as well.
    let mut out = Vec::new();
    bound(&mut out, "SHUTDOWN", 0);
    bound(&mut out, "SHOW STATE", 0);
    out.extend_from_slice(SYNC);
    raw.send(&out).await;
    assert_eq!(types(&raw.until(b'Z').await), "12nEZ");
}

#[tokio::test]
async fn a_message_that_cannot_be_read_ends_the_session() {
    let (world, _) = world(&[]).await;
    for bad in [&b"P\0\0\0\x06no"[..], b"B\0\0\0\x05x", b"E\0\0\0\x05x", b"D\0\0\0\x06X\0", b"F\0\0\0\x04"] {
        let mut raw = logged_in(&world).await;
        raw.send(bad).await;
        let said = raw.until(b'E').await.pop().unwrap().1;
        assert!(String::from_utf8_lossy(&said).contains("C08P01"), "{said:?}");
        assert_eq!(raw.next().await, None);
    }
}
