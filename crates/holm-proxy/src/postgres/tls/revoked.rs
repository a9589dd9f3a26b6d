//! What authorities have revoked: the lists in a file, until when they may be believed, and what a handshake says of them.
//!
//! Promises: a list that is over is refused, in the file and at each handshake: what was revoked since is not on it. So is a
//! certificate of an authority that has no list here, on the whole way up to the root.

use std::path::Path;

use holm_core::error::Problem;
use holm_pgwire::revocation;
use jiff::Timestamp;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, Error};

use super::identity::unusable;

/// The lists of one file.
pub(super) struct Revoked {
    pub(super) lists: Vec<CertificateRevocationListDer<'static>>,
    /// When the first of them is over.
    pub(super) until: Timestamp,
}

impl Revoked {
    /// Reads the lists of a file.
    ///
    /// # Errors
    /// They are none, or one is over or does not say when it is.
    pub(super) fn read(path: &Path, pem: &[u8], now: Timestamp) -> Result<Self, Problem> {
        let lists: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(pem).collect();
        let lists = lists.map_err(|error| unusable(path, &error))?;
        let ends = lists.iter().map(|list| until(path, list)).collect::<Result<Vec<_>, _>>()?;
        let until = ends.into_iter().min().ok_or_else(|| {
            unusable(path, &"there is no revocation list in it").next("one in DER becomes PEM with `openssl crl -inform der -in FILE`")
        })?;
        if until <= now {
            return Err(unusable(path, &format!("a list in it was to be replaced by {until}: what was revoked since is not on it"))
                .next("get the list that the authority has issued since"));
        }
        Ok(Self { lists, until })
    }
}

fn until(path: &Path, list: &[u8]) -> Result<Timestamp, Problem> {
    let until = revocation::next_update(list).map_err(|malformed| unusable(path, &malformed))?;
    let until = until.ok_or_else(|| unusable(path, &"a list in it does not say when the next is out (`nextUpdate`)"))?;
    until.parse().map_err(|error| unusable(path, &format!("`{until}` in a list: {error}")))
}

/// Why a client's certificate is not taken, where the lists are the reason.
pub(in crate::postgres) fn reason(error: &std::io::Error) -> Option<&'static str> {
    let error = match error.get_ref()?.downcast_ref::<Error>()? {
        Error::InvalidCertificate(error) => error,
        Error::InvalidCertRevocationList(_) => {
            return Some("a revocation list in the name of an authority that leads to it is not its own");
        }
        _ => return None,
    };
    match error {
        CertificateError::Revoked => Some("its authority has revoked it"),
        CertificateError::UnknownRevocationStatus => Some("there is no revocation list of an authority that leads to it"),
        CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. } => {
            Some("the revocation list of an authority that leads to it is over")
        }
        _ => None,
    }
}
