//! Walks the whole chain and compares every checkpoint.
//!
//! Promises: what was written meanwhile is no break; the first place that does not fit is named and the walk ends there.

use std::collections::VecDeque;

use holm_core::audit::chain::{Break, Chain, Entry};
use holm_core::error::Problem;
use holm_store::audit;

use super::checkpoints;
use crate::control::Control;

/// What the walk found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How many entries fit, from the first on.
    pub entries: i64,
    /// How many checkpoints were compared.
    pub checkpoints: usize,
    /// Lines of the file that are not ours, or not whole.
    pub checkpoints_unreadable: usize,
    /// What is wrong, at the first place where something is.
    pub broken: Option<Break>,
}

/// Verifies the audit log.
///
/// # Errors
/// The catalog does not answer, or the file of checkpoints cannot be read. A log that is broken is a verdict and no error.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn verify(control: &Control) -> Result<Verdict, Problem> {
    let known = checkpoints::read(control).await?;
    let mut chain = Chain::new(known.good.iter().map(|checkpoint| (checkpoint.seq, *checkpoint.chain_hash())));
    let broken = walk(control, &mut chain).await?;
    if let Some(found) = &broken {
        tracing::error!(seq = found.seq(), "the audit log is broken: {found}");
    }
    let (checkpoints, checkpoints_unreadable) = (known.good.len(), known.unreadable);
    Ok(Verdict { entries: chain.last().seq, checkpoints, checkpoints_unreadable, broken })
}

async fn walk(control: &Control, chain: &mut Chain) -> Result<Option<Break>, Problem> {
    // Below every number: an entry before the first is seen as well.
    let mut after = i64::MIN;
    loop {
        // The end before the page: what the end knows of is on a page, if it is there at all.
        let head = audit::head(control.catalog()).await?;
        let mut page = VecDeque::from(audit::walk(control.catalog(), after).await?);
        if page.is_empty() {
            return Ok(chain.end(head.as_ref()).err());
        }
        while let Some(entry) = page.pop_front() {
            after = entry.seq;
            if !chain.continues(&entry) {
                return diagnose(control, chain, &entry).await.map(Some);
            }
            if let Err(found) = chain.take(&entry) {
                return Ok(Some(found));
            }
        }
    }
}

async fn diagnose(control: &Control, chain: &Chain, found: &Entry) -> Result<Break, Problem> {
    let successors = audit::following(control.catalog(), &chain.last().hash).await?;
    let head = audit::head(control.catalog()).await?.map_or(found.seq, |head| head.seq);
    Ok(chain.diagnose(found, &successors, head))
}
