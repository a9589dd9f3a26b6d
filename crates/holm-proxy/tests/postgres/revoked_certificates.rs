//! Certificates of clients that their authority has revoked, and the lists that say so: what is on one does not get near, and in any
//! doubt nobody does.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use holm_proxy::postgres::{ClientCertificates, GoodFor, ProxyConfig, TlsFiles, start};
use rcgen::{
    CertificateRevocationListParams, KeyIdMethod, PKCS_ECDSA_P256_SHA256, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};

use crate::client_certificates::{Authority, select, serial_of};
use crate::encrypted::{Files, Pair};
use crate::support::{World, config, eventually};

const DAY: Duration = Duration::from_secs(86_400);

impl Authority {
    /// The list of what this authority has revoked, good until then.
    fn list(&self, revoked: &[&str], until: SystemTime) -> String {
        let since_the_epoch = |time: SystemTime| time.duration_since(UNIX_EPOCH).unwrap();
        let begin = date_time_ymd(1970, 1, 1);
        let entry = |name: &&str| RevokedCertParams {
            serial_number: serial_of(name),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: begin + since_the_epoch(until),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

fn tomorrow() -> SystemTime {
    SystemTime::now() + DAY
}

fn tls(files: &Files, directory: &Authority, authorities: &str, lists: &str, look_every: Duration) -> (TlsFiles, PathBuf) {
    let (authorities_file, revoked) = (directory.file("authorities", "pem"), directory.file("revoked", "pem"));
    std::fs::write(&authorities_file, authorities).unwrap();
    std::fs::write(&revoked, lists).unwrap();
    let clients = ClientCertificates { authorities: authorities_file, revoked: Some(revoked.clone()), good_for: GoodFor::Any };
    (TlsFiles { clients: Some(clients), look_every, ..files.tls() }, revoked)
}

async fn world(tls: TlsFiles) -> World {
    let world = World::with(ProxyConfig { tls: Some(tls), ..config() }, holm_testkit::server().await).await;
    world.tenant("malmo").await;
    world
}

async fn read_again(world: &World) -> Result<(), String> {
    let again = world.proxy.tls_renewal().unwrap().read_again().await;
    again.map_err(|problem| format!("{problem}: {}", problem.why.clone().unwrap_or_default()))
}

async fn replace(world: &World, file: &Path, lists: &str) -> Result<(), String> {
    std::fs::write(file, lists).unwrap();
    read_again(world).await
}

#[tokio::test]
async fn what_its_authority_has_revoked_is_refused_from_the_next_handshake_on() {
    let (authority, files) = (Authority::new(), Files::with(&Pair::new(&PKCS_ECDSA_P256_SHA256)));
    let (good, stolen) = (authority.issue("good", &[]), authority.issue("stolen", &[]));
    let (tls, lists) = tls(&files, &authority, &authority.pem(), &authority.list(&["another"], tomorrow()), DAY);
    let world = world(tls).await;
    for certificate in [&good, &stolen] {
        assert_eq!(select(&world, "app", certificate).await.as_deref(), Ok("1"));
    }
    replace(&world, &lists, &authority.list(&["another", "stolen"], tomorrow())).await.unwrap();
    let refused = select(&world, "app", &stolen).await.unwrap_err();
    assert!(refused.contains("certificate revoked"), "the alert says why: {refused}");
    assert_eq!(select(&world, "app", &good).await.as_deref(), Ok("1"));
    let counters = world.proxy.counters();
    assert_eq!((counters.client_certificates_revoked(), counters.handshakes_failed()), (1, 1));
}

#[tokio::test]
async fn an_authority_without_a_list_lets_nobody_in_and_each_has_its_own() {
    let (first, second) = (Authority::new(), Authority::new());
    let files = Files::with(&Pair::new(&PKCS_ECDSA_P256_SHA256));
    let (of_first, of_second) = (first.issue("web", &[]), second.issue("web", &[]));
    let both = first.pem() + &second.pem();
    // The second one has revoked a certificate of the same number: that is another certificate.
    let lists_of_both = first.list(&[], tomorrow()) + &second.list(&["web"], tomorrow());
    let (tls, lists) = tls(&files, &first, &both, &first.list(&[], tomorrow()), DAY);
    let world = world(tls).await;
    assert_eq!(select(&world, "app", &of_first).await.as_deref(), Ok("1"));
    let refused = select(&world, "app", &of_second).await.unwrap_err();
    assert!(refused.contains("unknown ca"), "{refused}");
    replace(&world, &lists, &lists_of_both).await.unwrap();
    assert_eq!(select(&world, "app", &of_first).await.as_deref(), Ok("1"));
    let refused = select(&world, "app", &of_second).await.unwrap_err();
    assert!(refused.contains("certificate revoked"), "{refused}");
    // Somebody else's list for the first one's certificates counts for nothing.
    replace(&world, &lists, &second.list(&[], tomorrow())).await.unwrap();
    assert!(select(&world, "app", &of_first).await.unwrap_err().contains("unknown ca"));
    assert_eq!(world.proxy.counters().client_certificates_revoked(), 3);
}

#[tokio::test]
async fn a_list_that_somebody_else_made_in_the_authoritys_name_lets_nobody_in() {
    let (authority, forger) = (Authority::called("the authority"), Authority::called("the authority"));
    let files = Files::with(&Pair::new(&PKCS_ECDSA_P256_SHA256));
    let (good, stolen) = (authority.issue("good", &[]), authority.issue("stolen", &[]));
    let (tls, lists) = tls(&files, &authority, &authority.pem(), &authority.list(&["stolen"], tomorrow()), DAY);
    let world = world(tls).await;
    assert_eq!(select(&world, "app", &good).await.as_deref(), Ok("1"));
    replace(&world, &lists, &forger.list(&[], tomorrow())).await.unwrap();
    for certificate in [&good, &stolen] {
        assert!(select(&world, "app", certificate).await.is_err());
    }
    assert_eq!(world.proxy.counters().client_certificates_revoked(), 2);
}

#[tokio::test]
async fn a_file_without_a_list_that_is_good_is_refused_and_what_was_in_use_stays() {
    let (authority, files) = (Authority::new(), Files::with(&Pair::new(&PKCS_ECDSA_P256_SHA256)));
    let (good, stolen) = (authority.issue("good", &[]), authority.issue("stolen", &[]));
    let (tls, lists) = tls(&files, &authority, &authority.pem(), &authority.list(&["stolen"], tomorrow()), DAY);
    let world = world(tls.clone()).await;
    let over = authority.list(&[], SystemTime::now() - DAY);
    for (bad, why) in [
        (over.as_str(), "what was revoked since is not on it"),
        ("", "no revocation list in it"),
        (&authority.pem(), "no revocation list in it"),
        ("-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n", "the list"),
    ] {
        let refused = replace(&world, &lists, bad).await.unwrap_err();
        assert!(refused.contains("revoked.pem") && refused.contains(why), "{refused}");
        assert!(world.proxy.counters().is_certificate_stale());
        assert_eq!(select(&world, "app", &good).await.as_deref(), Ok("1"));
        assert!(select(&world, "app", &stolen).await.is_err());
        // At the start it keeps the node from starting.
        let started = start(ProxyConfig { tls: Some(tls.clone()), ..config() }, world.publisher.subscribe()).await;
        assert!(started.err().and_then(|problem| problem.why).is_some_and(|said| said.contains(why)), "{why}");
    }
    replace(&world, &lists, &authority.list(&[], tomorrow())).await.unwrap();
    assert!(!world.proxy.counters().is_certificate_stale());
    assert_eq!(select(&world, "app", &stolen).await.as_deref(), Ok("1"), "it is on no list any more");
}

#[tokio::test]
async fn when_a_list_is_over_nobody_gets_in_until_there_is_the_next() {
    let (authority, files) = (Authority::new(), Files::with(&Pair::new(&PKCS_ECDSA_P256_SHA256)));
    let good = authority.issue("good", &[]);
    let soon = authority.list(&[], SystemTime::now() + Duration::from_secs(3));
    let (tls, lists) = tls(&files, &authority, &authority.pem(), &soon, Duration::from_millis(50));
    let world = world(tls).await;
    eventually("the list is over", async || match select(&world, "app", &good).await {
        Err(refused) if refused.contains("unknown ca") => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    eventually(
        "the node says so",
        async || if world.proxy.counters().is_certificate_stale() { Ok(()) } else { Err("not stale".to_owned()) },
    )
    .await;
    std::fs::write(&lists, authority.list(&[], tomorrow())).unwrap();
    eventually("the next list is in use", async || select(&world, "app", &good).await.map(drop)).await;
    assert!(!world.proxy.counters().is_certificate_stale());
}
