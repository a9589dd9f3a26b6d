//! What the steps of an operation cost without the engine around them: the yardstick of the benchmark `operations`.
//!
//! Refuses to be used for anything else: nothing is recorded, and nobody takes it up when it breaks off.

use std::sync::Arc;
use std::time::Instant;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_core::operation::journal::replay;
use holm_store::operation::journal::{self, Journal};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::acting::{Acting, Clock};
use super::definition::{Place, StepError};
use super::people::not_found;
use super::{digest, registry};
use crate::control::Control;

/// Runs every step of an operation that nobody else carries out, each in its own transaction where it has one, and
/// records nothing. The operation's row must say that it is leased, in its first epoch.
///
/// # Errors
/// Whatever a step fails with.
///
/// # Cancel safety
/// Safe, but nobody goes on with it.
pub async fn run(control: &Control, id: OperationId) -> Result<(), Problem> {
    let operation = holm_store::operation::by_id(control.catalog(), id).await?.ok_or_else(|| not_found(id))?;
    let Journal { rows, last_seq, head } = journal::of(control.catalog(), &[id]).await?.remove(&id).ok_or_else(|| not_found(id))?;
    let broken = |error: holm_core::operation::journal::Broken| Problem::new(ErrorCode::OperationBroken, error.to_string());
    let mut state = replay(&rows, last_seq, &head, digest::hash).map_err(broken)?.state;
    let definition = registry::find(&operation.kind, operation.version).ok_or_else(|| not_found(id))?;
    let acting = Acting {
        control: control.clone(),
        id,
        epoch: operation.epoch,
        lost: CancellationToken::new(),
        clock: Clock { said: operation.read_at, heard: Instant::now() },
        told: Arc::new(Mutex::new(None)),
    };
    for step in 0..definition.plan.len() {
        let run = definition.step(step);
        state = match run.place(false) {
            Place::Nowhere | Place::Wait => state,
            Place::Outside => run.outside(&acting, &state, false).await.map_err(problem)?.1,
            Place::Catalog => {
                let mut tx = control.catalog().transaction().await?;
                let (_, next) = run.in_catalog(&acting, &mut tx, &state, false).await.map_err(problem)?;
                let changes = tx.changes();
                tx.commit().await?;
                if changes {
                    control.nudge();
                }
                next
            }
        };
    }
    Ok(())
}

fn problem(error: StepError) -> Problem {
    match error {
        StepError::Retry(problem) | StepError::Fatal(problem) => problem,
        StepError::Lost => Problem::new(ErrorCode::OperationCannot, "the operation's row does not say that it is leased"),
    }
}
