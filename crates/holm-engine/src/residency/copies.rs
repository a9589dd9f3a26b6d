//! Which copies of a tenant's data there are, or would be, where its database is, and what each comes to.
//!
//! Promises: a copy is judged by itself (R101). Where a provider's service keeps the database, the backups that it makes are a
//! copy, whether or not anybody asked for them; and so are what was seen on the server and what somebody registered. One function says which there are
//! ([`there`]): what one answer counts, all count.

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::id::TenantId;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder, ServiceKind};
use holm_policy::evaluate::verdict::{Outcome, Verdict};
use holm_policy::evaluate::{BackupBy, Placement};
use holm_policy::id::{CopyId, Place, PlanId};
use holm_policy::profile::Profile;
use holm_store::cluster::Cluster;
use holm_store::residency::observed::Seen;
use holm_store::residency::placed::Placed;
use jiff::Timestamp;

use super::known::{Known, Papers};
use super::placed;

/// For whom is judged.
#[derive(Clone, Copy)]
pub struct Whose<'a> {
    /// In which environment.
    pub environment: &'a EnvironmentName,
    /// What that is for.
    pub kind: EnvironmentKind,
    /// Whose exceptions count; of a tenant that is to be there are none.
    pub tenant: Option<TenantId>,
}

/// By what copies are judged besides a profile.
#[derive(Clone, Debug)]
pub struct Terms {
    /// What the environment is for.
    pub kind: EnvironmentKind,
    /// What is on file for it.
    pub papers: Papers,
    /// What somebody registered of it.
    pub registered: Vec<Kept>,
}

/// A copy that somebody registered, and where.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Kept {
    /// What it is called among the copies of a tenant: `log-datadog`.
    pub copy: CopyId,
    /// What it is.
    pub role: CopyRole,
    /// Where it is said to be.
    pub place: Place,
    /// On which plan it is said to be.
    pub plan: Option<PlanId>,
    /// Who holds its keys.
    pub key_holder: KeyHolder,
    /// By whose word, since when.
    pub placed: Placed,
}

/// A copy that there is, or would be; nobody judged it yet.
#[derive(Clone, PartialEq, Debug)]
pub struct There {
    /// What it is called among the copies of its tenant: `primary`.
    pub copy: CopyId,
    /// What it is.
    pub role: CopyRole,
    /// How one knows of it.
    pub origin: Origin,
    /// As it is judged; `None` where nobody said where it is.
    pub placement: Option<Placement>,
}

/// How one knows of a copy.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Origin {
    /// It is the database, or what its provider makes of it by itself.
    Tenant,
    /// It was seen, and is of everything on its server.
    Seen,
    /// Somebody registered it, and it is of every tenant of its environment.
    Registered,
    /// Nobody has looked yet whether there is one.
    NotLooked,
}

/// A copy, and what it comes to.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// What it is called among the copies of its tenant: `primary`.
    pub copy: CopyId,
    /// What it is.
    pub role: CopyRole,
    /// How one knows of it.
    pub origin: Origin,
    /// As it was judged; `None` where nobody said where it is.
    pub placement: Option<Placement>,
    /// What it comes to.
    pub standing: Comes,
}

/// What a copy comes to.
#[derive(Clone, PartialEq, Debug)]
pub enum Comes {
    /// It was judged.
    To(Verdict),
    /// It cannot be: nobody said where it is.
    Nowhere,
}

impl Judged {
    /// Where it is said to be; for backups that a provider makes, where the database is.
    pub fn place(&self) -> Option<&Place> {
        self.placement.as_ref().map(|placement| &placement.place)
    }

    /// What counts.
    pub const fn outcome(&self) -> Outcome {
        match &self.standing {
            Comes::To(verdict) => verdict.outcome,
            Comes::Nowhere => Outcome::Unknown,
        }
    }

    /// Each thing that speaks against it: a rule, and why.
    pub fn objections(&self) -> Vec<(String, String)> {
        match &self.standing {
            Comes::To(verdict) => verdict.objections().map(|finding| (finding.rule.to_string(), finding.because.clone())).collect(),
            Comes::Nowhere => vec![("location.countries".to_owned(), nowhere(self.origin).to_owned())],
        }
    }

