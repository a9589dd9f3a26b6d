//! `holm residency explain`: judged when it is asked, with what was decided beside it.

use std::fmt::Write as _;

use holm_api::view::answers::{CandidateView, ExplanationView, FindingOfRuleView};
use holm_core::error::Problem;
use holm_engine::residency::merits::milliseconds;
use jiff::Timestamp;

use super::{AsOf, Named, say, shown};
use crate::cli::context::Context;
use crate::output::{Answer, Cell, Row};

/// Whose.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency explain goteborg --env production
  holm residency explain goteborg --env production -o csv
  holm residency explain goteborg --env production --as-of 2026-03-03

It says which profile is satisfied, by which facts, until when. Whether that is lawful it does not say.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    tenant: Named,
    #[command(flatten)]
    as_of: AsOf,
}

/// A rule, and the copy that it is about.
#[derive(serde::Serialize)]
struct Of {
    copy: String,
    finding: FindingOfRuleView,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let explained: ExplanationView = context.client()?.get_where(&args.tenant.path("explanation"), &args.as_of.query()).await?;
    say(context, &explained.notes);
    let of = |copy: &str, finding: &FindingOfRuleView| Of { copy: copy.to_owned(), finding: finding.clone() };
    let rules: Vec<Of> = explained.here.iter().flat_map(|judged| judged.findings.iter().map(|finding| of(&judged.copy, finding))).collect();
    Ok(Answer::document(shown(&written(&explained)), &explained, &rules))
}

fn written(explained: &ExplanationView) -> String {
    let ExplanationView { tenant, environment, .. } = explained;
    let Some((profile, version)) = explained.profile.as_ref().zip(explained.profile_version) else {
        return format!("{tenant} in {environment} has no profile, and so nothing is judged\n");
    };
    let mut text = format!("{tenant} in {environment}, by profile {profile} version {version}\n");
    for judged in &explained.here {
        let place = judged.place.as_deref().unwrap_or("nobody said where");
        let plan = judged.plan.as_ref().map(|plan| format!(" on plan {plan}")).unwrap_or_default();
        let _ = writeln!(text, "\nWhy here: {} at {place}{plan}: {}", judged.copy, judged.outcome);
        for finding in &judged.findings {
            let _ = writeln!(text, "  {:<8} {}: {}", finding.outcome, finding.rule, finding.because);
            if let Some((owner, until)) = finding.excepted_by.as_ref().zip(finding.excepted_until) {
                let _ = writeln!(text, "           does not count until {until}: {owner} answers for it");
            }
        }
    }
    if explained.here.is_empty() {
        text += "\nIt has no database yet\n";
    }
    text += "\nWhy not there\n";
    for other in &explained.elsewhere {
        candidate(&mut text, other);
    }
    if explained.elsewhere.is_empty() {
        text += "  the environment has no other cluster\n";
    }
    text += "\nWhat would break it\n";
    for fall in &explained.falls {
        let because: Vec<String> = fall.objections.iter().map(|one| format!("{} of the {}", one.rule, one.copy)).collect();
        let why = if because.is_empty() { String::new() } else { format!(": {}", because.join(", ")) };
        let _ = writeln!(text, "  {} would come to {}{why}", fall.supposed, fall.outcome);
    }
    for ground in explained.rests_on.iter().filter(|ground| ground.until.is_some()) {
        let _ = writeln!(text, "  {} is known until {}", ground.fact, day(ground.until));
    }
    if explained.rests_on.is_empty() {
        text += "  nothing speaks for it\n";
    }
    if let Some((at, decision)) = explained.decided_at.zip(explained.decision.as_ref()) {
        let near = decision.near.as_ref().map(|near| format!(", near {near} being wished")).unwrap_or_default();
        let (day, by, version) = (day(Some(at)), &decision.profile, decision.profile_version);
        let _ = writeln!(text, "\nWhat was decided on {day}, by {by} version {version}{near}");
        candidate(&mut text, &decision.chosen);
        decision.others.iter().for_each(|other| candidate(&mut text, other));
    }
    text
}

fn candidate(text: &mut String, candidate: &CandidateView) {
    let place = candidate.place.as_deref().unwrap_or("nobody said where");
    let away = candidate.round_trip_us.map(|us| format!(", {} from Holm", milliseconds(us))).unwrap_or_default();
    let _ = writeln!(text, "  {:<8} {} at {place}{away}: {}", candidate.outcome, candidate.cluster, candidate.because);
    for objection in &candidate.objections {
        let _ = writeln!(text, "             {} of the {}: {}", objection.rule, objection.copy, objection.because);
    }
}

fn day(at: Option<Timestamp>) -> String {
    at.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()).unwrap_or_default()
}

impl Row for Of {
    const COLUMNS: &'static [&'static str] = &["COPY", "OUTCOME", "RULE", "BECAUSE", "UNTIL", "EXCEPTED-BY", "FACTS"];
    const BRIEF: usize = 4;

    fn cells(&self) -> Vec<Cell> {
        let finding = &self.finding;
        vec![
            Cell::of(&self.copy),
            Cell::of(&finding.outcome),
            Cell::of(&finding.rule),
            Cell::of(&finding.because),
            finding.valid_until.map_or(Cell::Empty, Cell::time),
            finding.excepted_by.clone().into(),
            Cell::of(finding.facts.join(" ")),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.copy, self.finding.rule)
    }
}
