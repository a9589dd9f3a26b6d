//! In transaction pooling clients share server connections, and notice nothing of it.

use futures_util::future::join_all;
use holm_core::cluster::ServerAddress;
use holm_core::credential::Level;
use holm_core::role::RoleName;
use holm_core::route::RouteChange;
use holm_proxy::postgres::Pooling;
use tokio_postgres::Client;

use crate::meddler::{Then, Way, meddler};
use crate::raw::{Message, Raw, query, startup};
use crate::support::{Tenant, World, cluster, config, eventually};

/// A proxy that pools by transaction, with a tenant and a budget for its server connections.
pub(crate) async fn world(connections_max: u32) -> (World, Tenant) {
    let mut config = config();
    (config.pooling, config.workers) = (Pooling::Transaction, 1);
    let world = World::with(config, holm_testkit::server().await).await;
    let tenant = world.tenant("malmo").await;
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &world.server.address, connections_max))]).await;
    (world, tenant)
}

pub(crate) async fn number(client: &Client, sql: &str) -> i32 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

async fn text(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn twenty_clients_share_one_server_connection_and_each_gets_its_own_answers() {
    let (world, tenant) = world(1).await;
    let mut clients = Vec::new();
    for _ in 0..20 {
        clients.push(world.connect("churn", "malmo").await);
    }
    for round in 0..3 {
        for (n, client) in clients.iter().enumerate() {
            // Each driver calls its statements s0, s1, …; the texts differ.
            let sql = format!("SELECT {n} * 100 + $1::int4");
            assert_eq!(client.query_one(&sql, &[&round]).await.unwrap().get::<_, i32>(0), i32::try_from(n).unwrap() * 100 + round);
        }
    }
    let admin = world.server.connect("postgres").await;
    assert_eq!(world.backends(&admin, &tenant).await, 1);
}

#[tokio::test]
async fn a_transaction_keeps_its_connection_and_the_next_client_meets_nothing_of_it() {
    let (world, _) = world(2).await;
    let (mut one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let mine = one.transaction().await.unwrap();
    mine.batch_execute("SET LOCAL work_mem = '1234kB'; CREATE TABLE t (n int)").await.unwrap();
    let pid: i32 = mine.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert_ne!(number(&other, "SELECT pg_backend_pid()").await, pid);
    mine.commit().await.unwrap();
    assert_ne!(text(&other, "SHOW work_mem").await, "1234kB");
    assert_eq!(number(&other, "SELECT count(*)::int4 FROM t").await, 0);
}

#[tokio::test]
async fn settings_that_the_server_reports_go_with_their_client_from_server_to_server() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    one.batch_execute("SET TimeZone = 'Europe/Stockholm'; SET application_name = 'it''s \\ one'").await.unwrap();
    let usual = text(&other, "SHOW TimeZone").await;
    assert_ne!(usual, "Europe/Stockholm");
    for _ in 0..3 {
        assert_eq!(text(&one, "SHOW TimeZone").await, "Europe/Stockholm");
        assert_eq!(text(&one, "SHOW application_name").await, "it's \\ one");
        assert_eq!(text(&other, "SHOW TimeZone").await, usual);
        assert_eq!(text(&other, "SHOW application_name").await, "");
    }
}

/// A server in front of the real one that is asked for a function which there is not, instead of for settings.
async fn that_takes_no_settings(real: ServerAddress) -> ServerAddress {
    let name = b"set_config";
    let spoil = move |way, piece: &mut Vec<u8>| {
        if way == Way::ToServer
            && let Some(at) = piece.windows(name.len()).position(|part| part == name)
        {
            piece[at] = b'x';
        }
        Then::GoesOn
    };
    meddler(real, spoil).await
}

#[tokio::test]
async fn a_client_whose_settings_a_server_does_not_take_is_told_and_has_no_other_clients_instead() {
    let (world, _) = world(1).await;
    let address = that_takes_no_settings(world.server.address.clone()).await;
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &address, 1))]).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    one.batch_execute("SET TimeZone = 'Europe/Stockholm'").await.unwrap();
    let error = other.batch_execute("SELECT now()::timestamp").await.unwrap_err();
    let error = error.as_db_error().unwrap();
    assert!(error.message().contains("HOLM-5007") && error.detail().unwrap().contains("settings"), "{error:?}");
    drop(one);
    let usual = text(&world.connect("app", "malmo").await, "SHOW TimeZone").await;
    assert_ne!(usual, "Europe/Stockholm", "the connection was closed with the client that it was not fit for");
}