    /// Until when it holds, if nothing changes before.
    pub const fn valid_until(&self) -> Option<Timestamp> {
        match &self.standing {
            Comes::To(verdict) => verdict.valid_until,
            Comes::Nowhere => None,
        }
    }
}

impl There {
    /// Why nothing is known of where it is.
    pub fn nowhere(&self) -> &'static str {
        nowhere(self.origin)
    }

    /// Judges it.
    pub fn judged(self, known: &Known, profile: &Profile, tenant: Option<TenantId>, now: Timestamp) -> Judged {
        let standing = match &self.placement {
            Some(placement) => Comes::To(known.judge(profile, placement, tenant, now)),
            None => Comes::Nowhere,
        };
        let Self { copy, role, origin, placement } = self;
        Judged { copy, role, origin, placement, standing }
    }
}

const fn nowhere(origin: Origin) -> &'static str {
    match origin {
        Origin::NotLooked => {
            "nobody has looked yet who else receives its cluster's log; that is done within a minute while the server answers"
        }
        Origin::Seen => "it was seen, and nobody said where it is",
        Origin::Registered => "it is registered, and nobody said where it is",
        Origin::Tenant => "nobody said where its cluster is",
    }
}

impl Terms {
    /// Those of an environment.
    pub fn of(known: &Known, whose: Whose<'_>) -> Self {
        Self { kind: whose.kind, papers: known.papers(Some(whose.environment)), registered: known.registered(whose.environment) }
    }

    /// One that is registered, as it is judged beside a database at a place.
    pub(super) fn kept(&self, kept: &Kept, primary: Option<&Place>) -> There {
        let Kept { copy, role, place, plan, key_holder, .. } = kept;
        // Where it is, and not where a provider would put such a thing.
        let placement = Placement {
            backup: BackupBy::Holm,
            key_holder: *key_holder,
            primary: primary.cloned(),
            ..self.placement(*role, copy.clone(), (place, plan.as_ref()))
        };
        There { copy: copy.clone(), role: *role, origin: Origin::Registered, placement: Some(placement) }
    }

    fn placement(&self, role: CopyRole, copy: CopyId, (place, plan): (&Place, Option<&PlanId>)) -> Placement {
        Placement {
            copy,
            environment: self.kind,
            role,
            place: place.clone(),
            plan: plan.cloned(),
            backup: BackupBy::ProviderDefault,
            key_holder: KeyHolder::Provider,
            isolation: Isolation::DatabasePerTenant,
            primary: Some(place.clone()),
            papers: self.papers.signed.clone(),
            assessments: self.papers.assessed.clone(),
        }
    }
}

/// Every copy that there is, or would be, of a tenant with its database on a cluster, what was seen there and what is registered of its
/// environment included. Whoever asks
/// for copies asks here: one that nobody placed is in it.
pub fn there(known: &Known, terms: &Terms, cluster: &Cluster) -> Vec<There> {
    let mut there = own(known, terms, (place_of(cluster).as_ref(), plan_of(cluster).as_ref()));
    there.extend(seen(terms, cluster));
    there.extend(registered(terms, cluster));
    there
}

/// Every copy that there would be of a tenant with its database at a place, on a plan if that was said, of whatever server.
pub fn own(known: &Known, terms: &Terms, (place, plan): (Option<&Place>, Option<&PlanId>)) -> Vec<There> {
    let roles = roles(known, place).into_iter();
    roles
        .map(|role| There {
            copy: copy_id(role),
            role,
            origin: Origin::Tenant,
            placement: place.map(|place| terms.placement(role, copy_id(role), (place, plan))),
        })
        .collect()
}

