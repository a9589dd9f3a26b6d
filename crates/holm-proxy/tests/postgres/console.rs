//! The admin console: who reaches it, who does not, and what it shows, to tools that were written for PgBouncer.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use holm_core::secret::Secret;
use holm_pgwire::fields;
use holm_proxy::postgres::{ConsoleRole, ConsoleUser, Pooling, ProxyConfig};
use rcgen::PKCS_ECDSA_P256_SHA256;
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

use crate::encrypted::{Files, HOST, Pair, psql};
use crate::raw::{Raw, query, startup};
use crate::sharing::LONG;
use crate::support::{PATIENCE, SECRET, Tenant, World, config, eventually};

const PASSWORD: &str = "look but do not touch";

pub(crate) fn users(names: &[(&str, ConsoleRole)]) -> Vec<ConsoleUser> {
    let user = |(name, role): &(&str, ConsoleRole)| ConsoleUser {
        name: (*name).to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        role: *role,
    };
    names.iter().map(user).collect()
}

/// A proxy that pools by transaction, with a console for `ops` (admin), `watch` (stats), and `app`, which is a credential's.
pub(crate) async fn world(slugs: &[&str]) -> (World, Vec<Tenant>) {
    let console = users(&[("ops", ConsoleRole::Admin), ("watch", ConsoleRole::Stats), ("app", ConsoleRole::Admin)]);
    let config = ProxyConfig { pooling: Pooling::Transaction, wait: LONG, clients_max: 1100, console, ..config() };
    let world = World::with(config, holm_testkit::server().await).await;
    let tenants = join_all(slugs.iter().map(|slug| world.tenant(slug))).await;
    (world, tenants)
}

