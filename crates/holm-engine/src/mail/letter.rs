//! What a mail says: what happened, to what, how often, and what to do next.
//!
//! Promises: as long as its number of kinds and no longer, whatever a storm brings; ids and handles, no free text of anybody's.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use holm_core::audit::AuditAction;
use holm_core::audit::chain::Entry;
use jiff::Timestamp;

/// Of each kind; the rest is counted.
const SHOWN: usize = 10;

/// What needs a person, and what that person does.
const KINDS: &[(AuditAction, &str, &str)] = &[
    (AuditAction::OperationAlert, "an operation does not get through", "holm op list"),
    (AuditAction::BreakGlassOpen, "the glass was broken", "holm access break-glass list"),
    (AuditAction::ApprovalRequest, "an approval is waited for", "holm approval list"),
    (AuditAction::WebhookDie, "a webhook has missed something for good", "holm webhook list"),
];

/// A mail, while it grows.
#[derive(Debug, Default)]
pub(super) struct Letter {
    kinds: BTreeMap<usize, Kind>,
    conditions: Vec<String>,
    titles: Vec<String>,
    oldest: Option<Timestamp>,
}

#[derive(Debug, Default)]
struct Kind {
    count: usize,
    old: usize,
    lines: Vec<String>,
}

impl Letter {
    /// Adds an entry, if it is one that needs a person; an old one is only counted.
    pub(super) fn add(&mut self, entry: &Entry, old: bool) {
        let Some(index) = KINDS.iter().position(|(action, ..)| action.as_str() == entry.content.action) else { return };
        let kind = self.kinds.entry(index).or_default();
        kind.count += 1;
        self.oldest = Some(self.oldest.map_or(entry.at(), |oldest| oldest.min(entry.at())));
        if old {
            kind.old += 1;
        } else if kind.lines.len() < SHOWN {
            kind.lines.push(line(entry));
        }
    }

    /// Adds what is so now, and is no entry.
    pub(super) fn condition(&mut self, title: &str, text: &str, next: &str) {
        self.titles.push(title.to_owned());
        self.conditions.push(format!("{title}\n  {text}\n  Next: {next}\n"));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kinds.is_empty() && self.conditions.is_empty()
    }

    /// When the first of its entries was written.
    pub(super) const fn oldest(&self) -> Option<Timestamp> {
        self.oldest
    }

    /// One line.
    pub(super) fn subject(&self) -> String {
        let kinds = self.kinds.iter().map(|(index, kind)| match kind.count {
            1 => KINDS[*index].1.to_owned(),
            count => format!("{} ({count} times)", KINDS[*index].1),
        });
        let titles: Vec<String> = kinds.chain(self.titles.iter().cloned()).collect();
        format!("[Holm] {}", titles.join("; "))
    }

    /// Plain text.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (index, kind) in &self.kinds {
            let (action, title, next) = KINDS[*index];
            let _ = writeln!(text, "{title}: {}", kind.count);
            for line in &kind.lines {
                let _ = writeln!(text, "  {line}");
            }
            let more = kind.count - kind.old - kind.lines.len();
            if more > 0 || kind.old > 0 {
                let _ = writeln!(text, "  and {more} more, and {} from before: holm audit search --action {action}", kind.old);
            }
            let _ = writeln!(text, "  Next: {next}\n");
        }
        for condition in &self.conditions {
            let _ = writeln!(text, "{condition}");
        }
        text.push_str("-- \nThis was written by Holm. `holm audit search` shows everything, `holm doctor` how things are now.\n");
        text
    }
}

/// As `2026-11-21T16:00:00Z  brk_… in production, by anna`.
fn line(entry: &Entry) -> String {
    let content = &entry.content;
    let place = content.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    let line = format!("{}  {}{place}, by {}", entry.at(), content.subject_id, content.actor_name);
    // What was tampered with must not become headers or control a terminal.
    line.chars().filter(|char| !char.is_control()).take(200).collect()
}

#[cfg(test)]
mod tests {
    use holm_core::audit::Content;

    use super::*;

    fn entry(action: AuditAction) -> Entry {
        let content = Content {
            actor_kind: "principal".to_owned(),
            actor_id: None,
            actor_name: "anna".to_owned(),
            action: action.as_str().to_owned(),
            environment: Some("production".to_owned()),
            subject_kind: "break_glass".to_owned(),
            subject_id: "brk_1".to_owned(),
            reason: Some("something private".to_owned()),
            detail: "{}".to_owned(),
        };
        Entry { seq: 1, at_micros: 0, version: 1, content, previous_hash: [].into(), hash: [].into() }
    }

    #[test]
    fn a_storm_is_one_short_mail_with_a_count() {
        let mut letter = Letter::default();
        for _ in 0..1000 {
            letter.add(&entry(AuditAction::OperationAlert), false);
            letter.add(&entry(AuditAction::TenantCreate), false);
        }
        letter.add(&entry(AuditAction::BreakGlassOpen), false);
        assert_eq!(letter.subject(), "[Holm] an operation does not get through (1000 times); the glass was broken");
        let text = letter.text();
        assert!(text.contains("and 990 more") && text.contains("Next: holm access break-glass list"), "{text}");
        assert!(text.lines().count() < 30 && !text.contains("private"), "{text}");
    }

    #[test]
    fn what_needs_nobody_is_no_mail() {
        let mut letter = Letter::default();
        letter.add(&entry(AuditAction::TenantCreate), false);
        assert!(letter.is_empty());
        letter.condition("the audit log is broken", "entry 7 was edited", "see `holm audit verify`");
        assert_eq!(letter.subject(), "[Holm] the audit log is broken");
    }
}
