//! How facts, papers, registered copies and exceptions are shown.

use holm_engine::residency::facts::Changed;
use holm_store::residency::exception::Listed;
use holm_store::residency::facts::Kept;
use holm_store::residency::paper::Paper;
use holm_store::residency::registered::Registered;

use crate::view::residency::record::{ChangedFactsView, ExceptionView, FactsView, PaperView, RegisteredCopyView};

impl From<Kept> for FactsView {
    fn from(kept: Kept) -> Self {
        Self { name: kept.name, kept_at: kept.kept_at, text: kept.text }
    }
}

impl From<Changed> for ChangedFactsView {
    fn from(changed: Changed) -> Self {
        Self { facts: changed.facts.into(), notes: changed.notes }
    }
}

impl From<Paper> for PaperView {
    fn from(paper: Paper) -> Self {
        let hex = |bytes: [u8; 32]| bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        Self {
            id: paper.id,
            kind: paper.kind,
            with: paper.of.company().map(ToOwned::to_owned),
            country: paper.of.country().map(ToOwned::to_owned),
            environment: paper.environment,
            signed_on: paper.signed_on,
            ends_on: paper.ends_on,
            edition: paper.edition,
            document_sha256: paper.document_sha256.map(hex),
            kept_at: paper.kept_at,
        }
    }
}

impl From<Registered> for RegisteredCopyView {
    fn from(copy: Registered) -> Self {
        let Registered { id: _, environment, copy, role, place, plan, key_holder, evidence, kept_at } = copy;
        Self { environment, copy, role, place, plan, key_holder, evidence, kept_at }
    }
}

impl From<Listed> for ExceptionView {
    fn from(listed: Listed) -> Self {
        let Listed { granted, environment, slug, ended } = listed;
        let exception = granted.exception;
        Self {
            id: exception.id,
            environment,
            tenant: slug,
            copy: exception.copy,
            rule: exception.rule,
            owner: exception.owner,
            reason: exception.reason,
            measure: exception.measure,
            until: exception.until,
            ended,
            granted_at: granted.granted_at,
        }
    }
}
