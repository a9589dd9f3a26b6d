//! Where a database and a bucket can lie, asked before there is either: which sellers of both a profile allows, and how near each
//! other they are (R103).
//!
//! Promises: nothing is answered that the evaluator would not allow once what the answer says is needed is there; what is refused,
//! or cannot be said, is told with its rule and its facts; the same question has the same answer, in one order. A place is judged
//! for itself, and not for every pair that it could be in. Refuses to choose, and to take for granted what somebody must sign,
//! assess or except: that is in [`Need`], beside what it is needed for.

mod near;
mod needs;
mod side;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use holm_core::environment::EnvironmentKind;
use jiff::Timestamp;

use crate::copy::{CopyRole, Isolation, KeyHolder, ServiceKind};
use crate::country::Country;
use crate::evaluate::verdict::{Outcome, RuleId, Verdict};
use crate::evaluate::{Assessment, BackupBy, Paper, Placement, judge};
use crate::fact::FactId;
use crate::id::{EntityId, InvalidId, PaperId, Place, PlanId, ProviderId};
use crate::nearest::nearest;
use crate::profile::Profile;
use crate::registry::Registry;
use crate::registry::provider::Availability;
use crate::word::words;

use self::side::Side;

words! {
    /// How near each other a database and a bucket are; nearest first.
    Near, "a nearness" {
        /// In one region of one provider.
        SameRegion = "same_region",
        /// In two regions that stand in the same halls.
        Colocated = "colocated",
        /// In one country.
        SameCountry = "same_country",
        /// Where the profile allows it, and no nearer than that as far as is known.
        Elsewhere = "elsewhere",
    }
}

words! {
    /// What of the two something is about.
    Kept, "what is kept" {
        /// The database, with the backups that its provider makes.
        Database = "database",
        /// The bucket.
        Bucket = "bucket",
    }
}

/// A provider, or one region of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Within {
    /// Any region of that provider.
    Provider(ProviderId),
    /// That region.
    Region(Place),
}

/// Which pairs that are no nearer than elsewhere are told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Far {
    /// Those of databases that have nothing nearer; others are counted.
    WhereNothingIsNearer,
    /// All of them.
    All,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Ask {
    /// For an environment of which kind.
    pub environment: EnvironmentKind,
    /// How far tenants are kept apart.
    pub isolation: Isolation,
    /// Where the database must be, if that is said.
    pub database: Option<Within>,
    /// Where the bucket must be, if that is said.
    pub bucket: Option<Within>,
    /// Where the database's provider puts its backups: by its own rule, or where it was told.
    pub backup: BackupBy,
    /// Who holds the keys of the bucket.
    pub bucket_keys: KeyHolder,
    /// On which plans one is, of the providers of which that is said.
    pub plans: BTreeMap<ProviderId, PlanId>,
    /// What is signed already.
    pub papers: Vec<Paper>,
    /// What is assessed already.
    pub assessments: Vec<Assessment>,
    /// Which pairs are told.
    pub far: Far,
}

/// What must be there before an answer is allowed, and is not.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, serde::Serialize)]
#[serde(tag = "need", rename_all = "snake_case")]
pub enum Need {
    /// One of these plans of a provider, for one of the two.
    Plan {
        /// For which.
        kept: Kept,
        /// Whose.
        provider: ProviderId,
        /// Any of them will do.
        any_of: Vec<PlanId>,
    },
    /// The provider's consent: the region is not sold to everybody, or not in its final form.
    Consent {
        /// Which region.
        place: Place,
        /// What is said of it.
        availability: Availability,
    },
    /// A contract or clause on file.
    Paper {
        /// What.
        paper: PaperId,
        /// With whom.
        with: EntityId,
    },
    /// An assessment of transfers on file.
    Assessment {
        /// To where.
        country: Country,
    },
    /// An exception from the rule that keeps copies in the country of the database: a documented other region.
    DocumentedOtherRegion {
        /// The rule.
        rule: RuleId,
        /// For which copy.
        copy: CopyRole,
    },
}

/// A place that one of the two can have.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Candidate {
    /// Where.
    pub place: Place,
    /// The countries of it, if they are known.
    pub countries: Option<Vec<Country>>,
    /// What is needed for it.
    pub needs: Vec<Need>,
    /// When that must be asked again at the latest.
    pub valid_until: Option<Timestamp>,
}

