//! Forgets what was told: the audit log has it all, and what is kept here is for looking why something did not arrive.

use std::time::Duration;

use holm_core::error::Problem;
use holm_store::webhook::retention;

use crate::control::Control;

/// As long as anybody asks whether something arrived.
pub const TOLD: Duration = Duration::from_secs(30 * 24 * 3600);

/// What was missed can be told again for longer than what arrived.
pub const GIVEN_UP: Duration = Duration::from_secs(90 * 24 * 3600);

/// Forgets all that is old enough.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe.
pub(crate) async fn forget(control: Control) -> Result<(), Problem> {
    loop {
        match retention::forget(control.catalog(), TOLD, GIVEN_UP).await? {
            0 => return Ok(()),
            count => tracing::debug!(count, "messages that webhooks were told were forgotten"),
        }
    }
}