#[tokio::test]
async fn an_error_in_a_pipeline_skips_what_follows_and_the_next_client_is_answered() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    for _ in 0..3 {
        let (a, b, c) = tokio::join!(one.query("SELECT 1/0", &[]), one.query("SELECT 2", &[]), one.query_one("SELECT 3", &[]));
        assert_eq!(a.unwrap_err().code().unwrap().code(), "22012");
        assert_eq!(b.unwrap().len(), 1);
        assert_eq!(c.unwrap().get::<_, i32>(0), 3);
        assert_eq!(number(&other, "SELECT 4").await, 4);
    }
}

#[tokio::test]
async fn a_cancel_reaches_the_statement_of_its_client_whichever_server_has_it() {
    let (world, _) = world(2).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    for client in [&one, &other, &one] {
        let (token, before) = (client.cancel_token(), world.proxy.counters().cancels_sent());
        let sleeping = client.batch_execute("SELECT pg_sleep(30)");
        let cancelling = async {
            eventually("the cancel is sent", async || {
                token.cancel_query(tokio_postgres::NoTls).await.map_err(|error| error.to_string())?;
                if world.proxy.counters().cancels_sent() > before { Ok(()) } else { Err("none was sent".to_owned()) }
            })
            .await;
        };
        let (ended, ()) = tokio::join!(sleeping, cancelling);
        assert_eq!(ended.unwrap_err().code().unwrap().code(), "57014");
        assert_eq!(number(client, "SELECT 1").await, 1);
    }
}

#[tokio::test]
async fn many_clients_at_once_are_each_answered_their_own() {
    let (world, _) = world(8).await;
    let clients: Vec<Client> = join_all((0..8).map(|_| world.connect("churn", "malmo"))).await;
    let asking = clients.iter().enumerate().map(async |(n, client)| {
        let n = i32::try_from(n).unwrap();
        for round in 0..100 {
            let sql = format!("SELECT $1::int4, {n} WHERE {} = {}", round % 5, round % 5);
            let row = client.query_one(&sql, &[&round]).await.unwrap();
            assert_eq!((row.get::<_, i32>(0), row.get::<_, i32>(1)), (round, n));
        }
    });
    join_all(asking).await;
}

/// A message of a client.
pub(crate) fn sent(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

pub(crate) async fn logged_in(world: &World) -> Raw {
    log_in(world, &[("user", "app"), ("database", "malmo")]).await
}

async fn log_in(world: &World, parameters: &[(&str, &str)]) -> Raw {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, parameters)).await;
    raw.prove(crate::support::SECRET).await;
    raw.until(b'Z').await;
    raw
}

pub(crate) fn tags(messages: &[Message]) -> String {
    messages.iter().map(|(tag, _)| char::from(*tag)).collect()
}

#[tokio::test]
async fn messages_that_come_a_byte_at_a_time_are_the_same_messages() {
    let (world, _) = world(1).await;
    let mut one = logged_in(&world).await;
    let cycle = [
        sent(b'P', b"name\0SELECT $1::text\0\0\0"),
        sent(b'B', b"\0name\0\0\0\0\x01\0\0\0\x03abc\0\0"),
        sent(b'D', b"Sname\0"),
        sent(b'E', b"\0\0\0\0\0"),
        sent(b'C', b"Sname\0"),
        sent(b'S', b""),
    ]
    .concat();
    for byte in cycle {
        one.send(&[byte]).await;
    }
    let answer = one.until(b'Z').await;
    assert_eq!(tags(&answer), "12tTDC3Z");
    assert!(answer[4].1.ends_with(b"abc"));
}

