//! How reports are shown.

use holm_engine::residency::processing_record::{Copy, Entry, Record};
use holm_engine::residency::sub_processors::{Company, SubProcessors};

use super::surveys::texts;
use crate::page;
use crate::view::reports::{
    CompanyView, ProcessingRecordView, RecordedCopyView, RecordedTenantView, RetentionView, SubProcessorsView, TransferView,
};

/// Art. 30(1) asks for them, and nobody told Holm.
const NOT_IN_IT: [&str; 5] = [
    "the controller's and the data protection officer's names and contact details",
    "the purposes of the processing",
    "the categories of data subjects and of personal data",
    "recipients besides those that run the servers",
    "the time limits that the controller set for erasure",
];

impl From<SubProcessors> for SubProcessorsView {
    fn from(list: SubProcessors) -> Self {
        Self {
            environment: list.environment,
            as_of: list.as_of,
            registry_hash: list.registry_hash,
            places: list.places,
            companies: list.companies.into_iter().map(Into::into).collect(),
            gaps: list.gaps,
        }
    }
}

impl From<Company> for CompanyView {
    fn from(company: Company) -> Self {
        Self {
            entity: company.entity,
            name: company.name,
            established_in: company.established_in,
            owners: company.owners,
            provider: company.provider,
            link: company.link,
            purpose: company.purpose,
            reach: company.reach,
            countries: company.countries,
            fact: company.fact,
            source: company.source,
            url: company.url,
            checked_on: company.checked_on,
            certainty: company.certainty,
        }
    }
}

impl From<Record> for ProcessingRecordView {
    fn from(record: Record) -> Self {
        Self {
            environment: record.environment,
            kind: record.kind,
            as_of: record.as_of,
            registry_hash: record.registry_hash,
            not_in_it: NOT_IN_IT.map(str::to_owned).into_iter().chain(record.notes).collect(),
            tenants_count: u64::try_from(record.tenants_count).unwrap_or(u64::MAX),
            next: record.next.map(page::cursor),
            tenants: record.tenants.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Entry> for RecordedTenantView {
    fn from(entry: Entry) -> Self {
        let (profile, profile_version, profile_title) = match entry.profile {
            Some((id, version, title)) => (Some(id), Some(version), Some(title)),
            None => (None, None, None),
        };
        Self {
            tenant: entry.tenant,
            profile,
            profile_version,
            profile_title,
            cluster: entry.cluster,
            place: entry.place,
            contracting: entry.contracting,
            copies: entry.copies.into_iter().map(Into::into).collect(),
        }
    }
}

impl From<Copy> for RecordedCopyView {
    fn from(copy: Copy) -> Self {
        let transfers = copy.transfers.into_iter();
        let retention = copy.retention.into_iter();
        Self {
            role: copy.role.to_string(),
            places: texts(&copy.lies.places),
            countries: copy.lies.countries,
            outcome: copy.outcome.map(|outcome| outcome.to_string()),
            valid_until: copy.valid_until,
            transfers: transfers.map(|(rule, outcome, because)| TransferView { rule, outcome: outcome.to_string(), because }).collect(),
            facts: copy.facts,
            retention: retention
                .map(|one| RetentionView { fact: one.fact, value: one.value, source: one.source, checked_on: one.checked_on })
                .collect(),
        }
    }
}
