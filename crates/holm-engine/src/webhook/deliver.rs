//! Tells webhooks what the audit log says, entry by entry.
//!
//! Promises: whatever is in the log after a webhook was made is told to it at least once, in order while it takes it, by one
//! process at a time; each message has one id in all attempts. A receiver that does not answer holds up nobody else: it is
//! tried with growing waits for a day, then a message is given up, which the log says once. Refuses to tell more than the
//! log does, and of that no free text.

use std::time::Duration;

use holm_core::actor::{Actor, SystemActor};
use holm_core::audit::chain::Entry;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::Problem;
use holm_core::id::{MessageId, PrincipalId};
use holm_store::audit::{self, record};
use holm_store::webhook::delivery::{self, Delivery, NewMessage, Recorded, Waits};
use holm_store::webhook::lease::{self, Leased};
use serde_json::{Value, json};
use uuid::Uuid;

use super::post::post;
use crate::control::Control;
use crate::notices::Counters;
use crate::pulse::{UNHEARD, heard};
use crate::reconcile::backoff::jittered;

/// An attempt takes 10 s at the most, and to write it down 12 s.
const LEASE: Duration = Duration::from_secs(30);

/// 1 s, doubled with each failure up to these.
const MESSAGE_WAIT_MAX: Duration = Duration::from_secs(3600);
const PAUSE_MAX: Duration = Duration::from_secs(300);

/// Tells until it is stopped.
pub(crate) async fn run(control: Control) {
    let (mut signal, mut looks) = (control.signal(), control.looks());
    loop {
        match lease::claim(control.catalog(), control.runner(), LEASE).await {
            Ok(claimed) => {
                for leased in claimed {
                    control.tasks().spawn("webhook", tell(control.clone(), leased));
                }
            }
            Err(error) => tracing::debug!(%error, "webhooks wait for the catalog"),
        }
        // What wakes nobody, and what is tried again, is found by the pulse.
        heard(&mut signal, &mut looks, UNHEARD, |found| found.webhooks).await;
    }
}

/// Gives back what this process was telling, so that another one goes on at once.
pub(crate) async fn leave(control: &Control) {
    if let Err(error) = lease::leave(control.catalog(), control.runner()).await {
        tracing::debug!(%error, "webhooks are left alone until their leases are over");
    }
}

async fn tell(control: Control, mut leased: Leased) {
    let told = tell_all(&control, &mut leased).await;
    if let Err(problem) = told {
        tracing::warn!(webhook = %leased.webhook.name, code = %problem.code, why = problem.why, "a webhook waits: {}", problem.what);
        // The lease is kept: it is the pause.
        return;
    }
    if let Err(error) = lease::release(control.catalog(), &leased).await {
        tracing::debug!(%error, "a webhook is left alone until its lease is over");
    }
}

/// Until there is nothing more, a failure, or another process has the webhook.
async fn tell_all(control: &Control, leased: &mut Leased) -> Result<(), Problem> {
    loop {
        let more = match notice(control, leased).await? {
            Noticed::Some => true,
            Noticed::Nothing => false,
            Noticed::Overtaken => return Ok(()),
        };
        let mut told = false;
        while let Some(due) = delivery::due(control.catalog(), leased.webhook.id).await? {
            if !attempt(control, leased, &due).await? {
                return Ok(());
            }
            told = true;
        }
        if !more && !told {
            return Ok(());
        }
    }
}

enum Noticed {
    Some,
    Nothing,
    Overtaken,
}

