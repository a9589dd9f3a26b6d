//! How long the gateway waits for a peer that has to act: a deadline that starts when nothing moves and is forgotten
//! when something does.
//!
//! Promises: nobody who is not being waited for is timed, so that back-pressure from one side is not the other's fault.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

/// A deadline for each wait.
#[derive(Debug)]
pub(super) struct Patience {
    limit: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
    waiting: bool,
}

impl Patience {
    pub(super) const fn new(limit: Duration) -> Self {
        Self { limit, sleep: None, waiting: false }
    }

    /// The peer has acted.
    pub(super) const fn moved(&mut self) {
        self.waiting = false;
    }

    /// The peer has not acted; ready when that has been so for too long. The task is woken then.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
        if !self.waiting {
            sleep.as_mut().reset(Instant::now() + limit);
            self.waiting = true;
        }
        sleep.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use futures_util::FutureExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    #[tokio::test(start_paused = true)]
    async fn time_in_which_nobody_waited_does_not_count() {
        let mut patience = Patience::new(LIMIT);
        assert!(poll_fn(|cx| patience.poll_over(cx)).now_or_never().is_none());
        tokio::time::advance(LIMIT - Duration::from_secs(1)).await;
        patience.moved();
        tokio::time::advance(LIMIT * 10).await;
        let began = Instant::now();
        poll_fn(|cx| patience.poll_over(cx)).await;
        assert_eq!(began.elapsed(), LIMIT);
    }
}
