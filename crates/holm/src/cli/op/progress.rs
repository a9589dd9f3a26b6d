//! How an operation is shown while somebody waits: bars on a terminal, elsewhere a line for each thing that happens.
//!
//! Promises: all of it is talk, on stderr; a line is said once; a bar is taken away before the answer is shown.

use std::time::Duration;

use holm_api::view::ListView;
use holm_api::view::operation::{EventView, OperationDetailView, OperationView};
use holm_core::error::Problem;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::context::Context;
use crate::client::Client;
use crate::output::visible;

/// What is shown of an operation.
pub(in crate::cli) enum Progress<'a> {
    Bars(Bars),
    Lines { context: &'a Context, id: String, cursor: Option<String> },
}

/// A bar of steps, and one of the step's own measure.
pub(in crate::cli) struct Bars {
    all: MultiProgress,
    steps: ProgressBar,
    step: ProgressBar,
}

impl<'a> Progress<'a> {
    pub(in crate::cli) fn new(context: &'a Context, operation: &OperationView) -> Self {
        if !context.draws() {
            return Self::Lines { context, id: operation.id.to_string(), cursor: None };
        }
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let steps = all.add(ProgressBar::new(operation.steps.into()).with_style(style("{spinner} {prefix} [{bar:20}] {pos}/{len} {msg}")));
        let step = all.add(ProgressBar::new(0).with_style(style("  [{bar:20}] {msg}")));
        steps.set_prefix(visible(&format!("{} of {}", operation.kind, operation.subject)));
        steps.enable_steady_tick(Duration::from_millis(120));
        Self::Bars(Bars { all, steps, step })
    }

    /// Whether looking often is worth while.
    pub(in crate::cli) fn moves(&self, operation: &OperationView) -> bool {
        matches!(self, Self::Bars(_)) && operation.running
    }

    /// Shows how it stands.
    ///
    /// # Errors
    /// The server does not answer.
    pub(in crate::cli) async fn show(&mut self, client: &Client, now: &OperationDetailView) -> Result<(), Problem> {
        match self {
            Self::Bars(bars) => bars.show(now),
            Self::Lines { context, id, cursor } => {
                for line in news(client, id, cursor).await? {
                    context.say(&line);
                }
            }
        }
        Ok(())
    }
}

/// What happened since, as lines.
async fn news(client: &Client, id: &str, cursor: &mut Option<String>) -> Result<Vec<String>, Problem> {
    let mut lines = Vec::new();
    loop {
        let query: Vec<(&str, &str)> = cursor.as_deref().map(|cursor| ("cursor", cursor)).into_iter().collect();
        let part: ListView<EventView> = client.get_where(&["operations", id, "events"], &query).await?;
        let worth = part.items.iter().filter(|row| row.event != "claimed");
        lines.extend(worth.map(line));
        if let Some(last) = part.items.last() {
            *cursor = Some(holm_api::page::cursor(last.seq));
        }
        if part.next.is_none() {
            return Ok(lines);
        }
    }
}

fn line(row: &EventView) -> String {
    let mark = match row.event.as_str() {
        "done" | "undone" => "✓",
        "failed" | "undo_failed" => "✗",
        _ => "·",
    };
    let why = row.problem.as_ref().map(|problem| format!(": {} {}", problem.code, problem.what)).unwrap_or_default();
    visible(&format!("{mark} {}{why}", row.text))
}

impl Bars {
    fn show(&self, now: &OperationDetailView) {
        let operation = &now.operation;
        let left = now.seconds_left.map(|left| format!(", about {left} s left")).unwrap_or_default();
        self.steps.set_length(operation.steps.into());
        self.steps.set_position(operation.done.into());
        let rests = operation.rests_until.map(|until| format!(" until {until}")).unwrap_or_default();
        let trouble = operation.problem.as_ref().map(|problem| format!(" ({} {})", problem.code, problem.what)).unwrap_or_default();
        let step = operation.step.as_deref().unwrap_or(operation.state.as_str());
        self.steps.set_message(visible(&format!("{step}{rests}{trouble}{left}")));
        let children = now.children.map(|all| (all.succeeded + all.failed, all.succeeded + all.failed + all.unfinished, "operations"));
        match operation.progress.as_ref().map(|own| (own.done, own.of, own.unit.as_str())).or(children) {
            Some((done, of, unit)) => {
                self.step.set_length(of);
                self.step.set_position(done);
                self.step.set_message(visible(&if unit == "bytes" {
                    format!("{} of {}", indicatif::HumanBytes(done), indicatif::HumanBytes(of))
                } else {
                    format!("{done} of {of} {unit}")
                }));
            }
            None => self.step.set_message(""),
        }
    }
}

impl Drop for Bars {
    fn drop(&mut self) {
        self.steps.finish_and_clear();
        self.step.finish_and_clear();
        let _ = self.all.clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("a constant").progress_chars("█▉ ")
}
