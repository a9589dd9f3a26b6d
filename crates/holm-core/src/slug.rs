//! What people type: tenant slugs, and how a name becomes one.
//!
//! Promises: a [`TenantSlug`] is one DNS label in lower-case ASCII, not reserved, and can stand in a host name, a URL, a
//! file name and (upper-cased) an environment variable without escaping. Refuses to guess: text that is not a slug is an
//! error that carries the nearest slug, never silently changed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// RFC 1035, section 2.3.4: a label is at most 63 octets.
pub const SLUG_LENGTH_MAX: usize = 63;

/// Names that mean something else on a host, in PostgreSQL or in Holm; a tenant called so could be mistaken for it.
/// `admin` is seed C's main database (R73, R77): nothing may ever fall back to it.
pub const RESERVED: &[&str] = &[
    "admin",
    "administrator",
    "api",
    "app",
    "auth",
    "catalog",
    "console",
    "default",
    "development",
    "dev",
    "ci",
    "holm",
    "localhost",
    "mail",
    "mcp",
    "metrics",
    "none",
    "null",
    "pgbouncer",
    "postgres",
    "production",
    "proxy",
    "public",
    "root",
    "staging",
    "static",
    "status",
    "system",
    "template0",
    "template1",
    "undefined",
    "www",
];

/// A tenant's name in one environment: one DNS label, unique there, renameable.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct TenantSlug(Box<str>);

/// Why text is not a slug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlugRefusal {
    /// Nothing was given.
    Empty,
    /// More than [`SLUG_LENGTH_MAX`] bytes.
    TooLong,
    /// Something other than `a` to `z`, `0` to `9` and `-`.
    Character(char),
    /// A hyphen at either end, which no host name may have.
    HyphenAtEnd,
    /// Two hyphens in the third and fourth place, which IDNA keeps for encoded labels (RFC 5891, section 4.2.3.1).
    EncodedLabel,
    /// Only digits, which a resolver may read as a part of an address.
    OnlyDigits,
    /// One of [`RESERVED`].
    Reserved,
}

/// Text that is not a slug, why, and what would have been one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a tenant slug: {refusal}", text.escape_debug())]
pub struct InvalidSlug {
    /// The text as given, cut to 80 characters.
    pub text: String,
    /// Why it is refused.
    pub refusal: SlugRefusal,
    /// The nearest slug, where there is one.
    pub suggestion: Option<TenantSlug>,
}

impl fmt::Display for SlugRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => write!(f, "it is empty"),
            Self::TooLong => write!(f, "it is longer than {SLUG_LENGTH_MAX} characters"),
            Self::Character(c) => write!(f, "`{}` is not one of `a` to `z`, `0` to `9` and `-`", c.escape_debug()),
            Self::HyphenAtEnd => write!(f, "it begins or ends with `-`"),
            Self::EncodedLabel => write!(f, "`--` in the third place is kept for encoded host names"),
            Self::OnlyDigits => write!(f, "it has only digits, which reads as an address"),
            Self::Reserved => write!(f, "it is a reserved name"),
        }
    }
}

impl TenantSlug {
    /// The slug as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The variable that holds this tenant's database URL in an app written before Holm (R73): `DATABASE_URL_GOTEBORG`.
    /// Two slugs never share one, since a slug has no `_`.
    pub fn env_variable(&self) -> String {
        format!("DATABASE_URL_{}", self.0.to_ascii_uppercase().replace('-', "_"))
    }

    /// The nearest slug to a name in a Nordic or Western European language: `Göteborg` gives `goteborg`.
    pub fn nearest(name: &str) -> Option<Self> {
        if refusal(name).is_none() {
            return Some(Self(name.into()));
        }
        let mut folded = String::with_capacity(name.len());
        for c in name.chars() {
            match fold(c) {
                Some(part) => folded.push_str(part),
                None if c.is_ascii_alphanumeric() => folded.push(c.to_ascii_lowercase()),
                None if folded.ends_with('-') || folded.is_empty() => {}
                None => folded.push('-'),
            }
        }
        folded.truncate(SLUG_LENGTH_MAX);
        let label = folded.trim_matches('-');
        refusal(label).is_none().then(|| Self(label.into()))
    }
}

