//! Forgets the answers of requests whose time is over. They are not given again in any case; this is only about room.

use holm_core::error::Problem;
use holm_store::idempotency;

use crate::control::Control;

/// Forgets all that are over.
pub(crate) async fn forget(control: Control) -> Result<(), Problem> {
    loop {
        match idempotency::clean(control.catalog()).await? {
            0 => return Ok(()),
            count => tracing::debug!(count, "answers of requests were forgotten"),
        }
    }
}
