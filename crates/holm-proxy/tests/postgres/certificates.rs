//! A certificate is replaced while clients are connected and others connect.

use rcgen::PKCS_ECDSA_P256_SHA256;
use rustls::RootCertStore;
use std::time::Duration;

use crate::encrypted::{Files, HOST, Pair, connector, encrypted, psql};
use crate::raw::{query, startup};
use crate::support::{SECRET, World, config, eventually};

fn pair() -> Pair {
    Pair::new(&PKCS_ECDSA_P256_SHA256)
}

/// A proxy that looks at its files only when it is told to, or as often as is said.
async fn world(pair: &Pair, look_every: Duration) -> (World, Files) {
    let files = Files::with(pair);
    let mut config = config();
    config.tls = Some(holm_proxy::postgres::TlsFiles { look_every, ..files.tls() });
    (World::with(config, holm_testkit::server().await).await, files)
}

const NEVER: Duration = Duration::from_secs(86_400);

/// Whether a new connection is shown a certificate that these roots lead to.
async fn is_shown(world: &World, roots: &RootCertStore) -> bool {
    encrypted(world, &connector(roots, &[])).await.is_ok()
}

async fn read_again(world: &World) -> Result<(), String> {
    world
        .proxy
        .tls_renewal()
        .unwrap()
        .read_again()
        .await
        .map_err(|problem| format!("{problem}: {}", problem.why.clone().unwrap_or_default()))
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_open_ones_go_on() {
    let (first, second) = (pair(), pair());
    let (world, files) = world(&first, NEVER).await;
    world.tenant("malmo").await;
    let mut open = encrypted(&world, &connector(&first.roots(), &[])).await.unwrap();
    open.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    open.prove(SECRET).await;
    open.until(b'Z').await;

    files.write(&second);
    assert!(is_shown(&world, &first.roots()).await, "nobody has looked yet");
    read_again(&world).await.unwrap();
    assert!(is_shown(&world, &second.roots()).await && !is_shown(&world, &first.roots()).await);
    open.send(&query("SELECT 41 + 1")).await;
    assert!(open.until(b'Z').await.iter().any(|(tag, body)| *tag == b'D' && body.ends_with(b"42")));
    // Bound to what it shows now.
    let conninfo = format!("host={HOST} user=app dbname=malmo sslmode=require channel_binding=require");
    assert_eq!(psql(&world, &conninfo, "SELECT 1").await.as_deref(), Ok("1"));
    let counters = world.proxy.counters();
    assert_eq!((counters.certificates_replaced(), counters.certificates_refused(), counters.is_certificate_stale()), (1, 0, false));
}

#[tokio::test]
async fn a_change_is_noticed_without_being_told_also_behind_a_link() {
    let (first, second) = (pair(), pair());
    let (before, after) = (Files::with(&first), Files::with(&second));
    let links = tempfile::tempdir().unwrap();
    let link = |to: &Files| {
        for (name, target) in [("cert.pem", to.certificate()), ("key.pem", to.key())] {
            let (new, name) = (links.path().join("new"), links.path().join(name));
            std::os::unix::fs::symlink(target, &new).unwrap();
            std::fs::rename(new, name).unwrap();
        }
    };
    link(&before);
    let mut config = config();
    let (certificate, key) = (links.path().join("cert.pem"), links.path().join("key.pem"));
    config.tls = Some(holm_proxy::postgres::TlsFiles {
        look_every: Duration::from_millis(10),
        ..holm_proxy::postgres::TlsFiles::new(certificate, key)
    });
    let world = World::with(config, holm_testkit::server().await).await;
    assert!(is_shown(&world, &first.roots()).await);
    link(&after);
    eventually(
        "the new certificate",
        async || {
            if is_shown(&world, &second.roots()).await { Ok(()) } else { Err("still the old one".to_owned()) }
        },
    )
    .await;
}

#[tokio::test]
async fn files_that_cannot_be_used_leave_the_old_certificate_in_use_and_are_said_to_be_so() {
    let (first, second) = (pair(), pair());
    let (world, files) = world(&first, NEVER).await;
    let (certificate, key) = (&second.certificate_pem, second.key.serialize_pem());
    let half = &certificate[..certificate.len() / 2];
    for (certificate, key, why) in [
        (certificate.as_str(), first.key.serialize_pem().as_str(), "another's key"),
        (half, key.as_str(), "half a certificate"),
        ("", key.as_str(), "nothing"),
        (certificate, "not a key", "no key"),
    ] {
        std::fs::write(files.certificate(), certificate).unwrap();
        std::fs::write(files.key(), key).unwrap();
        let said = read_again(&world).await.expect_err(why);
        assert!(said.contains("HOLM-6001") && said.contains(".pem"), "{why}: {said}");
        assert!(!said.contains("PRIVATE KEY"));
        assert!(is_shown(&world, &first.roots()).await, "{why}");
        assert!(world.proxy.counters().is_certificate_stale(), "{why}");
    }
    std::fs::remove_file(files.key()).unwrap();
    assert!(read_again(&world).await.is_err() && is_shown(&world, &first.roots()).await);
    assert_eq!(world.proxy.counters().certificates_refused(), 5);

    files.write(&first);
    read_again(&world).await.unwrap();
    assert!(!world.proxy.counters().is_certificate_stale(), "put back");
    files.write(&second);
    read_again(&world).await.unwrap();
    assert!(is_shown(&world, &second.roots()).await);
}
