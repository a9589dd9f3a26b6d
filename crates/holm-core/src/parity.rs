//! What differs between the servers of two environments that could make something work in one and fail in the other (R20).
//!
//! Promises: every difference has an identity of a closed vocabulary; two environments compare alike whichever is named first, and
//! one that is known whole does not differ from itself. What is not known is equal to nothing, itself included, and is never called a
//! difference either: what is called one stays one, whatever the unknown turns out to be. Refuses to look: that is the engine's.

pub mod parameter;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use crate::cluster::ClusterName;
use crate::environment::EnvironmentName;

/// What a difference can come to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// What works in one may fail, or mean something else, in the other.
    MayBreak,
    /// It works in both, and may take longer, cost more or look otherwise.
    MayDiffer,
}

impl Severity {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MayBreak => "may_break",
            Self::MayDiffer => "may_differ",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal, $severity:ident, $why:literal;)*) => {
        /// What is compared. Those whose word ends in a slash have one of each name: `extension.available/postgis`.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Kind {
            $($(#[$doc])* $name,)*
        }

        impl Kind {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word, as identities begin.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity),* }
            }

            const fn why(self) -> &'static str {
                match self { $(Self::$name => $why),* }
            }
        }
    };
}

kinds! {
    /// A server that did not answer, or an environment that has none.
    ServerSeen = "server.seen/", MayBreak, "nothing is known of what nobody could look at";
    /// 15 or 16.
    PostgresqlMajor = "postgresql.major", MayBreak, "statements, functions and catalogs of a newer major version are not in an older one";
    /// 15.14 or 15.15.
    PostgresqlMinor = "postgresql.minor", MayDiffer, "a mistake that a minor version mends is still in the one before";
    /// Whether new databases can be made there.
    ServerSuits = "server.suits", MayDiffer, "where Holm can make no databases, tenants are adopted one by one and not created";
    /// Whether the server offers TLS.
    ServerTls = "server.tls", MayDiffer, "one is spoken to in the clear, the other need not be";
    /// How Holm speaks to it.
    ServerSslmode = "server.sslmode", MayDiffer, "a certificate that ends or is exchanged stops the one that is verified, and not the other";
    /// How a role is let in.
    ServerAuthentication = "server.authentication", MayBreak, "stored keys answer to SCRAM-SHA-256 and to nothing else";
    /// Of new databases, or of the one that was adopted.
    DatabaseEncoding = "database.encoding", MayBreak, "a character that one can store the other cannot";
    /// Likewise.
    DatabaseCollation = "database.collation", MayBreak, "text sorts and compares otherwise, in results, in ranges and in unique indexes";
    /// Likewise.
    DatabaseCtype = "database.ctype", MayBreak, "upper, lower and classes of characters in patterns are not the same";
    /// `libc`, `icu` or `builtin`.
    DatabaseLocaleProvider = "database.locale-provider", MayBreak, "text sorts by another library's rules";
    /// The library's version.
    DatabaseLocaleVersion = "database.locale-version", MayDiffer, "another version of the library may sort some text otherwise";
    /// Of what new databases are made.
    DatabaseMigrations = "database.migrations", MayBreak, "a new tenant's database is made of other schema migrations";
    /// Whether it can be created at all.
    ExtensionAvailable = "extension.available/", MayBreak, "`CREATE EXTENSION` fails where it is not there";
    /// Whether a role that is no superuser may create it.
    ExtensionTrusted = "extension.trusted/", MayBreak, "a migration runs as the tenant's own role, which may create only what is trusted";
    /// Which version is created.
    ExtensionVersion = "extension.version/", MayBreak, "functions of a newer version are not in an older one";
    /// A server parameter, of [`parameter::ALL`]; what it comes to is said there for each.
    Parameter = "parameter/", MayBreak, "";
}

impl Kind {
    /// Whether there is one of each name.
    pub fn is_named(self) -> bool {
        self.as_str().ends_with('/')
    }

    /// What a server has where nothing was said of it, though it was looked at: an extension that is not listed is not there, and
    /// one that is not there has no version.
    fn unsaid(self) -> Value {
        match self {
            Self::ExtensionAvailable => Value::known("no"),
            Self::ExtensionTrusted | Self::ExtensionVersion | Self::ServerSeen => Value::Nothing,
            _ => Value::Unknown("it was not looked for".to_owned()),
        }
    }
}

/// An extension's name is a file's; none comes near it.
const NAME_LENGTH_MAX: usize = 100;

/// The identity of a difference: `postgresql.major`, `parameter/TimeZone`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct DifferenceId {
    kind: Kind,
    name: Box<str>,
}

/// Text that is no identity of a difference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not the id of a difference, such as `postgresql.major`, `extension.available/postgis` or `parameter/TimeZone`", .0.escape_debug())]
pub struct InvalidDifference(String);

