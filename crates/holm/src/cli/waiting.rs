//! Waiting for an operation: how long, how it is shown meanwhile, and what its end means for the command.
//!
//! Promises: the operation does not depend on anybody waiting; a command that stops waiting says so with exit code 8. On a
//! terminal there are bars; elsewhere a line for each thing that happens, once.

use std::time::{Duration, Instant};

use holm_api::view::operation::{OperationDetailView, OperationView};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::operation::OperationState;
use jiff::Timestamp;

use super::context::{self, Context};
use super::op::progress::Progress;
use crate::client::Client;
use crate::exit::Exit;
use crate::output::Answer;

/// Whether to wait, and how long. Every command that starts an operation has these.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Waiting {
    /// Waits for the end, which is what happens if nothing is said
    #[arg(long, conflicts_with = "no_wait")]
    wait: bool,
    /// Ends as soon as it is begun
    #[arg(long)]
    no_wait: bool,
    /// How long to wait, in seconds; it goes on afterwards
    #[arg(long, value_name = "SECONDS", default_value_t = 600)]
    timeout: u64,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// It is over.
    Over,
    /// It is over, or has nothing to do for longer than anybody waits.
    Rests,
    /// It is undone.
    Undone,
}

/// How waiting ended.
pub(super) struct Waited {
    pub(super) shown: Answer,
    /// Until when it rests, if that is what was waited for.
    pub(super) rests_until: Option<Timestamp>,
}

/// A step that waits for longer than this is not waited for.
const REST: Duration = Duration::from_secs(60);

/// The server answers at the latest then.
const ASK: u64 = 30;

/// Bars move at least so often while something moves.
const ASK_DRAWING: u64 = 1;

/// Waits as was said for an operation that was begun, and makes an answer of its end.
///
/// # Errors
/// The server does not answer; the operation goes on.
pub(super) async fn after(
    context: &Context,
    client: &Client,
    begun: OperationView,
    waiting: &Waiting,
    until: Until,
) -> Result<Waited, Problem> {
    if waiting.no_wait {
        context.say(&format!("begun: holm op watch {}", begun.id));
        return Ok(Waited { shown: Answer::one(&begun).operation(begun.id), rests_until: None });
    }
    follow(context, client, begun, Some(Duration::from_secs(waiting.timeout)), until).await
}

/// Follows an operation.
///
/// # Errors
/// The server does not answer; the operation goes on.
pub(super) async fn follow(
    context: &Context,
    client: &Client,
    begun: OperationView,
    patience: Option<Duration>,
    until: Until,
) -> Result<Waited, Problem> {
    let deadline = patience.map(|patience| Instant::now() + patience);
    let id = begun.id.to_string();
    let named = context::Operation { id: id.clone(), what: format!("`{}` of {}", begun.kind, begun.subject) };
    context.waits_for(Some(&named));
    let mut progress = Progress::new(context, &begun);
    let mut now: OperationDetailView = client.get(&["operations", &id]).await?;
    loop {
        progress.show(client, &now).await?;
        if is_there(&now.operation, until) {
            break;
        }
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            context.waits_for(None);
            let problem = named.goes_on("not over in time");
            return Ok(Waited { shown: Answer::one(&now).operation(id).problem(problem), rests_until: None });
        }
        let longest = if progress.moves(&now.operation) { ASK_DRAWING } else { ASK };
        let wait = left.map_or(longest, |left| longest.min(left.as_secs() + 1)).to_string();
        let seen = now.operation.last_seq.to_string();
        now = client.get_where(&["operations", &id], &[("wait", &wait), ("seen", &seen)]).await?;
    }
    drop(progress);
    context.waits_for(None);
    Ok(ended(now, until))
}

fn is_there(operation: &OperationView, until: Until) -> bool {
    let over = operation.state.is_over() || operation.state == OperationState::Broken;
    over || until == Until::Rests && rests(operation)
}

/// Held by a person counts as well: nothing happens until somebody says so.
fn rests(operation: &OperationView) -> bool {
    let long = |until: Timestamp| Duration::try_from(until.duration_since(Timestamp::now())).is_ok_and(|left| left > REST);
    operation.state == OperationState::Paused || operation.rests_until.is_some_and(long)
}

/// What an operation's end means: done, partly done, or not.
fn ended(shown: OperationDetailView, until: Until) -> Waited {
    let operation = &shown.operation;
    let (id, rests_until) = (operation.id, operation.rests_until.filter(|_| until == Until::Rests));
    let answer = Answer::one(&shown).operation(id);
    let answer = match operation.state {
        OperationState::Succeeded if shown.children.is_some_and(|children| children.failed > 0) => answer.exit(Exit::Partly),
        OperationState::Succeeded => answer,
        OperationState::Undone if until == Until::Undone => answer,
        OperationState::Undone | OperationState::Abandoned | OperationState::Broken => answer.problem(undone(operation)),
        OperationState::Active | OperationState::Paused | OperationState::Undoing => answer,
    };
    Waited { shown: answer, rests_until }
}

fn undone(operation: &OperationView) -> Problem {
    let what = format!("`{}` of {} was {}", operation.kind, operation.subject, operation.state);
    let changed = if operation.state == OperationState::Undone { Changed::Nothing } else { Changed::Unknown };
    let problem = Problem::new(ErrorCode::OperationUndone, what).changed(changed);
    let problem = match &operation.problem {
        Some(cause) => problem.because(cause.why.as_ref().map_or_else(|| cause.what.clone(), |why| format!("{}: {why}", cause.what))),
        None => problem.because("somebody asked for that"),
    };
    problem.next(format!("see what happened: `holm op show {}`", operation.id))
}

/// A time as people read it.
pub(super) fn to_the_second(at: Timestamp) -> Timestamp {
    at.round(jiff::Unit::Second).unwrap_or(at)
}
