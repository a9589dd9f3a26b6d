//! Certificates: held, for this region and this service. One that is being worked for is none.

use crate::evaluate::Bench;
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::verdict::{Finding, RuleId};
use crate::id::SchemeId;
use crate::registry::provider::CertificationStatus;

pub(super) fn all(bench: &Bench<'_>) -> Vec<Finding> {
    let wanted = &bench.profile.certification;
    let mut findings = Vec::new();
    if !wanted.all_of.is_empty() {
        let mut inquiry = Inquiry::default();
        for scheme in &wanted.all_of {
            inquiry.and(&held(bench, scheme));
        }
        findings.push(conclude(RuleId::CertificationAllOf, inquiry, || format!("held: {}", written(wanted.all_of.iter()))));
    }
    if !wanted.any_of.is_empty() {
        let mut inquiry = Inquiry::default();
        let ways = wanted.any_of.iter().map(|scheme| held(bench, scheme)).collect();
        inquiry.and_any(ways, || format!("none is held of: {}", written(wanted.any_of.iter())));
        findings.push(conclude(RuleId::CertificationAnyOf, inquiry, || format!("one is held of: {}", written(wanted.any_of.iter()))));
    }
    findings
}

fn written<'a>(schemes: impl Iterator<Item = &'a SchemeId>) -> String {
    schemes.map(SchemeId::as_str).collect::<Vec<_>>().join(", ")
}

fn held(bench: &Bench<'_>, scheme: &SchemeId) -> Inquiry {
    let kind = bench.kind();
    let covers = bench.provider.certifications.iter().filter(|certificate| {
        certificate.scheme == *scheme
            && certificate.regions.as_ref().is_none_or(|regions| regions.contains(&bench.region.id))
            && certificate.services.as_ref().is_none_or(|services| services.contains(&kind))
    });
    let ways: Vec<Inquiry> = covers
        .map(|certificate| {
            let mut way = Inquiry::default();
            match way.ask(bench, &certificate.status) {
                Some(CertificationStatus::Held) | None => {}
                Some(status) => way.object(format!("`{scheme}` is {status}")),
            }
            way
        })
        .collect();
    let mut inquiry = Inquiry::default();
    if ways.is_empty() {
        inquiry.doubt(format!("the registry does not say whether `{scheme}` is held for `{}`", bench.placement.place));
    } else {
        inquiry.and_any(ways, || format!("`{scheme}` is not held"));
    }
    inquiry
}
