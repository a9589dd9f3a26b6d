//! What must be signed with the company that signs. It never stands in for another rule (R6).

use crate::evaluate::Bench;
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::verdict::{Finding, RuleId};
use crate::fact::midnight;

pub(super) fn all(bench: &Bench<'_>) -> Vec<Finding> {
    let Some(contract) = &bench.profile.contract else { return Vec::new() };
    let mut findings = Vec::new();
    if contract.dpa {
        let inquiry = signed(bench, ["dpa"]);
        findings.push(conclude(RuleId::ContractDpa, inquiry, || "a data processing agreement is in force".to_owned()));
    }
    if !contract.papers.is_empty() {
        let inquiry = signed(bench, contract.papers.iter().map(|paper| paper.as_str()));
        findings.push(conclude(RuleId::ContractPapers, inquiry, || "the other contracts are in force".to_owned()));
    }
    findings
}

fn signed<'k>(bench: &Bench<'_>, kinds: impl IntoIterator<Item = &'k str>) -> Inquiry {
    let mut inquiry = Inquiry::default();
    let with = inquiry.ask(bench, &bench.provider.contracting);
    for kind in kinds {
        let mut papers = bench.placement.papers.iter().filter(|paper| paper.kind.as_str() == kind && paper.holds(bench.now));
        match papers.find(|paper| with.is_none_or(|with| paper.with == *with)) {
            Some(paper) => paper.ends_on.into_iter().for_each(|day| inquiry.until(midnight(day))),
            None => inquiry.object(match with {
                Some(with) => format!("no `{kind}` with `{with}` is in force"),
                None => format!("no `{kind}` is in force"),
            }),
        }
    }
    inquiry
}
