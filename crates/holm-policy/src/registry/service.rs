//! What a provider's services can do, and what becomes of data in them.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use crate::copy::{CopyRole, KeyHolder, ServiceKind};
use crate::fact::Fact;
use crate::id::{PlanId, ProviderId};
use crate::reading::{FromToml, Section, Sources};
use crate::word::words;

words! {
    /// What the tenant's administrator may be.
    Superuser, "a kind of superuser" {
        /// Neither that nor nearly.
        No = "no",
        /// The provider's replacement for one.
        Pseudo = "pseudo",
        /// Really one.
        Yes = "yes",
    }
}

words! {
    /// Whether a database can be had as it was at a moment.
    Pitr, "a kind of point-in-time recovery" {
        /// No.
        None = "none",
        /// Somebody at the provider does it when asked.
        OnRequest = "on_request",
        /// By the customer, at any time.
        Yes = "yes",
    }
}

words! {
    /// Where backups lie if nobody says anything.
    BackupRule, "a rule for the place of backups" {
        /// Where the database is.
        SameRegion = "same_region",
        /// Somewhere in the same country.
        SameCountry = "same_country",
        /// In another country.
        CrossCountryDefault = "cross_country_default",
        /// At another provider, in the nearest region of it.
        NearestOtherProvider = "nearest_other_provider",
        /// In a group of regions.
        MultiRegionDefault = "multi_region_default",
    }
}

words! {
    /// How many databases a server of it can hold.
    DatabasesPerInstance, "a number of databases" {
        /// One.
        One = "one",
        /// As many as fit.
        Many = "many",
    }
}

/// For how many days at most a copy is still there after it was deleted, by its role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Residue(pub BTreeMap<CopyRole, u32>);

impl FromToml for Residue {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let table = value.as_table().ok_or("accepted: days by copy role, { backup = 30 }")?;
        let days = table.iter().map(|(role, days)| {
            let role = role.parse::<CopyRole>().map_err(|e| e.to_string())?;
            Ok((role, u32::from_toml(days)?))
        });
        days.collect::<Result<_, String>>().map(Self)
    }
}

/// A service of a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Service {
    /// What it keeps.
    pub kind: ServiceKind,
    /// Whether what it keeps is encrypted on its disks.
    pub encryption_at_rest: Fact<bool>,
    /// Who can hold its keys.
    pub key_holders: Fact<BTreeSet<KeyHolder>>,
    /// How long deleted things stay, in days.
    pub residue_days: Fact<Residue>,
    /// Whether its things can be made, listed and deleted by an API.
    pub api: Fact<bool>,
    /// What only PostgreSQL has.
    pub postgres: Option<PostgresFacts>,
    /// What only object storage has.
    pub object: Option<ObjectFacts>,
}

/// What there is to know of managed PostgreSQL.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PostgresFacts {
    /// What its administrator may be.
    pub superuser: Fact<Superuser>,
    /// Whether it can be the source of logical replication.
    pub logical_replication: Fact<bool>,
    /// Whether there is point-in-time recovery.
    pub pitr: Fact<Pitr>,
    /// How far back it reaches on every plan, in days.
    pub pitr_days: Fact<u32>,
    /// Whether a backup can be restored in another region.
    pub restore_cross_region: Fact<bool>,
    /// How many databases a server can hold.
    pub databases_per_instance: Fact<DatabasesPerInstance>,
    /// Where backups lie if nobody says anything.
    pub backup_rule: Fact<BackupRule>,
    /// Whether one can say where they lie.
    pub backup_overridable: Fact<bool>,
    /// Whether they go along when the service moves to another region.
    pub backup_follows_move: Fact<bool>,
    /// How long backups are kept at least, in days.
    pub backup_retention_days_min: Fact<u32>,
    /// What plans change of it.
    pub plans: BTreeMap<PlanId, Plan>,
}

/// A plan, where it differs from the service.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Plan {
    /// Its id.
    pub id: PlanId,
    /// How far back its point-in-time recovery reaches, in days.
    pub pitr_days: Fact<u32>,
}

/// What there is to know of object storage.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ObjectFacts {
    /// Whether earlier versions can be kept.
    pub versioning: Fact<bool>,
    /// Whether objects can be made to expire.
    pub lifecycle: Fact<bool>,
    /// Whether objects can be locked against deletion.
    pub object_lock: Fact<bool>,
    /// Whether the host name says in which jurisdiction a bucket is.
    pub region_in_host: Fact<bool>,
    /// Whether a bucket can change its region.
    pub region_changeable: Fact<bool>,
}

pub(super) fn service(section: &Section<'_>, provider: &ProviderId, sources: &Sources) -> Option<Service> {
    let kind = section.must::<ServiceKind>("kind")?;
    let subject = format!("service:{provider}/{kind}");
    Some(Service {
        kind,
        encryption_at_rest: section.fact(&subject, "encryption_at_rest", sources),
        key_holders: section.fact(&subject, "key_holders", sources),
        residue_days: section.fact(&subject, "residue_days", sources),
        api: section.fact(&subject, "api", sources),
        postgres: (kind == ServiceKind::Postgres).then(|| postgres(section, provider, &subject, sources)),
        object: (kind == ServiceKind::Object).then(|| object(section, &subject, sources)),
    })
}

fn postgres(section: &Section<'_>, provider: &ProviderId, subject: &str, sources: &Sources) -> PostgresFacts {
    let mut plans = BTreeMap::new();
    for plan in section.sections("plan") {
        if let Some(id) = plan.must::<PlanId>("id") {
            let pitr_days = plan.fact(&format!("plan:{provider}/{id}"), "pitr_days", sources);
            if plans.insert(id.clone(), Plan { id: id.clone(), pitr_days }).is_some() {
                plan.problem("id", format!("there are two plans `{id}`"));
            }
        }
        plan.finish();
    }
    PostgresFacts {
        superuser: section.fact(subject, "superuser", sources),
        logical_replication: section.fact(subject, "logical_replication", sources),
        pitr: section.fact(subject, "pitr", sources),
        pitr_days: section.fact(subject, "pitr_days", sources),
        restore_cross_region: section.fact(subject, "restore_cross_region", sources),
        databases_per_instance: section.fact(subject, "databases_per_instance", sources),
        backup_rule: section.fact(subject, "backup_rule", sources),
        backup_overridable: section.fact(subject, "backup_overridable", sources),
        backup_follows_move: section.fact(subject, "backup_follows_move", sources),
        backup_retention_days_min: section.fact(subject, "backup_retention_days_min", sources),
        plans,
    }
}

fn object(section: &Section<'_>, subject: &str, sources: &Sources) -> ObjectFacts {
    ObjectFacts {
        versioning: section.fact(subject, "versioning", sources),
        lifecycle: section.fact(subject, "lifecycle", sources),
        object_lock: section.fact(subject, "object_lock", sources),
        region_in_host: section.fact(subject, "region_in_host", sources),
        region_changeable: section.fact(subject, "region_changeable", sources),
    }
}
