//! TLS between the proxy and its servers: PostgreSQL itself says that a session is encrypted, and whoever is not the server
//! that was meant gets no login.

use std::sync::Arc;

use holm_core::cluster::tls::{Roots, ServerTls};
use holm_core::cluster::{Cluster, ServerAddress};
use holm_core::route::RouteChange;
use holm_pgwire::message::{self, SSL_REQUEST};
use holm_testkit::certificates::{Authority, Certificate};
use holm_testkit::{TestServer, new_server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};

use crate::support::{Tenant, World, cluster, config, eventually};

/// A server that lets tenants in over TLS only, and who issued its certificate.
struct Encrypted {
    server: TestServer,
    authority: Authority,
}

static ENCRYPTED: OnceCell<Encrypted> = OnceCell::const_new();

/// The one that these tests share.
async fn encrypted() -> &'static Encrypted {
    ENCRYPTED
        .get_or_init(async || {
            let (server, authority) = (new_server(&[]).await, Authority::new("the servers' authority"));
            server.speak_tls(&authority.issue(&["127.0.0.1"])).await;
            Encrypted { server, authority }
        })
        .await
}

fn any_name(authority: &Authority) -> ServerTls {
    ServerTls::VerifyCa(authority.pem().parse().unwrap())
}

fn full(authority: &Authority) -> ServerTls {
    ServerTls::VerifyFull(Roots::Given(authority.pem().parse().unwrap()))
}

/// Has production's cluster reached there and so.
async fn reach(world: &World, address: &ServerAddress, tls: &ServerTls) {
    let cluster = Cluster { tls: tls.clone(), ..cluster("production", address, 100) };
    world.publish_and_wait([RouteChange::Cluster(cluster)]).await;
}

async fn world() -> (World, &'static Encrypted) {
    let it = encrypted().await;
    (World::with(config(), &it.server).await, it)
}

/// Waits until a statement of the tenant sleeps on the server.
async fn until_it_sleeps(admin: &Client, tenant: &Tenant) {
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND wait_event = 'PgSleep'";
    eventually("the statement runs", async || match admin.query_one(sql, &[&tenant.route.database.as_str()]).await.unwrap().get(0) {
        1_i64 => Ok(()),
        other => Err(format!("{other} run")),
    })
    .await;
}

/// Why a tenant's client was not let in.
async fn refused(world: &World) -> String {
    let error = world.try_connect("app", "malmo").await.unwrap_err();
    let error = error.as_db_error().unwrap_or_else(|| panic!("{error:?}"));
    assert_eq!(error.code().code(), "08006", "{error:?}");
    assert!(error.message().contains("HOLM-5007"), "{error:?}");
    error.detail().unwrap().to_owned()
}

#[tokio::test]
async fn a_session_is_encrypted_to_a_server_that_lets_in_over_tls_only_and_bound_to_its_certificate() {
    let (world, it) = world().await;
    let malmo = world.tenant("malmo").await;
    for tls in [full(&it.authority), any_name(&it.authority)] {
        reach(&world, &it.server.address, &tls).await;
        let client = world.connect("app", "malmo").await;
        let sql = "SELECT s.ssl, s.version, current_database() FROM pg_stat_ssl s WHERE s.pid = pg_backend_pid()";
        let row = client.query_one(sql, &[]).await.unwrap();
        assert_eq!((row.get::<_, bool>(0), row.get::<_, &str>(2)), (true, malmo.route.database.as_str()));
        assert!(matches!(row.get(1), "TLSv1.2" | "TLSv1.3"));
        // More than any buffer holds, both ways.
        let row = client.query_one("SELECT length($1), repeat('z', 3000000)", &[&"å".repeat(1_000_000)]).await.unwrap();
        assert_eq!((row.get::<_, i32>(0), row.get::<_, &str>(1).len()), (1_000_000, 3_000_000));
    }
    // In the clear the same server lets nobody in.
    reach(&world, &it.server.address, &ServerTls::Disable).await;
    assert!(refused(&world).await.contains("refused Holm's login"));
}

#[tokio::test]
async fn a_server_connection_over_tls_serves_one_client_after_the_other() {
    let (world, it) = world().await;
    world.tenant("malmo").await;
    reach(&world, &it.server.address, &full(&it.authority)).await;
    for round in 0..20_i32 {
        let client = world.connect("churn", "malmo").await;
        assert_eq!(client.query_one("SELECT $1::int", &[&round]).await.unwrap().get::<_, i32>(0), round);
        drop(client);
        eventually("the session has ended", async || match world.proxy.counters().sessions_open() {
            0 => Ok(()),
            open => Err(format!("{open} open")),
        })
        .await;
    }
    assert_eq!(world.proxy.counters().connects.count(), 1);
}

