//! Questions about another day, on two axes of time (R52, R53): what was in force then, and what Holm had been told by when.
//!
//! Promises: "by what we knew then" and "by what we know now" are two answers; what the catalog has of then is read, by the row or the
//! audit entry of the time. Refuses to guess: where it does not know the past, the answer says so in a line of its own.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use holm_core::environment::EnvironmentName;
use holm_core::error::Problem;
use holm_core::id::{ClusterId, TenantId};
use holm_store::cluster::{self, Cluster};
use holm_store::residency::assigned::{self, Held};
use holm_store::residency::observed::Observed;
use holm_store::residency::past::{self, Copy, Rejudged, Said};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};

use super::assigned::invalid;
use super::claims;
use super::known::Known;
use crate::control::Control;

/// Clocks of two machines may differ by this.
const CLOCKS_DIFFER_MAX: SignedDuration = SignedDuration::from_mins(5);

/// About when a question is, and by what it is to be answered; by default now, by what is known now.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct AsOf {
    /// What was in force then.
    pub about: Option<Day>,
    /// What Holm had been told by then.
    pub known: Option<Day>,
}

/// A day, of which its end is meant, or a moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Day {
    /// The end of a day, in UTC; of today, now.
    Whole(Date),
    /// A moment.
    At(Timestamp),
}

impl AsOf {
    /// Reads what somebody wrote.
    ///
    /// # Errors
    /// [`holm_core::error::ErrorCode::InvalidValue`]: neither a day nor a time, or only what is known is asked about.
    pub fn parse(about: Option<&str>, known: Option<&str>) -> Result<Self, Problem> {
        let day = |what: &str, text: &str| {
            let whole = text.parse().map(Day::Whole);
            // A time is a day and more: it is looked for first.
            text.parse().map(Day::At).or(whole).map_err(|_: jiff::Error| {
                let text: String = text.chars().take(80).collect();
                let accepted = format!(
                    "`{}` is neither; accepted: a day such as `2026-03-03`, or a time such as `2026-03-03T14:05:00Z`",
                    text.escape_debug()
                );
                invalid(what, &accepted)
            })
        };
        if about.is_none() && known.is_some() {
            return Err(invalid("day", &"`known_at` says by what a question about a day is answered").next("say which day: `--as-of`"));
        }
        Ok(Self { about: about.map(|text| day("day", text)).transpose()?, known: known.map(|text| day("day", text)).transpose()? })
    }
}

impl Day {
    /// The moment that is meant.
    fn moment(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::Whole(day) if day == date(now) => now,
            Self::Whole(day) => {
                let next = day.checked_add(1.day()).and_then(|next| next.to_zoned(TimeZone::UTC));
                // The last microsecond, which is as fine as the catalog's times are.
                next.map_or(Timestamp::MAX, |next| next.timestamp())
                    .saturating_sub(SignedDuration::from_micros(1))
                    .unwrap_or(Timestamp::MIN)
            }
        }
    }
}

fn date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// What a question is answered with.
pub(super) struct Moment {
    /// What is judged by.
    pub(super) known: Arc<Known>,
    /// The time that it is about.
    pub(super) now: Timestamp,
    /// `None`: now, by what is known now.
    past: Option<Past>,
    notes: BTreeSet<String>,
}

/// What is read of another day.
struct Past {
    /// What was in force, and known to be: the earlier of the two times.
    in_force: Timestamp,
    told: Timestamp,
    said: HashMap<ClusterId, Vec<Said>>,
    copies: HashMap<ClusterId, Vec<Copy>>,
    rejudged: Vec<Rejudged>,
}

