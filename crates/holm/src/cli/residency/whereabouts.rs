//! `holm residency where`

use holm_api::view::answers::{WhereView, WhereaboutsView};
use holm_core::error::Problem;

use super::{AsOf, Named, countries, say};
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Whose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency where goteborg --env production
  holm residency where goteborg --env production -o json
  holm residency where goteborg --env production --as-of 2026-03-03 --known-at 2026-03-03

Where a server is, nobody can see: that is a claim, with its evidence and its date. What is seen is that the server is the one that
was registered, and when that was seen last. What is not known of another day is said as a note.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    #[command(flatten)]
    as_of: AsOf,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let told: WhereaboutsView = context.client()?.get_where(&args.tenant.path("where"), &args.as_of.query()).await?;
    say(context, &told.notes);
    Ok(Answer::list(&told.items))
}

impl Row for WhereView {
    const COLUMNS: &'static [&'static str] = &[
        "COPY",
        "OUTCOME",
        "CLUSTER",
        "PLACE",
        "COUNTRIES",
        "SIGNS",
        "CLAIMED",
        "EVIDENCE",
        "SERVER-SEEN",
        "SINCE",
        "UNTIL",
        "LIES-IN",
        "AGAINST",
        "PLAN",
    ];
    const BRIEF: usize = 9;

    fn cells(&self) -> Vec<Cell> {
        let time = |at: Option<jiff::Timestamp>| at.map_or(Cell::Empty, Cell::time);
        let against: Vec<String> = self.objections.iter().map(|one| format!("{}: {}", one.rule, one.because)).collect();
        vec![
            Cell::of(&self.copy),
            self.outcome.clone().into(),
            Cell::of(&self.cluster),
            self.placed.as_ref().map(|placed| placed.place.clone()).into(),
            Cell::of(countries(self.countries.as_ref())),
            self.contracting.clone().into(),
            time(self.placed.as_ref().map(|placed| placed.placed_at)),
            self.placed.as_ref().and_then(|placed| placed.evidence.clone()).into(),
            time(self.observed_at),
            time(self.since),
            time(self.valid_until),
            Cell::of(self.places.join(" ")),
            Cell::of(against.join("; ")),
            self.placed.as_ref().and_then(|placed| placed.plan.clone()).into(),
        ]
    }

    fn name(&self) -> String {
        self.copy.clone()
    }
}
