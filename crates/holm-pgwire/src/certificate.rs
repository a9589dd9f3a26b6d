//! Reads of an X.509 certificate (RFC 5280) what a login needs, and what people ask of one: what it is signed with, which names it
//! carries, who issued it, and from when until when it is good.
//!
//! Promises: any bytes are read or malformed; lengths are checked before use. Refuses to judge: whether a certificate is
//! genuine is TLS's to say, before anybody believes a name in it.

use crate::der::{self, Der, INTEGER, OBJECT_IDENTIFIER, OCTET_STRING, SEQUENCE};
use crate::frame::Malformed;

const BOOLEAN: u8 = 0x01;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const TELETEX_STRING: u8 = 0x14;
const IA5_STRING: u8 = 0x16;
const SET: u8 = 0x31;
/// `[0] EXPLICIT Version`.
const VERSION: u8 = 0xa0;
/// `[1] IMPLICIT UniqueIdentifier`, the issuer's, and `[2]`, the subject's: version 2 had them.
const UNIQUE_IDENTIFIERS: [u8; 2] = [0x81, 0x82];
/// `[3] EXPLICIT Extensions`.
const EXTENSIONS: u8 = 0xa3;
/// `dNSName [2] IA5String` of a GeneralName.
const DNS_NAME: u8 = 0x82;

/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// What people know attributes of names by (RFC 4514, 3).
const KEYWORDS: [(&[u8], &str); 7] = [
    (COMMON_NAME, "CN"),
    (&[0x55, 0x04, 0x06], "C"),
    (&[0x55, 0x04, 0x07], "L"),
    (&[0x55, 0x04, 0x08], "ST"),
    (&[0x55, 0x04, 0x0a], "O"),
    (&[0x55, 0x04, 0x0b], "OU"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 0x01, 0x19], "DC"),
];
/// `id-ce-subjectAltName`, 2.5.29.17.
const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 0x11];

/// What was read of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Certificate<'a> {
    /// The object identifier of the algorithm that it is signed with, as DER has it.
    pub signature_algorithm: &'a [u8],
    /// The attributes of who issued it.
    issuer: &'a [u8],
    /// Its two times, one after the other.
    validity: &'a [u8],
    /// The attributes of its subject.
    subject: &'a [u8],
    /// Its extensions, one after the other.
    extensions: &'a [u8],
}

/// Reads a certificate in DER.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn parse(der: &[u8]) -> Result<Certificate<'_>, Malformed> {
    let mut outer = Der(der);
    let mut certificate = Der(outer.take(SEQUENCE, "the certificate")?);
    outer.end("the certificate")?;
    let mut signed = Der(certificate.take(SEQUENCE, "the certificate's signed part")?);
    let mut algorithm = Der(certificate.take(SEQUENCE, "the certificate's signature algorithm")?);
    let signature_algorithm = algorithm.take(OBJECT_IDENTIFIER, "the certificate's signature algorithm")?;

    signed.optional(VERSION)?;
    signed.take(INTEGER, "the certificate's number")?;
    signed.take(SEQUENCE, "the certificate's signature algorithm")?;
    let issuer = signed.take(SEQUENCE, "the certificate's issuer")?;
    let validity = signed.take(SEQUENCE, "the certificate's validity")?;
    let subject = signed.take(SEQUENCE, "the certificate's subject")?;
    signed.take(SEQUENCE, "the certificate's key")?;
    for tag in UNIQUE_IDENTIFIERS {
        signed.optional(tag)?;
    }
    let extensions = match signed.optional(EXTENSIONS)? {
        Some(explicit) => Der(explicit).take(SEQUENCE, "the certificate's extensions")?,
        None => &[],
    };
    signed.end("the certificate's signed part")?;
    Ok(Certificate { signature_algorithm, issuer, validity, subject, extensions })
}

impl<'a> Certificate<'a> {
    /// The names that it gives its subject: the common names, and the DNS names among the alternative ones.
    ///
    /// # Errors
    /// [`Malformed`] with the field.
    pub fn names(&self) -> Result<Vec<&'a str>, Malformed> {
        let mut names = self.common_names()?;
        names.extend(self.dns_names()?);
        Ok(names)
    }

    /// Its subject, for people: `O=an orchestra, CN=holm`.
    ///
    /// # Errors
    /// [`Malformed`] with the field.
    pub fn subject(&self) -> Result<String, Malformed> {
        written(self.subject)
    }

    /// Who issued it, as [`Self::subject`].
    ///
    /// # Errors
    /// [`Malformed`] with the field.
    pub fn issuer(&self) -> Result<String, Malformed> {
        written(self.issuer)
    }

    /// From when and until when it is good, as RFC 3339 writes it. Whether these are days that there are, is for whoever reads them.
    ///
    /// # Errors
    /// [`Malformed`] with the field.
    pub fn validity(&self) -> Result<(String, String), Malformed> {
        const FIELD: &str = "a time of the certificate";
        let mut times = Der(self.validity);
        let mut next = || times.next(FIELD).and_then(|(tag, digits)| der::time(tag, digits, FIELD));
        let validity = (next()?, next()?);
        times.end(FIELD)?;
        Ok(validity)
    }

    fn common_names(&self) -> Result<Vec<&'a str>, Malformed> {
        let mut names = Vec::new();
        for Attribute { kind, tag, value } in attributes(self.subject)? {
            // Other string types have encodings of their own, and nobody issues them today: such a name is none.
            if kind == COMMON_NAME && [UTF8_STRING, PRINTABLE_STRING, IA5_STRING].contains(&tag) {
                names.push(text(value)?);
            }
        }
        Ok(names)
    }

    fn dns_names(&self) -> Result<Vec<&'a str>, Malformed> {
        let (mut names, mut extensions) = (Vec::new(), Der(self.extensions));
        while !extensions.is_empty() {
            let mut extension = Der(extensions.take(SEQUENCE, "an extension of the certificate")?);
            let kind = extension.take(OBJECT_IDENTIFIER, "an extension of the certificate")?;
            extension.optional(BOOLEAN)?;
            let value = extension.take(OCTET_STRING, "an extension of the certificate")?;
            if kind == SUBJECT_ALT_NAME {
                let mut general = Der(Der(value).take(SEQUENCE, "the certificate's alternative names")?);
                while !general.is_empty() {
                    if let (DNS_NAME, name) = general.next("the certificate's alternative names")? {
                        names.push(text(name)?);
                    }
                }
            }
        }
        Ok(names)
    }
}

