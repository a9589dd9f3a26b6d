//! No server connection without a placement certificate that is good for that database on that server (R2).

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holm_core::cluster::ServerAddress;
use holm_core::credential::Level;
use holm_core::id::{ClusterId, TenantId};
use holm_core::placement::{Allows, Authority, GRACE, Placement, SystemIdentifier, Withheld};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::route::{Logins, Route, RouteChange};
use holm_core::secret::Secret;
use holm_link::certificate::SigningKey;
use holm_testkit::{TestServer, new_server};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Client;

use crate::support::{Tenant, World, cluster, eventually, login_with};

/// SQLSTATE and message of a login that was refused.
async fn refused(world: &World, user: &str, tenant: &str) -> (String, String) {
    let error = world.try_connect(user, tenant).await.expect_err("it is refused");
    let error = error.as_db_error().expect("in the proxy's words");
    (error.code().code().to_owned(), format!("{} {}", error.message(), error.detail().unwrap_or_default()))
}

async fn placed(world: &World, tenant: &Tenant, epoch: u64, placement: Placement) {
    world.publish_and_wait([RouteChange::Route(Route { placement, epoch, ..tenant.route.clone() })]).await;
}

/// What stands at a cluster's address: counts who comes, and passes them on to whichever server it is now.
struct Address {
    listens: ServerAddress,
    leads_to: Arc<Mutex<SocketAddr>>,
    came: Arc<AtomicUsize>,
}

fn socket(server: &TestServer) -> SocketAddr {
    SocketAddr::new("127.0.0.1".parse().unwrap(), server.address.port)
}

async fn address(server: &TestServer) -> Address {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listens = ServerAddress { host: "127.0.0.1".into(), port: listener.local_addr().unwrap().port() };
    let (leads_to, came) = (Arc::new(Mutex::new(socket(server))), Arc::new(AtomicUsize::new(0)));
    let (to, count) = (Arc::clone(&leads_to), Arc::clone(&came));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let to = *to.lock().unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await?;
                copy_bidirectional(&mut client, &mut server).await?;
                io::Result::Ok(())
            });
        }
    });
    Address { listens, leads_to, came }
}

async fn one(client: &Client, sql: &str) -> String {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn a_tenant_whose_certificate_is_withheld_lets_nobody_in_and_says_why() {
    let world = World::new().await;
    let (malmo, lund) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    for (epoch, why) in [(2, Withheld::Unjudged), (3, Withheld::Blocked)] {
        placed(&world, &malmo, epoch, Placement::Withheld(why)).await;
        let (code, text) = refused(&world, "app", "malmo").await;
        assert!(code == "57P03" && text.contains("HOLM-5024") && text.contains(why.as_str()), "{code} {text}");
        assert!(!text.contains(lund.route.database.as_str()) && !text.contains(malmo.route.database.as_str()), "{text}");
    }
    one(&world.connect("app", "lund").await, "SELECT 'not concerned'").await;
    placed(&world, &malmo, 4, malmo.route.placement.clone()).await;
    one(&world.connect("app", "malmo").await, "SELECT 'again'").await;
}

/// R2: a certificate that was made by somebody else, for something else, or too long ago opens nothing, and the server is not even asked.
#[tokio::test]
async fn a_certificate_that_was_forged_replayed_expired_or_is_anothers_opens_no_connection() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let address = address(world.server).await;
    world.publish([RouteChange::Cluster(cluster("production", &address.listens, 100))]);
    let claims = world.claims(&malmo.route, Allows::All);
    let signed = |change: &dyn Fn(&mut holm_core::placement::Claims)| {
        let mut claims = claims.clone();
        change(&mut claims);
        world.signed_by(&world.signs, malmo.route.clone(), claims)
    };
    let certificate = |route: &Route| match &route.placement {
        Placement::Certified(certificate) => certificate.as_ref().clone(),
        Placement::Withheld(_) => unreachable!(),
    };
    let mut forged = certificate(&malmo.route);
    forged.claims.allows = Allows::Reading;
    let other = SigningKey::from_seed(&Secret::new([8; 32]));
    let elsewhere = Route { database: "t_elsewhere".parse::<DatabaseName>().unwrap(), ..malmo.route.clone() };
    let replayed = certificate(&world.certified(elsewhere, Allows::All));
    let (tenant, cluster_id) =
        (format!("ten_{:032}", 5).parse::<TenantId>().unwrap(), format!("clu_{:032}", 5).parse::<ClusterId>().unwrap());
    let expired_at = claims.issued_at - GRACE - Duration::from_secs(60);
    let cases: [(&str, Placement); 6] = [
        ("not what was signed", Placement::Certified(Arc::new(forged))),
        ("not what was signed", Placement::Certified(Arc::new(replayed))),
        ("another installation", world.signed_by(&other, malmo.route.clone(), claims.clone()).placement),
        ("another tenant's", signed(&|claims| claims.tenant = tenant).placement),
        ("another cluster", signed(&|claims| claims.cluster = cluster_id).placement),
        ("expired at", signed(&|claims| claims.expires_at = expired_at).placement),
    ];
    for (epoch, (why, placement)) in (2..).zip(cases) {
        placed(&world, &malmo, epoch, placement).await;
        let (code, text) = refused(&world, "app", "malmo").await;
        assert!(code == "08006" && text.contains("HOLM-5025") && text.contains(why), "{why}: {code} {text}");
    }
    assert_eq!(address.came.load(Ordering::SeqCst), 0);
    placed(&world, &malmo, 20, malmo.route.placement.clone()).await;
    one(&world.connect("app", "malmo").await, "SELECT 'a good one'").await;
    assert!(address.came.load(Ordering::SeqCst) > 0);
}

