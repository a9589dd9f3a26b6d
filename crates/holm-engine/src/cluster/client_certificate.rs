//! What Holm shows a cluster's server that asks who it is: looked at before it is taken, sealed while it is kept, and told to people
//! without its key.
//!
//! Promises: what no server could take is refused before any is asked: a key of another certificate, one that is over or not good yet,
//! one that is not meant for clients. The key is opened for a connection and for the data plane's routes, and for nothing else.
//! Says who Holm's machine is and never which tenant: that is the login's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use holm_core::cluster::client_certificate::{CertificateChain, ClientCertificate};
use holm_core::cluster::tls::ServerTls;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_core::key::KeyPurpose;
use holm_core::secret::Secret;
use holm_pgwire::certificate;
use holm_store::cluster::SealedClientCertificate;
use holm_store::data_key::KeyOwner;
use holm_store::sealed::Sealed;
use holm_store::tx::Tx;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::operation::digest;
use crate::secret::carried::Carried;
use crate::secret::keys::{Keys, Sealing};
use crate::secret::seal::{Purpose, Ring, UnsealError};

/// Long enough to have another one issued.
pub const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Now somebody has to.
pub const AT_LAST: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What people are told of a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Particulars {
    /// Whom it names: `O=an orchestra, CN=holm`.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// The SHA-256 of the certificate, in hexadecimal, as `openssl x509 -fingerprint -sha256` has it without colons.
    pub sha256: String,
    /// From when it is good.
    pub valid_from: Timestamp,
    /// Until when.
    pub valid_until: Timestamp,
}

/// What is to be shown from now on.
#[derive(Clone, Debug)]
pub(crate) enum Shows {
    /// What was shown before, if anything.
    AsBefore,
    /// Nothing.
    Nothing,
    /// This.
    This(ClientCertificate),
}

/// A certificate in the state of an operation, its key sealed.
#[derive(Serialize, Deserialize)]
pub(crate) struct CarriedCertificate {
    chain: CertificateChain,
    key: Carried,
}

/// Reads what was given to be shown.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]; nothing of the key is repeated.
pub fn given(chain: &str, key: &Secret<String>) -> Result<ClientCertificate, Problem> {
    read(Some(chain), Some(key))?.ok_or_else(|| refused("none was given"))
}

/// As [`given`], where nothing may be given either.
pub(crate) fn read(chain: Option<&str>, key: Option<&Secret<String>>) -> Result<Option<ClientCertificate>, Problem> {
    ClientCertificate::given(chain, key)
        .map_err(|why| refused(why).next("give both in PEM, the key without a passphrase: `--client-cert FILE --client-key FILE`"))
}

/// What is told of the first certificate of a chain, the one that is shown.
///
/// # Errors
/// Why it cannot be read.
pub fn particulars(chain: &CertificateChain) -> Result<Particulars, String> {
    let der = first(chain).ok_or("it is not in base64")?;
    let read = certificate::parse(&der).map_err(|malformed| malformed.to_string())?;
    let told = |malformed: holm_pgwire::frame::Malformed| malformed.to_string();
    let (from, until) = read.validity().map_err(told)?;
    // One without an end says the last second of the year 9999 (RFC 5280, 4.1.2.5), which no clock here reaches.
    let time = |text: &str| match text.parse::<Timestamp>() {
        Err(_) if text.starts_with("9999-12-3") => Ok(Timestamp::MAX),
        time => time.map_err(|error| format!("`{text}` in it: {error}")),
    };
    Ok(Particulars {
        subject: read.subject().map_err(told)?,
        issuer: read.issuer().map_err(told)?,
        sha256: digest::hash(&der).iter().map(|byte| format!("{byte:02x}")).collect(),
        valid_from: time(&from)?,
        valid_until: time(&until)?,
    })
}

fn first(chain: &CertificateChain) -> Option<Vec<u8>> {
    let body: String = chain.as_pem().lines().skip(1).take_while(|line| !line.starts_with("-----")).collect();
    STANDARD.decode(body).ok()
}

/// Refuses what no server could take.
///
/// # Errors
/// [`ErrorCode::InvalidValue`], with the reason; nothing was changed.
pub(crate) fn usable(shown: &ClientCertificate, tls: &ServerTls, now: Timestamp) -> Result<(), Problem> {
    is_of_use(tls)?;
    holm_tls::check_client(shown).map_err(|unusable| {
        refused(unusable).next("give the certificate and the private key that was made for it, both in PEM, the key without a passphrase")
    })?;
    let told = particulars(shown.chain()).map_err(refused)?;
    if told.valid_until <= now {
        return Err(refused(format_args!("`{}` was good until {}", told.subject, told.valid_until)).next("have another one issued"));
    }
    if told.valid_from > now {
        return Err(refused(format_args!("`{}` is good from {} on", told.subject, told.valid_from))
            .next("give it again then, or see to the clocks of both machines"));
    }
    Ok(())
}

/// Refuses one that nobody would ask for.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]; nothing was changed.
pub(crate) fn is_of_use(tls: &ServerTls) -> Result<(), Problem> {
    if tls.is_encrypted() {
        return Ok(());
    }
    Err(refused("a server that is spoken to in the clear (`sslmode=disable`) asks for none")
        .next("say `--sslmode verify-full` with it, or take the certificate away: `holm cluster remove-client-cert`"))
}