/// A part of a name.
struct Attribute<'a> {
    kind: &'a [u8],
    tag: u8,
    value: &'a [u8],
}

fn attributes(name: &[u8]) -> Result<Vec<Attribute<'_>>, Malformed> {
    let (mut found, mut name) = (Vec::new(), Der(name));
    while !name.is_empty() {
        let mut set = Der(name.take(SET, "a part of a name in the certificate")?);
        while !set.is_empty() {
            let mut attribute = Der(set.take(SEQUENCE, "an attribute of a name in the certificate")?);
            let kind = attribute.take(OBJECT_IDENTIFIER, "an attribute of a name in the certificate")?;
            let (tag, value) = attribute.next("an attribute of a name in the certificate")?;
            found.push(Attribute { kind, tag, value });
        }
    }
    Ok(found)
}

/// A name for people, in the order in which it stands; nothing in it ends a line or moves a cursor.
fn written(name: &[u8]) -> Result<String, Malformed> {
    let mut written = String::new();
    for Attribute { kind, tag, value } in attributes(name)? {
        if !written.is_empty() {
            written.push_str(", ");
        }
        match KEYWORDS.iter().find(|(known, _)| *known == kind) {
            Some((_, keyword)) => written.push_str(keyword),
            None => written.push_str(&hex(kind)),
        }
        written.push('=');
        match tag {
            UTF8_STRING | PRINTABLE_STRING | IA5_STRING | TELETEX_STRING => {
                for c in String::from_utf8_lossy(value).chars() {
                    if c == ',' || c == '\\' {
                        written.push('\\');
                        written.push(c);
                    } else if c.is_control() {
                        written.extend(c.escape_default());
                    } else {
                        written.push(c);
                    }
                }
            }
            _ => written.push_str(&hex(value)),
        }
    }
    Ok(written)
}

/// As RFC 4514 writes what it has no word for.
fn hex(bytes: &[u8]) -> String {
    std::iter::once("#".to_owned()).chain(bytes.iter().map(|byte| format!("{byte:02x}"))).collect()
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed::Field("a name in the certificate"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(common_names: &[&str], others: &[&str]) -> Vec<u8> {
        let mut params = CertificateParams::new(others.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::OrganizationName, "an orchestra");
        common_names.iter().for_each(|name| params.distinguished_name.push(DnType::CommonName, *name));
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn names_are_the_common_name_and_the_dns_names_and_no_other() {
        let der = certificate(&["web-rw"], &["a.example", "192.0.2.1", "b.example"]);
        assert_eq!(parse(&der).unwrap().names().unwrap(), ["web-rw", "a.example", "b.example"]);
        let der = certificate(&[], &[]);
        assert_eq!(parse(&der).unwrap().names().unwrap(), [""; 0]);
        let der = certificate(&["göteborg"], &[]);
        assert_eq!(parse(&der).unwrap().names().unwrap(), ["göteborg"]);
    }

    #[test]
    fn who_it_is_for_and_until_when_is_told_as_people_write_it_and_moves_no_cursor() {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CountryName, "SE");
        params.distinguished_name.push(DnType::OrganizationName, "an orchestra, inc\u{1b}[2J");
        params.distinguished_name.push(DnType::CommonName, "göteborg");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 2), date_time_ymd(2050, 3, 4));
        let der = params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec();
        let read = parse(&der).unwrap();
        assert_eq!(read.subject().unwrap(), "C=SE, O=an orchestra\\, inc\\u{1b}[2J, CN=göteborg");
        assert_eq!(read.issuer().unwrap(), read.subject().unwrap());
        assert_eq!(read.validity().unwrap(), ("2020-01-02T00:00:00Z".to_owned(), "2050-03-04T00:00:00Z".to_owned()));
        let nameless = certificate(&[], &[]);
        assert_eq!(parse(&nameless).unwrap().subject().unwrap(), "O=an orchestra");
    }

    #[test]
    fn a_certificate_that_is_cut_off_or_goes_on_is_malformed() {
        let der = certificate(&["web-rw"], &["a.example"]);
        for length in 0..der.len() {
            assert!(parse(&der[..length]).is_err(), "{length}");
        }
        assert!(parse(&[&der[..], b"\0"].concat()).is_err());
        // Lengths that are too long, have no end or have too many bytes; a tag that goes on.
        for bad in [&b"\x30\x84\0\0\0\0"[..], b"\x30\x80\0\0", b"\x30\x83\xff\xff\xff", b"\x3f\x30\0", b"\x30"] {
            assert!(parse(bad).is_err(), "{bad:?}");
        }
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
            for der in [&bytes, &der] {
                if let Ok(certificate) = parse(der) {
                    let _ = (certificate.names(), certificate.subject(), certificate.issuer(), certificate.validity());
                }
            }
        }
    }

    static FIXED: std::sync::LazyLock<Vec<u8>> = std::sync::LazyLock::new(|| certificate(&["web-rw"], &["a.example"]));
}
