//! What Holm writes to its log.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use holm_core::credential::Level;
use holm_core::secret::Secret;
use holm_engine::cluster::{self, NewCluster};
use holm_engine::credential::{self, CredentialScope, NewCredential};
use holm_engine::environment;
use holm_store::environment::Seed;
use holm_testkit::eventually;
use holm_testkit::wire_faults::Fault;
use tracing_subscriber::fmt::MakeWriter;

use crate::support::{DEV, PATIENCE, SCHEMA, Setup, World, production};

/// Keeps what is written.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Good days and bad ones, with everything logged that can be.
#[tokio::test]
async fn no_secret_is_in_the_log_or_in_a_problem_whatever_goes_wrong() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).with_ansi(false).finish();
    // With one dispatcher alive, tracing asks only that of the thread that comes by a line first whether anyone wants it,
    // and remembers a no for all: a test beside this one would silence what both log. With two it asks every one.
    let _second = tracing::Dispatch::new(tracing::subscriber::NoSubscriber::new());
    // Everything of this test runs on its own thread.
    let _guard = tracing::subscriber::set_default(subscriber);
    let mut world = World::start(Setup { pool_size: 1, migrations: vec![SCHEMA], ..Setup::default() }).await;
    let (url, script) = (world.directory.path().join("url"), world.directory.path().join("seed.sh"));
    std::fs::write(&script, format!("#!/bin/sh\necho $DATABASE_URL > {}; echo $DATABASE_URL; exit 1\n", url.display())).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    world.seed = Some(Seed::Command(vec![script.to_str().unwrap().to_owned()]));
    environment::ensure(&world.control, &DEV, world.new_environment()).await.unwrap();
    let mut told = format!("{:?}", world.create("goteborg").await.unwrap_err());
    let wrong = Secret::new("a wrong password of the admin".to_owned());
    let new = NewCluster { admin_password: wrong.clone(), ..world.new_cluster("production-1", "production") };
    told += &format!("{new:?} {:?}", cluster::register(&world.control, &DEV, new.clone()).await.unwrap_err());
    let credential = NewCredential {
        environment: production(),
        name: "app".parse().unwrap(),
        scope: CredentialScope::App,
        level: Level::Rw,
        secret: None,
    };
    let issued = credential::issue(&world.control, &DEV, credential.clone()).await.unwrap();
    told += &format!("{:?}", credential::issue(&world.control, &DEV, credential).await.unwrap_err());
    let token = world.token(None).await.unwrap();
    world.write_migrations(&[("20260401090000_bad", "SELECT 1 / 0")]);
    told += &format!("{:?}", world.trouble().await);
    // Noted first, then logged; without the catalog it would be the catalog's trouble that is logged.
    let logged = || String::from_utf8_lossy(&log.0.lock().unwrap()).contains("HOLM-2002");
    eventually(PATIENCE, "a word of it in the log", async || logged().then_some(())).await;
    world.catalog_faults.set(Fault::Refuse);
    told += &format!("{:?}", world.create("malmo").await.unwrap_err());
    world.control.shutdown().await;
    let text = String::from_utf8_lossy(&log.0.lock().unwrap()).into_owned() + &told;
    assert!(text.contains("WARN") && text.contains("HOLM-2002"), "nothing was logged: {text}");
    let url = std::fs::read_to_string(url).unwrap();
    let database_password = url.split(':').nth(2).unwrap().split('@').next().unwrap();
    let catalog_password = holm_testkit::server().await.password.expose();
    for secret in
        [database_password, world.server.password.expose(), wrong.expose(), issued.secret.expose(), token.expose(), catalog_password]
    {
        assert!(secret.len() > 16 && !text.contains(secret), "a secret is in the log");
    }
    assert!(!text.contains("SCRAM-SHA-256$"), "a verifier is in the log");
}
