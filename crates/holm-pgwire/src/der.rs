//! Reads elements in DER (X.690): each read checks the length first and names the field it failed in.

use crate::frame::Malformed;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const GENERALIZED_TIME: u8 = 0x18;

/// Elements in DER, one after the other.
pub(crate) struct Der<'a>(pub(crate) &'a [u8]);

impl<'a> Der<'a> {
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next element: its tag, and what it contains.
    pub(crate) fn next(&mut self, field: &'static str) -> Result<(u8, &'a [u8]), Malformed> {
        let malformed = Malformed::Field(field);
        let (&tag, rest) = self.0.split_first().ok_or(malformed)?;
        // 31 in the low bits means that the tag goes on in the next byte; nothing in a certificate or a list of them has such a one.
        if tag & 0x1f == 0x1f {
            return Err(malformed);
        }
        let (&first, rest) = rest.split_first().ok_or(malformed)?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            // As many bytes of length as the low bits say; TLS has no certificate of 2^24 bytes or more.
            0x81..=0x83 => {
                let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f)).ok_or(malformed)?;
                (length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
            }
            _ => return Err(malformed),
        };
        let (contents, rest) = rest.split_at_checked(length).ok_or(malformed)?;
        self.0 = rest;
        Ok((tag, contents))
    }

    /// What the next element contains, which must have that tag.
    pub(crate) fn take(&mut self, tag: u8, field: &'static str) -> Result<&'a [u8], Malformed> {
        match self.next(field)? {
            (found, contents) if found == tag => Ok(contents),
            _ => Err(Malformed::Field(field)),
        }
    }

    /// What the next element contains, if it has that tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<&'a [u8]>, Malformed> {
        if self.0.first() == Some(&tag) { self.take(tag, "an optional part").map(Some) } else { Ok(None) }
    }

    pub(crate) const fn end(&self, field: &'static str) -> Result<(), Malformed> {
        if self.is_empty() { Ok(()) } else { Err(Malformed::Trailing(field)) }
    }
}

/// A time as RFC 3339 writes it. RFC 5280, 4.1.2.5 and 5.1.2.4: seconds are there, no fraction of them, and the zone is Z.
///
/// The digits are those that were found: whether they are a day that there is, is for whoever reads the text.
pub(crate) fn time(tag: u8, text: &[u8], field: &'static str) -> Result<String, Malformed> {
    let malformed = Malformed::Field(field);
    let text = std::str::from_utf8(text).map_err(|_| malformed)?;
    let digits = text.strip_suffix('Z').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit())).ok_or(malformed)?;
    let (year, rest) = match (tag, digits.len()) {
        // Two digits: from 1950 to 2049.
        (UTC_TIME, 12) => {
            let (year, rest) = digits.split_at(2);
            (format!("{}{year}", if year < "50" { "20" } else { "19" }), rest)
        }
        (GENERALIZED_TIME, 14) => (digits[..4].to_owned(), &digits[4..]),
        _ => return Err(malformed),
    };
    let [month, day, hour, minute, second] = [0, 2, 4, 6, 8].map(|at| &rest[at..at + 2]);
    Ok(format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z"))
}
