//! What a server reports of its settings, for a client that meets another server next time.
//!
//! Promises: a client's statements run under the settings that it was last told; where the server that it gets differs, one
//! message of ours in front of the client's own makes it the same. Only what servers report (ParameterStatus) is followed;
//! what they do not report is seen by `effects`, if at all.

use std::sync::Arc;

/// Reported, and not to be set by a session, or not without meaning something else.
const FIXED: [&[u8]; 6] =
    [b"server_version", b"server_encoding", b"integer_datetimes", b"is_superuser", b"session_authorization", b"in_hot_standby"];

/// As whom a session acts. A client cannot be made somebody else on the next server.
const ACTING: [&[u8]; 2] = [b"session_authorization", b"is_superuser"];

type Setting = (Box<[u8]>, Box<[u8]>);

/// Names and values; cheap to share and to compare when shared.
#[derive(Debug, Clone, Default)]
pub(in crate::postgres) struct Settings(Arc<Vec<Setting>>);

impl Settings {
    pub(super) fn get(&self, name: &[u8]) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }

    /// Whether the server says when this setting changes. PostgreSQL compares the names of settings without case.
    pub(in crate::postgres) fn reports(&self, name: &[u8]) -> bool {
        self.0.iter().any(|(known, _)| known.eq_ignore_ascii_case(name))
    }

    /// Whether this setting goes with its client from server to server.
    pub(super) fn carries(&self, name: &[u8]) -> bool {
        self.reports(name) && !FIXED.iter().any(|fixed| fixed.eq_ignore_ascii_case(name))
    }

    /// Whether a session with these acts as one with `others`.
    pub(super) fn acts_as(&self, others: &Self) -> bool {
        Arc::ptr_eq(&self.0, &others.0) || ACTING.iter().all(|name| self.get(name) == others.get(name))
    }

    /// Notes a report.
    pub(super) fn set(&mut self, name: &[u8], value: &[u8]) {
        if self.get(name) == Some(value) {
            return;
        }
        let all = Arc::make_mut(&mut self.0);
        match all.iter_mut().find(|(known, _)| **known == *name) {
            Some((_, known)) => *known = value.into(),
            None => all.push((name.into(), value.into())),
        }
    }

    /// Notes the body of a ParameterStatus.
    pub(in crate::postgres) fn note(&mut self, body: &[u8]) {
        let mut texts = body.split(|byte| *byte == 0);
        if let (Some(name), Some(value)) = (texts.next(), texts.next()) {
            self.set(name, value);
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Shares what is the same, so that it need not be compared again.
    pub(super) fn share(&mut self, with: &Self) {
        if !Arc::ptr_eq(&self.0, &with.0) && self.0 == with.0 {
            self.0 = Arc::clone(&with.0);
        }
    }

    /// The query that makes a server with `there` report `self`; `None` if it does so already.
    pub(super) fn difference(&self, there: &Self) -> Option<Vec<u8>> {
        if Arc::ptr_eq(&self.0, &there.0) {
            return None;
        }
        let mut query = Vec::new();
        for (name, value) in self.iter().filter(|(name, value)| !FIXED.contains(name) && there.get(name) != Some(value)) {
            // `set_config` takes a value as it is reported, lists included, where `SET` would read it as one item.
            query.extend_from_slice(if query.is_empty() { b"SELECT " } else { b", " });
            query.extend_from_slice(b"pg_catalog.set_config(");
            literal(&mut query, name);
            query.push(b',');
            literal(&mut query, value);
            query.extend_from_slice(b",false)");
        }
        (!query.is_empty()).then_some(query)
    }
}

/// A string that means the same whatever `standard_conforming_strings` says.
fn literal(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(b"E'");
    for &byte in text.iter().filter(|byte| **byte != 0) {
        if matches!(byte, b'\'' | b'\\') {
            out.push(byte);
        }
        out.push(byte);
    }
    out.push(b'\'');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> Settings {
        let mut settings = Settings::default();
        pairs.iter().for_each(|(name, value)| settings.set(name.as_bytes(), value.as_bytes()));
        settings
    }

    #[test]
    fn only_what_differs_and_can_be_set_is_set_and_nothing_escapes_its_quotes() {
        let there = settings(&[("server_version", "15.1"), ("TimeZone", "UTC"), ("application_name", "a")]);
        let wanted = settings(&[("server_version", "16.1"), ("TimeZone", "UTC"), ("application_name", r"b'\; DROP")]);
        assert_eq!(wanted.difference(&there).unwrap(), br"SELECT pg_catalog.set_config(E'application_name',E'b''\\; DROP',false)");
        assert_eq!(there.difference(&there), None);
        assert_eq!(settings(&[("TimeZone", "UTC")]).difference(&there), None);
    }

    #[test]
    fn a_report_of_the_same_value_shares_what_is_there() {
        let mut one = settings(&[("TimeZone", "UTC")]);
        let other = one.clone();
        one.set(b"TimeZone", b"UTC");
        assert!(Arc::ptr_eq(&one.0, &other.0));
        let mut alike = settings(&[("TimeZone", "UTC")]);
        alike.share(&one);
        assert!(Arc::ptr_eq(&alike.0, &one.0));
        one.set(b"TimeZone", b"Europe/Stockholm");
        alike.share(&one);
        assert_eq!(alike.get(b"TimeZone"), Some(&b"UTC"[..]), "what differs is left");
        assert_eq!((one.get(b"TimeZone"), other.get(b"TimeZone")), (Some(&b"Europe/Stockholm"[..]), Some(&b"UTC"[..])));
    }
}
