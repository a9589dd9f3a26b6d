//! The fields of ErrorResponse and NoticeResponse.
//!
//! Promises to read whatever a server sends: a field that is missing is absent, one that is cut ends where the body ends.
//! (PgBouncer crashed on an ErrorResponse without SQLSTATE: CVE-2026-6666.)

/// What an error says; every field may be missing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fields<'a> {
    /// `V`, not localised, or else `S`.
    pub severity: Option<&'a [u8]>,
    /// `C`, the SQLSTATE.
    pub code: Option<&'a [u8]>,
    /// `M`.
    pub message: Option<&'a [u8]>,
    /// `D`.
    pub detail: Option<&'a [u8]>,
    /// `H`.
    pub hint: Option<&'a [u8]>,
}

/// Reads the body of an ErrorResponse or a NoticeResponse; a field given twice counts as first given.
pub fn parse(body: &[u8]) -> Fields<'_> {
    let (mut fields, mut local) = (Fields::default(), None);
    for field in body.split(|&byte| byte == 0) {
        let Some((&kind, value)) = field.split_first() else { continue };
        let slot = match kind {
            b'V' => &mut fields.severity,
            b'S' => &mut local,
            b'C' => &mut fields.code,
            b'M' => &mut fields.message,
            b'D' => &mut fields.detail,
            b'H' => &mut fields.hint,
            _ => continue,
        };
        slot.get_or_insert(value);
    }
    fields.severity = fields.severity.or(local);
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_field_that_is_missing_is_absent() {
        let fields = parse(b"SFATAL\0Mgone\0\0");
        assert_eq!((fields.severity, fields.code, fields.message), (Some(&b"FATAL"[..]), None, Some(&b"gone"[..])));
        assert_eq!(parse(b""), Fields::default());
        assert_eq!(parse(b"C57P01").code, Some(&b"57P01"[..]));
    }

    proptest! {
        #[test]
        fn any_body_has_fields(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&body);
        }
    }
}