/// A place for each.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Pair {
    /// How near they are.
    pub near: Near,
    /// Where the database would be.
    pub database: Place,
    /// Where the bucket would be.
    pub bucket: Place,
    /// What is needed for both, and for their being together.
    pub needs: Vec<Need>,
    /// When that must be asked again at the latest.
    pub valid_until: Option<Timestamp>,
}

/// Something that speaks against a place.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Against {
    /// Of which copy there.
    pub copy: CopyRole,
    /// The rule of the profile; none, if it is about what is sold there.
    pub rule: Option<RuleId>,
    /// Deny or unknown.
    pub outcome: Outcome,
    /// Why.
    pub because: String,
    /// The facts that it rests on, and those that are missing.
    pub facts: Vec<FactId>,
}

/// A place that cannot be had, or of which nobody can say it.
#[derive(Clone, PartialEq, Eq, Debug, serde::Serialize)]
pub struct Refused {
    /// For what.
    pub kept: Kept,
    /// Where.
    pub place: Place,
    /// The worst of what speaks against it.
    pub outcome: Outcome,
    /// All that does.
    pub against: Vec<Against>,
}

/// The answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Nearest first, then by where the database is and where the bucket is.
    pub pairs: Vec<Pair>,
    /// How many were left out, since their database has something nearer.
    pub left_out: usize,
    /// Every place that a database can have, by place.
    pub databases: Vec<Candidate>,
    /// Every place that a bucket can have, by place.
    pub buckets: Vec<Candidate>,
    /// What speaks against the others that sell one or the other, or may: what cannot be said first, then by place.
    pub refused: Vec<Refused>,
    /// How many copies were judged for it.
    pub judged: usize,
}

/// A place that nobody knows.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the registry knows no {what} `{text}`{}", nearest.as_ref().map(|near| format!("; did you mean `{near}`?")).unwrap_or_default())]
pub struct Unheard {
    what: &'static str,
    text: String,
    nearest: Option<String>,
}

impl std::str::FromStr for Within {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text.contains('/') { text.parse().map(Self::Region) } else { text.parse().map(Self::Provider) }
    }
}

impl Within {
    /// Whether there is such a place.
    ///
    /// # Errors
    /// There is none, with the nearest that there is.
    pub fn is_known(&self, registry: &Registry) -> Result<(), Unheard> {
        match self {
            Self::Provider(id) if registry.provider(id).is_none() => {
                let nearest = nearest(id.as_str(), registry.providers().map(|provider| provider.id.as_str())).map(str::to_owned);
                Err(Unheard { what: "provider", text: id.to_string(), nearest })
            }
            Self::Region(place) if registry.region(place).is_none() => {
                let (text, known) = (place.to_string(), registry.places().map(|place| place.to_string()).collect::<Vec<_>>());
                let nearest = nearest(&text, known.iter().map(String::as_str)).map(str::to_owned);
                Err(Unheard { what: "region", text, nearest })
            }
            _ => Ok(()),
        }
    }

    fn has(&self, place: &Place) -> bool {
        match self {
            Self::Provider(id) => *id == place.provider,
            Self::Region(region) => region == place,
        }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plan { kept, provider, any_of } => {
                let plans: Vec<&str> = any_of.iter().map(PlanId::as_str).collect();
                write!(f, "plan {} of {provider} for the {kept}", plans.join(" or "))
            }
            Self::Consent { place, availability } => write!(f, "{place}, which is {availability}"),
            Self::Paper { paper, with } => write!(f, "{paper} with {with}"),
            Self::Assessment { country } => write!(f, "assessment of {country}"),
            Self::DocumentedOtherRegion { rule, copy } => write!(f, "exception from {rule} for the {copy} (documented_other_region)"),
        }
    }
}

/// What every place is judged with.
struct Bench<'a> {
    registry: &'a Registry,
    profile: &'a Profile,
    ask: &'a Ask,
    now: Timestamp,
    judged: Cell<usize>,
}

