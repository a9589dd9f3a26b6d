//! Somebody who waits for a connection.
//!
//! Promises: who is dropped waits no more, and what he was given a moment before goes to the next.

use std::sync::Arc;

use tokio::sync::oneshot;

use super::desk::{Answer, Desk};
use super::refusal::Because;
use super::scheduler::Ticket;
use crate::postgres::transaction::offer;

#[derive(Debug)]
pub(in crate::postgres) struct Waiting {
    desk: Arc<Desk>,
    ticket: Ticket,
    answered: oneshot::Receiver<Answer>,
    /// The scheduler has forgotten the ticket.
    is_over: bool,
}

impl Waiting {
    pub(super) const fn new(desk: Arc<Desk>, ticket: Ticket, answered: oneshot::Receiver<Answer>) -> Self {
        Self { desk, ticket, answered, is_over: false }
    }

    /// Waits for the answer; to be asked once.
    ///
    /// # Cancel safety
    /// Safe: an answer that was not taken is given back when this is dropped.
    pub(in crate::postgres) async fn answer(&mut self) -> Answer {
        let answer = (&mut self.answered).await.unwrap_or(Answer::Refused(Because::OpeningFailed));
        self.is_over = true;
        answer
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.is_over {
            return;
        }
        self.desk.gives_up(self.ticket);
        self.answered.close();
        if let Ok(Answer::Given(connection)) = self.answered.try_recv() {
            offer::give(connection);
        }
    }
}
