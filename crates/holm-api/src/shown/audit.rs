//! From the audit log of the catalog to what the API shows.

use holm_core::audit::chain::Entry;
use holm_core::audit::checkpoint::Checkpoint;
use holm_core::id::PrincipalId;
use holm_engine::audit::Verdict;

use crate::view::audit::{AuditEntryView, AuditVerdictView, CheckpointView};

impl From<Entry> for AuditEntryView {
    fn from(entry: Entry) -> Self {
        let at = entry.at();
        let content = entry.content;
        Self {
            seq: entry.seq,
            at,
            actor_kind: content.actor_kind,
            actor_id: content.actor_id.map(|id| PrincipalId::from_uuid(id).to_string()),
            actor: content.actor_name,
            action: content.action,
            environment: content.environment,
            subject_kind: content.subject_kind,
            subject: content.subject_id,
            reason: content.reason,
            detail: content.detail,
            version: entry.version,
            previous_hash: hex(&entry.previous_hash),
            hash: hex(&entry.hash),
        }
    }
}

impl From<Verdict> for AuditVerdictView {
    fn from(verdict: Verdict) -> Self {
        Self {
            intact: verdict.broken.is_none(),
            entries: verdict.entries,
            checkpoints: verdict.checkpoints,
            checkpoints_unreadable: verdict.checkpoints_unreadable,
            broken_at: verdict.broken.as_ref().map(holm_core::audit::chain::Break::seq),
            finding: verdict.broken.map(|found| found.to_string()),
        }
    }
}

impl From<Checkpoint> for CheckpointView {
    fn from(checkpoint: Checkpoint) -> Self {
        Self { seq: checkpoint.seq, hash: checkpoint.hash.to_string(), at: checkpoint.at }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
