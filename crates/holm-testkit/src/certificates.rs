//! Certificates for servers of tests, and the authorities that issue them.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, PublicKeyData as _, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Who issues certificates.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key.
pub struct Certificate {
    /// The certificate.
    pub der: CertificateDer<'static>,
    /// The same, in PEM.
    pub pem: String,
    key: KeyPair,
}

impl Authority {
    /// A new one, which nobody trusts yet.
    ///
    /// # Panics
    /// The machine has no randomness.
    pub fn new(name: &str) -> Self {
        let mut params = authority(&[]);
        params.distinguished_name.push(DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority"))
    }

    /// Its own certificate, in PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for host names and addresses.
    ///
    /// # Panics
    /// A name is none.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.sign(&server(names))
    }

    /// As [`Self::issue`], good until some years ago.
    ///
    /// # Panics
    /// A name is none.
    pub fn issue_expired(&self, names: &[&str]) -> Certificate {
        let mut params = server(names);
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        self.sign(&params)
    }

    /// A certificate for a client, by its common name.
    ///
    /// # Panics
    /// The machine has no randomness.
    pub fn issue_client(&self, name: &str) -> Certificate {
        self.sign(&client(name))
    }

    /// As [`Self::issue_client`], good until some years ago.
    ///
    /// # Panics
    /// The machine has no randomness.
    pub fn issue_client_expired(&self, name: &str) -> Certificate {
        let mut params = client(name);
        (params.not_before, params.not_after) = (date_time_ymd(2019, 1, 1), date_time_ymd(2020, 1, 1));
        self.sign(&params)
    }

    /// As [`Self::issue_client`], good for some days from now.
    ///
    /// # Panics
    /// The clock is before 1970, or the machine has no randomness.
    pub fn issue_client_for(&self, name: &str, days: u64) -> Certificate {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let mut params = client(name);
        params.not_after = date_time_ymd(1970, 1, 1) + now + Duration::from_secs(days * 24 * 3600);
        self.sign(&params)
    }

    fn sign(&self, params: &CertificateParams) -> Certificate {
        let key = key();
        let certificate = params.signed_by(&key, &self.0).expect("a certificate");
        Certificate { der: certificate.der().clone(), pem: certificate.pem(), key }
    }
}

impl Certificate {
    /// One that signed itself and is an authority by its own account, as `openssl req -x509` makes it.
    ///
    /// # Panics
    /// A name is none.
    pub fn self_made(names: &[&str]) -> Self {
        let key = key();
        let certificate = authority(names).self_signed(&key).expect("a certificate");
        Self { der: certificate.der().clone(), pem: certificate.pem(), key }
    }

    /// Its private key, in PEM.
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    /// The public half of its key: a `SubjectPublicKeyInfo` in DER.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.subject_public_key_info()
    }

    /// A server's end of TLS that shows it.
    ///
    /// # Panics
    /// It cannot be shown, which is not so for any that is made here.
    pub fn acceptor(&self) -> TlsAcceptor {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("TLS 1.2 and 1.3");
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        let config = builder.with_no_client_auth().with_single_cert(vec![self.der.clone()], key).expect("a key of its own");
        TlsAcceptor::from(Arc::new(config))
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the machine has randomness")
}

fn server(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).expect("names that can be in a certificate")
}

fn client(name: &str) -> CertificateParams {
    let mut params = server(&[]);
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params
}

fn authority(names: &[&str]) -> CertificateParams {
    let mut params = server(names);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}