impl DifferenceId {
    /// The one of a kind that has no names.
    ///
    /// # Panics
    /// The kind has one of each name.
    pub fn of(kind: Kind) -> Self {
        assert!(!kind.is_named(), "{kind:?} is of something");
        Self { kind, name: "".into() }
    }

    /// The one of an extension, a parameter or a cluster.
    ///
    /// # Errors
    /// [`InvalidDifference`]: no such name can be told, or is compared.
    pub fn named(kind: Kind, name: &str) -> Result<Self, InvalidDifference> {
        let invalid = || InvalidDifference(format!("{}{}", kind.as_str(), name.chars().take(NAME_LENGTH_MAX).collect::<String>()));
        let fits = (1..=NAME_LENGTH_MAX).contains(&name.chars().count()) && !name.chars().any(|c| c.is_control() || c.is_whitespace());
        let listed = kind != Kind::Parameter || parameter::named(name).is_some();
        if kind.is_named() && fits && listed { Ok(Self { kind, name: name.into() }) } else { Err(invalid()) }
    }

    /// What it is a difference in.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// What it can come to.
    pub fn severity(&self) -> Severity {
        parameter::of(self).map_or(self.kind.severity(), |parameter| parameter.severity)
    }

    /// Why it matters.
    pub fn why(&self) -> &'static str {
        parameter::of(self).map_or(self.kind.why(), |parameter| parameter.why)
    }

    /// The name within its kind; empty where there are none.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for DifferenceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.kind.as_str(), self.name)
    }
}

impl FromStr for DifferenceId {
    type Err = InvalidDifference;

    fn from_str(text: &str) -> Result<Self, InvalidDifference> {
        let invalid = || InvalidDifference(text.chars().take(NAME_LENGTH_MAX).collect());
        let whole = || Kind::ALL.iter().find(|kind| !kind.is_named() && kind.as_str() == text);
        if let Some(kind) = whole() {
            return Ok(Self::of(*kind));
        }
        let named = Kind::ALL.iter().filter(|kind| kind.is_named());
        let (kind, name) = named.filter_map(|kind| Some((*kind, text.strip_prefix(kind.as_str())?))).next().ok_or_else(invalid)?;
        Self::named(kind, name).map_err(|_| invalid())
    }
}

/// What one server has.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Value {
    /// This.
    Known(String),
    /// Nobody can say, for this reason.
    Unknown(String),
    /// Nobody could look at the server, which is said once, of the server.
    Unseen,
    /// There is nothing to compare: an extension that is not there has no version.
    Nothing,
}

impl Value {
    /// Something that was seen.
    pub fn known(value: impl fmt::Display) -> Self {
        Self::Known(value.to_string())
    }
}

/// What was seen of one server.
pub type Seen = BTreeMap<DifferenceId, Value>;

/// One server of an environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Server {
    /// What it is called.
    pub cluster: ClusterName,
    /// What was seen of it, or why nobody could look.
    pub seen: Result<Seen, String>,
}

impl Server {
    fn value(&self, id: &DifferenceId) -> Value {
        match &self.seen {
            Ok(seen) => seen.get(id).cloned().unwrap_or_else(|| id.kind.unsaid()),
            Err(_) => Value::Unseen,
        }
    }
}

/// An environment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Side {
    /// Its name.
    pub environment: EnvironmentName,
    /// Its servers.
    pub servers: Vec<Server>,
}

/// What a comparison found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Outcome {
    /// One has what the other has not.
    Differs,
    /// Nobody can say whether it has.
    Unknown,
}

impl Outcome {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Differs => "differs",
            Self::Unknown => "unknown",
        }
    }
}

/// What each server of an environment has.
pub type Told = Vec<(ClusterName, Value)>;

/// A difference, or something of which nobody can say whether it is one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// In what.
    pub id: DifferenceId,
    /// Which of the two it is.
    pub outcome: Outcome,
    /// What the servers of the first environment have.
    pub here: Told,
    /// And those of the second.
    pub there: Told,
}

/// The values of one environment that a waiver is for: each once, in order; nothing is what nobody knew.
pub type Waived = Vec<Option<String>>;

impl Finding {
    /// Whether it can be waived: that nobody could look at a server is mended and not waived.
    pub fn can_be_waived(&self) -> bool {
        self.id.kind != Kind::ServerSeen
    }

    /// What a waiver of it is for, from then on: these values, on whichever servers, and no others.
    pub fn to_waive(&self) -> (Waived, Waived) {
        (values(&self.here), values(&self.there))
    }
}

fn values(told: &Told) -> Waived {
    let value = |value: &Value| match value {
        Value::Known(value) => Some(Some(value.clone())),
        Value::Unknown(_) => Some(None),
        Value::Unseen | Value::Nothing => None,
    };
    told.iter().filter_map(|(_, each)| value(each)).collect::<BTreeSet<_>>().into_iter().collect()
}