pub(crate) async fn try_console(world: &World, user: &str, password: &str, database: &str) -> Result<Client, tokio_postgres::Error> {
    let mut config = tokio_postgres::Config::new();
    config.host("127.0.0.1").port(world.port()).user(user).password(password).dbname(database);
    let (client, connection) = config.connect(NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

pub(crate) async fn console(world: &World, user: &str) -> Client {
    try_console(world, user, PASSWORD, "pgbouncer").await.unwrap_or_else(|error| panic!("{user}: {error:?}"))
}

/// A row, by its columns' names.
pub(crate) type Row = BTreeMap<String, String>;

pub(crate) async fn show(console: &Client, what: &str) -> Vec<Row> {
    let messages = console.simple_query(&format!("SHOW {what}")).await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
    let rows = messages.iter().filter_map(|message| if let SimpleQueryMessage::Row(row) = message { Some(row) } else { None });
    rows.map(|row| {
        let values = row.columns().iter().enumerate();
        values.map(|(at, column)| (column.name().to_owned(), row.get(at).unwrap_or("NULL").to_owned())).collect()
    })
    .collect()
}

/// The SQLSTATE and the words of a refusal.
pub(crate) fn told(error: &tokio_postgres::Error) -> (String, String) {
    let told = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
    (told.code().code().to_owned(), format!("{}\n{}\n{}", told.message(), told.detail().unwrap_or(""), told.hint().unwrap_or("")))
}

async fn refused(world: &World, user: &str, password: &str, database: &str) -> (String, String) {
    told(&try_console(world, user, password, database).await.err().unwrap_or_else(|| panic!("{user} on {database} was let in")))
}

#[tokio::test]
async fn nobody_of_a_tenant_reaches_the_console_and_nobody_of_the_console_a_tenant() {
    let (world, _) = world(&["malmo"]).await;
    for database in ["pgbouncer", "holm"] {
        for user in ["churn", "app", "app_owner"] {
            // A credential is in, as far as its password goes, and there is no tenant of this name.
            assert_eq!(refused(&world, user, SECRET, database).await.0, "3D000", "{user} {database}");
        }
        assert_eq!(refused(&world, "ops", SECRET, database).await.0, "28P01", "a tenant's password");
    }
    let (code, words) = refused(&world, "ops", PASSWORD, "malmo").await;
    assert_eq!(code, "3D000");
    assert!(words.contains("a user of the console reaches the console, and no tenant"), "{words}");
    try_console(&world, "ops", PASSWORD, "holm").await.unwrap();
    world.connect("app", "malmo").await;
}

#[tokio::test]
async fn a_name_that_is_a_credentials_too_is_the_credentials_alone() {
    let (world, _) = world(&["malmo"]).await;
    assert_eq!(refused(&world, "app", PASSWORD, "pgbouncer").await.0, "28P01");
    assert_eq!(refused(&world, "app", PASSWORD, "malmo").await.0, "28P01");
    assert_eq!(refused(&world, "app", SECRET, "pgbouncer").await.0, "3D000");
    world.connect("app", "malmo").await;
}

#[tokio::test]
async fn without_anybody_who_may_use_it_there_is_no_console() {
    let world = World::new().await;
    assert_eq!(refused(&world, "ops", PASSWORD, "pgbouncer").await.0, "28P01");
    assert_eq!(refused(&world, "churn", SECRET, "pgbouncer").await.0, "3D000");
}

/// The challenge for a name, and what a wrong password comes to.
async fn guess(world: &World, user: &str, database: &str) -> (String, String) {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", user), ("database", database)])).await;
    raw.until(b'R').await;
    let mut out = Vec::new();
    let (opening, first) = holm_pgwire::scram::client::Opening::new(crate::raw::NONCE.to_owned());
    holm_pgwire::message::sasl_initial_response(&mut out, "SCRAM-SHA-256", first.as_bytes());
    raw.send(&out).await;
    let (_, challenge) = raw.next().await.unwrap();
    let keys = holm_pgwire::scram::keys::LoginKeys { client_key: [1; 32], server_key: [2; 32] };
    let (_, proof) = opening.respond(&challenge[4..], &keys).unwrap();
    let mut out = Vec::new();
    holm_pgwire::message::sasl_response(&mut out, proof.as_bytes());
    raw.send(&out).await;
    let (_, body) = raw.next().await.unwrap();
    let words = String::from_utf8_lossy(fields::parse(&body).message.unwrap()).into_owned();
    // Without the nonce.
    let text = String::from_utf8_lossy(&challenge[4..]).into_owned();
    (text.split_once(",s=").unwrap().1.to_owned(), words)
}

#[tokio::test]
async fn a_name_of_the_console_cannot_be_told_from_one_that_is_nobodys() {
    let (with, without) = (world(&[]).await.0, World::new().await);
    let mut heard = Vec::new();
    for world in [&with, &without] {
        for database in ["pgbouncer", "malmo"] {
            heard.push(guess(world, "ops", database).await);
        }
    }
    // Salt, rounds and words: the same where `ops` is somebody and where nobody is called so, whatever database is asked for.
    assert!(heard.iter().all(|one| *one == heard[0]), "{heard:?}");
    let mut last = String::new();
    for _ in 0..12 {
        last = refused_raw(&with, "ops").await;
    }
    assert!(last.contains("HOLM-5022"), "who guesses is slowed down here too: {last}");
}

async fn refused_raw(world: &World, user: &str) -> String {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", user), ("database", "pgbouncer")])).await;
    let (tag, body) = raw.next().await.unwrap();
    if tag == b'E' {
        return String::from_utf8_lossy(&body).into_owned();
    }
    drop(raw);
    guess(world, user, "pgbouncer").await.1
}

#[tokio::test]
async fn the_console_wants_tls_where_sessions_do_and_binds_to_its_certificate() {
    let pair = Pair::new(&PKCS_ECDSA_P256_SHA256);
    let files = Files::with(&pair);
    let console = users(&[("ops", ConsoleRole::Admin)]);
    let config = ProxyConfig { tls: Some(files.tls()), tls_required: true, console, ..config() };
    let world = World::with(config, holm_testkit::server().await).await;
    let conninfo = format!("host={HOST} user=ops password='{PASSWORD}' dbname=pgbouncer");
    let bound = psql(&world, &format!("{conninfo} sslmode=require channel_binding=require"), "SHOW STATE").await.unwrap();
    assert!(bound.starts_with("active|yes"), "{bound}");
    let plain = psql(&world, &format!("{conninfo} sslmode=disable"), "SHOW STATE").await.unwrap_err();
    assert!(plain.contains("HOLM-5008"), "{plain}");
}

#[tokio::test]
async fn columns_are_named_and_ordered_as_pgbouncer_has_them() {
    let (world, _) = world(&["malmo"]).await;
    let client = world.connect("churn", "malmo").await;
    client.simple_query("SELECT 1").await.unwrap();
    let console = console(&world, "watch").await;
    let sockets = "type user database replication state addr port local_addr local_port connect_time request_time wait wait_us \
                   close_needed ptr link remote_pid tls application_name prepared_statements id";
    let counted = "server_assignment_count xact_count query_count";
    let parsed = "client_parse_count server_parse_count bind_count";
    let each = |before: &str, words: &str| words.split(' ').map(|word| format!("{before}{word}")).collect::<Vec<_>>().join(" ");
    let stats = [
        "database".to_owned(),
        each("total_", &format!("{counted} received sent xact_time query_time wait_time {parsed}")),
        each("avg_", &format!("{counted} recv sent xact_time query_time wait_time {parsed}")),
    ];
    let expected = [
        ("VERSION", "version".to_owned()),
        ("CONFIG", "key value default changeable".to_owned()),
        (
            "DATABASES",
            "name host port database force_user pool_size min_pool_size reserve_pool_size server_lifetime pool_mode \
             load_balance_hosts max_connections current_connections max_client_connections current_client_connections paused disabled"
                .to_owned(),
        ),
        (
            "POOLS",
            "database user cl_active cl_waiting cl_active_cancel_req cl_waiting_cancel_req sv_active sv_active_cancel \
             sv_being_canceled sv_idle sv_used sv_tested sv_login maxwait maxwait_us pool_mode load_balance_hosts"
                .to_owned(),
        ),
        ("CLIENTS", sockets.to_owned()),
        ("SERVERS", sockets.to_owned()),
        ("STATS", stats.join(" ")),
        ("STATS_TOTALS", format!("database {counted} bytes_received bytes_sent xact_time query_time wait_time {parsed}")),
        ("TOTALS", "name value".to_owned()),
        ("LISTS", "list items".to_owned()),
        (
            "USERS",
            "name pool_size reserve_pool_size pool_mode max_user_connections current_connections max_user_client_connections \
             current_client_connections"
                .to_owned(),
        ),
        ("STATE", "key value".to_owned()),
    ];
    for (what, expected) in expected {
        let messages = console.simple_query(&format!("SHOW {what};")).await.unwrap();
        let Some(SimpleQueryMessage::RowDescription(columns)) = messages.first() else { panic!("{what}: {messages:?}") };
        let columns: Vec<&str> = columns.iter().map(tokio_postgres::SimpleColumn::name).collect();
        assert_eq!(columns.join(" "), expected, "{what}");
        assert!(messages.iter().any(|message| matches!(message, SimpleQueryMessage::Row(_))), "{what} has rows here");
    }
}

#[tokio::test]
async fn what_is_shown_is_what_there_is() {
    let (world, tenants) = world(&["malmo", "lund", "unused"]).await;
    let (mut one, two, own) =
        (world.connect("app", "malmo").await, world.connect("app", "malmo").await, world.connect("app_owner", "lund").await);
    let transaction = one.transaction().await.unwrap();
    transaction.simple_query("SELECT 1").await.unwrap();
    for _ in 0..3 {
        two.simple_query("SELECT 1").await.unwrap();
    }
    own.simple_query("SELECT 1").await.unwrap();
    let console = console(&world, "watch").await;
    // A connection comes back a moment after its client has its answer.
    let pools = eventually("one is lent, one is idle", async || {
        let pools = show(&console, "POOLS").await;
        let malmo = pools.iter().find(|row| row["database"] == "malmo@production").ok_or("no malmo")?;
        if malmo["sv_active"] == "1" && malmo["sv_idle"] == "1" { Ok(pools.clone()) } else { Err(format!("{malmo:?}")) }
    })
    .await;
    let names: Vec<_> = pools.iter().map(|row| (row["database"].as_str(), row["user"].as_str(), row["pool_mode"].as_str())).collect();
    assert_eq!(
        names,
        [("lund@production", "owner", "session"), ("malmo@production", "rw", "transaction")],
        "nothing of a tenant that nobody uses"
    );
    assert_eq!((pools[0]["cl_active"].as_str(), pools[0]["sv_active"].as_str(), pools[0]["sv_idle"].as_str()), ("1", "1", "0"));
    assert_eq!((pools[1]["cl_active"].as_str(), pools[1]["cl_waiting"].as_str()), ("2", "0"));

    let databases = show(&console, "DATABASES").await;
    let malmo = databases.iter().find(|row| row["name"] == "malmo@production").unwrap();
    assert_eq!(malmo["database"], tenants[0].route.database.as_str());
    assert_eq!((malmo["current_connections"].as_str(), malmo["current_client_connections"].as_str()), ("2", "2"));
    assert_eq!((malmo["pool_size"].as_str(), malmo["paused"].as_str(), malmo["disabled"].as_str()), ("95", "0", "0"));

    let clients = show(&console, "CLIENTS").await;
    let states: Vec<_> = clients.iter().map(|row| (row["user"].as_str(), row["database"].as_str(), row["state"].as_str())).collect();
    assert_eq!(
        states,
        [("app", "malmo@production", "active"), ("app", "malmo@production", "idle"), ("app_owner", "lund@production", "active")]
    );
    assert_eq!(clients[0]["local_port"], world.port().to_string());

    let servers = show(&console, "SERVERS").await;
    assert_eq!(servers.len(), 3);
    let lent = servers.iter().find(|row| row["link"] == clients[0]["ptr"]).expect("the two ends of a connection are found");
    assert_eq!(clients[0]["link"], lent["ptr"]);
    let pid: i32 = transaction.query_one("SELECT pg_backend_pid()", &[]).await.unwrap().get(0);
    assert_eq!(lent["remote_pid"], pid.to_string());
    assert_eq!(lent["user"], format!("{}_rw", tenants[0].route.database));

    let stats = show(&console, "STATS_TOTALS").await;
    let malmo = stats.iter().find(|row| row["database"] == "malmo@production").unwrap();
    let count = |name: &str| malmo[name].parse::<u64>().unwrap();
    assert!(count("xact_count") >= 3 && count("xact_time") > 0 && count("server_assignment_count") > count("xact_count"), "{malmo:?}");

    let lists: BTreeMap<_, _> = show(&console, "LISTS").await.into_iter().map(|row| (row["list"].clone(), row["items"].clone())).collect();
    assert_eq!((lists["used_clients"].as_str(), lists["databases"].as_str()), ("3", "3"));
    assert_eq!((lists["used_servers"].as_str(), lists["free_servers"].as_str()), ("2", "1"));
    let config: BTreeMap<_, _> = show(&console, "CONFIG").await.into_iter().map(|row| (row["key"].clone(), row["value"].clone())).collect();
    assert_eq!((config["max_client_conn"].as_str(), config["stats_users"].as_str()), ("1100", "watch"));
    transaction.rollback().await.unwrap();
}

#[tokio::test]
async fn who_waits_is_seen_to_wait_and_for_how_long() {
    let (world, _) = world(&["malmo"]).await;
    world.publish_and_wait([holm_core::route::RouteChange::Cluster(crate::support::cluster("production", &world.server.address, 1))]).await;
    let (mut first, second) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    let transaction = first.transaction().await.unwrap();
    let waiting = tokio::spawn(async move { second.simple_query("SELECT 1").await.map(drop) });
    let console = console(&world, "watch").await;
    eventually("one waits", async || {
        let pools = show(&console, "POOLS").await;
        let waits = pools
            .iter()
            .any(|row| row["cl_waiting"] == "1" && row["cl_active"] == "1" && (row["maxwait"] != "0" || row["maxwait_us"] != "0"));
        if waits { Ok(()) } else { Err(format!("{pools:?}")) }
    })
    .await;
    let clients = show(&console, "CLIENTS").await;
    assert_eq!(clients.iter().map(|row| row["state"].as_str()).collect::<Vec<_>>(), ["active", "waiting"]);
    transaction.rollback().await.unwrap();
    waiting.await.unwrap().unwrap();
    eventually("nobody waits", async || {
        let clients = show(&console, "CLIENTS").await;
        if clients.iter().all(|row| row["state"] == "idle") { Ok(()) } else { Err(format!("{clients:?}")) }
    })
    .await;
}

#[tokio::test]
async fn what_tools_say_when_they_connect_is_understood() {
    let (world, _) = world(&[]).await;
    let console = console(&world, "watch").await;
    for said in
        ["SET extra_float_digits = 3", "SET SESSION application_name TO 'grafana'", "", ";", "SELECT 1", "SHOW server_version", "show help"]
    {
        console.simple_query(said).await.unwrap_or_else(|error| panic!("{said}: {error:?}"));
    }
    assert!(show(&console, "VERSION").await[0]["version"].starts_with("Holm "));
    let conninfo = format!("host=127.0.0.1 user=watch password='{PASSWORD}' dbname=pgbouncer sslmode=disable");
    assert!(psql(&world, &conninfo, "SHOW LISTS").await.unwrap().contains("used_clients|0"));
    assert!(psql(&world, &conninfo, "SHOW NOTHING").await.unwrap_err().contains("HOLM-1001"));
}

#[tokio::test]
async fn a_message_that_is_too_long_or_means_nothing_ends_the_session_and_nothing_else() {
    let (world, _) = world(&[]).await;
    let watching = console(&world, "watch").await;
    for bad in [query(&"x".repeat(10_000)), b"Q\xff\xff\xff\xff".to_vec(), b"?\0\0\0\x04".to_vec()] {
        let mut raw = logged_in(&world).await;
        raw.send(&bad).await;
        let said = raw.until(b'E').await.pop().unwrap().1;
        assert!(String::from_utf8_lossy(&said).contains("C08P01"), "{said:?}");
        assert_eq!(raw.next().await, None);
    }
    assert_eq!(show(&watching, "STATE").await.len(), 3);
}

pub(crate) async fn logged_in(world: &World) -> Raw {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", "watch"), ("database", "pgbouncer")])).await;
    raw.prove(PASSWORD).await;
    raw.until(b'Z').await;
    raw
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_idle_clients_are_shown_one_by_one() {
    let (world, _) = world(&["malmo"]).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.extend(join_all((0..20).map(|_| world.connect("churn", "malmo"))).await);
    }
    let console = console(&world, "watch").await;
    let shown = show(&console, "CLIENTS").await;
    assert_eq!(shown.len(), 1000);
    let numbers: std::collections::BTreeSet<_> = shown.iter().map(|row| row["id"].clone()).collect();
    assert_eq!(numbers.len(), 1000, "each with a number of its own");
    let pools = show(&console, "POOLS").await;
    assert_eq!((pools.len(), pools[0]["cl_active"].as_str()), (1, "1000"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_console_that_does_not_read_is_in_nobodys_way() {
    let (world, _) = world(&["malmo", "lund"]).await;
    let mut clients = Vec::new();
    for slug in ["malmo", "lund"] {
        clients.extend(join_all((0..100).map(|_| world.connect("churn", slug))).await);
    }
    // Some 20 MB of answers, which no socket's buffers hold; one for each worker, and then some.
    let asked = query("SHOW CLIENTS").repeat(500);
    let mut deaf = Vec::new();
    for _ in 0..4 {
        let mut raw = logged_in(&world).await;
        raw.stream.write_all(&asked).await.unwrap();
        deaf.push(raw);
    }
    let console = console(&world, "ops").await;
    for _ in 0..50 {
        for client in [&clients[0], &clients[100]] {
            timeout(PATIENCE, client.simple_query("SELECT 1")).await.expect("in time").unwrap();
        }
        assert_eq!(timeout(PATIENCE, async { show(&console, "CLIENTS").await }).await.expect("in time").len(), 200);
    }
    drop(deaf);
}

#[tokio::test]
async fn the_console_ends_when_the_node_begins_to_stop_and_holds_nobody_up() {
    let (world, _) = world(&[]).await;
    let mut raw = logged_in(&world).await;
    let World { proxy, .. } = world;
    // Far longer than the test may take: nobody lingers for a console.
    let stopped = tokio::spawn(proxy.shutdown_after(Duration::from_secs(600), PATIENCE));
    let said = raw.until(b'E').await.pop().unwrap().1;
    assert!(String::from_utf8_lossy(&said).contains("HOLM-5013"), "{said:?}");
    timeout(PATIENCE, stopped).await.expect("the node stops at once").unwrap();
}
