//! A test server that speaks TLS, and lets nobody in without it but the superuser that tests look with; it may want a certificate too.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::certificates::Certificate;
use crate::eventually;
use crate::server::TestServer;

const PATIENCE: Duration = Duration::from_secs(20);

/// SSLRequest.
const ASK: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];

impl TestServer {
    /// Has it show a certificate and, from now on, let in over TLS by SCRAM and in no other way whoever is not its superuser.
    ///
    /// # Panics
    /// It does not come to that, with the reason.
    pub async fn speak_tls(&self, certificate: &Certificate) {
        self.speak(certificate, None).await;
    }

    /// As [`Self::speak_tls`], and whoever is not its superuser must show a certificate of these authorities, too.
    ///
    /// # Panics
    /// It does not come to that, with the reason.
    pub async fn want_certificates(&self, certificate: &Certificate, authorities: &str) {
        self.speak(certificate, Some(authorities)).await;
    }

    async fn speak(&self, certificate: &Certificate, authorities: Option<&str>) {
        let data = self.data();
        write(&data.join("server.crt"), &certificate.pem);
        write(&data.join("server.key"), &certificate.key_pem());
        let superuser = self.superuser.as_ident();
        let wants = if authorities.is_some() { " clientcert=verify-ca" } else { "" };
        write(
            &data.join("pg_hba.conf"),
            &format!(
                "local all all scram-sha-256\n\
                 host all {superuser} 127.0.0.1/32 scram-sha-256\n\
                 hostssl all all 0.0.0.0/0 scram-sha-256{wants}\n\
                 hostssl all all ::/0 scram-sha-256{wants}\n"
            ),
        );
        let before = self.configured_at().await;
        let admin = self.connect("postgres").await;
        if let Some(authorities) = authorities {
            write(&data.join("clients.crt"), authorities);
            admin.batch_execute("ALTER SYSTEM SET ssl_ca_file = 'clients.crt'").await.expect("a superuser may");
        }
        admin.batch_execute("ALTER SYSTEM SET ssl = on").await.expect("this server has TLS");
        admin.batch_execute("SELECT pg_reload_conf()").await.expect("a superuser may");
        eventually(PATIENCE, "the server speaks TLS", async || match self.answer_to_tls().await {
            // With an older certificate it says the same.
            b'S' if self.configured_at().await != before => Ok(()),
            other => Err(format!("it says `{}`: {}", char::from(other), self.log())),
        })
        .await;
    }

    /// When what a new session has was read: it is the postmaster's, which reads certificates and settings in one go.
    async fn configured_at(&self) -> String {
        let row = self.connect("postgres").await.query_one("SELECT pg_conf_load_time()::text", &[]).await;
        row.expect("it answers").get(0)
    }

    async fn answer_to_tls(&self) -> u8 {
        let mut stream = TcpStream::connect((&*self.address.host, self.address.port)).await.expect("the test server listens");
        stream.write_all(&ASK).await.expect("it reads");
        stream.read_u8().await.expect("it answers")
    }
}

/// Writes a file that is the server's own.
fn write(path: &Path, text: &str) {
    fs::write(path, text).expect("the test server's files can be written");
    let directory = fs::metadata(path.parent().expect("a file of a directory")).expect("a data directory");
    chown(path, Some(directory.uid()), Some(directory.gid())).expect("whose it is can be said");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("who may read it can be said");
}
