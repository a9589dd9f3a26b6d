//! Countries, and how sets of them are written: codes, and groups by name.
//!
//! Promises: a [`Country`] is a code that ISO 3166-1 assigns; a reserved or invented one is refused, and so is a lower-case one.

use std::fmt;
use std::str::FromStr;

use crate::id::GroupId;
use crate::reading::{FromToml, text_of};

/// The codes that ISO 3166-1 alpha-2 assigns, 249 of them.
const CODES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
     CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD \
     GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM \
     KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA \
     NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ \
     SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU \
     WF WS YE YT ZA ZM ZW";

/// A country by its ISO 3166-1 alpha-2 code.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Country([u8; 2]);

/// Text that is no country's code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a country: two capital letters that ISO 3166-1 assigns, such as `NO`{}", .0.escape_debug(), hint(.0))]
pub struct UnknownCountry(String);

fn hint(text: &str) -> &'static str {
    match text {
        "UK" => "; the United Kingdom is `GB`",
        "EL" => "; Greece is `GR`",
        "EU" => "; the Union is no country: the group is `@EU`",
        "EEA" => "; the group is `@EEA`",
        _ => "",
    }
}

impl Country {
    /// The code.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("only ASCII letters get in")
    }

    /// Every country there is a code for.
    pub fn all() -> impl Iterator<Item = Self> {
        CODES.split_ascii_whitespace().map(|code| Self([code.as_bytes()[0], code.as_bytes()[1]]))
    }
}

impl FromStr for Country {
    type Err = UnknownCountry;

    fn from_str(text: &str) -> Result<Self, UnknownCountry> {
        let [a, b] = *text.as_bytes() else { return Err(UnknownCountry(text.chars().take(80).collect())) };
        Self::all().find(|country| country.0 == [a, b]).ok_or_else(|| UnknownCountry(text.to_owned()))
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<Country> for String {
    fn from(country: Country) -> String {
        country.as_str().to_owned()
    }
}

impl TryFrom<String> for Country {
    type Error = UnknownCountry;

    fn try_from(text: String) -> Result<Self, UnknownCountry> {
        text.parse()
    }
}

impl FromToml for Country {
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        text_of(value)?.parse().map_err(|e: UnknownCountry| e.to_string())
    }
}

/// One word of a set of countries: `FR`, `@EEA`, `@ADEQUATE`, `@any`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Territory {
    /// One country.
    One(Country),
    /// The members of a group of the registry.
    Group(GroupId),
    /// The countries about which an adequacy decision without a list of organisations is in force.
    Adequate,
    /// All of them.
    Any,
}

impl FromStr for Territory {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix('@') {
            Some("any") => Ok(Self::Any),
            Some("ADEQUATE") => Ok(Self::Adequate),
            Some(group) => group.parse().map(Self::Group).map_err(|e: crate::id::InvalidId| e.to_string()),
            None => text.parse().map(Self::One).map_err(|e: UnknownCountry| e.to_string()),
        }
    }
}

impl fmt::Display for Territory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(country) => country.fmt(f),
            Self::Group(group) => write!(f, "@{group}"),
            Self::Adequate => f.write_str("@ADEQUATE"),
            Self::Any => f.write_str("@any"),
        }
    }
}

impl FromToml for Territory {
    fn from_toml(value: &toml::Value) -> Result<Self, String> {
        text_of(value)?.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_assigned_codes_are_countries_and_the_refusal_helps() {
        assert_eq!(Country::all().count(), 249);
        assert_eq!("NO".parse::<Country>().unwrap().to_string(), "NO");
        for wrong in ["XX", "no", "EU", "", "NOR", "ÅA", "Å"] {
            assert!(wrong.parse::<Country>().is_err(), "{wrong}");
        }
        insta::assert_snapshot!("UK".parse::<Country>().unwrap_err(), @"`UK` is not a country: two capital letters that ISO 3166-1 assigns, such as `NO`; the United Kingdom is `GB`");
    }
}
