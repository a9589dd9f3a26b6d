//! Closed vocabularies: an enum whose values are words in text.
//!
//! Promises: what is written is read back as itself, and a word that does not exist is refused with the nearest that does.

/// A word that is not one of its vocabulary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {kind}; accepted: {accepted}{}", text.escape_debug(), nearest.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default())]
pub struct UnknownWord {
    /// What the vocabulary is of, with its article.
    pub kind: &'static str,
    /// The text as given, cut to 80 characters.
    pub text: String,
    /// The words that would be accepted.
    pub accepted: String,
    /// The nearest of them.
    pub nearest: Option<&'static str>,
}

impl UnknownWord {
    pub(crate) fn new(kind: &'static str, text: &str, words: &[&'static str]) -> Self {
        Self {
            kind,
            text: text.chars().take(80).collect(),
            accepted: words.join(", "),
            nearest: crate::nearest::nearest(text, words.iter().copied()),
        }
    }
}

/// Declares an enum of words: `ALL`, `as_str`, `FromStr`, `Display`, serde as text, and how a registry reads it.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($(#[$word_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub enum $name { $($(#[$word_doc])* $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word that is written.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::word::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    _ => Err($crate::word::UnknownWord::new($kind, text, &[$($word),+])),
                }
            }
        }

        impl From<$name> for String {
            fn from(word: $name) -> String { word.as_str().to_owned() }
        }

        impl TryFrom<String> for $name {
            type Error = $crate::word::UnknownWord;

            fn try_from(text: String) -> Result<Self, Self::Error> { text.parse() }
        }

        impl $crate::reading::FromToml for $name {
            fn from_toml(value: &toml::Value) -> Result<Self, String> {
                $crate::reading::text_of(value)?.parse().map_err(|e: $crate::word::UnknownWord| e.to_string())
            }
        }
    };
}
pub(crate) use words;
