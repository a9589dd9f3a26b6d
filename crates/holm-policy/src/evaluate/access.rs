//! From where people see clear data: staff of the providers, and of whoever processes for them.

use crate::evaluate::Bench;
use crate::evaluate::chain::Chain;
use crate::evaluate::control::unless_sealed;
use crate::evaluate::evidence::{Inquiry, conclude};
use crate::evaluate::location::{is_any, permits_all, written};
use crate::evaluate::verdict::{Finding, RuleId};

pub(super) fn support(bench: &Bench<'_>, chain: &Chain<'_>, sealed: Option<&Inquiry>) -> Finding {
    let allowed = &bench.profile.support_from;
    let mut inquiry = Inquiry::default();
    if !is_any(allowed) {
        inquiry.and(&chain.inquiry);
        for provider in &chain.providers {
            for territory in inquiry.ask(bench, &provider.support_from).into_iter().flatten() {
                permits_all(bench, &mut inquiry, allowed, territory, || format!("staff of `{}`", provider.id));
            }
        }
        for link in &chain.links {
            for territory in link.works_from.into_iter().flatten() {
                permits_all(bench, &mut inquiry, allowed, territory, || format!("staff of {}", link.entity.name));
            }
        }
    }
    conclude(RuleId::AccessSupport, unless_sealed(inquiry, sealed), || format!("clear data is seen only from {}", written(allowed)))
}
