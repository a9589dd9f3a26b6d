//! Which copies of a tenant's data there are, or would be, where its database is, and what each comes to.
//!
//! Promises: a copy is judged by itself (R101). Where a provider's service keeps the database, the backups that it makes are a
//! copy, whether or not anybody asked for them.

use aws_lc_rs::digest::{SHA256, digest};
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::id::TenantId;
use holm_policy::copy::{CopyRole, Isolation, KeyHolder, ServiceKind};
use holm_policy::evaluate::verdict::{Outcome, Verdict};
use holm_policy::evaluate::{BackupBy, Paper, Placement};
use holm_policy::id::{CopyId, Place};
use holm_policy::profile::Profile;
use holm_store::cluster::Cluster;
use holm_store::residency::observed::Seen;
use jiff::Timestamp;

use super::known::Known;

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

/// A copy, and what it comes to.
#[derive(Clone, PartialEq, Debug)]
pub struct Judged {
    /// What it is called among the copies of its tenant: `primary`.
    pub copy: CopyId,
    /// What it is.
    pub role: CopyRole,
    /// Where it is said to be; for backups that a provider makes, where the database is.
    pub place: Option<Place>,
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
            Comes::Nowhere if self.role == CopyRole::Primary => {
                vec![("location.countries".to_owned(), "nobody said where its cluster is".to_owned())]
            }
            Comes::Nowhere if self.copy.as_str() == "not-looked" => {
                let why =
                    "nobody has looked yet who else receives its cluster's log; that is done within a minute while the server answers";
                vec![("location.countries".to_owned(), why.to_owned())]
            }
            Comes::Nowhere => vec![("location.countries".to_owned(), "it was seen, and nobody said where it is".to_owned())],
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

/// Every copy that there is, or would be, of a tenant with its database on a cluster.
pub fn on(known: &Known, profile: &Profile, whose: Whose<'_>, cluster: &Cluster, now: Timestamp) -> Vec<Judged> {
    let primary = place_of(cluster);
    let mut copies = at(known, profile, whose, primary.as_ref(), now);
    copies.extend(cluster.copies.iter().map(|seen| {
        let role = role_of(&seen.seen);
        let copy = id_of(&seen.seen);
        let place: Option<Place> = seen.placed.as_ref().and_then(|placed| placed.place.parse().ok());
        let standing = place.as_ref().map_or(Comes::Nowhere, |place| {
            let placement = placement(known, whose, role, copy.clone(), place);
            // Where it is, and not where a provider would put such a thing.
            let placement = Placement { backup: BackupBy::Holm, primary: primary.clone(), ..placement };
            Comes::To(known.judge(profile, &placement, whose.tenant, now))
        });
        Judged { copy, role, place, standing }
    }));
    if cluster.copies_seen_at.is_none() && cluster.adopted.is_none() {
        let copy = "not-looked".parse().expect("letters and `-` are an id");
        copies.push(Judged { copy, role: CopyRole::Replica, place: None, standing: Comes::Nowhere });
    }
    copies
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

/// Every copy that there would be of a tenant with its database at a place.
pub fn at(known: &Known, profile: &Profile, whose: Whose<'_>, place: Option<&Place>, now: Timestamp) -> Vec<Judged> {
    roles(known, place)
        .into_iter()
        .map(|role| {
            let copy = copy_id(role);
            let standing = place.map_or(Comes::Nowhere, |place| {
                let placement = placement(known, whose, role, copy.clone(), place);
                Comes::To(known.judge(profile, &placement, whose.tenant, now))
            });
            Judged { copy, role, place: place.cloned(), standing }
        })
        .collect()
}

/// Where a cluster is said to be.
pub fn place_of(cluster: &Cluster) -> Option<Place> {
    cluster.placed.as_ref().and_then(|placed| placed.place.parse().ok())
}

/// What the copies are called that a database at a place has.
pub(crate) fn names(known: &Known, place: Option<&Place>) -> Vec<CopyId> {
    roles(known, place).into_iter().map(copy_id).collect()
}

/// The roles of the copies that a database at a place has.
pub(super) fn roles(known: &Known, place: Option<&Place>) -> Vec<CopyRole> {
    let provider = place.and_then(|place| known.registry().provider(&place.provider));
    let keeps_databases = provider.is_some_and(|provider| provider.services.contains_key(&ServiceKind::Postgres));
    if keeps_databases { vec![CopyRole::Primary, CopyRole::Backup] } else { vec![CopyRole::Primary] }
}

pub(super) fn copy_id(role: CopyRole) -> CopyId {
    role.as_str().parse().expect("a role's word is letters and `_`")
}

/// A copy that was judged, as it was judged.
pub fn placement_of(known: &Known, whose: Whose<'_>, judged: &Judged) -> Option<Placement> {
    let placement = placement(known, whose, judged.role, judged.copy.clone(), judged.place.as_ref()?);
    let is_seen = judged.copy.as_str() != judged.role.as_str();
    // Where it is, and not where a provider would put such a thing.
    Some(if is_seen { Placement { backup: BackupBy::Holm, ..placement } } else { placement })
}

/// A copy as `holm-policy` judges it.
pub fn placement(known: &Known, whose: Whose<'_>, role: CopyRole, copy: CopyId, place: &Place) -> Placement {
    with_papers(known.papers(whose.environment), whose.kind, role, copy, place)
}

/// The same, by what is signed.
pub(super) fn with_papers(papers: Vec<Paper>, kind: EnvironmentKind, role: CopyRole, copy: CopyId, place: &Place) -> Placement {
    Placement {
        copy,
        environment: kind,
        role,
        place: place.clone(),
        plan: None,
        backup: BackupBy::ProviderDefault,
        key_holder: KeyHolder::Provider,
        isolation: Isolation::DatabasePerTenant,
        primary: Some(place.clone()),
        papers,
        assessments: Vec::new(),
    }
}

/// The worst of several.
pub fn worst(copies: &[Judged]) -> Outcome {
    copies.iter().map(Judged::outcome).max().unwrap_or(Outcome::Unknown)
}