#[tokio::test]
async fn a_cancel_request_goes_over_tls_and_reaches_its_statement() {
    let (world, it) = world().await;
    let malmo = world.tenant("malmo").await;
    reach(&world, &it.server.address, &full(&it.authority)).await;
    let admin = it.server.connect("postgres").await;
    let client = world.connect("app", "malmo").await;
    let token = client.cancel_token();
    let running = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(600)").await });
    until_it_sleeps(&admin, &malmo).await;
    token.cancel_query(NoTls).await.unwrap();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.code().unwrap().code(), "57014");
}

#[tokio::test]
async fn a_client_that_goes_leaves_no_backend_behind_on_a_server_with_tls() {
    let (world, it) = world().await;
    let malmo = world.tenant("malmo").await;
    reach(&world, &it.server.address, &full(&it.authority)).await;
    let admin = it.server.connect("postgres").await;
    // One that says goodbye, one that does not, and one in the middle of a statement.
    drop(world.connect("app", "malmo").await);
    let (client, connection) = tokio_postgres::connect(&world.url("churn", "malmo"), NoTls).await.unwrap();
    drop((connection, client));
    let client = world.connect("app", "malmo").await;
    let running = tokio::spawn(async move { client.batch_execute("SELECT pg_sleep(600)").await });
    until_it_sleeps(&admin, &malmo).await;
    running.abort();
    world.publish_and_wait([RouteChange::RouteGone(malmo.route.tenant)]).await;
    eventually("no backend is left", async || match world.backends(&admin, &malmo).await {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    })
    .await;
}

/// What a stranger says to a request for TLS, and what then.
#[derive(Clone)]
enum Play {
    /// These bytes, and nothing.
    Say(&'static [u8]),
    /// A handshake with this certificate; then it reads.
    Show(Arc<Certificate>),
    /// A handshake with the first, and passes on what each side says to the real server, over TLS or in the clear.
    Between(Arc<Certificate>, ServerAddress, ServerTls, Strip),
}

/// Whether somebody between takes PLUS out of what the server offers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Strip {
    Nothing,
    Plus,
}

async fn play(mut stream: TcpStream, play: Play) -> std::io::Result<()> {
    let mut asked = [0; 8];
    stream.read_exact(&mut asked).await?;
    assert_eq!(asked, SSL_REQUEST, "nothing is said in the clear but the request for TLS");
    match play {
        Play::Say(said) => {
            stream.write_all(said).await?;
            let _ = stream.read(&mut [0; 4096]).await?;
        }
        Play::Show(certificate) => {
            stream.write_all(b"S").await?;
            let mut stream = certificate.acceptor().accept(stream).await?;
            let length = stream.read(&mut [0; 4096]).await?;
            assert_eq!(length, 0, "who is not believed hears nothing");
        }
        Play::Between(certificate, real, tls, strip) => {
            stream.write_all(b"S").await?;
            let mut client = certificate.acceptor().accept(stream).await?;
            let tcp = TcpStream::connect((&*real.host, real.port)).await?;
            let mut server = holm_tls::encrypt(tcp, &real.host, &tls, None).await.map_err(std::io::Error::other)?;
            if strip == Strip::Plus {
                let mut bytes = vec![0; 4096];
                let length = client.read(&mut bytes).await?;
                server.write_all(&bytes[..length]).await?;
                server.flush().await?;
                let length = server.read(&mut bytes).await?;
                assert_eq!(bytes[..length].first(), Some(&b'R'));
                let mut offer = Vec::new();
                message::authentication_sasl(&mut offer, &["SCRAM-SHA-256"]);
                client.write_all(&offer).await?;
            }
            tokio::io::copy_bidirectional(&mut client, &mut server).await?;
        }
    }
    Ok(())
}

async fn stranger(what: Play) -> ServerAddress {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(play(stream, what.clone()));
        }
    });
    ServerAddress { host: "127.0.0.1".into(), port }
}