impl Moment {
    /// Reads what there is of it.
    ///
    /// # Errors
    /// [`holm_core::error::ErrorCode::InvalidValue`]: a time at which nothing was known yet, or that is before the installation; the catalog does not
    /// answer, or has what this Holm does not understand.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(super) async fn of(control: &Control, asked: AsOf) -> Result<Self, Problem> {
        let Some(about) = asked.about else {
            let (known, now) = Known::now(control).await?;
            return Ok(Self { known, now, past: None, notes: BTreeSet::new() });
        };
        let catalog = control.catalog();
        let (began, now) = past::span(catalog).await?;
        let (about, told) = (about.moment(now), asked.known.map_or(now, |known| known.moment(now)));
        if told > now.saturating_add(CLOCKS_DIFFER_MAX).unwrap_or(Timestamp::MAX) {
            return Err(invalid("day", &format!("{told} is not there yet, and so nobody knows what will be known by then")));
        }
        if about.min(told) < began {
            return Err(invalid("day", &format!("there is this installation since {began}, and it knows nothing of {}", about.min(told))));
        }
        let in_force = about.min(told);
        let known = Known::then(control, in_force, told, asked.known.is_some_and(|known| known.moment(now) < now)).await?;
        let mut said: HashMap<ClusterId, Vec<Said>> = HashMap::new();
        for one in past::claims(catalog).await? {
            said.entry(one.cluster).or_default().push(one);
        }
        let mut copies: HashMap<ClusterId, Vec<Copy>> = HashMap::new();
        for one in past::copies(catalog).await? {
            copies.entry(one.cluster).or_default().push(one);
        }
        let rejudged = past::rejudged_after(catalog, in_force).await?;
        let notes = notes(about, told, now);
        Ok(Self { known, now: about, past: Some(Past { in_force, told, said, copies, rejudged }), notes })
    }

    /// What is not known of then; empty of now.
    pub(super) fn notes(self) -> Vec<String> {
        self.notes.into_iter().collect()
    }

    /// The time by which what was in force is read; `None` is now.
    pub(super) fn in_force(&self) -> Option<Timestamp> {
        self.past.as_ref().map(|past| past.in_force)
    }

    /// Whether something that was made at a time was there, and known.
    pub(super) fn had(&self, created_at: Timestamp) -> bool {
        self.past.as_ref().is_none_or(|past| created_at <= past.in_force)
    }

    /// Notes what is not known.
    pub(super) fn note(&mut self, what: String) {
        self.notes.insert(what);
    }

    /// By which profile a tenant was judged.
    pub(super) fn profile(&self, tenant: TenantId, now: Option<String>) -> Option<String> {
        let changes = self.past.iter().flat_map(|past| &past.rejudged);
        let mut of_tenant = changes.filter(|one| one.tenant == tenant);
        of_tenant.next().map_or(now, |next| next.before.clone())
    }

    /// A cluster as it was: where it was said to be, and what had been seen there.
    pub(super) fn cluster(&mut self, mut cluster: Cluster) -> Cluster {
        let Some(past) = &self.past else { return cluster };
        let said = past.said.get(&cluster.id).map_or(&[][..], Vec::as_slice);
        let of = claims::Of { said, now: cluster.placed.as_ref(), created_at: cluster.created_at };
        let placed = match claims::at(&of, self.now, past.told) {
            Ok(placed) => placed,
            Err(next) => {
                self.notes.insert(format!(
                    "where cluster `{}` was said to be before it became another machine at {next} is not kept",
                    cluster.name
                ));
                None
            }
        };
        if placed.as_ref().is_some_and(|placed| placed.evidence.is_none()) {
            self.notes.insert(format!("on what the claim rested where cluster `{}` is, is kept of the last claim alone", cluster.name));
        }
        cluster.placed = placed;
        cluster.copies = Vec::new();
        for copy in past.copies.get(&cluster.id).into_iter().flatten() {
            let there = copy.first_seen_at <= past.in_force && copy.gone_at.is_none_or(|gone| gone > self.now);
            if !there {
                continue;
            }
            let name = format!("{}/{}", copy.seen.kind, copy.seen.name);
            if copy.seen_at > self.now && copy.seen_at != copy.first_seen_at {
                let note = format!(
                    "`{name}` of cluster `{}` changed or came back at {}; it may have been away before",
                    cluster.name, copy.seen_at
                );
                self.notes.insert(note);
            }
            let placed = copy.placed.clone().filter(|placed| placed.placed_at <= past.told);
            if placed.is_none()
                && let Some(later) = &copy.placed
            {
                let note = format!("where `{name}` of cluster `{}` was said to be before {} is not kept", cluster.name, later.placed_at);
                self.notes.insert(note);
            }
            cluster.copies.push(Observed { seen: copy.seen.clone(), first_seen_at: copy.first_seen_at, placed });
        }
        cluster
    }

    /// Every cluster that is there and was, as it was.
    ///
    /// # Errors
    /// The catalog does not answer.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(super) async fn clusters(&mut self, control: &Control) -> Result<Vec<Cluster>, Problem> {
        let there = cluster::list(control.catalog()).await?;
        Ok(there.into_iter().filter(|one| self.had(one.created_at)).collect::<Vec<_>>().into_iter().map(|one| self.cluster(one)).collect())
    }

    /// The tenants of an environment that have a database and had it, judged as they were.
    ///
    /// # Errors
    /// The catalog does not answer.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(super) async fn held(&self, control: &Control, environment: &EnvironmentName) -> Result<Vec<Held>, Problem> {
        let Some(at) = self.in_force() else {
            let held = assigned::held(control.catalog()).await?;
            return Ok(held.into_iter().filter(|held| held.environment == *environment).collect());
        };
        let held = past::held(control.catalog(), environment, at).await?;
        Ok(held.into_iter().map(|held| Held { profile: self.profile(held.tenant, held.profile), ..held }).collect())
    }

    /// Notes what of an environment was there and is gone: of that too little is kept to judge it.
    ///
    /// # Errors
    /// The catalog does not answer.
    ///
    /// # Cancel safety
    /// Safe: it only reads.
    pub(super) async fn note_gone(&mut self, control: &Control, environment: &EnvironmentName) -> Result<(), Problem> {
        let Some(at) = self.in_force() else { return Ok(()) };
        let gone = past::gone(control.catalog(), environment, at).await?;
        if gone.tenants > 0 {
            self.note(format!(
                "{} tenants of `{environment}` that were there are deleted since; on which cluster they were is not kept",
                gone.tenants
            ));
        }
        if gone.clusters > 0 {
            self.note(format!("{} clusters of `{environment}` are removed since, and not in this", gone.clusters));
        }
        Ok(())
    }
}