#[tokio::test]
async fn what_needs_a_session_keeps_its_connection_until_its_client_goes() {
    let (world, tenant) = world(2).await;
    let role = RoleName::of(&tenant.route.database, Level::Rw);
    let admin = world.server.connect("postgres").await;
    let grant = format!("GRANT TEMPORARY ON DATABASE {} TO {}", tenant.route.database.as_ident(), role.as_ident());
    admin.batch_execute(&grant).await.unwrap();
    for sql in [
        "SELECT pg_advisory_lock(7)",
        "CREATE TEMPORARY TABLE mine (n int)",
        "SET my.own = 'kept'",
        "LISTEN news",
        "PREPARE mine AS SELECT 1",
        "DECLARE mine CURSOR WITH HOLD FOR SELECT 1",
    ] {
        let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
        one.batch_execute(sql).await.unwrap();
        let mine = number(&one, "SELECT pg_backend_pid()").await;
        for _ in 0..3 {
            assert_ne!(number(&other, "SELECT pg_backend_pid()").await, mine, "{sql}");
            assert_eq!(number(&one, "SELECT pg_backend_pid()").await, mine, "{sql}");
        }
        drop((one, other));
        let left = "SELECT ((SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = $1))
                          + (SELECT count(*) FROM pg_class WHERE relname = 'mine'))";
        let admin = world.server.connect(tenant.route.database.as_str()).await;
        eventually("nothing of the client is left", async || {
            let left: i64 = admin.query_one(left, &[&tenant.route.database.as_str()]).await.unwrap().get(0);
            if left == 0 { Ok(()) } else { Err(format!("{sql} left {left}")) }
        })
        .await;
        let next = world.connect("app", "malmo").await;
        assert_eq!(text(&next, "SELECT coalesce(current_setting('my.own', true), '')").await, "", "{sql}");
        assert_eq!(
            number(
                &next,
                "SELECT (SELECT count(*) FROM pg_listening_channels())::int4 + (SELECT count(*) FROM pg_cursors WHERE is_holdable)::int4"
            )
            .await,
            0,
            "{sql}"
        );
    }
}

#[tokio::test]
async fn what_a_block_may_have_left_is_gone_before_another_client_gets_the_connection() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    one.batch_execute("SET application_name = 'one'").await.unwrap();
    one.batch_execute("DO $$ BEGIN PERFORM set_config('my.own', 'left', false); END $$").await.unwrap();
    let seen = "SELECT coalesce(current_setting('my.own', true), '') || ' ' || current_setting('application_name')";
    assert_eq!(text(&other, seen).await, " ");
    assert_eq!(text(&one, seen).await, " one");
}