/// The copies of everything on a cluster.
fn seen(terms: &Terms, cluster: &Cluster) -> Vec<There> {
    let primary = place_of(cluster);
    let seen = cluster.copies.iter().map(|seen| {
        let (copy, role) = (id_of(&seen.seen), role_of(&seen.seen));
        let place: Option<Place> = seen.placed.as_ref().and_then(|placed| placed.place.parse().ok());
        let placement = place.map(|place| {
            let placement = terms.placement(role, copy.clone(), (&place, seen.placed.as_ref().and_then(placed::plan).as_ref()));
            // Where it is, and not where a provider would put such a thing.
            Placement { backup: BackupBy::Holm, primary: primary.clone(), ..placement }
        });
        There { copy, role, origin: Origin::Seen, placement }
    });
    let mut seen: Vec<There> = seen.collect();
    if cluster.copies_seen_at.is_none() && cluster.adopted.is_none() {
        let copy = "not-looked".parse().expect("letters and `-` are an id");
        seen.push(There { copy, role: CopyRole::Replica, origin: Origin::NotLooked, placement: None });
    }
    seen
}

/// What is registered of everything in the environment of a cluster.
fn registered(terms: &Terms, cluster: &Cluster) -> Vec<There> {
    let primary = place_of(cluster);
    terms.registered.iter().map(|kept| terms.kept(kept, primary.as_ref())).collect()
}

/// The same, judged.
pub fn on(known: &Known, profile: &Profile, whose: Whose<'_>, cluster: &Cluster, now: Timestamp) -> Vec<Judged> {
    let there = there(known, &Terms::of(known, whose), cluster).into_iter();
    there.map(|copy| copy.judged(known, profile, whose.tenant, now)).collect()
}

/// What somebody receives is a replica, or becomes one; an archive keeps the log itself.
pub(crate) fn role_of(seen: &Seen) -> CopyRole {
    if seen.kind == "archive" { CopyRole::Wal } else { CopyRole::Replica }
}

/// `slot-reporting`: what is seen, in the letters of an id.
pub(crate) fn id_of(seen: &Seen) -> CopyId {
    let word = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let whole = format!("{}-{}", seen.kind, seen.name);
    let id: String = whole.chars().map(word).collect();
    if id == whole && id.len() <= 64 {
        return id.parse().expect("1 to 64 letters, digits, `-` and `_` are an id");
    }
    // Two that are written alike stay two.
    let hash: String = digest(&SHA256, whole.as_bytes()).as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let short: String = id.chars().take(55).collect();
    format!("{short}-{hash}").parse().expect("at most 64 letters, digits, `-` and `_` are an id")
}

/// Every copy that there would be of a tenant with its database at a place, judged.
pub fn at(known: &Known, profile: &Profile, whose: Whose<'_>, at: (Option<&Place>, Option<&PlanId>), now: Timestamp) -> Vec<Judged> {
    let own = own(known, &Terms::of(known, whose), at).into_iter();
    own.map(|copy| copy.judged(known, profile, whose.tenant, now)).collect()
}

/// Where a cluster is said to be.
pub fn place_of(cluster: &Cluster) -> Option<Place> {
    cluster.placed.as_ref().and_then(|placed| placed.place.parse().ok())
}

/// On which plan of its provider's a cluster is said to be.
pub fn plan_of(cluster: &Cluster) -> Option<PlanId> {
    cluster.placed.as_ref().and_then(placed::plan)
}

/// What the copies are called that a database at a place has.
pub(crate) fn names(known: &Known, place: Option<&Place>) -> Vec<CopyId> {
    roles(known, place).into_iter().map(copy_id).collect()
}

/// The roles of the copies that a database at a place has.
fn roles(known: &Known, place: Option<&Place>) -> Vec<CopyRole> {
    let provider = place.and_then(|place| known.registry().provider(&place.provider));
    let keeps_databases = provider.is_some_and(|provider| provider.services.contains_key(&ServiceKind::Postgres));
    if keeps_databases { vec![CopyRole::Primary, CopyRole::Backup] } else { vec![CopyRole::Primary] }
}

fn copy_id(role: CopyRole) -> CopyId {
    role.as_str().parse().expect("a role's word is letters and `_`")
}

/// The worst of several.
pub fn worst(copies: &[Judged]) -> Outcome {
    copies.iter().map(Judged::outcome).max().unwrap_or(Outcome::Unknown)
}