/// ASCII for letters that people in the seeds' countries type; both cases, one table.
fn fold(c: char) -> Option<&'static str> {
    Some(match c {
        'å' | 'ä' | 'á' | 'à' | 'â' | 'ã' | 'Å' | 'Ä' | 'Á' | 'À' | 'Â' | 'Ã' => "a",
        'æ' | 'Æ' => "ae",
        'ç' | 'Ç' => "c",
        'é' | 'è' | 'ê' | 'ë' | 'É' | 'È' | 'Ê' | 'Ë' => "e",
        'í' | 'ì' | 'î' | 'ï' | 'Í' | 'Ì' | 'Î' | 'Ï' => "i",
        'ñ' | 'Ñ' => "n",
        'ö' | 'ø' | 'ó' | 'ò' | 'ô' | 'õ' | 'Ö' | 'Ø' | 'Ó' | 'Ò' | 'Ô' | 'Õ' => "o",
        'ß' => "ss",
        'ü' | 'ú' | 'ù' | 'û' | 'Ü' | 'Ú' | 'Ù' | 'Û' => "u",
        'ý' | 'ÿ' | 'Ý' => "y",
        'þ' | 'Þ' => "th",
        'ð' | 'Ð' => "d",
        _ => return None,
    })
}

/// The checks in the order a person would make them.
fn refusal(text: &str) -> Option<SlugRefusal> {
    if text.is_empty() {
        return Some(SlugRefusal::Empty);
    }
    if let Some(c) = text.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-')) {
        return Some(SlugRefusal::Character(c));
    }
    if text.len() > SLUG_LENGTH_MAX {
        return Some(SlugRefusal::TooLong);
    }
    if text.starts_with('-') || text.ends_with('-') {
        return Some(SlugRefusal::HyphenAtEnd);
    }
    if text.get(2..4) == Some("--") {
        return Some(SlugRefusal::EncodedLabel);
    }
    if text.bytes().all(|b| b.is_ascii_digit()) {
        return Some(SlugRefusal::OnlyDigits);
    }
    RESERVED.contains(&text).then_some(SlugRefusal::Reserved)
}

impl FromStr for TenantSlug {
    type Err = InvalidSlug;

    fn from_str(text: &str) -> Result<Self, InvalidSlug> {
        match refusal(text) {
            None => Ok(Self(text.into())),
            Some(refusal) => Err(InvalidSlug { text: text.chars().take(80).collect(), refusal, suggestion: Self::nearest(text) }),
        }
    }
}

impl fmt::Display for TenantSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TenantSlug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<TenantSlug> for String {
    fn from(slug: TenantSlug) -> String {
        slug.0.into()
    }
}

impl TryFrom<String> for TenantSlug {
    type Error = InvalidSlug;

    fn try_from(text: String) -> Result<Self, InvalidSlug> {
        text.parse()
    }
}

/// Names that would share one environment variable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{first}` and `{second}` both become `{variable}`")]
pub struct VariableCollision {
    /// The name that had the variable first.
    pub first: String,
    /// The name that would have it too.
    pub second: String,
    /// The variable.
    pub variable: String,
}

