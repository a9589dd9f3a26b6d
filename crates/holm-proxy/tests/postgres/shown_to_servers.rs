//! Certificates that servers want to see: PostgreSQL itself says whose it was shown, and who was let in decides the login as ever.

use holm_core::cluster::Cluster;
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::{Roots, ServerTls};
use holm_core::credential::Level;
use holm_core::route::{Route, RouteChange};
use holm_core::secret::Secret;
use holm_testkit::certificates::{Authority, Certificate};
use holm_testkit::{TestServer, new_server};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::support::{World, cluster, config, eventually, login_with};

/// A server that lets tenants in who show a certificate of an authority.
struct Asking {
    server: TestServer,
    servers: Authority,
    clients: Authority,
}

static ASKING: OnceCell<Asking> = OnceCell::const_new();

/// The one that these tests share.
async fn asking() -> &'static Asking {
    ASKING
        .get_or_init(async || {
            let server = new_server(&[]).await;
            let (servers, clients) = (Authority::new("the servers' authority"), Authority::new("the clients' authority"));
            server.want_certificates(&servers.issue(&["127.0.0.1"]), &clients.pem()).await;
            Asking { server, servers, clients }
        })
        .await
}

async fn world() -> (World, &'static Asking) {
    let it = asking().await;
    (World::with(config(), &it.server).await, it)
}

fn shown(certificate: &Certificate) -> ClientCertificate {
    ClientCertificate::given(Some(&certificate.pem), Some(&Secret::new(certificate.key_pem()))).unwrap().unwrap()
}

/// Has production's cluster shown that.
async fn show(world: &World, it: &Asking, client_certificate: Option<ClientCertificate>) {
    let tls = ServerTls::VerifyFull(Roots::Given(it.servers.pem().parse().unwrap()));
    let cluster = Cluster { tls, client_certificate, ..cluster("production", &it.server.address, 100) };
    world.publish_and_wait([RouteChange::Cluster(cluster)]).await;
}

/// Whose certificate the server saw in this session, and the number of the session.
async fn seen(client: &Client) -> (String, i32) {
    let sql = "SELECT coalesce(client_dn, ''), pid FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    let row = client.query_one(sql, &[]).await.unwrap();
    (row.get(0), row.get(1))
}

/// Why a tenant's client was not let in.
async fn refused(world: &World, tenant: &str) -> String {
    let error = world.try_connect("app", tenant).await.unwrap_err();
    let error = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(error.code().code(), "08006", "{error:?}");
    assert!(error.message().contains("HOLM-5007"), "{error:?}");
    error.detail().unwrap().to_owned()
}

#[tokio::test]
async fn a_server_that_wants_a_certificate_sees_the_clusters_and_a_cancel_request_gets_there_too() {
    let (world, it) = world().await;
    let malmo = world.tenant("malmo").await;
    show(&world, it, Some(shown(&it.clients.issue_client("holm")))).await;
    let client = world.connect("app", "malmo").await;
    assert!(seen(&client).await.0.contains("CN=holm"));
    let row = client.query_one("SELECT current_database()::text, current_user::text", &[]).await.unwrap();
    assert_eq!(row.get::<_, &str>(0), malmo.route.database.as_str());
    assert_eq!(row.get::<_, &str>(1), malmo.route.login(Level::Rw).unwrap().role.as_str());
    let token = client.cancel_token();
    let running = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(600)").await });
    let admin = it.server.connect("postgres").await;
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'";
    eventually("the statement runs", async || match admin.query_one(sql, &[&malmo.route.database.as_str()]).await.unwrap().get(0) {
        1_i64 => Ok(()),
        other => Err(format!("{other} run")),
    })
    .await;
    token.cancel_query(NoTls).await.unwrap();
    assert_eq!(running.await.unwrap().unwrap_err().code().unwrap().code(), "57014");
}

