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

use super::store::Store;

/// What a keeper has to know of it.
#[derive(Clone)]
pub(in crate::serve) struct Source {
    publisher: Publisher,
    /// For how long nobody said that these are the newest.
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
        let asked = control.clone();
        Self { publisher: control.publisher().clone(), unheard: Arc::new(move || asked.unheard()), control: Some(control.clone()) }
    }

    /// One elsewhere, heard of through the link.
    pub(in crate::serve) fn link(publisher: &Publisher, unheard: impl Fn() -> Duration + Send + Sync + 'static) -> Self {
        Self { publisher: publisher.clone(), unheard: Arc::new(unheard), control: None }
    }

    pub(super) fn table(&self) -> Arc<RouteTable> {
        self.publisher.table()
    }

    pub(super) fn unheard(&self) -> Duration {
        (self.unheard)()
    }

    pub(super) fn keep(&self, store: &Store, now: &Moment, table: &RouteTable) -> Result<(), Problem> {
        let heard = now.before(self.unheard());
        match &self.control {
            Some(control) => store.keep(&heard, now, table, |node, to, version, plain| bundle::seal(control, node, to, version, plain)),
            None => store.keep(&heard, now, table, |_, _, version, plain| Ok(store.seal_for_itself(version, plain))),
        }
    }
}