#[tokio::test]
async fn a_block_that_is_bound_in_a_later_transaction_leaves_nothing_either() {
    let (world, _) = world(2).await;
    let (mut one, mut other, next) = (logged_in(&world).await, world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let block = b"\0DO $$ BEGIN PERFORM set_config('my.own', 'left', false); END $$\0\0\0";
    one.send(&[sent(b'P', block), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "1Z");
    // Has the connection on which it was parsed, so that it is bound on another.
    let busy = other.transaction().await.unwrap();
    busy.batch_execute("SELECT 1").await.unwrap();
    one.send(&[sent(b'B', b"\0\0\0\0\0\0\0\0"), sent(b'E', b"\0\0\0\0\0"), sent(b'S', b"")].concat()).await;
    assert_eq!(tags(&one.until(b'Z').await), "2CZ");
    assert_eq!(text(&next, "SELECT coalesce(current_setting('my.own', true), '')").await, "");
    busy.rollback().await.unwrap();
}

#[tokio::test]
async fn a_strict_client_meets_nothing_that_was_left_unseen_and_leaves_nothing() {
    let (world, _) = world(1).await;
    let strict = [("user", "app"), ("database", "malmo"), ("options", "-c holm.reset=strict")];
    let (mut one, mut other, mut careful) = (logged_in(&world).await, logged_in(&world).await, log_in(&world, &strict).await);
    let left = "SELECT coalesce(current_setting('my.own', true), '')";
    one.send(&query("CREATE FUNCTION unseen(value text) RETURNS void LANGUAGE sql AS $$ SELECT set_config('my.own', value, false) $$"))
        .await;
    one.until(b'Z').await;
    let said = async |client: &mut Raw, sql: &str| {
        client.send(&query(sql)).await;
        let answer = client.until(b'Z').await;
        assert_eq!(tags(&answer), "TDCZ", "{sql}");
        String::from_utf8_lossy(&answer[1].1[6..]).into_owned()
    };
    said(&mut one, "SELECT unseen('one')").await;
    assert_eq!(said(&mut other, left).await, "one", "nobody saw it");
    assert_eq!(said(&mut careful, left).await, "");
    said(&mut careful, "SELECT unseen('careful')").await;
    assert_eq!(said(&mut careful, left).await, "careful", "it is its own");
    assert_eq!(said(&mut other, left).await, "");
}

#[tokio::test]
async fn a_client_that_acts_as_somebody_else_keeps_its_connection_and_no_other_client_acts_so() {
    // Reported as other settings are, and not to be set for the next: `SET SESSION AUTHORIZATION` was lost or met by another client.
    let (world, tenant) = world(3).await;
    let role = RoleName::of(&tenant.route.database, Level::Rw);
    let somebody = format!("{role}_somebody");
    let admin = world.server.connect(tenant.route.database.as_str()).await;
    let unseen = "CREATE FUNCTION act_as(who text) RETURNS text LANGUAGE sql AS
                  $$ SELECT set_config('session_authorization', who, false) $$";
    admin.batch_execute(&format!("CREATE ROLE {somebody}; ALTER ROLE {} SUPERUSER; {unseen}", role.as_ident())).await.unwrap();
    for sql in [
        format!("SET SESSION AUTHORIZATION {somebody}"),
        format!("SET \"Session_Authorization\" = {somebody}"),
        format!("SELECT set_config('session_authorization', '{somebody}', false)"),
        format!("SELECT act_as('{somebody}')"),
        format!("BEGIN; SELECT act_as('{somebody}'); COMMIT"),
    ] {
        let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
        one.batch_execute(&sql).await.unwrap();
        for _ in 0..3 {
            assert_eq!(text(&other, "SELECT session_user::text").await, role.as_str(), "{sql}");
            assert_eq!(text(&one, "SELECT session_user::text").await, somebody, "{sql}");
        }
        drop(one);
        // As many as there may be, so that what was cleaned is among them.
        for client in [&other, &world.connect("app", "malmo").await, &world.connect("app", "malmo").await] {
            client.batch_execute("BEGIN").await.unwrap();
            assert_eq!(text(client, "SELECT session_user::text").await, role.as_str(), "{sql}");
        }
    }
    let mut one = world.connect("app", "malmo").await;
    let mine = one.transaction().await.unwrap();
    mine.batch_execute(&format!("SET LOCAL SESSION AUTHORIZATION {somebody}")).await.unwrap();
    mine.commit().await.unwrap();
    assert_eq!(world.proxy.counters().pinned_now(), 0, "it is over, and nobody is kept");
}

#[tokio::test]
async fn a_reset_or_a_pooling_that_there_is_not_is_refused_by_name() {
    let (world, _) = world(1).await;
    let url = format!("{}?options=-c%20holm.reset%3Dstrickt", world.url("app", "malmo"));
    let error = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err().unwrap();
    let error = error.as_db_error().unwrap();
    assert!(error.code().code() == "22023" && error.message().contains("strickt"), "{error:?}");
    let url = format!("{}?options=-c%20holm.pooling%3Dtransction", world.url("app", "malmo"));
    let error = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.err().unwrap();
    let said = error.as_db_error().unwrap();
    assert_eq!(said.code().code(), "22023");
    assert!(said.message().contains("transction") && said.hint().unwrap().contains("`transaction`"), "{said:?}");
}

#[tokio::test]
async fn who_keeps_a_server_connection_and_who_waits_for_one_is_counted() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let (counters, gauges) = (world.proxy.counters(), world.proxy.gauges());
    let listening = || counters.pins().find(|(reason, _)| *reason == "listen").unwrap().1;
    assert_eq!((counters.pinned_now(), listening()), (0, 0));
    one.batch_execute("LISTEN news").await.unwrap();
    assert_eq!((counters.pinned_now(), listening()), (1, 1));
    let before = counters.waits.count();
    let waiting = tokio::spawn(async move { number(&other, "SELECT 7").await });
    eventually("a client that waits", async || match gauges.clusters().as_slice() {
        [cluster] if (cluster.used, cluster.most, cluster.waiting) == (1, 1, 1) => Ok(()),
        others => Err(format!("{others:?}")),
    })
    .await;
    drop(one);
    assert_eq!(waiting.await.unwrap(), 7);
    let all: Vec<u64> = counters.waits.cumulative().map(|(_, count)| count).collect();
    assert_eq!((counters.pinned_now(), counters.waits.count(), all.last().copied()), (0, before + 1, Some(before + 1)));
}

#[tokio::test]
async fn how_long_transactions_take_and_logins_at_servers_is_counted() {
    let (world, _) = world(1).await;
    let (one, counters) = (world.connect("app", "malmo").await, world.proxy.counters());
    assert!(counters.connects.count() == 1 && !counters.connects.sum().is_zero());
    one.batch_execute("SELECT pg_sleep(0.3)").await.unwrap();
    eventually("the transaction", async || match (counters.transactions.count(), counters.transactions.sum().as_millis()) {
        (1, 300..) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    one.batch_execute("BEGIN").await.unwrap();
    one.batch_execute("SELECT 1").await.unwrap();
    assert_eq!(counters.transactions.count(), 1, "it is not over");
}

#[tokio::test]
async fn discarding_everything_ends_the_need_for_a_session() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let statement = one.prepare("SELECT 1").await.unwrap();
    one.batch_execute("SET my.own = 'kept'; LISTEN news").await.unwrap();
    one.batch_execute("DISCARD ALL").await.unwrap();
    assert_eq!(number(&other, "SELECT 2").await, 2);
    assert_eq!(one.query(&statement, &[]).await.unwrap_err().code().unwrap().code(), "26000", "as without a pooler");
    assert_eq!(number(&one, "SELECT 3").await, 3);
}

#[tokio::test]
async fn what_needs_the_session_anew_in_the_pipeline_that_discarded_everything_keeps_it() {
    let (world, _) = world(2).await;
    let (mut one, mut other) = (logged_in(&world).await, logged_in(&world).await);
    one.send(&[query("DISCARD ALL"), query("PREPARE mine AS SELECT 41")].concat()).await;
    for _ in 0..2 {
        assert_eq!(tags(&one.until(b'Z').await).replace('S', ""), "CZ");
    }
    // Whichever connection the one had: it is not the other's.
    for _ in 0..3 {
        other.send(&query("EXECUTE mine")).await;
        assert_eq!(tags(&other.until(b'Z').await), "EZ");
    }
    one.send(&query("EXECUTE mine")).await;
    assert_eq!(tags(&one.until(b'Z').await), "TDCZ");
}

#[tokio::test]
async fn a_text_of_megabytes_goes_by_and_is_read_all_the_same() {
    let (world, _) = world(1).await;
    let (one, other) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let long = format!("SELECT length('{}')", "x".repeat(3 << 20));
    one.simple_query(&long).await.unwrap();
    assert_eq!(number(&other, "SELECT 2").await, 2, "a text that does nothing keeps no connection");
    assert_eq!(number(&one, &long).await, 3 << 20);
    drop(one);
    assert_eq!(number(&other, "SELECT 2").await, 2, "a statement that was too long to keep went with its client");
}
