//! Where the routes come from that are kept: from a catalog, or by the link from a control plane elsewhere.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holm_core::error::Problem;
use holm_core::route::RouteTable;
use holm_engine::control::Control;
use holm_engine::key::bundle;
use holm_link::Publisher;
use holm_link::kept::Moment;
use jiff::Timestamp;

use super::store::Store;
use crate::serve::link::Link;

/// What a keeper has to know of it.
#[derive(Clone)]
pub(in crate::serve) struct Source {
    publisher: Publisher,
    /// When somebody last said that these are the newest, as of a moment.
    heard: Arc<dyn Fn(&Moment) -> Moment + Send + Sync>,
    /// For how long nobody did.
    unheard: Arc<dyn Fn() -> Duration + Send + Sync>,
    /// Who seals; where there is none, the node does it for itself.
    control: Option<Control>,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").finish_non_exhaustive()
    }
}

impl Source {
    /// The control plane of this process.
    pub(in crate::serve) fn catalog(control: &Control) -> Self {
        let (one, other) = (control.clone(), control.clone());
        Self {
            publisher: control.publisher().clone(),
            heard: Arc::new(move |now| now.before(one.unheard())),
            unheard: Arc::new(move || other.unheard()),
            control: Some(control.clone()),
        }
    }

    /// One elsewhere, heard of through the link; until it is, what was heard before this start counts.
    pub(in crate::serve) fn link(publisher: &Publisher, link: &Arc<Link>, before: Moment) -> Self {
        let (one, other) = (Arc::clone(link), Arc::clone(link));
        Self {
            publisher: publisher.clone(),
            heard: Arc::new(move |_| one.heard().unwrap_or(before)),
            unheard: Arc::new(move || other.unheard()),
            control: None,
        }
    }

    pub(super) fn table(&self) -> Arc<RouteTable> {
        self.publisher.table()
    }

    pub(super) fn heard(&self, now: &Moment) -> Moment {
        (self.heard)(now)
    }

    pub(super) fn unheard(&self) -> Duration {
        (self.unheard)()
    }

    pub(super) fn keep(&self, store: &Store, now: &Moment, table: &RouteTable) -> Result<(), Problem> {
        let heard = self.heard(now);
        // What time it was where certificates are signed when that was heard.
        let told = self.publisher.routes().now().saturating_sub(self.unheard()).unwrap_or(Timestamp::UNIX_EPOCH);
        let table = &table.told_at(told);
        match &self.control {
            Some(control) => store.keep(&heard, now, table, |node, to, version, plain| bundle::seal(control, node, to, version, plain)),
            None => store.keep(&heard, now, table, |_, _, version, plain| Ok(store.seal_for_itself(version, plain))),
        }
    }
}