/// A server as another: with the same roles, passwords and database, as a restored dump would have.
async fn as_if_it_were(other: &TestServer, tenant: &Tenant) {
    let database = &tenant.route.database;
    let admin = other.connect("postgres").await;
    admin.batch_execute(&format!("CREATE DATABASE {}", database.as_ident())).await.unwrap();
    for level in Level::ALL {
        let (login, verifier) = login_with(database, level, &format!("{database} {level}"));
        admin.batch_execute(&format!("CREATE ROLE {} LOGIN SUPERUSER PASSWORD '{verifier}'", login.role.as_ident())).await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_was_put_behind_an_unchanged_address_serves_nobody() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let address = address(world.server).await;
    world.publish_and_wait([RouteChange::Cluster(cluster("production", &address.listens, 100))]).await;
    let before = world.connect("app", "malmo").await;
    one(&before, "SELECT 'the server that it was'").await;
    drop(before);
    let impostor = new_server(&[]).await;
    as_if_it_were(&impostor, &malmo).await;
    *address.leads_to.lock().unwrap() = socket(&impostor);
    // Those that are open lead to the server that it was; a new route has none of them.
    placed(&world, &malmo, 2, Placement::Withheld(Withheld::Unjudged)).await;
    placed(&world, &malmo, 3, malmo.route.placement.clone()).await;
    for _ in 0..3 {
        let (code, text) = refused(&world, "app", "malmo").await;
        assert!(code == "08006" && text.contains("HOLM-5025") && text.contains("did not prove"), "{code} {text}");
        let identifiers = [impostor.system_identifier(), world.server.system_identifier()].map(|identifier| identifier.to_string());
        assert!(identifiers.iter().all(|identifier| !text.contains(identifier)), "a client reads nothing of servers: {text}");
    }
    let admin = impostor.connect("postgres").await;
    let left = "SELECT count(*)::text FROM pg_stat_activity WHERE datname = $1";
    let left: String = admin.query_one(left, &[&malmo.route.database.as_str()]).await.unwrap().get(0);
    assert_eq!(left, "0", "nothing is left open on the other server");
    *address.leads_to.lock().unwrap() = socket(world.server);
    one(&world.connect("app", "malmo").await, "SELECT 'it is back'").await;
}

#[tokio::test]
async fn a_server_that_does_not_tell_which_it_is_is_refused_and_one_that_nobody_knows_by_that_is_not_asked() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect(malmo.route.database.as_str()).await;
    admin.batch_execute("REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system() FROM PUBLIC").await.unwrap();
    let (code, text) = refused(&world, "app", "malmo").await;
    assert!(code == "08006" && text.contains("HOLM-5025"), "{code} {text}");
    let mut claims = world.claims(&malmo.route, Allows::All);
    claims.server = None;
    let by_address = world.signed_by(&world.signs, malmo.route.clone(), claims);
    placed(&world, &malmo, 2, by_address.placement).await;
    one(&world.connect("app", "malmo").await, "SELECT 'by its address'").await;
}

#[tokio::test]
async fn sessions_and_their_connections_are_gone_when_a_withheld_certificate_is_acknowledged() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let client = world.connect("app", "malmo").await;
    one(&client, "SELECT 'open'").await;
    assert!(world.backends(&admin, &malmo).await > 0);
    placed(&world, &malmo, 2, Placement::Withheld(Withheld::Blocked)).await;
    assert_eq!(world.backends(&admin, &malmo).await, 0);
    let error = client.query_one("SELECT 1", &[]).await.unwrap_err();
    assert!(error.is_closed() || error.code().is_some_and(|code| code.code() == "57P01"), "{error:?}");
}

