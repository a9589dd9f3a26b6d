//! In session pooling a client that leaves hands its server connection on, and nothing of what it did there.

use holm_core::credential::Level;
use holm_core::role::RoleName;
use tokio_postgres::{Client, NoTls};

use crate::raw::{Message, Raw, query, startup};
use crate::support::{SECRET, Tenant, World, eventually};
use crate::transaction::sent;

/// Waits until every client has gone and has given its connection back.
pub(crate) async fn until_all_have_left(world: &World) {
    eventually("every session has ended", async || match world.proxy.counters().sessions_open() {
        0 => Ok(()),
        open => Err(format!("{open} open")),
    })
    .await;
}

/// How many server connections were handed on, and how many not.
pub(crate) fn left(world: &World) -> (u64, u64) {
    let counters = world.proxy.counters();
    (counters.sessions_handed_on(), counters.sessions_not_handed_on())
}

pub(crate) async fn pid(client: &Client) -> i32 {
    client.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0)
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

/// A session by bytes, and what it was told at its start.
pub(crate) async fn raw_session(world: &World, parameters: &[(&str, &str)]) -> (Raw, Vec<Message>) {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, parameters)).await;
    raw.prove(SECRET).await;
    let welcome = raw.until(b'Z').await;
    (raw, welcome)
}

pub(crate) async fn raw_pid(raw: &mut Raw) -> String {
    raw.send(&query("SELECT pg_backend_pid()")).await;
    let answer = raw.until(b'Z').await;
    String::from_utf8_lossy(&answer.iter().find(|(tag, _)| *tag == b'D').unwrap().1[6..]).into_owned()
}

const APP: [(&str, &str); 2] = [("user", "app"), ("database", "malmo")];
const TERMINATE: &[u8] = b"X\0\0\0\x04";

/// A role that the owner of a tenant's database may become.
async fn other_role(world: &World, tenant: &Tenant) -> String {
    let other = format!("{}_other", tenant.route.database.as_str());
    let owner = RoleName::of(&tenant.route.database, Level::Owner);
    let admin = world.server.connect("postgres").await;
    admin.batch_execute(&format!("CREATE ROLE {other}; GRANT {other} TO {}", owner.as_ident())).await.unwrap();
    other
}

#[tokio::test]
async fn fifty_sessions_one_after_the_other_need_one_server_connection() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let mut pids = Vec::new();
    for _ in 0..50 {
        let client = world.connect("churn", "malmo").await;
        pids.push(pid(&client).await);
        drop(client);
        until_all_have_left(&world).await;
    }
    pids.dedup();
    assert_eq!((pids.len(), world.backends(&admin, &malmo).await, world.proxy.counters().connects.count()), (1, 1, 1));
    assert_eq!((left(&world), world.proxy.counters().sessions_opened()), ((50, 0), 50));
}

#[tokio::test]
async fn who_goes_without_a_goodbye_hands_on_as_well() {
    let world = World::new().await;
    world.tenant("malmo").await;
    for goodbye in [TERMINATE, b""] {
        let (mut raw, _) = raw_session(&world, &APP).await;
        raw.send(&query("SET TimeZone = 'Asia/Tokyo'")).await;
        raw.until(b'Z').await;
        raw.send(goodbye).await;
        drop(raw);
        until_all_have_left(&world).await;
    }
    assert_eq!((left(&world), world.proxy.counters().connects.count()), ((2, 0), 1));
}

#[tokio::test]
async fn nothing_that_a_session_leaves_behind_reaches_the_next() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let other = other_role(&world, &malmo).await;
    let first = world.connect("app_owner", "malmo").await;
    let server = pid(&first).await;
    let unseen = "CREATE FUNCTION unseen() RETURNS text LANGUAGE sql AS $$ SELECT set_config('work_mem', '4321kB', false) $$";
    first.batch_execute(unseen).await.unwrap();
    drop(first);
    for (leaves, seen) in [
        ("SET TimeZone = 'Asia/Tokyo'", "SHOW TimeZone"),
        ("SET client_encoding = 'LATIN1'", "SHOW client_encoding"),
        ("SET work_mem = '1234kB'", "SHOW work_mem"),
        ("SELECT unseen()", "SHOW work_mem"),
        ("SET search_path = elsewhere", "SHOW search_path"),
        ("SET application_name = 'somebody'", "SHOW application_name"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "SHOW default_transaction_read_only"),
        (&format!("SET ROLE {other}"), "SELECT current_user::text || current_setting('role')"),
        ("PREPARE mine AS SELECT 1", "SELECT count(*)::text FROM pg_prepared_statements WHERE from_sql"),
        ("CREATE TEMPORARY TABLE mine (n int)", "SELECT count(*)::text FROM pg_class WHERE relname = 'mine'"),
        ("SELECT pg_advisory_lock(7)", "SELECT count(*)::text FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"),
        ("DO $$ BEGIN EXECUTE 'LISTEN news'; END $$", "SELECT count(*)::text FROM pg_listening_channels()"),
        ("DECLARE mine CURSOR WITH HOLD FOR SELECT 1", "SELECT count(*)::text FROM pg_cursors WHERE is_holdable"),
    ] {
        until_all_have_left(&world).await;
        let one = world.connect("app_owner", "malmo").await;
        let before = text(&one, seen).await;
        one.batch_execute(leaves).await.unwrap_or_else(|error| panic!("{leaves}: {error:?}"));
        let during = text(&one, seen).await;
        drop(one);
        until_all_have_left(&world).await;
        let next = world.connect("app_owner", "malmo").await;
        assert_eq!(pid(&next).await, server, "{leaves}");
        let after = text(&next, seen).await;
        assert!(during != before && after == before, "{leaves}: {before}, {during}, {after}");
    }
    assert_eq!(world.proxy.counters().connects.count(), 1);
}

