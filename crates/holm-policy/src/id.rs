//! The names by which facts and rules speak of things: providers, regions, entities, profiles.
//!
//! Promises: an id stands in a fact's id, a file name and a sentence without escaping; ids of two kinds are never mixed up.

use std::sync::Arc;

/// No name in the registry needs more; what does is a mistake.
const ID_LENGTH_MAX: usize = 64;

/// Text that cannot be an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not {kind}: 1 to 64 of `a` to `z`, `A` to `Z`, `0` to `9`, `-`, `_`{}", text.escape_debug(), if *slash { " and `/`" } else { "" })]
pub struct InvalidId {
    /// What it should have been, with its article.
    pub kind: &'static str,
    /// The text as given, cut to 80 characters.
    pub text: String,
    slash: bool,
}

fn checked(kind: &'static str, slash: bool, text: &str) -> Result<Arc<str>, InvalidId> {
    let fits = (1..=ID_LENGTH_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_') || (slash && b == b'/'));
    if fits { Ok(text.into()) } else { Err(InvalidId { kind, text: text.chars().take(80).collect(), slash }) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident, $kind:literal, $slash:literal;)+) => { $(
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(into = "String", try_from = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str { &self.0 }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> { checked($kind, $slash, text).map(Self) }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { f.write_str(&self.0) }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String { (*id.0).to_owned() }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> { text.parse() }
        }

        impl $crate::reading::FromToml for $name {
            fn from_toml(value: &toml::Value) -> Result<Self, String> {
                $crate::reading::text_of(value)?.parse().map_err(|e: InvalidId| e.to_string())
            }
        }
    )+ };
}

ids! {
    /// A provider of the registry: `scalingo`.
    ProviderId, "a provider's id", false;
    /// A provider's own name of a region, which may say nothing about a country: `osc-fr1`, `europe-1`, `de/fra`.
    RegionId, "a region's id", true;
    /// A provider's plan: `starter`.
    PlanId, "a plan's id", false;
    /// A company or another body that law can reach: `scalingo-sas`.
    EntityId, "an entity's id", false;
    /// A law that can order somebody to hand over data: `us_fisa_702`.
    LawId, "a law's id", false;
    /// A set of countries that has a name: `EEA`.
    GroupId, "a group's id", false;
    /// A profile: `eea-jurisdiction`.
    ProfileId, "a profile's id", false;
    /// One copy of one tenant's data, as the catalog knows it.
    CopyId, "a copy's id", false;
    /// A contract or certificate that a profile may ask for by name: `hds_contract`.
    PaperId, "a paper's id", false;
    /// A certification scheme: `iso27001`, `secnumcloud-iaas`.
    SchemeId, "a certification scheme", false;
}

/// A region of a provider, written `scalingo/osc-fr1`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Place {
    /// Whose region it is.
    pub provider: ProviderId,
    /// Which of them.
    pub region: RegionId,
}

impl std::str::FromStr for Place {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (provider, region) = text.split_once('/').ok_or_else(|| InvalidId {
            kind: "a place, which is written `provider/region`",
            text: text.chars().take(80).collect(),
            slash: true,
        })?;
        Ok(Self { provider: provider.parse()?, region: region.parse()? })
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.provider, self.region)
    }
}

impl From<Place> for String {
    fn from(place: Place) -> String {
        place.to_string()
    }
}

impl TryFrom<String> for Place {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl crate::reading::FromToml for Place {
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        crate::reading::text_of(value)?.parse().map_err(|e: InvalidId| e.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_provider_and_a_region_that_may_have_a_slash() {
        let place: Place = "ionos/de/fra".parse().unwrap();
        assert_eq!((place.provider.as_str(), place.region.as_str()), ("ionos", "de/fra"));
        assert!("scalingo".parse::<Place>().is_err());
        assert!("scal ingo/x".parse::<Place>().is_err());
        assert!("x".repeat(65).parse::<ProviderId>().is_err());
    }
}
