//! Numbers about many tenants that tell of none (R98, R104): what they are wanted for, and what of them may be told.
//!
//! Promises: no group of fewer tenants than were asked for is told, and no sum of which one tenant has more than four fifths; what one
//! answer tells cannot be added and subtracted into either. The order of the tenants makes no difference. What is withheld says why.
//! Refuses the least, the greatest and the middle of a group, which are one tenant's. It sees one answer: what two of them tell
//! together (another day, another grouping) is for whoever reads the audit log, where each stands with its purpose.

mod hidden;

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::Serialize;

use crate::audit::Reason;

/// What somebody wants the numbers for, in their words. It is kept in the audit log as the reason, for ever.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Purpose(Box<str>);

/// A sentence; shorter than a [`Reason`], which it becomes.
pub const PURPOSE_LENGTH_MAX: usize = 200;

/// Text that says no purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a purpose must have 1 to {PURPOSE_LENGTH_MAX} characters on one line, such as `capacity for 2027`")]
pub struct InvalidPurpose;

impl Purpose {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As the audit log keeps it.
    pub fn reason(&self) -> Reason {
        self.0.parse().expect("it is on one line, and shorter than a reason may be")
    }
}

impl FromStr for Purpose {
    type Err = InvalidPurpose;

    fn from_str(text: &str) -> Result<Self, InvalidPurpose> {
        let text = text.trim();
        let fits = (1..=PURPOSE_LENGTH_MAX).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if fits { Ok(Self(text.into())) } else { Err(InvalidPurpose) }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How many tenants a group has at the least, to be told.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct AtLeast(u16);

/// Of two, either knows the other's part by subtracting their own.
pub const AT_LEAST_MIN: u16 = 3;

/// More protects nobody any better, and leaves nothing to tell.
pub const AT_LEAST_MAX: u16 = 1000;

/// A number that is no least size of a group.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be the least number of tenants of a group: accepted are {AT_LEAST_MIN} to {AT_LEAST_MAX}")]
pub struct InvalidAtLeast(u32);

impl AtLeast {
    /// The number.
    pub const fn get(self) -> u16 {
        self.0
    }

    fn is_met_by(self, tenants: usize) -> bool {
        tenants >= usize::from(self.0)
    }
}

impl Default for AtLeast {
    fn default() -> Self {
        Self(5)
    }
}

impl TryFrom<u32> for AtLeast {
    type Error = InvalidAtLeast;

    fn try_from(number: u32) -> Result<Self, InvalidAtLeast> {
        let fits = u16::try_from(number).ok().filter(|number| (AT_LEAST_MIN..=AT_LEAST_MAX).contains(number));
        fits.map(Self).ok_or(InvalidAtLeast(number))
    }
}

/// By what tenants are put together.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum By {
    /// Where their database is.
    Cluster,
    /// Where that cluster is said to be.
    Region,
    /// By which profile their copies are judged.
    Profile,
}

/// A word by which nothing is put together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a grouping: one of `cluster`, `region`, `profile`", .0.escape_debug())]
pub struct InvalidBy(String);

impl By {
    /// Every one.
    pub const ALL: [Self; 3] = [Self::Cluster, Self::Region, Self::Profile];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "cluster",
            Self::Region => "region",
            Self::Profile => "profile",
        }
    }
}

impl FromStr for By {
    type Err = InvalidBy;

    fn from_str(text: &str) -> Result<Self, InvalidBy> {
        Self::ALL.into_iter().find(|by| by.as_str() == text).ok_or_else(|| InvalidBy(text.chars().take(40).collect()))
    }
}

/// What is counted of a tenant's database.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Measure {
    /// What it takes on disk, in bytes.
    Size,
    /// Transactions that were committed.
    Transactions,
    /// Rows that were read, by scans of tables and of indexes.
    RowsReturned,
    /// Rows that were inserted, updated or deleted.
    RowsWritten,
    /// Bytes of queries that did not fit into memory.
    TempBytes,
}

