//! The pulse of a process: every two seconds one statement, which says that the node is there and finds what is due.
//!
//! Promises: whatever is committed is found by this look at the latest, whether or not the word of it arrived: words only make
//! it sooner. So a lost word is made up for within [`EVERY`] and the time of a statement, and tasks need no look of their own
//! while nothing happens: an idle process costs the catalog this one statement. What is not in it has no deadline that a person
//! waits for: the pools of clusters, and what was condemned there ([`UNHEARD`]).
//! Leases are renewed by a statement of their own ([`crate::operation::lease`]), and only while there are any: it waits for
//! the locks of steps under way, for which the node's sign of life must not.

use std::time::{Duration, Instant};

use holm_store::pulse::{self, Look, Pulse};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::control::Control;
use crate::node;
use crate::operation::{lease, registry};

/// From one look to the next, unless leases are so short that another's end is to be seen sooner.
pub(crate) const EVERY: Duration = Duration::from_secs(2);

/// How long a task goes without a look of its own when neither a word nor the pulse has anything for it: the pulse finds
/// everything, and this is for what nobody thought of.
pub(crate) const UNHEARD: Duration = Duration::from_secs(300);

/// Beats for as long as the process lives.
pub(crate) async fn run(control: Control) {
    let known = registry::known();
    let jobs: Vec<&str> = control.jobs().iter().map(|job| job.name).collect();
    let mut tick = interval(EVERY.min(lease::sign_every(&control)));
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut lost = false;
    loop {
        tick.tick().await;
        let since = Instant::now();
        let look = Look { node: control.membership().says(), known: &known, jobs: &jobs };
        let looked = timeout(EVERY, pulse::look(control.catalog(), &look)).await;
        let found = looked.ok().and_then(Result::ok);
        node::heard(&control, since, found.as_ref(), &mut lost).await;
        if let Some(found) = found {
            tell(&control, found);
        }
    }
}

/// Everyone hears of everything when a change of routes went by unheard, since others may have as well.
fn tell(control: &Control, found: Pulse) {
    if found.routes > *control.published().borrow() || *control.incarnation() != Some(found.incarnation) {
        control.nudge();
    }
    control.looked().send_replace(Some(found));
}

/// What the looks find.
pub(crate) type Looks = watch::Receiver<Option<Pulse>>;

/// Waits for a look that finds something.
///
/// # Cancel safety
/// Safe: what is due is found again by the next look.
pub(crate) async fn found(looks: &mut Looks, is_due: impl Fn(&Pulse) -> bool) {
    while looks.changed().await.is_ok() {
        if looks.borrow_and_update().as_ref().is_some_and(&is_due) {
            return;
        }
    }
}

/// Waits for a word, for a look that finds something, or until a time has passed.
///
/// # Cancel safety
/// Safe: a word that was not returned is still news.
pub(crate) async fn heard(signal: &mut watch::Receiver<u64>, looks: &mut Looks, at_most: Duration, is_due: impl Fn(&Pulse) -> bool) {
    let word = async {
        tokio::select! {
            _ = signal.changed() => {}
            () = found(looks, is_due) => {}
        }
    };
    let _ = timeout(at_most, word).await;
}
