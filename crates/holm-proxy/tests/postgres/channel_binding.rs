//! SCRAM-SHA-256-PLUS: a client's proof is good for the certificate that it sees, and for nobody's who stands between.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use aws_lc_rs::digest;
use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::end_point::EndPoint;
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA512};
use rustls::ServerConfig;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::Socket;
use tokio_postgres::config::SslMode;
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::encrypted::{HOST, Pair, connector, encrypted, psql, psql_at, world};
use crate::raw::{Message, NONCE, Raw, startup};
use crate::support::{SECRET, World};

const PLUS: &str = "SCRAM-SHA-256-PLUS";

#[tokio::test]
async fn psql_that_requires_channel_binding_gets_it_with_certificates_of_each_hash() {
    for algorithm in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_RSA_SHA512] {
        let (world, _files) = world(&Pair::new(algorithm)).await;
        world.tenant("malmo").await;
        for binding in ["require", "prefer", "disable"] {
            let conninfo = format!("host={HOST} user=app dbname=malmo sslmode=require channel_binding={binding}");
            assert_eq!(psql(&world, &conninfo, "SELECT 1").await.as_deref(), Ok("1"), "{algorithm:?} {binding}");
        }
        let wrong = format!("host={HOST} user=app password=wrong dbname=malmo sslmode=require channel_binding=require");
        assert!(psql(&world, &wrong, "SELECT 1").await.unwrap_err().contains("HOLM-5001"));
    }
}

#[tokio::test]
async fn where_nothing_can_be_bound_nothing_is_offered_and_clients_that_do_not_insist_get_in() {
    let (world, _files) = world(&Pair::new(&PKCS_ED25519)).await;
    world.tenant("malmo").await;
    for transport in ["sslmode=require", "sslmode=disable"] {
        let conninfo = format!("host={HOST} user=app dbname=malmo {transport}");
        assert_eq!(psql(&world, &conninfo, "SELECT 1").await.as_deref(), Ok("1"), "{transport}");
        let error = psql(&world, &format!("{conninfo} channel_binding=require"), "SELECT 1").await.unwrap_err();
        assert!(error.contains("channel binding"), "{error}");
    }
}