/// What is not known of any other day.
fn notes(about: Timestamp, told: Timestamp, now: Timestamp) -> BTreeSet<String> {
    let mut notes = BTreeSet::new();
    if about > now {
        notes.insert(format!("what will be in force at {about} nobody knows: it is judged by what is in force now"));
    }
    if told < now {
        let since =
            "since when this installation has the facts that come with Holm is unknown: they count from the day on which they were read";
        notes.insert(since.to_owned());
    }
    if about < told {
        let holds = "a fact says until when it holds and not since when: what was read after the day counts as if it had been so on it";
        notes.insert(holds.to_owned());
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_day_is_meant_whole_and_today_until_now() {
        let now = at("2026-11-22T12:00:00Z");
        let moment = |text: &str| AsOf::parse(Some(text), None).unwrap().about.unwrap().moment(now).to_string();
        assert_eq!(moment("2026-11-22"), "2026-11-22T12:00:00Z");
        assert_eq!(moment("2026-03-03"), "2026-03-03T23:59:59.999999Z");
        assert_eq!(moment("2026-03-03T14:05:00+01:00"), "2026-03-03T13:05:00Z");
        for wrong in ["", "yesterday", "2026-02-30", "03/03/2026"] {
            assert!(AsOf::parse(Some(wrong), None).is_err(), "{wrong}");
        }
        assert!(AsOf::parse(None, Some("2026-03-03")).is_err());
        assert_eq!(AsOf::parse(None, None).unwrap(), AsOf::default());
    }
}
