//! Providers: who signs, who helps them, where their regions are and what they have certificates for.

use std::collections::{BTreeMap, BTreeSet};

use toml::Value;

use crate::copy::{CopyRole, ServiceKind};
use crate::country::{Country, Territory};
use crate::fact::Fact;
use crate::id::{EntityId, Place, PlanId, ProviderId, RegionId, SchemeId};
use crate::reading::{Findings, FromToml, Section, Sources};
use crate::registry::service::{self, Service};
use crate::word::words;

words! {
    /// What a sub-processor is there for.
    Purpose, "a purpose" {
        /// Its machines hold or carry the data.
        Infrastructure = "infrastructure",
        /// It keeps backups.
        Backup = "backup",
        /// Its people help customers.
        Support = "support",
        /// It gets logs, errors or measurements.
        Telemetry = "telemetry",
        /// It delivers content or mail.
        Delivery = "delivery",
        /// Anything else.
        Other = "other",
    }
}

words! {
    /// How much of a tenant's data a sub-processor can see.
    Reach, "a reach" {
        /// All that is there.
        Content = "content",
        /// What support staff look at.
        SupportView = "support_view",
        /// Sizes, times, addresses of customers.
        Metadata = "metadata",
        /// Nothing.
        None = "none",
    }
}

words! {
    /// Whether a region can be had.
    Availability, "an availability" {
        /// By anybody.
        Open = "open",
        /// After asking, often after showing who one is.
        OnRequest = "on_request",
        /// Not in its final form.
        Beta = "beta",
        /// Not by new customers.
        Closed = "closed",
    }
}

words! {
    /// Whether there is an MCP server that manages resources.
    Mcp, "a kind of MCP server" {
        /// The provider's own.
        Official = "official",
        /// The provider's own, said to be an experiment.
        Experimental = "experimental",
        /// Somebody else's.
        Community = "community",
        /// None was found.
        NoneFound = "none_found",
    }
}

words! {
    /// Whether a certificate is held.
    CertificationStatus, "a certificate's status" {
        /// It is.
        Held = "held",
        /// It is being worked for, which is not enough.
        InProgress = "in_progress",
        /// It is not.
        None = "none",
    }
}

/// Somebody who processes for a provider.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Link {
    /// Who.
    pub entity: EntityId,
    /// What for.
    pub purpose: Purpose,
    /// How much they can see.
    pub reach: Reach,
    /// From where.
    pub countries: BTreeSet<Territory>,
    /// For which copies; for all, if it does not say.
    pub copies: Option<BTreeSet<CopyRole>>,
}

impl Link {
    /// Whether they can see content of such a copy.
    pub fn sees(&self, role: CopyRole) -> bool {
        matches!(self.reach, Reach::Content | Reach::SupportView) && self.copies.as_ref().is_none_or(|copies| copies.contains(&role))
    }
}

impl FromToml for Link {
    fn from_toml(value: &Value) -> Result<Self, String> {
        let table = value.as_table().ok_or("accepted: { entity = …, purpose = …, reach = …, countries = […] }")?;
        let findings = Findings::default();
        let section = Section::new("", String::new(), table, &findings);
        let (entity, purpose, reach) = (section.must("entity"), section.must("purpose"), section.must("reach"));
        let (countries, copies) = (section.must("countries"), section.may("copies"));
        section.may::<String>("note");
        section.finish();
        let link = (|| Some(Self { entity: entity?, purpose: purpose?, reach: reach?, countries: countries?, copies }))();
        findings.settle(link).map_err(|problems| problems.0.iter().map(|p| format!("{}: {}", p.at, p.why)).collect::<Vec<_>>().join("; "))
    }
}

/// A region of a provider: perhaps a set of zones over several countries.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Region {
    /// The provider's name of it.
    pub id: RegionId,
    /// The countries of all its facilities.
    pub countries: Fact<BTreeSet<Country>>,
    /// Whose machines it stands on, if not the provider's own.
    pub infrastructure: Fact<BTreeSet<EntityId>>,
    /// The plans that one of is needed for it; none, if every plan has it.
    pub plans: Fact<BTreeSet<PlanId>>,
    /// Whether it can be had.
    pub availability: Fact<Availability>,
    /// What is sold in it.
    pub offers: Fact<BTreeSet<ServiceKind>>,
    /// Where backups of what is in it lie if nobody says anything, and they do not lie here.
    pub backup_regions: Fact<BTreeSet<Place>>,
    /// Regions of others that stand in the same halls: what lies there lies next to what lies here.
    pub colocated_with: Fact<BTreeSet<Place>>,
    /// The host names of its endpoints; a `*` stands for one or more labels.
    pub hosts: Fact<Vec<String>>,
}