/// In the words of whoever gave it.
pub(crate) fn refused(why: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::InvalidValue, "the client certificate cannot be used").because(why).changed(Changed::Nothing)
}

const fn owner(id: ClusterId) -> (KeyOwner, KeyPurpose) {
    (KeyOwner::Cluster(id), KeyPurpose::ClientKey)
}

/// As the catalog keeps it, with the key that seals it: to be kept in the same transaction.
pub(crate) async fn seal(keys: &Keys, id: ClusterId, shown: &ClientCertificate) -> Result<(SealedClientCertificate, Sealing), Problem> {
    let (owner, purpose) = owner(id);
    let sealing = keys.for_owner(owner, purpose).await?;
    let sealed = sealing.key.seal(Purpose::ClientKey(id), shown.key().expose_pem().expose().as_bytes());
    Ok((SealedClientCertificate { chain: shown.chain().clone(), sealed_key: Sealed::new(sealed) }, sealing))
}

/// What [`seal`] sealed for that cluster, with keys that are at hand.
pub(crate) fn open(ring: &Ring, id: ClusterId, stored: &SealedClientCertificate) -> Result<ClientCertificate, UnsealError> {
    let purpose = Purpose::ClientKey(id);
    let key = ring.unseal_text(purpose, stored.sealed_key.as_bytes())?;
    let key = key.expose().parse().map_err(|_| UnsealError::Damaged(purpose))?;
    Ok(ClientCertificate::new(stored.chain.clone(), key))
}

/// As [`open`].
pub(crate) async fn unsealed(keys: &Keys, id: ClusterId, stored: &SealedClientCertificate) -> Result<ClientCertificate, Problem> {
    let ring = keys.ring_kept(stored.sealed_key.as_bytes()).await?;
    Ok(open(&ring, id, stored)?)
}

impl CarriedCertificate {
    /// Of a cluster that is to be, whose row will keep it.
    pub(crate) async fn seal(keys: &Keys, id: ClusterId, shown: &ClientCertificate) -> Result<Self, Problem> {
        let pem = shown.key().expose_pem();
        let key = Carried::seal(keys, owner(id), |key| key.seal(Purpose::ClientKey(id), pem.expose().as_bytes())).await?;
        Ok(Self { chain: shown.chain().clone(), key })
    }

    /// As [`Carried::renew`], and opens it.
    pub(crate) async fn renew(&mut self, keys: &Keys, id: ClusterId) -> Result<ClientCertificate, Problem> {
        self.key.renew(keys).await?;
        Ok(open(&self.key.ring(keys).await?, id, &self.stored())?)
    }

    /// As the catalog keeps it.
    pub(crate) fn stored(&self) -> SealedClientCertificate {
        SealedClientCertificate { chain: self.chain.clone(), sealed_key: self.key.sealed() }
    }

    /// As [`Carried::keep`].
    pub(crate) async fn keep(&self, tx: &mut Tx, id: ClusterId) -> Result<(), Problem> {
        self.key.keep(tx, owner(id)).await
    }
}

#[cfg(test)]
mod tests {
    use holm_testkit::certificates::{Authority, Certificate};

    use super::*;

    fn shown(certificate: &Certificate, key: &Certificate) -> ClientCertificate {
        ClientCertificate::given(Some(&certificate.pem), Some(&Secret::new(key.key_pem()))).unwrap().unwrap()
    }

    #[test]
    fn what_no_server_could_take_is_refused_before_one_is_asked_and_the_key_is_not_told() {
        let authority = Authority::new("the clients' authority");
        let tls = ServerTls::VerifyCa(authority.pem().parse().unwrap());
        let (good, other, over) = (authority.issue_client("holm"), authority.issue_client("other"), authority.issue_client_expired("holm"));
        let now = Timestamp::now();
        usable(&shown(&good, &good), &tls, now).unwrap();
        let before = now - SignedDuration::from_hours(24 * 365 * 60);
        for (shown, tls, now, why) in [
            (shown(&good, &other), &tls, now, "private key is not the one"),
            (shown(&good, &good), &ServerTls::Disable, now, "in the clear"),
            (shown(&over, &over), &tls, now, "was good until"),
            (shown(&good, &good), &tls, before, "is good from"),
        ] {
            let problem = usable(&shown, tls, now).unwrap_err();
            assert_eq!((problem.code, problem.changed), (ErrorCode::InvalidValue, Changed::Nothing));
            assert!(problem.why.as_deref().unwrap().contains(why) && !problem.next.is_empty(), "{problem:?}");
        }
    }

    #[test]
    fn of_a_certificate_is_told_what_people_know_it_by() {
        let authority = Authority::new("the clients' authority");
        let chain: CertificateChain = [authority.issue_client_expired("holm").pem, authority.pem()].concat().parse().unwrap();
        let told = particulars(&chain).unwrap();
        assert!(told.subject.contains("CN=holm") && told.issuer.contains("CN=the clients' authority"), "{told:?}");
        assert_eq!(told.valid_until, "2020-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(told.sha256.len(), 64);
    }
}
