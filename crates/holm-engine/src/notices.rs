//! How those are served who are told what was done: counted for monitoring.
//!
//! Promises: counters are of this process and only grow; what waits is the catalog's, the same in every process. Whoever asks
//! often costs the catalog no more than a question in [`FRESH`], and a catalog that does not answer holds nobody up.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use holm_store::error::StoreError;
use holm_store::webhook::retention::{self, Backlog, MailBacklog};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::control::Control;

/// Shorter than anybody scrapes.
pub const FRESH: Duration = Duration::from_secs(5);

/// A scrape is given up after 10 s by default.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// What this process has done since it started.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages that a webhook took.
    pub webhook_delivered: AtomicU64,
    /// Attempts that it did not.
    pub webhook_failed: AtomicU64,
    /// Messages that were given up.
    pub webhook_died: AtomicU64,
    /// Mails that were handed to their server.
    pub mail_sent: AtomicU64,
    /// Attempts that failed.
    pub mail_failed: AtomicU64,
}

impl Counters {
    pub(crate) fn count(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// For webhooks.
    pub webhooks: Backlog,
    /// For mails; nothing where nobody is written to.
    pub mails: Option<MailBacklog>,
}

/// What was seen last, and when.
#[derive(Debug, Default)]
pub(crate) struct Seen(Mutex<Option<(Instant, Option<Waiting>)>>);

/// What waits, as it was a few seconds ago at the most; nothing if the catalog does not say.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn waiting(control: &Control) -> Option<Waiting> {
    let mut seen = control.notices_seen().0.lock().await;
    if let Some((at, waiting)) = *seen
        && at.elapsed() < FRESH
    {
        return waiting;
    }
    // An answer that did not come is remembered too: the next one need not wait for it.
    let waiting = timeout(ANSWER_TIMEOUT, look(control)).await.ok().and_then(Result::ok);
    *seen = Some((Instant::now(), waiting));
    waiting
}

async fn look(control: &Control) -> Result<Waiting, StoreError> {
    let webhooks = retention::backlog(control.catalog()).await?;
    let mails = match control.mail() {
        Some(_) => Some(retention::mail_backlog(control.catalog()).await?),
        None => None,
    };
    Ok(Waiting { webhooks, mails })
}