impl Measure {
    /// Every one, in the order of [`Numbers`].
    pub const ALL: [Self; 5] = [Self::Size, Self::Transactions, Self::RowsReturned, Self::RowsWritten, Self::TempBytes];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Size => "size_bytes",
            Self::Transactions => "transactions",
            Self::RowsReturned => "rows_returned",
            Self::RowsWritten => "rows_written",
            Self::TempBytes => "temp_bytes",
        }
    }
}

/// The numbers of one tenant, in the order of [`Measure::ALL`].
pub type Numbers = [u64; Measure::ALL.len()];

/// What a group is called; nothing where nobody said.
pub type GroupName = Option<String>;

/// One tenant, without its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Counted {
    /// Where it belongs.
    pub group: GroupName,
    /// What was counted.
    pub numbers: Numbers,
}

/// Why a number is not told.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Withheld {
    /// There are fewer tenants than a group must have.
    TooFew,
    /// One tenant has more than four fifths of it.
    Dominated,
    /// With it, one of those could be computed.
    WouldTell,
}

impl Withheld {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFew => "too_few",
            Self::Dominated => "dominated",
            Self::WouldTell => "would_tell",
        }
    }

    /// A sentence for people.
    pub fn because(self, at_least: AtLeast) -> String {
        match self {
            Self::TooFew => format!("fewer than {} tenants", at_least.get()),
            Self::Dominated => "one tenant has more than 80 % of it".to_owned(),
            Self::WouldTell => "what is withheld of another group could be computed from it".to_owned(),
        }
    }
}

/// What is told of one measure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Figure {
    /// These.
    Told {
        /// Of all tenants of the group.
        sum: u64,
        /// That, through their number.
        mean: u64,
    },
    /// Nothing, for this reason.
    Withheld(Withheld),
}

/// What is told of some tenants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// How many they are.
    pub tenants: usize,
    /// Of each of [`Measure::ALL`], in that order.
    pub figures: [Figure; Measure::ALL.len()],
}

/// A group with enough tenants.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Group {
    /// What it is called.
    pub name: GroupName,
    /// What is told of it.
    pub told: Told,
}

/// Why groups are among the others.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Folded {
    /// Each has fewer tenants than a group must have.
    TooFew,
    /// So they have, but for one: without it, the others together would have fewer too.
    WithTheSmallest,
}

impl Folded {
    /// A sentence for people.
    pub fn because(self, at_least: AtLeast) -> String {
        let few = format!("fewer than {} tenants", at_least.get());
        match self {
            Self::TooFew => format!("each has {few}"),
            Self::WithTheSmallest => format!("they have {few}, and together with the smallest of the other groups enough"),
        }
    }
}

/// Groups that are not told by themselves, as one. What they are called is not told either.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Others {
    /// How many groups they are.
    pub groups: usize,
    /// Why they are here.
    pub folded: Folded,
    /// What is told of them together.
    pub told: Told,
}

/// What may be told.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Statistics {
    /// How many tenants a group has at the least.
    pub at_least: AtLeast,
    /// Of all that were counted.
    pub total: Told,
    /// Of groups, by name.
    pub groups: Vec<Group>,
    /// Of those that are not among them.
    pub others: Option<Others>,
}

/// What is added up of one measure, of some tenants.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// 2^64 tenants of 2^64 bytes fit.
    sum: u128,
    greatest: u64,
}

impl Tally {
    const fn and(self, other: Self) -> Self {
        let greatest = if self.greatest > other.greatest { self.greatest } else { other.greatest };
        Self { sum: self.sum + other.sum, greatest }
    }

    /// Whether one tenant has more than four fifths.
    fn is_dominated(self) -> bool {
        u128::from(self.greatest) * 5 > self.sum * 4
    }

    fn told(self, tenants: usize) -> Figure {
        let tenants = u128::try_from(tenants).expect("fewer than 2^128").max(1);
        let shown = |number: u128| u64::try_from(number).unwrap_or(u64::MAX);
        Figure::Told { sum: shown(self.sum), mean: shown((self.sum + tenants / 2) / tenants) }
    }
}

