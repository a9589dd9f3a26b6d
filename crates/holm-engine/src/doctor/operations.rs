//! Operations that wait for a person: their journal cannot be believed, or no Holm that runs here has their code.
//!
//! Promises: nothing is said of operations that are merely under way, retry, or wait for a time.

use std::collections::BTreeSet;

use holm_core::operation::OperationState;
use holm_store::operation::{self, Filter, Operation};
use holm_store::page::Page;

use super::{Finding, names};
use crate::control::Control;
use crate::operation::show;

/// The newest; whoever has more that are not over has other troubles.
const SOME: u32 = 1000;

pub(super) async fn examine(control: &Control) -> Vec<Finding> {
    let states = OperationState::ALL.into_iter().filter(|state| !state.is_over()).collect();
    let unfinished = Filter { states: Some(states), ..Filter::default() };
    match operation::list(control.catalog(), &unfinished, &Page { after: None, limit: SOME }).await {
        Ok(operations) => [broken(&operations), unknown(&operations)].into_iter().flatten().collect(),
        Err(error) => vec![Finding::of("operations", &error.into())],
    }
}

fn broken(all: &[Operation]) -> Option<Finding> {
    let broken: Vec<&Operation> = all.iter().filter(|operation| operation.state == OperationState::Broken).collect();
    let first = broken.first()?;
    let text = format!("the journal cannot be believed of {}", names(broken.iter().map(|operation| operation.id.to_string())));
    Some(Finding::bad(
        "operations",
        text,
        format!("see what it did, set right what is half done, then give it up: `holm op show {}`", first.id),
    ))
}

/// This process speaks for itself: another one of a newer version may run them.
fn unknown(all: &[Operation]) -> Option<Finding> {
    let unknown: Vec<&Operation> =
        all.iter().filter(|operation| operation.state != OperationState::Broken && !show::is_known(operation)).collect();
    let first = unknown.first()?;
    let kinds: BTreeSet<String> = unknown.iter().map(|operation| format!("{} (version {})", operation.kind, operation.version)).collect();
    let text = format!("{} wait for a Holm that has their code, which this one does not: {}", unknown.len(), names(kinds.into_iter()));
    let next = format!("run the version of Holm that began them, or give them up: `holm op abandon {} --reason \"…\"`", first.id);
    Some(Finding::warning("operations", text, next))
}
