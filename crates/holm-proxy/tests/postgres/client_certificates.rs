//! Clients that must show a certificate: who has none does not get near, and where it names a credential it opens no other.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use holm_proxy::postgres::{ClientCertificates, GoodFor, TlsFiles};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, SerialNumber,
};
use tempfile::TempDir;

use crate::encrypted::{Files, HOST, Pair, psql};
use crate::raw::{Raw, startup};
use crate::support::{World, config};

/// An authority, and where it puts what it issues.
pub(crate) struct Authority {
    pub(crate) issuer: CertifiedIssuer<'static, KeyPair>,
    directory: TempDir,
}

impl Authority {
    /// With a name that no other has.
    pub(crate) fn new() -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        Self::called(&format!("authority {}", NUMBER.fetch_add(1, Ordering::Relaxed)))
    }

    pub(crate) fn called(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        Self { issuer, directory: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// Issues a certificate for clients; gives what psql wants to hear of it.
    pub(crate) fn issue(&self, common_name: &str, dns_names: &[&str]) -> String {
        self.issue_for(common_name, dns_names, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn issue_for(&self, common_name: &str, dns_names: &[&str], purpose: ExtendedKeyUsagePurpose) -> String {
        let names: Vec<String> = dns_names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, common_name);
        params.extended_key_usages = vec![purpose];
        let key = KeyPair::generate().unwrap();
        // Known by its number to whoever revokes it.
        params.serial_number = Some(serial_of(common_name));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let (crt, pem) = (self.file(common_name, "crt"), self.file(common_name, "key"));
        std::fs::write(&crt, certificate.pem()).unwrap();
        std::fs::write(&pem, key.serialize_pem()).unwrap();
        // libpq refuses a key that others can read.
        std::fs::set_permissions(&pem, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        format!("sslcert={} sslkey={}", crt.display(), pem.display())
    }

    pub(crate) fn file(&self, name: &str, extension: &str) -> PathBuf {
        self.directory.path().join(format!("{name}.{extension}"))
    }
}

/// The number of the certificate that was issued for a common name.
pub(crate) fn serial_of(common_name: &str) -> SerialNumber {
    SerialNumber::from_slice(&[&[1], common_name.as_bytes()].concat())
}

async fn world(authority: &Authority, good_for: GoodFor) -> (World, Files) {
    let files = Files::with(&Pair::new(&PKCS_ECDSA_P256_SHA256));
    let authorities = authority.file("authorities", "pem");
    std::fs::write(&authorities, authority.pem()).unwrap();
    let mut config = config();
    config.tls = Some(TlsFiles { clients: Some(ClientCertificates { authorities, revoked: None, good_for }), ..files.tls() });
    let world = World::with(config, holm_testkit::server().await).await;
    world.tenant("malmo").await;
    (world, files)
}

pub(crate) async fn select(world: &World, user: &str, certificate: &str) -> Result<String, String> {
    psql(world, &format!("host={HOST} user={user} dbname=malmo sslmode=require {certificate}"), "SELECT 1").await
}

#[tokio::test]
async fn who_has_no_certificate_of_the_authority_does_not_get_near_and_who_has_still_needs_the_password() {
    let (authority, other) = (Authority::new(), Authority::new());
    let (world, _files) = world(&authority, GoodFor::Any).await;
    let certificate = authority.issue("some-machine", &[]);
    for user in ["app", "app_ro"] {
        assert_eq!(select(&world, user, &certificate).await.as_deref(), Ok("1"), "{user}");
    }
    let wrong = select(&world, "app", &format!("{certificate} password=wrong")).await.unwrap_err();
    assert!(wrong.contains("HOLM-5001"), "{wrong}");
    let bound = select(&world, "app", &format!("{certificate} channel_binding=require")).await;
    assert_eq!(bound.as_deref(), Ok("1"), "with channel binding too");

    for (stranger, why) in [
        (String::new(), "none"),
        (other.issue("some-machine", &[]), "of another authority"),
        (authority.issue_for("a-server", &[], ExtendedKeyUsagePurpose::ServerAuth), "for servers"),
    ] {
        let error = select(&world, "app", &stranger).await.expect_err(why);
        assert!(!error.contains("HOLM-"), "{why}: nobody speaks to a stranger: {error}");
    }
    assert!(world.proxy.counters().handshakes_failed() >= 3);
    let mut plain = Raw::connect(&world).await;
    plain.send(&startup(0, &[("user", "app"), ("database", "malmo")])).await;
    let said = String::from_utf8_lossy(&plain.rest().await).into_owned();
    assert!(said.contains("HOLM-5008"), "{said}");
}

#[tokio::test]
async fn a_certificate_that_names_a_credential_opens_no_other() {
    let authority = Authority::new();
    let (world, _files) = world(&authority, GoodFor::Named).await;
    let by_common_name = authority.issue("app", &[]);
    let by_dns_name = authority.issue("some-machine", &["churn", "staging"]);
    let of_nobody = authority.issue("nobody", &[]);
    assert_eq!(select(&world, "app", &by_common_name).await.as_deref(), Ok("1"));
    assert_eq!(select(&world, "churn", &by_dns_name).await.as_deref(), Ok("1"));
    for (user, certificate) in
        [("app_owner", &by_common_name), ("App", &by_common_name), ("app", &by_dns_name), ("app", &of_nobody), ("nowhere", &by_common_name)]
    {
        let error = select(&world, user, certificate).await.unwrap_err();
        assert!(error.contains("HOLM-5023"), "{user} {certificate}: {error}");
    }
    let error = select(&world, "nobody", &of_nobody).await.unwrap_err();
    assert!(error.contains("HOLM-5001"), "a name that does not exist is a wrong password, as ever: {error}");
}

#[tokio::test]
async fn an_authority_that_was_taken_out_lets_nobody_new_in() {
    let (first, second) = (Authority::new(), Authority::new());
    let (world, _files) = world(&first, GoodFor::Any).await;
    let (before, after) = (first.issue("web", &[]), second.issue("web", &[]));
    assert_eq!(select(&world, "app", &before).await.as_deref(), Ok("1"));
    std::fs::write(first.file("authorities", "pem"), second.pem()).unwrap();
    world.proxy.tls_renewal().unwrap().read_again().await.unwrap();
    assert!(select(&world, "app", &before).await.is_err());
    assert_eq!(select(&world, "app", &after).await.as_deref(), Ok("1"));
    std::fs::write(first.file("authorities", "pem"), "").unwrap();
    assert!(
        world.proxy.tls_renewal().unwrap().read_again().await.is_err(),
        "no authority at all is a mistake, and not a door that is open"
    );
    assert_eq!(select(&world, "app", &after).await.as_deref(), Ok("1"));
}