#[tokio::test]
async fn without_one_or_with_a_strangers_nobody_is_let_in_and_the_reason_is_in_the_servers_words() {
    let (world, it) = world().await;
    world.tenant("malmo").await;
    show(&world, it, None).await;
    assert!(refused(&world, "malmo").await.contains("requires a valid client certificate"));
    show(&world, it, Some(shown(&Authority::new("somebody else").issue_client("holm")))).await;
    let said = refused(&world, "malmo").await;
    assert!(said.contains("unknown_ca"), "{said}");
    show(&world, it, Some(shown(&it.clients.issue_client_expired("holm")))).await;
    let said = refused(&world, "malmo").await;
    assert!(said.contains("certificate_expired"), "{said}");
    // A key of another certificate is never shown to anybody.
    let (one, other) = (it.clients.issue_client("holm"), it.clients.issue_client("holm"));
    let torn = ClientCertificate::given(Some(&one.pem), Some(&Secret::new(other.key_pem()))).unwrap();
    show(&world, it, torn).await;
    assert!(refused(&world, "malmo").await.contains("private key is not the one"));
    show(&world, it, Some(shown(&one))).await;
    world.connect("app", "malmo").await;
}

/// The certificate is the cluster's: it opens the door to the server, and says nothing of whose database is behind it.
#[tokio::test]
async fn a_certificate_that_is_taken_lets_nobody_in_whom_the_login_does_not() {
    let (world, it) = world().await;
    let (malmo, lund) = (world.tenant("malmo").await, world.tenant("lund").await);
    show(&world, it, Some(shown(&it.clients.issue_client("holm")))).await;
    // Lund and not Malmö: a connection of the same role that is there already goes on being lent.
    world.connect("app", "lund").await;
    // Malmö's name with keys of another password, and Lund's role at Malmö's database.
    let wrong = Level::ALL.map(|level| login_with(&malmo.route.database, level, "a guess").0);
    let guessed = Route { logins: wrong.into(), epoch: 2, ..malmo.route.clone() };
    world.publish_and_wait([RouteChange::Route(guessed)]).await;
    assert!(refused(&world, "malmo").await.contains("refused Holm's login"));
    let foreign = Route { logins: lund.route.logins.clone(), epoch: 3, ..malmo.route.clone() };
    world.publish_and_wait([RouteChange::Route(foreign)]).await;
    let error = world.try_connect("app", "malmo").await.unwrap_err();
    assert!(error.as_db_error().is_some(), "{error:?}");
    world.connect("app", "lund").await;
}

#[tokio::test]
async fn a_renewed_certificate_is_shown_by_connections_that_begin_and_those_that_are_open_go_on() {
    let (world, it) = world().await;
    world.tenant("malmo").await;
    world.tenant("lund").await;
    show(&world, it, Some(shown(&it.clients.issue_client("first")))).await;
    let open = world.connect("app", "malmo").await;
    // It keeps its server connection.
    open.batch_execute("BEGIN").await.unwrap();
    let (dn, pid) = seen(&open).await;
    assert!(dn.contains("CN=first"), "{dn}");
    // Came before the renewal, and has no server connection yet that it could keep.
    let early = world.connect("app", "lund").await;
    let waits = world.connect("app", "malmo").await;
    show(&world, it, Some(shown(&it.clients.issue_client("second")))).await;
    assert_eq!(seen(&open).await, (dn, pid));
    open.batch_execute("COMMIT").await.unwrap();
    for client in [world.connect("app_owner", "malmo").await, world.connect("app_ro", "lund").await] {
        let (dn, _) = seen(&client).await;
        assert!(dn.contains("CN=second"), "{dn}");
    }
    assert!(!seen(&early).await.0.is_empty() && !seen(&waits).await.0.is_empty());
}

#[tokio::test]
async fn who_came_before_a_renewal_gets_new_connections_by_the_new_certificate() {
    let (world, it) = world().await;
    let malmo = world.tenant("malmo").await;
    show(&world, it, Some(shown(&it.clients.issue_client("first")))).await;
    let client = world.connect("app", "malmo").await;
    assert!(seen(&client).await.0.contains("CN=first"));
    show(&world, it, Some(shown(&it.clients.issue_client("second")))).await;
    // The server ends the connection that there was; with a pool the client goes on by another.
    let admin = it.server.connect("postgres").await;
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()";
    admin.query_one(sql, &[&malmo.route.database.as_str()]).await.unwrap();
    let dn = eventually("there is a connection again", async || {
        let client = world.try_connect("app", "malmo").await.map_err(|error| error.to_string())?;
        let sql = "SELECT coalesce(client_dn, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
        client.query_one(sql, &[]).await.map(|row| row.get::<_, String>(0)).map_err(|error| error.to_string())
    })
    .await;
    assert!(dn.contains("CN=second"), "{dn}");
}