/// Everything in which two environments differ, or may; what can break first, then by identity.
pub fn compare(here: &Side, there: &Side) -> Vec<Finding> {
    let mut found: Vec<Finding> = unseen(here, there);
    let seen = |side: &Side| side.servers.iter().filter_map(|server| server.seen.clone().ok()).collect::<Vec<_>>();
    let ids: BTreeSet<DifferenceId> = seen(here).into_iter().chain(seen(there)).flat_map(BTreeMap::into_keys).collect();
    found.extend(ids.into_iter().filter_map(|id| finding(id, here, there)));
    let other_major = found.iter().any(|one| one.id.kind == Kind::PostgresqlMajor && one.outcome == Outcome::Differs);
    // Versions that differ in front of the point differ behind it.
    found.retain(|one| !(other_major && one.id.kind == Kind::PostgresqlMinor));
    found.sort_by(|one, other| (one.id.severity(), &one.id).cmp(&(other.id.severity(), &other.id)));
    found
}

/// Servers that nobody could look at, and environments without any.
fn unseen(here: &Side, there: &Side) -> Vec<Finding> {
    let of = |side: &Side| -> Vec<(String, Told)> {
        if side.servers.is_empty() {
            return vec![(side.environment.to_string(), Told::new())];
        }
        let silent = side.servers.iter().filter_map(|server| Some((server.cluster.clone(), server.seen.as_ref().err()?.clone())));
        silent.map(|(cluster, why)| (cluster.to_string(), vec![(cluster, Value::Unknown(why))])).collect()
    };
    let finding = |name: &str, here: Told, there: Told| {
        let id = DifferenceId::named(Kind::ServerSeen, name).expect("names of clusters and environments can be told");
        Finding { id, outcome: Outcome::Unknown, here, there }
    };
    let silent_here = of(here).into_iter().map(|(name, told)| finding(&name, told, Told::new()));
    silent_here.chain(of(there).into_iter().map(|(name, told)| finding(&name, Told::new(), told))).collect()
}

fn finding(id: DifferenceId, here: &Side, there: &Side) -> Option<Finding> {
    let told = |side: &Side| -> Told { side.servers.iter().map(|server| (server.cluster.clone(), server.value(&id))).collect() };
    let (on_this, on_that) = (told(here), told(there));
    let outcome = judge(&on_this, &on_that)?;
    let is_asked = |told: &Told| told.iter().any(|(_, value)| matches!(value, Value::Unknown(_)));
    let said = outcome == Outcome::Differs || is_asked(&on_this) || is_asked(&on_that);
    said.then_some(Finding { id, outcome, here: on_this, there: on_that })
}

/// A difference is what one has and the other surely has not; without any, what is unknown may be one.
fn judge(here: &Told, there: &Told) -> Option<Outcome> {
    let known = |told: &'_ Told| -> BTreeSet<String> {
        let value = |(_, value): &(ClusterName, Value)| if let Value::Known(value) = value { Some(value.clone()) } else { None };
        told.iter().filter_map(value).collect()
    };
    let nothing = |told: &Told| told.iter().all(|(_, value)| *value == Value::Nothing);
    if nothing(here) || nothing(there) {
        return None;
    }
    let unknown = |told: &Told| told.iter().any(|(_, value)| matches!(value, Value::Unknown(_) | Value::Unseen));
    let (known_here, known_there) = (known(here), known(there));
    let lacks = |one: &BTreeSet<String>, other: &BTreeSet<String>, whole: bool| whole && !one.is_subset(other);
    match () {
        () if lacks(&known_here, &known_there, !unknown(there)) => Some(Outcome::Differs),
        () if lacks(&known_there, &known_here, !unknown(here)) => Some(Outcome::Differs),
        () if unknown(here) || unknown(there) => Some(Outcome::Unknown),
        () => None,
    }
}

/// What a report comes to, when what is waived is left out.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Verdict {
    /// Something that works in one may break in the other.
    MayBreak,
    /// Nobody can say whether something does.
    Unknown,
    /// Nothing that is known to matter.
    Clear,
}

impl Verdict {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MayBreak => "may_break",
            Self::Unknown => "unknown",
            Self::Clear => "clear",
        }
    }

    /// What findings come to that nobody waived.
    pub fn of<'a>(unwaived: impl IntoIterator<Item = &'a Finding>) -> Self {
        let mut verdict = Self::Clear;
        for finding in unwaived.into_iter().filter(|finding| finding.id.severity() == Severity::MayBreak) {
            match finding.outcome {
                Outcome::Differs => return Self::MayBreak,
                Outcome::Unknown => verdict = Self::Unknown,
            }
        }
        verdict
    }
}