#[tokio::test]
async fn a_server_that_does_not_speak_tls_or_has_a_certificate_that_is_not_believed_gets_no_login() {
    let (world, it) = world().await;
    world.tenant("malmo").await;
    let (ours, theirs) = (&it.authority, Authority::new("somebody else's authority"));
    let show = |certificate: Certificate| Play::Show(Arc::new(certificate));
    let cases = [
        (Play::Say(b"N"), full(ours), "does not speak TLS"),
        (Play::Say(b"E"), full(ours), "with what is no answer"),
        (Play::Say(b""), full(ours), "did not answer in time"),
        // CVE-2021-23222: what came in the clear behind the `S` must not be read as if it had come through TLS.
        (Play::Say(b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I"), full(ours), "handshake with the server failed"),
        (Play::Say(b"S\x16\x03\x01\0\x05hello"), full(ours), "handshake with the server failed"),
        (show(theirs.issue(&["127.0.0.1"])), full(ours), "leads to no root"),
        (show(theirs.issue(&["127.0.0.1"])), any_name(ours), "leads to no root"),
        (show(ours.issue(&["db.example.com", "127.0.0.2"])), full(ours), "not among its alternative names"),
        (show(ours.issue_expired(&["127.0.0.1"])), full(ours), "expired"),
        (show(ours.issue_expired(&["127.0.0.1"])), any_name(ours), "expired"),
        (show(ours.issue(&["127.0.0.1"])), ServerTls::VerifyFull(Roots::System), "leads to no root"),
        (show(Certificate::self_made(&["127.0.0.1"])), full(ours), "not believed"),
    ];
    for (what, tls, why) in cases {
        reach(&world, &stranger(what).await, &tls).await;
        let said = refused(&world).await;
        assert!(said.contains(why), "{why}: {said}");
        assert!(!said.contains("127.0.0"), "no address: {said}");
        assert_eq!(world.proxy.counters().sessions_opened(), 0);
    }
}

#[tokio::test]
async fn a_certificate_that_a_server_made_for_itself_is_believed_where_it_is_the_root_itself() {
    let server = Box::leak(Box::new(new_server(&[]).await));
    let certificate = Certificate::self_made(&["db.example.com"]);
    server.speak_tls(&certificate).await;
    let world = World::with(config(), server).await;
    world.tenant("malmo").await;
    reach(&world, &server.address, &ServerTls::VerifyCa(certificate.pem.parse().unwrap())).await;
    world.connect("app", "malmo").await.query_one("SELECT 1", &[]).await.unwrap();
    let another = Certificate::self_made(&["db.example.com"]);
    reach(&world, &server.address, &ServerTls::VerifyCa(another.pem.parse().unwrap())).await;
    assert!(refused(&world).await.contains("not believed"));
    server.stop().await;
}

/// The attacker has a certificate that the authority gave it for another server, so that `verify-ca` believes it, and ends
/// TLS: what the login is bound to is then not what the server shows.
#[tokio::test]
async fn somebody_between_with_a_certificate_of_the_same_authority_gets_no_session() {
    let (world, it) = world().await;
    world.tenant("malmo").await;
    let theirs = Arc::new(it.authority.issue(&["another-server.example.com"]));
    let believed = any_name(&it.authority);
    let between = |towards: ServerTls, strip| Play::Between(Arc::clone(&theirs), it.server.address.clone(), towards, strip);
    for (what, why) in [
        (between(full(&it.authority), Strip::Nothing), "refused Holm's login"),
        // PLUS taken out of the offer: where the name is not looked at there is no login without it.
        (between(full(&it.authority), Strip::Plus), "offers no channel binding"),
    ] {
        reach(&world, &stranger(what).await, &believed).await;
        let said = refused(&world).await;
        assert!(said.contains(why), "{why}: {said}");
    }
    assert_eq!(world.proxy.counters().sessions_opened(), 0);
}

/// With the right name even, which takes the authority's help: a server that offered PLUS sees that the proxy did not see it.
#[tokio::test]
async fn a_server_that_offered_channel_binding_refuses_a_login_from_which_it_was_taken_away() {
    let (world, it) = world().await;
    world.tenant("malmo").await;
    let theirs = Arc::new(it.authority.issue(&["127.0.0.1"]));
    let what = Play::Between(theirs, it.server.address.clone(), full(&it.authority), Strip::Plus);
    reach(&world, &stranger(what).await, &full(&it.authority)).await;
    let before = it.server.log().matches("thinks the server does not").count();
    assert!(refused(&world).await.contains("refused"));
    assert!(it.server.log().matches("thinks the server does not").count() > before, "PostgreSQL says why");
}
