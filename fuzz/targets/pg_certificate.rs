//! A certificate that somebody showed, or a list of them: it is read or malformed, and what is read of it lies inside of it.

#![no_main]

use holm_pgwire::certificate;
use holm_pgwire::revocation;
use holm_pgwire::scram::end_point::EndPoint;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|der: &[u8]| {
    if let Ok(Some(time)) = revocation::next_update(der) {
        assert_eq!((time.len(), time.is_ascii()), ("2030-03-04T00:00:00Z".len(), true));
    }
    let Ok(certificate) = certificate::parse(der) else {
        assert_eq!(EndPoint::of_certificate(der), None);
        return;
    };
    assert!(der.windows(certificate.signature_algorithm.len().max(1)).any(|window| window.starts_with(certificate.signature_algorithm)));
    for name in certificate.names().unwrap_or_default() {
        assert!(der.windows(name.len().max(1)).any(|window| window.starts_with(name.as_bytes())));
    }
    // What people are shown ends no line and moves no cursor.
    for name in [certificate.subject(), certificate.issuer()].into_iter().flatten() {
        assert!(!name.chars().any(char::is_control));
    }
    if let Ok((from, until)) = certificate.validity() {
        assert!([from, until].iter().all(|time| (time.len(), time.is_ascii()) == ("2030-03-04T00:00:00Z".len(), true)));
    }
    let _ = EndPoint::of_certificate(der);
});