#[tokio::test]
async fn where_only_reading_is_allowed_nobody_writes_whatever_they_set() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect(malmo.route.database.as_str()).await;
    let reads = RoleName::of(&malmo.route.database, Level::Ro);
    admin
        .batch_execute(&format!(
            "CREATE TABLE kept (line text); INSERT INTO kept VALUES ('here'); GRANT SELECT ON kept TO {}",
            reads.as_ident()
        ))
        .await
        .unwrap();
    let writer = world.connect("app_owner", "malmo").await;
    writer.batch_execute("CREATE TABLE before (n int)").await.unwrap();
    let reading = world.certified(malmo.route.clone(), Allows::Reading).placement;
    placed(&world, &malmo, 2, reading).await;
    assert!(writer.batch_execute("CREATE TABLE after (n int)").await.is_err(), "who could write has to connect again");
    for user in ["app", "app_owner", "app_ro"] {
        let client = world.connect(user, "malmo").await;
        assert_eq!(one(&client, "SELECT line FROM kept").await, "here");
        let error = client.batch_execute("INSERT INTO kept VALUES ('unaware')").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "25006", "{user}: in words that drivers know");
        client.batch_execute("BEGIN; SET TRANSACTION READ WRITE").await.unwrap();
        let error = client.batch_execute("INSERT INTO kept VALUES ('smuggled')").await.unwrap_err();
        assert_eq!(error.code().unwrap().code(), "42501", "{user}");
        client.batch_execute("ROLLBACK").await.unwrap();
    }
    placed(&world, &malmo, 3, malmo.route.placement.clone()).await;
    let writer = world.connect("app_owner", "malmo").await;
    writer.batch_execute("CREATE TABLE again (n int)").await.unwrap();
}

/// A database that somebody brought has one role: its sessions are told, and have to come again for it.
#[tokio::test]
async fn where_only_reading_is_allowed_of_a_database_that_somebody_brought_its_sessions_end_and_come_back_reading() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let owner = malmo.route.login(Level::Owner).unwrap().clone();
    let brought = Route { logins: Logins::Owner(owner), epoch: 2, ..malmo.route.clone() };
    world.publish_and_wait([RouteChange::Route(brought.clone())]).await;
    let writer = world.connect("app_owner", "malmo").await;
    writer.batch_execute("CREATE TABLE before (n int)").await.unwrap();
    let reading = Route { epoch: 3, ..world.certified(brought.clone(), Allows::Reading) };
    world.publish_and_wait([RouteChange::Route(reading)]).await;
    assert!(writer.batch_execute("CREATE TABLE after (n int)").await.is_err());
    let reader = world.connect("app_owner", "malmo").await;
    let error = reader.batch_execute("CREATE TABLE after (n int)").await.unwrap_err();
    assert_eq!(error.code().unwrap().code(), "25006");
    world.publish_and_wait([RouteChange::Route(Route { epoch: 4, ..brought })]).await;
    let writer = world.connect("app_owner", "malmo").await;
    writer.batch_execute("CREATE TABLE after (n int)").await.unwrap();
}

#[tokio::test]
async fn where_a_tenant_that_may_only_be_read_is_drained_who_reads_goes_on_reading() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    placed(&world, &malmo, 2, world.certified(malmo.route.clone(), Allows::Reading).placement).await;
    let reader = world.connect("app", "malmo").await;
    one(&reader, "SELECT 'before'").await;
    placed(&world, &malmo, 3, world.certified(malmo.route.clone(), Allows::FinishingReading).placement).await;
    one(&reader, "SELECT 'after'").await;
    assert!(refused(&world, "app", "malmo").await.1.contains("drained"));
}

#[tokio::test]
async fn where_a_tenant_is_drained_who_is_there_goes_on_and_nobody_new_is_let_in() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let there = world.connect("app", "malmo").await;
    one(&there, "SELECT 'before'").await;
    let finishing = world.certified(malmo.route.clone(), Allows::Finishing).placement;
    // The same epoch, as when a certificate is renewed: nothing else about the route changed.
    placed(&world, &malmo, 1, finishing).await;
    for _ in 0..3 {
        one(&there, "SELECT 'after'").await;
    }
    let (code, text) = refused(&world, "app", "malmo").await;
    assert!(code == "57P03" && text.contains("HOLM-5024") && text.contains("drained"), "{code} {text}");
}

