//! Reads of a revocation list (RFC 5280, 5.1) until when it may be believed.
//!
//! Promises: any bytes are read or malformed. Refuses to judge: whether a list is genuine, and what is on it, is TLS's to say.

use crate::der::{self, Der, GENERALIZED_TIME, INTEGER, SEQUENCE, UTC_TIME};
use crate::frame::Malformed;

const TIME: &str = "a time of the list";

/// When the next list is to be out at the latest, as RFC 3339 writes it; `None` if the list does not say.
///
/// The digits are the list's: whether they are a day that there is, is for whoever reads the text.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn next_update(der: &[u8]) -> Result<Option<String>, Malformed> {
    let mut outer = Der(der);
    let mut list = Der(outer.take(SEQUENCE, "the revocation list")?);
    outer.end("the revocation list")?;
    let mut signed = Der(list.take(SEQUENCE, "the list's signed part")?);
    signed.optional(INTEGER)?;
    signed.take(SEQUENCE, "the list's signature algorithm")?;
    signed.take(SEQUENCE, "the list's issuer")?;
    let (tag, this_update) = signed.next("the time of the list")?;
    der::time(tag, this_update, TIME)?;
    if signed.is_empty() {
        return Ok(None);
    }
    match signed.next("the time of the next list")? {
        (tag @ (UTC_TIME | GENERALIZED_TIME), digits) => der::time(tag, digits, TIME).map(Some),
        // It is what follows.
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, IsCa, KeyIdMethod, KeyPair, SerialNumber,
        date_time_ymd,
    };

    use super::*;

    fn list(next_year: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 2),
            next_update: date_time_ymd(next_year, 3, 4),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: Vec::new(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&issuer).unwrap().der().to_vec()
    }

    #[test]
    fn the_time_of_the_next_list_is_read_in_both_ways_of_writing_it() {
        assert_eq!(next_update(&list(2030)).unwrap().as_deref(), Some("2030-03-04T00:00:00Z"));
        assert_eq!(next_update(&list(2060)).unwrap().as_deref(), Some("2060-03-04T00:00:00Z"));
        assert_eq!(der::time(UTC_TIME, b"500102030405Z", TIME).unwrap(), "1950-01-02T03:04:05Z");
        for (tag, bad) in
            [(UTC_TIME, &b"5001020304Z"[..]), (UTC_TIME, b"500102030405+0100"), (GENERALIZED_TIME, b"20500102030405.5Z"), (UTC_TIME, b"")]
        {
            assert!(der::time(tag, bad, TIME).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_list_that_is_cut_off_or_goes_on_is_malformed() {
        let der = list(2030);
        for length in 0..der.len() {
            assert!(next_update(&der[..length]).is_err(), "{length}");
        }
        assert!(next_update(&[&der[..], b"\0"].concat()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_malformed(
            bytes in prop::collection::vec(any::<u8>(), 0..300), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        ) {
            let mut der = FIXED.clone();
            for (index, byte) in flips {
                der[index.index(FIXED.len())] = byte;
            }
            let _ = (next_update(&bytes), next_update(&der));
        }
    }

    static FIXED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| list(2030));
}