#[tokio::test]
async fn the_next_has_no_last_value_of_a_sequence() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let one = world.connect("app", "malmo").await;
    one.batch_execute("CREATE SEQUENCE numbers; SELECT nextval('numbers'); SELECT lastval()").await.unwrap();
    drop(one);
    until_all_have_left(&world).await;
    let error = world.connect("app", "malmo").await.query_one("SELECT lastval()", &[]).await.unwrap_err();
    assert_eq!((error.code().unwrap().code(), left(&world)), ("55000", (1, 0)));
}

#[tokio::test]
async fn a_statement_that_was_prepared_by_a_message_is_not_there_for_the_next() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let (mut one, _) = raw_session(&world, &APP).await;
    let sync = sent(b'S', b"");
    one.send(&[sent(b'P', b"name\0SELECT 41\0\0\0"), sync.clone()].concat()).await;
    assert_eq!(one.until(b'Z').await[0].0, b'1');
    one.send(TERMINATE).await;
    until_all_have_left(&world).await;
    let (mut next, _) = raw_session(&world, &APP).await;
    next.send(&[sent(b'D', b"Sname\0"), sync].concat()).await;
    let answer = next.until(b'Z').await;
    assert!(answer[0].0 == b'E' && String::from_utf8_lossy(&answer[0].1).contains("C26000"), "{answer:?}");
    assert_eq!(world.proxy.counters().connects.count(), 1);
}

#[tokio::test]
async fn the_next_is_told_the_servers_settings_and_a_cancel_key_of_its_own() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let (mut one, first) = raw_session(&world, &APP).await;
    one.send(&query("SET TimeZone = 'Asia/Tokyo'; SET client_encoding = 'LATIN1'; SET application_name = 'one'")).await;
    assert!(one.until(b'Z').await.iter().any(|(tag, body)| *tag == b'S' && body.starts_with(b"TimeZone\0Asia/Tokyo")));
    one.send(TERMINATE).await;
    until_all_have_left(&world).await;
    let (_next, second) = raw_session(&world, &APP).await;
    let split = |welcome: &[Message]| -> (Vec<Message>, Vec<Message>) { welcome.iter().cloned().partition(|(tag, _)| *tag == b'S') };
    let ((settings, others), (settings_now, others_now)) = (split(&first), split(&second));
    assert!(settings.len() > 8 && settings == settings_now, "{settings:?} {settings_now:?}");
    let key = |others: &[Message]| others.iter().find(|(tag, _)| *tag == b'K').unwrap().1.clone();
    assert_ne!(key(&others), key(&others_now));
    assert_eq!(world.proxy.counters().connects.count(), 1);
}

#[tokio::test]
async fn settings_that_the_server_itself_changed_meanwhile_are_the_ones_that_the_next_is_told() {
    let server: &'static _ = Box::leak(Box::new(holm_testkit::new_server(&[]).await));
    let world = World::with(crate::support::config(), server).await;
    world.tenant("malmo").await;
    let admin = server.connect("postgres").await;
    let (mut one, _) = raw_session(&world, &APP).await;
    admin.batch_execute("ALTER SYSTEM SET TimeZone = 'Asia/Tokyo'").await.unwrap();
    admin.batch_execute("SELECT pg_reload_conf()").await.unwrap();
    eventually("the session has heard of it", async || {
        one.send(&query("SHOW TimeZone")).await;
        let answer = one.until(b'Z').await;
        let heard = answer.iter().any(|(tag, body)| *tag == b'D' && body.ends_with(b"Asia/Tokyo"));
        heard.then_some(()).ok_or_else(|| format!("{answer:?}"))
    })
    .await;
    one.send(TERMINATE).await;
    until_all_have_left(&world).await;
    let (_next, welcome) = raw_session(&world, &APP).await;
    assert!(welcome.iter().any(|(tag, body)| *tag == b'S' && body == b"TimeZone\0Asia/Tokyo\0"), "{welcome:?}");
}