#[tokio::test]
async fn it_is_offered_over_tls_only_and_first() {
    let pair = Pair::new(&PKCS_ECDSA_P256_SHA256);
    let (world, _files) = world(&pair).await;
    let begin = startup(0, &[("user", "app"), ("database", "malmo")]);
    let mut plain = Raw::connect(&world).await;
    plain.send(&begin).await;
    assert_eq!(plain.until(b'R').await, [(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0".to_vec())]);
    let mut raw = encrypted(&world, &connector(&pair.roots(), &[])).await.unwrap();
    raw.send(&begin).await;
    assert_eq!(raw.until(b'R').await, [(b'R', b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0".to_vec())]);
}

/// What the proxy answers to a proof over TLS, up to the first message that ends a login.
async fn answer(world: &World, pair: &Pair, user: &str, mechanism: &str, opening: (Opening, String), password: &str) -> Vec<Message> {
    let mut raw = encrypted(world, &connector(&pair.roots(), &[])).await.unwrap();
    raw.send(&startup(0, &[("user", user), ("database", "malmo")])).await;
    raw.until(b'R').await;
    raw.prove_with(mechanism, opening, password).await;
    let mut messages = Vec::new();
    while let Some(message) = raw.next().await {
        let last = matches!(message.0, b'E' | b'Z');
        messages.push(message);
        if last {
            break;
        }
    }
    messages
}

#[tokio::test]
async fn a_proof_for_another_certificate_is_a_wrong_password_to_the_last_byte_whoever_is_named() {
    let (ours, other) = (Pair::new(&PKCS_ECDSA_P256_SHA256), Pair::new(&PKCS_ECDSA_P256_SHA256));
    let (world, _files) = world(&ours).await;
    world.tenant("malmo").await;
    let bound = |pair: &Pair| Opening::bound(NONCE.to_owned(), &EndPoint::of_certificate(&pair.certificate).unwrap());
    let right = answer(&world, &ours, "app", PLUS, bound(&ours), SECRET).await;
    assert_eq!(right.last().unwrap().0, b'Z', "{right:?}");

    let wrong_password = answer(&world, &ours, "app", PLUS, bound(&ours), "wrong").await;
    assert_eq!(wrong_password.len(), 1);
    for (user, pair, password) in [("app", &other, SECRET), ("app", &other, "wrong"), ("nobody", &ours, SECRET), ("nobody", &other, SECRET)]
    {
        assert_eq!(answer(&world, &ours, user, PLUS, bound(pair), password).await, wrong_password, "{user} {password}");
    }
    let unbound = answer(&world, &ours, "app", "SCRAM-SHA-256", Opening::new(NONCE.to_owned()), "wrong").await;
    assert_eq!(unbound, wrong_password);
    assert_eq!(world.proxy.counters().channel_bindings_refused(), 3, "operators hear of it");
}

#[tokio::test]
async fn with_channel_binding_a_name_that_does_not_exist_is_challenged_as_one_that_does() {
    let pair = Pair::new(&PKCS_ECDSA_P256_SHA256);
    let (world, _files) = world(&pair).await;
    let mut seen = Vec::new();
    for (user, mechanism, flag) in [
        ("app", PLUS, "p=tls-server-end-point"),
        ("nobody", PLUS, "p=tls-server-end-point"),
        ("nobody", "SCRAM-SHA-256", "n"),
        ("somebody", PLUS, "p=tls-server-end-point"),
    ] {
        let mut raw = encrypted(&world, &connector(&pair.roots(), &[])).await.unwrap();
        raw.send(&startup(0, &[("user", user), ("database", "malmo")])).await;
        let offered = raw.until(b'R').await;
        let mut out = Vec::new();
        holm_pgwire::message::sasl_initial_response(&mut out, mechanism, format!("{flag},,n=,r=abc").as_bytes());
        raw.send(&out).await;
        let (_, challenge) = raw.next().await.unwrap();
        let text = String::from_utf8(challenge[4..].to_vec()).unwrap();
        let (nonce, salt_and_rounds) = text.split_once(',').unwrap();
        seen.push((offered, nonce.len(), salt_and_rounds.to_owned()));
    }
    let form = |(offered, nonce, rest): &(Vec<Message>, usize, String)| (offered.clone(), *nonce, rest.len());
    assert!(seen.iter().all(|one| form(one) == form(&seen[0])), "{seen:?}");
    assert_eq!(seen[1].2, seen[2].2, "the salt of a name is always the same");
    assert_ne!(seen[1].2, seen[3].2);
}

/// What a client that says just this in its first message is told.
async fn told(world: &World, pair: &Pair, user: &str, mechanism: &str, first: &str) -> String {
    let mut raw = encrypted(world, &connector(&pair.roots(), &[])).await.unwrap();
    raw.send(&startup(0, &[("user", user), ("database", "malmo")])).await;
    raw.until(b'R').await;
    let mut out = Vec::new();
    holm_pgwire::message::sasl_initial_response(&mut out, mechanism, first.as_bytes());
    raw.send(&out).await;
    let (tag, body) = raw.next().await.unwrap();
    assert_eq!(tag, b'E', "{mechanism} {first}");
    String::from_utf8_lossy(&body).into_owned()
}

#[tokio::test]
async fn a_client_that_was_told_of_no_channel_binding_is_told_that_somebody_may_stand_between() {
    let pair = Pair::new(&PKCS_ECDSA_P256_SHA256);
    let (world, _files) = world(&pair).await;
    let known = told(&world, &pair, "app", "SCRAM-SHA-256", "y,,n=,r=abc").await;
    assert!(known.contains("C28000") && known.contains("HOLM-5021"), "{known}");
    assert_eq!(told(&world, &pair, "nobody", "SCRAM-SHA-256", "y,,n=,r=abc").await, known);
    assert_eq!(world.proxy.counters().channel_bindings_refused(), 2);
}

#[tokio::test]
async fn what_does_not_fit_the_mechanism_is_refused_before_a_challenge() {
    let pair = Pair::new(&PKCS_ECDSA_P256_SHA256);
    let (world, _files) = world(&pair).await;
    for (mechanism, first) in [
        (PLUS, "p=tls-unique,,n=,r=abc"),
        (PLUS, "p=tls-exporter,,n=,r=abc"),
        (PLUS, "n,,n=,r=abc"),
        (PLUS, "y,,n=,r=abc"),
        ("SCRAM-SHA-256", "p=tls-server-end-point,,n=,r=abc"),
        ("SCRAM-SHA-512-PLUS", "p=tls-server-end-point,,n=,r=abc"),
    ] {
        let said = told(&world, &pair, "app", mechanism, first).await;
        assert!(said.contains("C08P01") && said.contains("HOLM-5006"), "{mechanism} {first}: {said}");
    }
}

/// Somebody between, with a certificate of their own, who passes on what each side says.
async fn between(world: &World, theirs: &Pair, ours: &Pair) -> u16 {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivatePkcs8KeyDer::from(theirs.key.serialize_der()).into();
    let acceptor =
        TlsAcceptor::from(Arc::new(builder.with_no_client_auth().with_single_cert(vec![theirs.certificate.clone()], key).unwrap()));
    let (listener, proxy) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), world.proxy.local_addr());
    let (port, connector) = (listener.local_addr().unwrap().port(), connector(&ours.roots(), &[]));
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let (acceptor, connector) = (acceptor.clone(), connector.clone());
            tokio::spawn(async move {
                let mut asked = [0; 8];
                client.read_exact(&mut asked).await?;
                client.write_all(b"S").await?;
                let mut server = TcpStream::connect(proxy).await?;
                server.write_all(&asked).await?;
                server.read_exact(&mut [0]).await?;
                let mut client = acceptor.accept(client).await?;
                let mut server = connector.connect(ServerName::try_from(HOST).unwrap(), server).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

#[tokio::test]
async fn somebody_between_carries_a_client_without_channel_binding_and_none_with_it() {
    let (ours, theirs) = (Pair::new(&PKCS_ECDSA_P256_SHA256), Pair::new(&PKCS_ECDSA_P256_SHA256));
    let (world, _files) = world(&ours).await;
    world.tenant("malmo").await;
    let port = between(&world, &theirs, &ours).await;
    // As most apps connect: encrypted, and no look at whose certificate it is.
    let conninfo = format!("host={HOST} user=app dbname=malmo sslmode=require");
    let unbound = psql_at(&world, port, &format!("{conninfo} channel_binding=disable"), "SELECT 1").await;
    assert_eq!(unbound.as_deref(), Ok("1"), "the attack works where nothing is bound");
    for binding in ["require", "prefer"] {
        let error = psql_at(&world, port, &format!("{conninfo} channel_binding={binding}"), "SELECT 1").await.unwrap_err();
        assert!(error.contains("HOLM-5001"), "{binding}: {error}");
    }
}

/// TLS for tokio-postgres, which asks it for the end point.
#[derive(Clone)]
struct Rustls(TlsConnector);

struct Stream(tokio_rustls::client::TlsStream<Socket>);

impl MakeTlsConnect<Socket> for Rustls {
    type Stream = Stream;
    type TlsConnect = Self;
    type Error = std::io::Error;

    fn make_tls_connect(&mut self, _domain: &str) -> std::io::Result<Self> {
        Ok(self.clone())
    }
}

impl TlsConnect<Socket> for Rustls {
    type Stream = Stream;
    type Error = std::io::Error;
    type Future = Pin<Box<dyn Future<Output = std::io::Result<Stream>> + Send>>;

    fn connect(self, stream: Socket) -> Self::Future {
        Box::pin(async move { self.0.connect(ServerName::try_from(HOST).unwrap(), stream).await.map(Stream) })
    }
}

impl tokio_postgres::tls::TlsStream for Stream {
    fn channel_binding(&self) -> ChannelBinding {
        let certificate = &self.0.get_ref().1.peer_certificates().unwrap()[0];
        ChannelBinding::tls_server_end_point(digest::digest(&digest::SHA256, certificate).as_ref().to_vec())
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.get_mut().0).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.get_mut().0).poll_shutdown(cx)
    }
}

#[tokio::test]
async fn tokio_postgres_that_requires_channel_binding_gets_it() {
    let pair = Pair::new(&PKCS_ECDSA_P256_SHA256);
    let (world, _files) = world(&pair).await;
    let malmo = world.tenant("malmo").await;
    let mut config: tokio_postgres::Config = world.url("app", "malmo").parse().unwrap();
    config.ssl_mode(SslMode::Require).channel_binding(tokio_postgres::config::ChannelBinding::Require);
    let (client, connection) = config.connect(Rustls(connector(&pair.roots(), &[]))).await.unwrap();
    tokio::spawn(connection);
    let row = client.query_one("SELECT current_database()", &[]).await.unwrap();
    assert_eq!(row.get::<_, String>(0), malmo.route.database.as_str());
}
