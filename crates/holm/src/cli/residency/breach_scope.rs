//! `holm residency breach-scope`: what a notification under GDPR Art. 33 has to say of the server.

use std::fmt::Write as _;

use holm_api::view::surveys::{AffectedCopyView, AffectedView, BreachScopeView};
use holm_core::error::Problem;
use jiff::Timestamp;

use super::{countries, shown};
use crate::cli::context::Context;
use crate::client::InParts;
use crate::output::{Answer, Cell, Row};

/// Which server.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency breach-scope production-1 --known-since 2026-11-22T09:30:00Z
  holm residency breach-scope production-1 > breach.md
  holm residency breach-scope production-1 -o csv

It says whose data is on the server, in which copies and countries, whether or not the server answers. Whether there is a duty to notify
it does not say.")]
pub(in crate::cli) struct Args {
    /// The cluster's name
    cluster: String,
    /// Since when somebody knows of it; 72 hours later is told
    #[arg(long, value_name = "TIME")]
    known_since: Option<Timestamp>,
}

/// A copy, and whose it is.
#[derive(serde::Serialize)]
struct Of<'a> {
    tenant: &'a AffectedView,
    copy: &'a AffectedCopyView,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let since = args.known_since.map(|at| at.to_string());
    let query: Vec<(&str, &str)> = since.as_deref().map(|at| ("known_since", at)).into_iter().collect();
    let scope: BreachScopeView = context.client()?.whole(&["clusters", &args.cluster, "breach-scope"], &query).await?;
    let copies: Vec<Of<'_>> = scope.tenants.iter().flat_map(|tenant| tenant.copies.iter().map(move |copy| Of { tenant, copy })).collect();
    Ok(Answer::document(shown(&written(&scope, &copies)), &scope, &copies))
}

impl InParts for BreachScopeView {
    fn next(&self) -> Option<&String> {
        self.next.as_ref()
    }

    fn take_next(&mut self) -> Option<String> {
        self.next.take()
    }

    fn goes_with(&self, part: &Self) -> bool {
        (&self.placed, self.not_known.is_none()) == (&part.placed, part.not_known.is_none())
    }

    fn add(&mut self, part: Self) {
        self.tenants.extend(part.tenants);
        self.next = part.next;
    }
}

/// In Markdown, since it goes into somebody's report.
fn written(scope: &BreachScopeView, copies: &[Of<'_>]) -> String {
    let mut text = format!("# What is on {} of {}\n\nAs of {}\n\n", scope.cluster, scope.environment, second(scope.as_of));
    if let (Some(since), Some(by), Some(is_over)) = (scope.known_since, scope.notify_by, scope.is_over) {
        let over = if is_over { ", which is over" } else { "" };
        let _ = writeln!(text, "- known since {}; 72 hours are over at {}{over}", second(since), second(by));
    }
    match &scope.placed {
        Some(placed) => {
            let evidence = placed.evidence.as_deref().unwrap_or("nobody said by what");
            let _ = writeln!(
                text,
                "- at {} ({}), as was said on {}: {}",
                placed.place,
                countries(scope.countries.as_ref()),
                second(placed.placed_at),
                one_line(evidence)
            );
        }
        None => text += "- nobody said where it is\n",
    }
    let made = scope.copies_made_from_it.map_or_else(|| "nobody can say how many".to_owned(), |count| count.to_string());
    let _ = writeln!(text, "- {} tenants, {} copies on the server, {made} made from it", scope.tenants_count, scope.copies_on_server);
    if let Some(problem) = &scope.not_known {
        let _ = writeln!(text, "- countries, and which copies were made from these, are not known: {}", one_line(&problem.to_string()));
    }
    let _ = writeln!(text, "- {} databases there are nobody's any more and not dropped yet", scope.databases_to_be_dropped);
    for other in &scope.elsewhere {
        let place = other.place.as_deref().unwrap_or("nobody said where");
        let (kind, name, since) = (&other.kind, one_line(&other.name), second(other.first_seen_at));
        let _ = match other.gone_at {
            None => writeln!(text, "- copied whole by {kind} `{name}` ({place}), since {since}"),
            Some(gone) => writeln!(text, "- was copied whole by {kind} `{name}` ({place}), since {since} and until {}", second(gone)),
        };
    }
    text += "\n| tenant | state | copy | on the server | countries | profile |\n| --- | --- | --- | --- | --- | --- |\n";
    for Of { tenant, copy } in copies {
        let on = if copy.on_server { "yes" } else { "made from it" };
        let profile = tenant.profile.as_deref().unwrap_or("none");
        let _ = writeln!(
            text,
            "| {} | {} | {} | {on} | {} | {profile} |",
            tenant.tenant,
            tenant.state,
            copy.role,
            countries(copy.countries.as_ref())
        );
    }
    text
}

fn second(at: Timestamp) -> Timestamp {
    at.round(jiff::Unit::Second).unwrap_or(at)
}

fn one_line(text: &str) -> String {
    holm_engine::residency::markdown::line(text)
}

impl Row for Of<'_> {
    const COLUMNS: &'static [&'static str] =
        &["TENANT", "STATE", "COPY", "ON-SERVER", "COUNTRIES", "PROFILE", "LIES-IN", "DATABASE", "SINCE"];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.tenant.tenant),
            Cell::of(&self.tenant.state),
            Cell::of(&self.copy.role),
            Cell::of(if self.copy.on_server { "yes" } else { "no" }),
            Cell::of(countries(self.copy.countries.as_ref())),
            self.tenant.profile.clone().into(),
            Cell::of(self.copy.places.join(" ")),
            Cell::of(&self.tenant.database),
            Cell::time(self.tenant.created_at),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.tenant.tenant, self.copy.role)
    }
}
