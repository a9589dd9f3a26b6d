//! `holm op`: work that takes longer than a request, and what people say to it.

mod abandon;
mod cancel;
mod events;
mod list;
pub(super) mod progress;
mod show;
mod watch;
mod word;

use holm_api::view::operation::{OperationDetailView, OperationView};
use holm_core::actor::Actor;
use holm_core::error::Problem;
use serde_json::Value;

use super::context::Context;
use crate::output::{Answer, Cell, Row};

/// One variant for each verb.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Lists them, the newest first
    List(list::Args),
    /// Shows one with its steps
    Show(show::Args),
    /// Shows one while it goes on, until it is over
    Watch(watch::Args),
    /// Lists what happened to one
    Events(events::Args),
    /// Begins nothing more after the step that is under way
    Pause(word::Pause),
    /// Lets a paused one go on
    Resume(word::Resume),
    /// Undoes what one has done
    Cancel(cancel::Args),
    /// Has what failed tried again now
    Retry(word::Retry),
    /// Ends a wait
    Proceed(word::Proceed),
    /// Leaves one as it is, for good
    Abandon(abandon::Args),
}

/// One operation.
#[derive(Debug, clap::Args)]
pub(super) struct Id {
    /// The operation's id
    #[arg(value_name = "ID")]
    pub(super) id: String,
}

impl Id {
    fn path<'a>(&'a self, rest: &[&'a str]) -> Vec<&'a str> {
        [&["operations", self.id.as_str()], rest].concat()
    }
}

pub(super) async fn run(context: &Context, command: Command) -> Result<Answer, Problem> {
    match command {
        Command::List(args) => list::run(context, args).await,
        Command::Show(args) => show::run(context, args).await,
        Command::Watch(args) => watch::run(context, args).await,
        Command::Events(args) => events::run(context, args).await,
        Command::Pause(args) => word::say(context, &args.operation, "pause", "paused after the step that is under way").await,
        Command::Resume(args) => word::say(context, &args.operation, "resume", "goes on").await,
        Command::Cancel(args) => cancel::run(context, args).await,
        Command::Retry(args) => word::say(context, &args.operation, "retry", "is tried again").await,
        Command::Proceed(args) => word::say(context, &args.operation, "proceed", "waits no longer").await,
        Command::Abandon(args) => abandon::run(context, args).await,
    }
}

/// Who, as people know them.
fn who(by: &Value) -> String {
    match serde_json::from_value::<Actor>(by.clone()) {
        Ok(actor) => actor.to_string(),
        Err(_) => by.as_str().map_or_else(|| by.to_string(), str::to_owned),
    }
}

impl Row for OperationView {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "KIND",
        "SUBJECT",
        "STATE",
        "STEP",
        "DONE",
        "STEPS",
        "CREATED",
        "BY",
        "REASON",
        "PROBLEM",
        "RESTS_UNTIL",
        "NEXT_RUN",
        "DEADLINE",
        "FINISHED",
        "PARENT",
    ];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(self.id),
            Cell::of(&self.kind),
            Cell::of(&self.subject),
            Cell::of(if self.needs_person { format!("{}, needs you", self.state) } else { self.state.to_string() }),
            self.step.clone().into(),
            Cell::Number(self.done.into()),
            Cell::Number(self.steps.into()),
            Cell::time(self.created_at),
            Cell::Text(who(&self.requested_by)),
            self.reason.clone().into(),
            self.problem.as_ref().map(ToString::to_string).into(),
            self.rests_until.map_or(Cell::Empty, Cell::time),
            self.next_run_at.map_or(Cell::Empty, Cell::time),
            self.deadline.map_or(Cell::Empty, Cell::time),
            self.finished_at.map_or(Cell::Empty, Cell::time),
            self.parent.map(|id| id.to_string()).into(),
        ]
    }

    fn name(&self) -> String {
        self.id.to_string()
    }
}

impl Row for OperationDetailView {
    const COLUMNS: &'static [&'static str] = &[
        "ID",
        "KIND",
        "SUBJECT",
        "STATE",
        "STEP",
        "DONE",
        "STEPS",
        "CREATED",
        "BY",
        "REASON",
        "PROBLEM",
        "RESTS_UNTIL",
        "NEXT_RUN",
        "DEADLINE",
        "FINISHED",
        "PARENT",
        "PLAN",
        "CHILDREN",
        "SECONDS_LEFT",
    ];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        let plan: Vec<String> = self.plan.iter().map(|step| format!("{} {}", step.name, step.state.as_str())).collect();
        let children = self.children.map(|all| format!("{} done, {} failed, {} to go", all.succeeded, all.failed, all.unfinished));
        let mut cells = self.operation.cells();
        cells.push(Cell::Text(plan.join(", ")));
        cells.push(children.into());
        cells.push(self.seconds_left.and_then(|left| i64::try_from(left).ok()).map_or(Cell::Empty, Cell::Number));
        cells
    }

    fn name(&self) -> String {
        self.operation.name()
    }
}