/// Nobody renews anything for 72 hours, and whatever the machine's clock says counts for nothing: time is what the control plane said,
/// and what has passed since.
#[tokio::test]
async fn an_outage_of_three_days_ends_no_certificate_and_an_endless_one_ends_all() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let claims = world.claims(&malmo.route, Allows::All);
    // The last moment at which it would have been renewed.
    let lost = claims.expires_at - Duration::from_secs(24 * 3600);
    for hours in [0, 24, 71, 72, 96] {
        world.publisher.is_now(lost + Duration::from_secs(hours * 3600));
        placed(&world, &malmo, 2 + hours * 2, Placement::Withheld(Withheld::Unjudged)).await;
        placed(&world, &malmo, 3 + hours * 2, malmo.route.placement.clone()).await;
        world.publisher.is_now(lost + Duration::from_secs(hours * 3600));
        one(&world.connect("app", "malmo").await, "SELECT 'served'").await;
    }
    world.publisher.is_now(claims.expires_at + GRACE + Duration::from_secs(1));
    placed(&world, &malmo, 300, Placement::Withheld(Withheld::Unjudged)).await;
    placed(&world, &malmo, 301, malmo.route.placement.clone()).await;
    world.publisher.is_now(claims.expires_at + GRACE + Duration::from_secs(1));
    assert!(refused(&world, "app", "malmo").await.1.contains("its grace is over"));
}

/// Somebody who is always busy would have what was opened before for ever.
#[tokio::test]
async fn what_nobody_has_of_a_tenant_whose_certificate_is_over_is_closed_and_who_has_it_keeps_it_until_it_is_given_back() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let there = async |expected: i64| {
        let counted = async || match world.backends(&admin, &malmo).await {
            count if count == expected => Ok(()),
            other => Err(other.to_string()),
        };
        eventually("server connections", counted).await;
    };
    let it_is = async |now| {
        let authority = Authority { key: world.signs.public(), told_at: now };
        world.publish_and_wait([RouteChange::Authority(authority)]).await;
    };
    let last = world.claims(&malmo.route, Allows::All).expires_at + GRACE - Duration::from_secs(60);
    let (idle, busy) = (world.connect("app", "malmo").await, world.connect("app", "malmo").await);
    busy.batch_execute("BEGIN").await.unwrap();
    one(&idle, "SELECT 'then nobody has it'").await;
    drop(idle);
    there(2).await;
    it_is(last).await;
    assert_eq!(world.backends(&admin, &malmo).await, 2, "its grace is not over");
    it_is(last + Duration::from_secs(120)).await;
    there(1).await;
    one(&busy, "SELECT 'goes on'").await;
    busy.batch_execute("COMMIT").await.unwrap();
    drop(busy);
    there(0).await;
    assert!(refused(&world, "app", "malmo").await.1.contains("its grace is over"));
}

/// Certificates are renewed under the sessions that use them.
#[tokio::test]
async fn a_certificate_that_is_renewed_ends_no_session_and_opens_no_connection() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let admin = world.server.connect("postgres").await;
    let client = world.connect("app", "malmo").await;
    let process = one(&client, "SELECT pg_backend_pid()::text").await;
    let over = AtomicBool::new(false);
    let renewing = async {
        for hours in 1..20 {
            let mut claims = world.claims(&malmo.route, Allows::All);
            claims.issued_at += Duration::from_secs(hours * 3600);
            claims.expires_at += Duration::from_secs(hours * 3600);
            let renewed = world.signed_by(&world.signs, malmo.route.clone(), claims);
            world.publish_and_wait([RouteChange::Route(renewed)]).await;
        }
        over.store(true, Ordering::SeqCst);
    };
    let using = async {
        while !over.load(Ordering::SeqCst) {
            assert_eq!(one(&client, "SELECT pg_backend_pid()::text").await, process);
        }
    };
    tokio::join!(renewing, using);
    // Whoever made the database may be on its way out of it still.
    let alone = async || match world.backends(&admin, &malmo).await {
        1 => Ok(()),
        others => Err(others.to_string()),
    };
    eventually("one server connection", alone).await;
}

#[tokio::test]
async fn a_server_of_another_identifier_is_refused_though_it_proved_that_it_knows_the_password() {
    let world = World::new().await;
    let malmo = world.tenant("malmo").await;
    let mut claims = world.claims(&malmo.route, Allows::All);
    claims.server = Some(SystemIdentifier(world.server.system_identifier().0 ^ 1));
    let other = world.signed_by(&world.signs, malmo.route.clone(), claims);
    placed(&world, &malmo, 2, other.placement).await;
    assert!(refused(&world, "app", "malmo").await.1.contains("HOLM-5025"));
}