/// A certificate, for which regions and services it holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Certification {
    /// By what.
    pub scheme: SchemeId,
    /// Where; everywhere, if it does not say.
    pub regions: Option<BTreeSet<RegionId>>,
    /// For what; for everything, if it does not say.
    pub services: Option<BTreeSet<ServiceKind>>,
    /// Whether it is held.
    pub status: Fact<CertificationStatus>,
}

/// A provider and everything that is sold under its name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name.
    pub name: String,
    /// Who signs the contract with a customer in the EEA.
    pub contracting: Fact<EntityId>,
    /// From where its staff can see clear data.
    pub support_from: Fact<BTreeSet<Territory>>,
    /// Everybody who processes for it.
    pub sub_processors: Fact<Vec<Link>>,
    /// Whether it offers a data processing agreement.
    pub dpa: Fact<bool>,
    /// Whether it has an MCP server.
    pub mcp: Fact<Mcp>,
    /// Its regions.
    pub regions: BTreeMap<RegionId, Region>,
    /// Its services.
    pub services: BTreeMap<ServiceKind, Service>,
    /// Its certificates.
    pub certifications: Vec<Certification>,
}

impl Provider {
    /// Every plan of it that the registry has heard of; none, if it says nothing of plans.
    pub fn plans(&self) -> BTreeSet<&PlanId> {
        let of_services = self.services.values().filter_map(|service| service.postgres.as_ref()).flat_map(|postgres| postgres.plans.keys());
        let of_regions = self.regions.values().filter_map(|region| region.plans.claimed()).flatten();
        of_services.chain(of_regions).collect()
    }
}

/// Reads `[provider]` and what belongs to it.
pub(super) fn provider(file: &Section<'_>, section: &Section<'_>, sources: &Sources) -> Option<Provider> {
    let (id, name) = (section.must::<ProviderId>("id"), section.must("name"));
    let id = id?;
    let subject = format!("provider:{id}");
    let mut provider = Provider {
        name: name?,
        contracting: section.fact(&subject, "contracting", sources),
        support_from: section.fact(&subject, "support_from", sources),
        sub_processors: section.fact(&subject, "sub_processors", sources),
        dpa: section.fact(&subject, "dpa", sources),
        mcp: section.fact(&subject, "mcp", sources),
        regions: BTreeMap::new(),
        services: BTreeMap::new(),
        certifications: Vec::new(),
        id: id.clone(),
    };
    for part in file.sections("region") {
        if let Some(region) = region(&part, &id, sources)
            && let Some(double) = provider.regions.insert(region.id.clone(), region)
        {
            part.problem("id", format!("there are two regions `{}`", double.id));
        }
        part.finish();
    }
    for part in file.sections("service") {
        if let Some(service) = service::service(&part, &id, sources)
            && let Some(double) = provider.services.insert(service.kind, service)
        {
            part.problem("kind", format!("there are two services `{}`", double.kind));
        }
        part.finish();
    }
    let mut names = BTreeSet::new();
    for part in file.sections("certification") {
        provider.certifications.extend(certification(&part, &id, sources, &mut names));
        part.finish();
    }
    Some(provider)
}

fn region(section: &Section<'_>, provider: &ProviderId, sources: &Sources) -> Option<Region> {
    let id = section.must::<RegionId>("id")?;
    let subject = format!("region:{provider}/{id}");
    Some(Region {
        countries: section.fact(&subject, "countries", sources),
        infrastructure: section.fact(&subject, "infrastructure", sources),
        plans: section.fact(&subject, "plans", sources),
        availability: section.fact(&subject, "availability", sources),
        offers: section.fact(&subject, "offers", sources),
        backup_regions: section.fact(&subject, "backup_regions", sources),
        colocated_with: section.fact(&subject, "colocated_with", sources),
        hosts: section.fact(&subject, "hosts", sources),
        id,
    })
}

fn certification(section: &Section<'_>, provider: &ProviderId, sources: &Sources, names: &mut BTreeSet<String>) -> Option<Certification> {
    let (id, scheme) = (section.must::<String>("id"), section.must("scheme"));
    let (regions, services) = (section.may("regions"), section.may("services"));
    let id = id?;
    let status = section.fact(&format!("certification:{provider}/{id}"), "status", sources);
    if !names.insert(id.clone()) {
        section.problem("id", format!("there are two certifications `{id}`"));
    }
    Some(Certification { scheme: scheme?, regions, services, status })
}