/// Seed C's rule from any display name to its variable (R73): folded to ASCII, upper-case, everything else `_`.
///
/// # Errors
/// Two names that come to the same variable, or a name of which nothing is left.
pub fn env_variables<'a>(names: impl IntoIterator<Item = &'a str>) -> Result<Vec<(String, &'a str)>, VariableCollision> {
    let mut taken: Vec<(String, &str)> = Vec::new();
    for name in names {
        let folded: String = name
            .chars()
            .map(|c| match fold(c) {
                Some(part) => part.to_ascii_uppercase(),
                None if c.is_ascii_alphanumeric() => c.to_ascii_uppercase().to_string(),
                None => "_".to_owned(),
            })
            .collect();
        let variable = format!("DATABASE_URL_{folded}");
        if let Some((_, first)) = taken.iter().find(|(v, _)| *v == variable) {
            return Err(VariableCollision { first: (*first).to_owned(), second: name.to_owned(), variable });
        }
        taken.push((variable, name));
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<(), SlugRefusal>) {
        assert_eq!(text.parse::<TenantSlug>().map(|_| ()).map_err(|e| e.refusal), expected, "{text:?}");
    }

    #[test]
    fn a_slug_is_one_dns_label_and_the_refusal_says_why() {
        check("goteborg", Ok(()));
        check("a", Ok(()));
        check("stage-2", Ok(()));
        check(&"a".repeat(63), Ok(()));
        check(&"a".repeat(64), Err(SlugRefusal::TooLong));
        check("", Err(SlugRefusal::Empty));
        check("Göteborg", Err(SlugRefusal::Character('G')));
        check("göteborg", Err(SlugRefusal::Character('ö')));
        check("gote borg", Err(SlugRefusal::Character(' ')));
        check("x'; DROP DATABASE y; --", Err(SlugRefusal::Character('\'')));
        check("a.b", Err(SlugRefusal::Character('.')));
        check("a\0", Err(SlugRefusal::Character('\0')));
        check("-a", Err(SlugRefusal::HyphenAtEnd));
        check("a-", Err(SlugRefusal::HyphenAtEnd));
        check("xn--gteborg-90a", Err(SlugRefusal::EncodedLabel));
        check("2026", Err(SlugRefusal::OnlyDigits));
        for reserved in RESERVED {
            check(reserved, Err(SlugRefusal::Reserved));
        }
    }

    #[test]
    fn a_name_that_is_not_a_slug_is_answered_with_the_nearest_one() {
        let nearest = |name: &str| TenantSlug::nearest(name).map(String::from);
        assert_eq!(nearest("Göteborg").as_deref(), Some("goteborg"));
        assert_eq!(nearest("Malmö Symfoniorkester!").as_deref(), Some("malmo-symfoniorkester"));
        assert_eq!(nearest("Ærø & Þór").as_deref(), Some("aero-thor"));
        assert_eq!(nearest("ADMIN"), None);
        assert_eq!(nearest("日本"), None);
        assert_eq!("Göteborg".parse::<TenantSlug>().unwrap_err().suggestion.map(String::from).as_deref(), Some("goteborg"));
    }

    #[test]
    fn r73_every_orchestra_of_the_seed_gets_its_variable() {
        let variable = |slug: &str| slug.parse::<TenantSlug>().unwrap().env_variable();
        assert_eq!(variable("goteborg"), "DATABASE_URL_GOTEBORG");
        assert_eq!(variable("malmo"), "DATABASE_URL_MALMO");
        assert_eq!(variable("stockholm"), "DATABASE_URL_STOCKHOLM");
        assert_eq!(variable("norra-skane"), "DATABASE_URL_NORRA_SKANE");
        let named = env_variables(["Göteborg", "Malmö"]).unwrap();
        assert_eq!(named[0].0, "DATABASE_URL_GOTEBORG");
        assert_eq!(named[1].0, "DATABASE_URL_MALMO");
    }

    #[test]
    fn r73_two_names_for_one_variable_are_an_error_and_not_a_coin_toss() {
        let clash = env_variables(["Göteborg", "Stockholm", "GOTEBORG"]).unwrap_err();
        assert_eq!(
            (clash.first.as_str(), clash.second.as_str(), clash.variable.as_str()),
            ("Göteborg", "GOTEBORG", "DATABASE_URL_GOTEBORG")
        );
    }

    proptest! {
        #[test]
        fn every_slug_stays_itself_and_needs_no_escaping(text in "[a-z0-9-]{1,70}") {
            if let Ok(slug) = text.parse::<TenantSlug>() {
                prop_assert_eq!(slug.as_str(), &text);
                prop_assert_eq!(TenantSlug::nearest(&text), Some(slug.clone()));
                prop_assert!(slug.env_variable().bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_'));
            }
        }

        #[test]
        fn any_text_is_a_slug_or_is_refused_with_a_suggestion_that_is_one(text in "\\PC{0,100}") {
            if let Err(invalid) = text.parse::<TenantSlug>()
                && let Some(suggestion) = invalid.suggestion
            {
                prop_assert!(suggestion.as_str().parse::<TenantSlug>().is_ok());
            }
        }
    }
}
