//! The audit log, as people use it: searched, copied, verified; and its checkpoints, which lie outside of the catalog.
//!
//! Promises: [`verify`] names the first entry that was edited, removed, inserted or moved; with a file of checkpoints also
//! that the chain was written anew or its end was cut off. Nothing here changes an entry.

mod checkpoints;
mod verify;

use holm_core::actor::Actor;
use holm_core::audit::chain::Entry;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::error::Problem;
use holm_store::audit::{self, Filter, record};
use holm_store::page::Page;

pub use checkpoints::append as checkpoint;
pub(crate) use checkpoints::run;
pub use verify::{Verdict, verify};

use crate::control::Control;

/// A page of what is looked for, newest first.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn search(control: &Control, filter: &Filter, page: &Page<i64>) -> Result<Vec<Entry>, Problem> {
    Ok(audit::search(control.catalog(), filter, page).await?)
}

/// A part of a copy of the whole log, oldest first, a thousand entries at the most; that a copy is begun is told in the log.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: an entry that tells of a copy may be there without one.
pub async fn export(control: &Control, by: &Actor, after: i64) -> Result<Vec<Entry>, Problem> {
    if after == 0 {
        let mut tx = control.catalog().transaction().await?;
        record(&mut tx, NewEntry::new(by, AuditAction::AuditExport, None, Subject::Installation).with(Detail::Export { after }));
        tx.commit().await?;
    }
    Ok(audit::walk(control.catalog(), after).await?)
}