/// Keeps what is to be told of the next entries, and moves the cursor past them.
async fn notice(control: &Control, leased: &mut Leased) -> Result<Noticed, Problem> {
    let entries = audit::walk(control.catalog(), leased.webhook.seq).await?;
    let Some(last) = entries.last().map(|entry| entry.seq) else { return Ok(Noticed::Nothing) };
    let heard = entries.iter().filter(|entry| hears(leased, entry)).map(|entry| NewMessage {
        id: MessageId::from_uuid(Uuid::now_v7()),
        seq: entry.seq,
        action: entry.content.action.clone(),
    });
    let heard: Vec<NewMessage> = heard.collect();
    let mut tx = control.catalog().transaction().await?;
    if !lease::advance(&mut tx, leased, last, LEASE).await? {
        return Ok(Noticed::Overtaken);
    }
    if !heard.is_empty() {
        delivery::insert(&mut tx, leased.webhook.id, &heard).await?;
    }
    tx.commit().await?;
    leased.webhook.seq = last;
    Ok(Noticed::Some)
}

fn hears(leased: &Leased, entry: &Entry) -> bool {
    let here = leased.webhook.environment.as_ref().is_none_or(|only| entry.content.environment.as_deref() == Some(only.as_str()));
    here && leased.webhook.actions.hear(&entry.content.action)
}

/// One attempt, written down. Returns whether to go on with the next.
async fn attempt(control: &Control, leased: &mut Leased, due: &Delivery) -> Result<bool, Problem> {
    let webhook = &leased.webhook;
    let Some(entry) = audit::by_seq(control.catalog(), due.seq).await? else {
        return Err(Problem::new(holm_core::error::ErrorCode::AuditBroken, format!("entry {} of the audit log is gone", due.seq))
            .next("see what is wrong: `holm audit verify`"));
    };
    let attempt = post(control, webhook, due.id, body(&entry)).await?;
    let waits = Waits {
        lease: LEASE,
        message: jittered(doubled(due.attempts, MESSAGE_WAIT_MAX)),
        pause: jittered(doubled(webhook.failures, PAUSE_MAX)),
    };
    let mut tx = control.catalog().transaction().await?;
    let recorded = delivery::record(&mut tx, leased, due.id, &attempt, waits).await?;
    match recorded {
        Recorded::Overtaken => return Ok(false),
        Recorded::Died => {
            let by = Actor::system(SystemActor::Schedule);
            record(&mut tx, NewEntry::new(&by, AuditAction::WebhookDie, webhook.environment.as_ref(), Subject::Webhook(webhook.id)));
        }
        Recorded::Done => {}
    }
    tx.commit().await?;
    let counters = control.notices();
    Counters::count(if attempt.taken { &counters.webhook_delivered } else { &counters.webhook_failed });
    if recorded == Recorded::Died {
        Counters::count(&counters.webhook_died);
        tracing::error!(webhook = %webhook.name, "a webhook has missed something for good: see `holm webhook deliveries {}`", webhook.name);
    }
    if attempt.taken {
        leased.webhook.failures = 0;
    } else {
        tracing::info!(webhook = %webhook.name, message = %due.id, status = attempt.status, "a webhook did not take a message");
    }
    Ok(attempt.taken)
}

fn doubled(failures: u32, longest: Duration) -> Duration {
    Duration::from_secs(1 << failures.min(20)).min(longest)
}

/// What is told of an entry. The reason is left out: people write it, and it may name somebody.
pub(super) fn body(entry: &Entry) -> String {
    let content = &entry.content;
    let actor = match content.actor_id {
        Some(id) => json!({ "kind": content.actor_kind, "id": PrincipalId::from_uuid(id) }),
        None => json!({ "kind": content.actor_kind, "part": content.actor_name }),
    };
    let subject = json!({ "kind": content.subject_kind, "id": content.subject_id });
    let detail: Value = serde_json::from_str(&content.detail).unwrap_or_default();
    let data = json!({ "seq": entry.seq, "actor": actor, "environment": content.environment, "subject": subject, "detail": detail });
    json!({ "type": content.action, "timestamp": entry.at(), "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let seconds: Vec<u64> = [0, 1, 2, 8, 9, 30].map(|failures| doubled(failures, PAUSE_MAX).as_secs()).into();
        assert_eq!(seconds, [1, 2, 4, 256, 300, 300]);
        assert_eq!(doubled(u32::MAX, MESSAGE_WAIT_MAX), MESSAGE_WAIT_MAX);
    }
}