#[tokio::test]
async fn what_was_notified_to_the_last_session_is_not_heard_by_the_next() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let (mut one, _) = raw_session(&world, &APP).await;
    one.send(&query("DO $$ BEGIN EXECUTE 'LISTEN news'; END $$")).await;
    one.until(b'Z').await;
    one.send(TERMINATE).await;
    until_all_have_left(&world).await;
    let (mut next, _) = raw_session(&world, &APP).await;
    let admin = world.server.connect(malmo.route.database.as_str()).await;
    admin.batch_execute("NOTIFY news, 'for the last'").await.unwrap();
    for _ in 0..3 {
        next.send(&query("SELECT 1")).await;
        assert!(next.until(b'Z').await.iter().all(|(tag, _)| *tag != b'A'));
    }
    assert_eq!(left(&world), (1, 0));
}

#[tokio::test]
async fn an_error_in_the_middle_is_no_reason_to_close() {
    let world = World::new().await;
    world.tenant("malmo").await;
    for _ in 0..3 {
        let client = world.connect("app", "malmo").await;
        assert_eq!(client.batch_execute("SELECT 1/0").await.unwrap_err().code().unwrap().code(), "22012");
        assert_eq!(client.query("SELECT 1/(1 - $1::int4)", &[&1]).await.unwrap_err().code().unwrap().code(), "22012");
        drop(client);
        until_all_have_left(&world).await;
    }
    assert_eq!((left(&world), world.proxy.counters().connects.count()), ((3, 0), 1));
}

#[tokio::test]
async fn a_new_default_of_the_role_is_there_for_the_next_session_as_far_as_it_is_seen() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let owner = RoleName::of(&malmo.route.database, Level::Owner);
    let set = |value: &str| format!("ALTER ROLE {} SET work_mem = '{value}'", owner.as_ident());
    let shown = async || text(&world.connect("app_owner", "malmo").await, "SHOW work_mem").await;
    let usual = shown().await;
    until_all_have_left(&world).await;
    // Who alters anything takes his connection along.
    world.connect("app_owner", "malmo").await.batch_execute(&set("1234kB")).await.unwrap();
    until_all_have_left(&world).await;
    assert_eq!((left(&world), shown().await.as_str()), ((1, 1), "1234kB"));
    until_all_have_left(&world).await;
    // What a block does is not seen: DISCARD ALL leaves the defaults that the connection began with.
    world.connect("app_owner", "malmo").await.batch_execute(&format!("DO $$ BEGIN EXECUTE $x${}$x$; END $$", set("4321kB"))).await.unwrap();
    until_all_have_left(&world).await;
    assert_ne!(usual, "1234kB");
    assert_eq!((left(&world), shown().await.as_str()), ((3, 1), "1234kB"));
}

#[tokio::test]
async fn what_discarding_does_not_undo_is_what_the_documentation_says() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let one = world.connect("app", "malmo").await;
    assert_eq!(text(&one, "SELECT coalesce(current_setting('my.own', true), 'never set')").await, "never set");
    let began: String = text(&one, "SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()").await;
    one.batch_execute("SET my.own = 'left'; SELECT setseed(0.5)").await.unwrap();
    drop(one);
    until_all_have_left(&world).await;
    let next = world.connect("app", "malmo").await;
    assert_eq!(text(&next, "SELECT coalesce(current_setting('my.own', true), 'never set')").await, "", "empty, and there");
    assert_eq!(text(&next, "SELECT backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()").await, began);
    let (random, seeded) = (text(&next, "SELECT random()::text").await, text(&next, "SELECT setseed(0.5)::text || random()::text").await);
    assert_eq!(random, seeded, "the last session's seed");
}

#[tokio::test]
async fn a_key_of_a_session_that_has_left_cancels_nothing_of_the_next() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let one = world.connect("app", "malmo").await;
    let (token, server) = (one.cancel_token(), pid(&one).await);
    drop(one);
    until_all_have_left(&world).await;
    let next = world.connect("app", "malmo").await;
    assert_eq!(pid(&next).await, server);
    let statement = next.batch_execute("SELECT pg_sleep(0.5)");
    let (done, cancelled) = tokio::join!(statement, token.cancel_query(NoTls));
    done.unwrap();
    cancelled.unwrap();
    assert_eq!(world.proxy.counters().cancels_sent(), 0);
}
