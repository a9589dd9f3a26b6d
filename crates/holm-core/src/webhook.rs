//! Webhooks: what one is called, and which actions of the audit log it hears of.
//!
//! Promises: a filter is a list of actions (`tenant.create`), of nouns (`tenant.*`) or `*`; one that could never hear of
//! anything is refused when it is made. What is told and how it is signed is not decided here.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::audit::AuditAction;

/// A webhook's name in a command line: a DNS label's length is more than anybody types.
const NAME_LENGTH_MAX: usize = 63;

/// More filters than there are nouns say nothing that `*` does not.
const PATTERNS_MAX: usize = 64;

/// What a webhook is called, chosen once.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct WebhookName(Box<str>);

/// Text that cannot be a webhook's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a webhook's name: 1 to {NAME_LENGTH_MAX} of `a` to `z`, `0` to `9` and `-`, beginning with a letter", .0.escape_debug())]
pub struct InvalidWebhookName(String);

impl WebhookName {
    /// The name as text.
    pub const fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebhookName {
    type Err = InvalidWebhookName;

    fn from_str(text: &str) -> Result<Self, InvalidWebhookName> {
        let fits = (1..=NAME_LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && text.bytes().next().is_some_and(|first| first.is_ascii_lowercase());
        if fits { Ok(Self(text.into())) } else { Err(InvalidWebhookName(text.chars().take(80).collect())) }
    }
}

impl fmt::Display for WebhookName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<WebhookName> for String {
    fn from(name: WebhookName) -> Self {
        name.0.into()
    }
}

impl TryFrom<String> for WebhookName {
    type Error = InvalidWebhookName;

    fn try_from(text: String) -> Result<Self, InvalidWebhookName> {
        text.parse()
    }
}

/// Which actions a webhook hears of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Patterns(Vec<String>);

/// A filter that would never hear of anything, or too many of them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPatterns {
    /// None, or more than anybody means.
    #[error("give 1 to {PATTERNS_MAX} actions, or `*` for all")]
    Count,
    /// No action fits it.
    #[error("`{}` is neither an action of the audit log such as `tenant.create`, nor a noun such as `tenant.*`, nor `*`", .0.escape_debug())]
    Nothing(String),
}

impl Patterns {
    /// Reads what somebody typed.
    ///
    /// # Errors
    /// [`InvalidPatterns`].
    pub fn new(texts: impl IntoIterator<Item = String>) -> Result<Self, InvalidPatterns> {
        let texts: Vec<String> = texts.into_iter().collect();
        if !(1..=PATTERNS_MAX).contains(&texts.len()) {
            return Err(InvalidPatterns::Count);
        }
        match texts.iter().find(|text| !AuditAction::ALL.iter().any(|action| fits(text, action.as_str()))) {
            Some(nothing) => Err(InvalidPatterns::Nothing(nothing.chars().take(80).collect())),
            None => Ok(Self(texts)),
        }
    }

    /// As the catalog keeps them: a newer Holm may have stored an action that this one does not know.
    pub const fn stored(texts: Vec<String>) -> Self {
        Self(texts)
    }

    /// As they were typed.
    pub fn as_slice(&self) -> &[String] {
        &self.0
    }

    /// Whether an action is one of them.
    pub fn hear(&self, action: &str) -> bool {
        self.0.iter().any(|pattern| fits(pattern, action))
    }
}

fn fits(pattern: &str, action: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some("") => true,
        Some(noun) => noun.ends_with('.') && action.starts_with(noun),
        None => pattern == action,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Result<Patterns, InvalidPatterns> {
        Patterns::new(texts.iter().map(|text| (*text).to_owned()))
    }

    #[test]
    fn a_filter_hears_of_its_actions_and_of_no_other() {
        let cases = [("*", "tenant.create", true), ("tenant.*", "tenant.create", true), ("tenant.create", "tenant.create", true)];
        let none = [("tenant.*", "token.issue", false), ("tenant.create", "tenant.delete", false)];
        for (pattern, action, heard) in cases.into_iter().chain(none) {
            assert_eq!(patterns(&[pattern]).unwrap().hear(action), heard, "{pattern} {action}");
        }
    }

    #[test]
    fn a_filter_that_could_never_hear_of_anything_is_refused() {
        for bad in ["", "tenant", "tenant*", "ten.*", "tenant.fly", "*.create", "TENANT.CREATE"] {
            assert!(patterns(&[bad]).is_err(), "{bad}");
        }
        assert_eq!(patterns(&[]), Err(InvalidPatterns::Count));
        assert_eq!(patterns(&["*"; 65]), Err(InvalidPatterns::Count));
    }

    #[test]
    fn a_name_is_plain() {
        for (text, good) in [("ci", true), ("a-1", true), ("", false), ("1a", false), ("A", false), ("a b", false), ("a/b", false)] {
            assert_eq!(text.parse::<WebhookName>().is_ok(), good, "{text}");
        }
    }
}
