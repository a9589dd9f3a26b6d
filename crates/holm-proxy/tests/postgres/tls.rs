//! TLS towards clients: asked for, direct, required; and names in the certificate's world that must agree.

use holm_proxy::postgres::TlsFiles;
use rustls::pki_types::ServerName;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::encrypted::{SSL_REQUEST, connector, psql};
use crate::raw::{Raw, startup};
use crate::support::{World, config};

/// A proxy with a certificate for `*.holm.test`.
async fn world(required: bool) -> (World, rustls::RootCertStore, TempDir) {
    let names = vec!["*.holm.test".to_owned(), "*.staging.holm.test".to_owned(), "proxy.example".to_owned()];
    let certified = rcgen::generate_simple_self_signed(names).unwrap();
    let files = tempfile::tempdir().unwrap();
    let (certificate, key) = (files.path().join("cert.pem"), files.path().join("key.pem"));
    std::fs::write(&certificate, certified.cert.pem()).unwrap();
    std::fs::write(&key, certified.signing_key.serialize_pem()).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certified.cert.der().clone()).unwrap();
    let mut config = config();
    (config.tls, config.tls_required) = (Some(TlsFiles::new(certificate, key)), required);
    (World::with(config, holm_testkit::server().await).await, roots, files)
}

#[tokio::test]
async fn database_name_options_and_host_name_pick_the_same_tenant_and_must_agree() {
    let (world, _roots, _files) = world(false).await;
    let (malmo, _lund) = tokio::join!(world.tenant("malmo"), world.tenant("lund"));
    let database = malmo.route.database.as_str();
    for conninfo in [
        "host=proxy.example user=app dbname=malmo",
        "host=malmo.holm.test user=app dbname=malmo",
        "host=MALMO.holm.test user=app",
        "host=malmo.holm.test user=app dbname=app",
        "host=proxy.example user=app options='-c holm.tenant=malmo'",
        "host=malmo.holm.test user=app dbname=malmo options='-c holm.tenant=malmo'",
    ] {
        let conninfo = format!("{conninfo} sslmode=require");
        assert_eq!(psql(&world, &conninfo, "SELECT current_database()").await.as_deref(), Ok(database), "{conninfo}");
    }
    for (conninfo, codes) in [
        ("host=malmo.holm.test user=app dbname=lund", "HOLM-5005"),
        ("host=lund.holm.test user=app options='-c holm.tenant=malmo'", "HOLM-5005"),
        ("host=proxy.example user=app dbname=lund options='-c holm.tenant=malmo'", "HOLM-5005"),
        // Of another environment: said like any wrong password.
        ("host=malmo.staging.holm.test user=app dbname=malmo", "HOLM-5001"),
        ("host=malmo.holm.test user=staging_app dbname=malmo", "HOLM-5001"),
        ("host=nobody.holm.test user=app", "HOLM-5002"),
    ] {
        let error = psql(&world, &format!("{conninfo} sslmode=require"), "SELECT 1").await.unwrap_err();
        assert!(error.contains(codes), "{conninfo}: {error}");
    }
}

#[tokio::test]
async fn a_session_through_tls_carries_large_answers_and_a_cancel() {
    let (world, _roots, _files) = world(false).await;
    world.tenant("malmo").await;
    let encrypted = "SELECT sum(length(x)) FROM (SELECT repeat('x', 1000) AS x FROM generate_series(1, 20000)) t";
    assert_eq!(psql(&world, "host=proxy.example user=app dbname=malmo sslmode=require", encrypted).await.as_deref(), Ok("20000000"));
    let all = "SELECT repeat('x', 1000) FROM generate_series(1, 20000)";
    let rows = psql(&world, "host=proxy.example user=app dbname=malmo sslmode=require", all).await.unwrap();
    assert_eq!((rows.lines().count(), rows.len()), (20_000, 20_000 * 1001 - 1));
}

#[tokio::test]
async fn direct_tls_needs_the_protocols_name() {
    let (world, roots, _files) = world(false).await;
    world.tenant("malmo").await;
    let name = || ServerName::try_from("malmo.holm.test").unwrap();
    let begin = async |alpn: &[&[u8]]| {
        let stream = TcpStream::connect(world.proxy.local_addr()).await.unwrap();
        connector(&roots, alpn).connect(name(), stream).await
    };
    let mut stream = begin(&[b"postgresql"]).await.unwrap();
    stream.write_all(&startup(0, &[("user", "app"), ("database", "malmo")])).await.unwrap();
    let mut first = [0];
    stream.read_exact(&mut first).await.unwrap();
    assert_eq!(first, *b"R");
    assert!(begin(&[b"http/1.1"]).await.is_err());
    if let Ok(mut stream) = begin(&[]).await {
        let _ = stream.write_all(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert_eq!(answer, b"");
    }
}

#[tokio::test]
async fn bytes_that_were_sent_in_the_clear_before_the_handshake_are_never_obeyed() {
    let (world, _roots, _files) = world(false).await;
    world.tenant("malmo").await;
    let mut raw = Raw::connect(&world).await;
    let smuggled = startup(0, &[("user", "app"), ("database", "malmo")]);
    raw.send(&[&SSL_REQUEST[..], &smuggled].concat()).await;
    assert_eq!(raw.rest().await, b"", "closed before the answer");
}

#[tokio::test]
async fn encryption_is_offered_once_and_required_where_it_is_said_to_be() {
    let plain = World::new().await;
    let mut raw = Raw::connect(&plain).await;
    raw.send(&SSL_REQUEST).await;
    let mut answer = [0];
    raw.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, *b"N");
    raw.send(&[0, 0, 0, 8, 4, 210, 22, 48]).await;
    raw.stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, *b"N", "GSSAPI is declined too");
    raw.send(&startup(0, &[("user", "app")])).await;
    raw.until(b'R').await;

    let (strict, _roots, _files) = world(true).await;
    strict.tenant("malmo").await;
    let error = psql(&strict, "host=proxy.example user=app dbname=malmo sslmode=disable", "SELECT 1").await.unwrap_err();
    assert!(error.contains("HOLM-5008"), "{error}");
    assert_eq!(psql(&strict, "host=proxy.example user=app dbname=malmo sslmode=require", "SELECT 1").await.as_deref(), Ok("1"));
}
