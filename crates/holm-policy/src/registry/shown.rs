//! A fact's value as text, in the registry's own words.

use std::collections::BTreeSet;
use std::fmt::Display;

use crate::copy::{KeyHolder, ServiceKind};
use crate::country::{Country, Territory};
use crate::id::{EntityId, LawId, Place, PlanId};
use crate::registry::entity::DpfListing;
use crate::registry::law::{AdequacyScope, LawStatus};
use crate::registry::provider::{Availability, CertificationStatus, Link, Mcp};
use crate::registry::service::{BackupRule, DatabasesPerInstance, Pitr, Residue, Superuser};

/// What can be said in one line.
pub(super) trait Shown {
    fn shown(&self) -> String;
}

macro_rules! as_text {
    ($($type:ty),+ $(,)?) => { $(impl Shown for $type {
        fn shown(&self) -> String { self.to_string() }
    })+ };
}

as_text!(
    u32,
    Country,
    EntityId,
    DpfListing,
    AdequacyScope,
    LawStatus,
    Availability,
    CertificationStatus,
    Mcp,
    BackupRule,
    DatabasesPerInstance,
    Pitr,
    Superuser,
);

macro_rules! as_sets {
    ($($type:ty),+ $(,)?) => { $(impl Shown for BTreeSet<$type> {
        fn shown(&self) -> String { list(self) }
    })+ };
}

as_sets!(Country, Territory, EntityId, LawId, PlanId, Place, ServiceKind, KeyHolder);

impl Shown for bool {
    fn shown(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }
}

impl Shown for Vec<String> {
    fn shown(&self) -> String {
        list(self)
    }
}

impl Shown for Vec<Link> {
    fn shown(&self) -> String {
        list(self.iter().map(|link| format!("{} ({}, sees {}, from {})", link.entity, link.purpose, link.reach, list(&link.countries))))
    }
}

impl Shown for Residue {
    fn shown(&self) -> String {
        list(self.0.iter().map(|(role, days)| format!("{role} {days} d")))
    }
}

fn list<T: Display>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}
