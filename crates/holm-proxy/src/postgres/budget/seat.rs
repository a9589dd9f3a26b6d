//! A place in a cluster's budget, for one connection.
//!
//! Promises: given back when it is dropped, whatever the reason; whoever has it drops it when the server has closed its side.

use std::sync::Arc;

use super::desk::{Desk, Verdict};
use super::scheduler::{Event, Failure, Place};

#[derive(Debug)]
pub(in crate::postgres) struct Seat {
    pub(in crate::postgres) desk: Arc<Desk>,
    pub(in crate::postgres) place: Place,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Connecting,
    Open,
    GivenBack,
}

impl Seat {
    pub(super) const fn new(desk: Arc<Desk>, place: Place) -> Self {
        Self { desk, place, stage: Stage::Connecting }
    }

    /// The connection is open.
    pub(in crate::postgres) fn opened(&mut self) -> Verdict {
        self.stage = Stage::Open;
        self.desk.tell(Event::Opened(self.place)).unwrap_or(Verdict::Close)
    }

    /// There will be no connection. Those who wait in its pool hear it now, if there is nothing else that they wait for.
    pub(in crate::postgres) fn failed(mut self) {
        self.stage = Stage::GivenBack;
        self.desk.failed(self.place);
    }

    /// Nobody needs the connection now.
    pub(in crate::postgres) fn released(&self) -> Verdict {
        self.desk.tell(Event::Released(self.place)).unwrap_or(Verdict::Close)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        match self.stage {
            Stage::Connecting => _ = self.desk.tell(Event::Failed(self.place, Failure::Passing)),
            Stage::Open => _ = self.desk.tell(Event::Closed(self.place)),
            Stage::GivenBack => {}
        }
    }
}
