//! Clients with TLS, and certificates for the proxy to show them.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use holm_proxy::postgres::TlsFiles;
use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm};
use rustls::RootCertStore;
use rustls::pki_types::{CertificateDer, ServerName};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::raw::{Raw, query, startup};
use crate::support::{PATIENCE, SECRET, World, config};

pub(crate) const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

/// The name in every certificate here.
pub(crate) const HOST: &str = "proxy.example";

/// A certificate for [`HOST`] that signs itself.
pub(crate) struct Pair {
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) certificate_pem: String,
    pub(crate) key: KeyPair,
}

impl Pair {
    pub(crate) fn new(algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let certificate = CertificateParams::new(vec![HOST.to_owned()]).unwrap().self_signed(&key).unwrap();
        Self { certificate: certificate.der().clone(), certificate_pem: certificate.pem(), key }
    }

    pub(crate) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }
}

/// Where the proxy finds its certificate.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn with(pair: &Pair) -> Self {
        let files = Self(tempfile::tempdir().unwrap());
        files.write(pair);
        files
    }

    pub(crate) fn write(&self, pair: &Pair) {
        std::fs::write(self.certificate(), &pair.certificate_pem).unwrap();
        std::fs::write(self.key(), pair.key.serialize_pem()).unwrap();
    }

    pub(crate) fn certificate(&self) -> PathBuf {
        self.0.path().join("cert.pem")
    }

    pub(crate) fn key(&self) -> PathBuf {
        self.0.path().join("key.pem")
    }

    pub(crate) fn tls(&self) -> TlsFiles {
        TlsFiles::new(self.certificate(), self.key())
    }
}

/// A proxy that shows a certificate.
pub(crate) async fn world(pair: &Pair) -> (World, Files) {
    let files = Files::with(pair);
    let mut config = config();
    config.tls = Some(files.tls());
    (World::with(config, holm_testkit::server().await).await, files)
}

pub(crate) fn connector(roots: &RootCertStore, alpn: &[&[u8]]) -> TlsConnector {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut config = builder.with_root_certificates(roots.clone()).with_no_client_auth();
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    TlsConnector::from(Arc::new(config))
}

/// A client that has asked for TLS and got it.
pub(crate) async fn encrypted(world: &World, connector: &TlsConnector) -> std::io::Result<Raw<TlsStream<TcpStream>>> {
    let mut stream = TcpStream::connect(world.proxy.local_addr()).await?;
    stream.write_all(&SSL_REQUEST).await?;
    let mut answer = [0];
    stream.read_exact(&mut answer).await?;
    assert_eq!(answer, *b"S");
    Ok(Raw::over(connector.connect(ServerName::try_from(HOST).unwrap(), stream).await?))
}

#[tokio::test]
async fn a_client_that_reads_late_gets_the_end_of_its_answer_through_tls() {
    // Less than TLS takes when the socket takes no more: one of the answers ends in there, and nowhere else.
    const LENGTH: usize = 40_000;
    let pair = Pair::new(&rcgen::PKCS_ECDSA_P256_SHA256);
    let (world, _files) = world(&pair).await;
    world.tenant("malmo").await;
    let connector = connector(&pair.roots(), &[]);
    // How many answers fit into the socket differs a little from connection to connection; the end of one is kept in TLS.
    let (_, fit) = unread(&world, &connector, LENGTH, usize::MAX).await;
    for most in fit.saturating_sub(3)..fit + 3 {
        let (mut raw, sent) = unread(&world, &connector, LENGTH, most).await;
        for answer in 1..=sent {
            let rows = timeout(PATIENCE, raw.until(b'Z')).await.unwrap_or_else(|_| panic!("the end of answer {answer} of {sent}"));
            assert_eq!(rows[1].1.len(), LENGTH + 6);
        }
    }
}

/// Asks up to `most` times without reading, as long as the answers have room; how often it asked.
async fn unread(world: &World, connector: &TlsConnector, length: usize, most: usize) -> (Raw<TlsStream<TcpStream>>, usize) {
    let mut raw = encrypted(world, connector).await.unwrap();
    raw.send(&startup(0, &[("user", "app"), ("database", "malmo"), ("options", "-c holm.pooling=transaction")])).await;
    raw.prove(SECRET).await;
    raw.until(b'Z').await;
    let counters = world.proxy.counters();
    for sent in 1..=most {
        let before = counters.transactions.count();
        raw.send(&query(&format!("SELECT repeat('x', {length})"))).await;
        let over = async {
            while counters.transactions.count() == before {
                tokio::task::yield_now().await;
            }
        };
        // One that has no room is over when it is read, and not before.
        if timeout(Duration::from_secs(1), over).await.is_err() {
            return (raw, sent);
        }
    }
    (raw, most)
}

/// psql with a host name, which it sends as SNI.
pub(crate) async fn psql(world: &World, conninfo: &str, sql: &str) -> Result<String, String> {
    psql_at(world, world.port(), conninfo, sql).await
}

/// As [`psql`], through another port.
pub(crate) async fn psql_at(world: &World, port: u16, conninfo: &str, sql: &str) -> Result<String, String> {
    let conninfo = format!("hostaddr=127.0.0.1 port={port} {conninfo}");
    let mut psql = tokio::process::Command::new(world.server.installation().bin.join("psql"));
    psql.env("PGPASSWORD", SECRET).stdin(Stdio::null()).kill_on_drop(true).args(["-XAtqc", sql, &conninfo]);
    let output = psql.output().await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