/// What is added up of some tenants.
#[derive(Clone, Copy, Debug, Default)]
struct Tallies {
    tenants: usize,
    each: [Tally; Measure::ALL.len()],
}

impl Tallies {
    fn add(&mut self, other: &Self) {
        self.tenants += other.tenants;
        for (mine, its) in self.each.iter_mut().zip(other.each) {
            *mine = mine.and(its);
        }
    }

    fn of(numbers: &Numbers) -> Self {
        Self { tenants: 1, each: numbers.map(|number| Tally { sum: number.into(), greatest: number }) }
    }

    fn told(&self, hidden: [Option<Withheld>; Measure::ALL.len()]) -> Told {
        let figure = |at: usize| match hidden[at] {
            Some(why) => Figure::Withheld(why),
            None => self.each[at].told(self.tenants),
        };
        Told { tenants: self.tenants, figures: std::array::from_fn(figure) }
    }
}

/// From what was counted of each tenant to what may be told of all.
pub fn tell(at_least: AtLeast, counted: &[Counted]) -> Statistics {
    let mut by_name: BTreeMap<&GroupName, Tallies> = BTreeMap::new();
    let mut total = Tallies::default();
    for one in counted {
        let tallies = Tallies::of(&one.numbers);
        by_name.entry(&one.group).or_default().add(&tallies);
        total.add(&tallies);
    }
    if !at_least.is_met_by(total.tenants) {
        let nothing = total.told([Some(Withheld::TooFew); Measure::ALL.len()]);
        return Statistics { at_least, total: nothing, groups: Vec::new(), others: None };
    }
    let (groups, others) = fold(at_least, by_name);
    // The others are one more part of the total.
    let parts: Vec<Tallies> = groups.iter().map(|(_, tallies)| *tallies).chain(others.map(|others| others.tallies)).collect();
    let hidden = Measure::ALL.map(|measure| hidden::parts(&column(&parts, measure)));
    let told = |part: usize| parts[part].told(std::array::from_fn(|measure| hidden[measure][part]));
    let dominated = total.each.map(|tally| tally.is_dominated().then_some(Withheld::Dominated));
    let named = groups.iter().enumerate().map(|(part, (name, _))| Group { name: (*name).clone(), told: told(part) });
    Statistics {
        at_least,
        total: total.told(dominated),
        groups: named.collect(),
        others: others.map(|others| Others { groups: others.groups, folded: others.folded, told: told(parts.len() - 1) }),
    }
}

fn column(parts: &[Tallies], measure: Measure) -> Vec<Tally> {
    parts.iter().map(|part| part.each[measure as usize]).collect()
}

/// Groups in the making that are not told by themselves.
#[derive(Clone, Copy)]
struct Rest {
    groups: usize,
    folded: Folded,
    tallies: Tallies,
}

type Named<'n> = Vec<(&'n GroupName, Tallies)>;

/// Puts groups together that are too small; what is left are groups that are not, the others among them.
fn fold(at_least: AtLeast, by_name: BTreeMap<&GroupName, Tallies>) -> (Named<'_>, Option<Rest>) {
    let (mut groups, small): (Named<'_>, Named<'_>) = by_name.into_iter().partition(|(_, tallies)| at_least.is_met_by(tallies.tenants));
    if small.is_empty() {
        return (groups, None);
    }
    let mut rest = Rest { groups: small.len(), folded: Folded::TooFew, tallies: Tallies::default() };
    small.iter().for_each(|(_, tallies)| rest.tallies.add(tallies));
    if !at_least.is_met_by(rest.tallies.tenants) {
        // The first by name of the smallest: the same for whichever number is asked for, so that two answers are not subtracted here.
        let smallest = (0..groups.len()).min_by_key(|at| groups[*at].1.tenants).expect("all of them together are enough");
        rest.tallies.add(&groups.remove(smallest).1);
        rest = Rest { groups: rest.groups + 1, folded: Folded::WithTheSmallest, ..rest };
    }
    (groups, Some(rest))
}

#[cfg(test)]
mod tests;