impl Bench<'_> {
    fn judge(&self, placement: &Placement) -> Verdict {
        self.judged.set(self.judged.get() + 1);
        judge(self.registry, self.profile, placement, &[], self.now)
    }

    /// Whether the profile holds buckets to the country of the database.
    fn keeps_together(&self) -> bool {
        self.profile.location.same_country_for.contains(&CopyRole::Bucket)
    }
}

/// Looks for places.
pub fn places(registry: &Registry, profile: &Profile, ask: &Ask, now: Timestamp) -> Answer {
    let bench = Bench { registry, profile, ask, now, judged: Cell::new(0) };
    let mut refused = Vec::new();
    let databases = sides(&bench, Kept::Database, &mut refused);
    let buckets = sides(&bench, Kept::Bucket, &mut refused);
    let (mut pairs, mut left_out) = (Vec::new(), 0);
    for database in &databases {
        let mut near: Vec<(Near, &Side)> = buckets.iter().map(|bucket| (near::near(&bench, database, bucket), bucket)).collect();
        let nearest = near.iter().map(|(near, _)| *near).min();
        if ask.far == Far::WhereNothingIsNearer && nearest.is_some_and(|nearest| nearest != Near::Elsewhere) {
            let all = near.len();
            near.retain(|(near, _)| *near != Near::Elsewhere);
            left_out += all - near.len();
        }
        pairs.extend(near.into_iter().filter_map(|(near, bucket)| pair(&bench, near, database, bucket)));
    }
    pairs.sort_by(|a, b| (a.near, &a.database, &a.bucket).cmp(&(b.near, &b.database, &b.bucket)));
    refused.sort_by(|a: &Refused, b| (a.kept, a.outcome, &a.place).cmp(&(b.kept, b.outcome, &b.place)));
    let candidates = |sides: Vec<Side>| sides.into_iter().map(|side| side.candidate(&bench)).collect();
    let (databases, buckets) = (candidates(databases), candidates(buckets));
    Answer { pairs, left_out, databases, buckets, refused, judged: bench.judged.get() }
}

/// The places that sell one of the two and are allowed, by place; what speaks against the others.
fn sides(bench: &Bench<'_>, kept: Kept, refused: &mut Vec<Refused>) -> Vec<Side> {
    let within = match kept {
        Kept::Database => &bench.ask.database,
        Kept::Bucket => &bench.ask.bucket,
    };
    let mut sides = Vec::new();
    for place in bench.registry.places().filter(|place| within.as_ref().is_none_or(|within| within.has(place))) {
        match side::at(bench, kept, &place) {
            side::Found::Side(side) => sides.push(side),
            side::Found::Against(against) => {
                let outcome = against.iter().map(|one| one.outcome).max().unwrap_or(Outcome::Unknown);
                refused.push(Refused { kept, place, outcome, against });
            }
            side::Found::NotSold => {}
        }
    }
    sides
}

/// Both together, if that is allowed: a bucket depends on where the database is only by the rule that keeps it in its country.
fn pair(bench: &Bench<'_>, near: Near, database: &Side, bucket: &Side) -> Option<Pair> {
    let mut needs: BTreeSet<Need> = database.needs.union(&bucket.needs).cloned().collect();
    let mut valid_until = [database.valid_until, bucket.valid_until].into_iter().flatten().min();
    if bench.keeps_together() {
        for placement in &bucket.placements {
            let verdict = bench.judge(&Placement { primary: Some(database.place.clone()), ..placement.clone() });
            if verdict.objections().any(|finding| finding.rule != RuleId::LocationSameCountry) {
                return None;
            }
            if !verdict.allows() {
                needs.insert(Need::DocumentedOtherRegion { rule: RuleId::LocationSameCountry, copy: placement.role });
            }
            valid_until = valid_until.into_iter().chain(verdict.valid_until).min();
        }
    }
    let (database, bucket) = (database.place.clone(), bucket.place.clone());
    Some(Pair { near, database, bucket, needs: needs.into_iter().collect(), valid_until })
}

impl Kept {
    /// The service that is bought for it.
    const fn service(self) -> ServiceKind {
        match self {
            Self::Database => ServiceKind::Postgres,
            Self::Bucket => ServiceKind::Object,
        }
    }
}

#[cfg(test)]
mod tests;
