//! `holm residency what-if`

use std::fmt::Write as _;

use holm_api::view::surveys::{ChangeView, WhatIfView};
use holm_core::error::Problem;

use super::shown;
use crate::cli::context::Context;
use crate::client::InParts;
use crate::output::{Answer, Cell, Row};

/// What.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency what-if eu-us-dpf=annulled
  holm residency what-if eu-us-dpf=annulled adequacy:GB=expired --env production
  holm residency what-if entity:scalingo-sas.country=US -o json

It is a question: nothing is changed. A plan names clusters of the tenant's own environment alone, and no exception goes along.")]
pub(in crate::cli) struct Args {
    /// A mechanism, a law or a fact's id, and what it would be
    #[arg(value_name = "NAME=VALUE", required = true, num_args = 1..)]
    supposed: Vec<String>,
    /// The environment whose tenants are meant [default: every one]
    #[arg(long = "env", env = "HOLM_ENV", value_name = "ENVIRONMENT")]
    environment: Option<String>,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let supposed = args.supposed.join(";");
    let mut query = vec![("suppose", supposed.as_str())];
    query.extend(args.environment.as_deref().map(|name| ("environment", name)));
    let asked: WhatIfView = context.client()?.whole(&["residency", "what-if"], &query).await?;
    Ok(Answer::document(shown(&written(&asked)), &asked, &asked.changes))
}

impl InParts for WhatIfView {
    fn next(&self) -> Option<&String> {
        self.next.as_ref()
    }

    fn take_next(&mut self) -> Option<String> {
        self.next.take()
    }

    fn goes_with(&self, part: &Self) -> bool {
        (&self.registry_hash, &self.supposed_hash) == (&part.registry_hash, &part.supposed_hash)
    }

    fn add(&mut self, part: Self) {
        self.changes.extend(part.changes);
        self.plan.extend(part.plan);
        self.next = part.next;
    }
}

fn written(asked: &WhatIfView) -> String {
    let mut text = String::new();
    for one in &asked.supposed {
        let _ = writeln!(text, "If {} were {}", one.fact, one.is);
    }
    let tenants: std::collections::BTreeSet<_> = asked.changes.iter().map(|change| (&change.environment, &change.tenant)).collect();
    let (copies, same) = (asked.changes.len(), asked.unchanged);
    let _ = writeln!(text, "\n{copies} copies of {} tenants would come to something else, {same} copies to the same", tenants.len());
    for change in &asked.changes {
        let ChangeView { environment, tenant, copy, cluster, place, before, after, .. } = change;
        let _ = writeln!(text, "  {environment}/{tenant} {copy} on {cluster} ({place}): {before} → {after}");
        for one in &change.differences {
            let _ = writeln!(text, "    {}: {}", one.rule, one.because);
        }
    }
    if !asked.plan.is_empty() {
        text += "\nWhat to do, in this order\n";
    }
    for (number, step) in asked.plan.iter().enumerate() {
        let left = if step.left.is_empty() { String::new() } else { format!(", which leaves {} behind,", step.left.join(" and ")) };
        let copies = step.copies.join(" and ") + &left;
        let _ = write!(text, "  {}. {}/{}: {copies} from {} ({}) ", number + 1, step.environment, step.tenant, step.cluster, step.from);
        match &step.to {
            Some(to) if step.or.is_empty() => {
                let _ = writeln!(text, "to {to}");
            }
            Some(to) => {
                let _ = writeln!(text, "to {to}, or {}", step.or.join(", "));
            }
            None => text += "to no cluster of the environment: none is allowed\n",
        }
        for refused in &step.refused {
            let _ = writeln!(text, "       not {}: {}", refused.cluster, refused.because.join("; "));
        }
    }
    if asked.without_profile > 0 {
        let _ = writeln!(text, "\n{} tenants have no profile: nobody judges them", asked.without_profile);
    }
    if asked.without_place > 0 {
        let _ = writeln!(text, "\n{} tenants are on clusters of which nobody said where they are", asked.without_place);
    }
    if !asked.unplaced.is_empty() {
        text += "\nNot judged, since nobody said where they are\n";
    }
    for one in &asked.unplaced {
        let _ = writeln!(text, "  {} of {}/{}", one.copy, one.environment, one.cluster);
    }
    text
}

impl Row for ChangeView {
    const COLUMNS: &'static [&'static str] =
        &["ENVIRONMENT", "TENANT", "COPY", "CLUSTER", "PLACE", "BEFORE", "AFTER", "PROFILE", "RULES", "BECAUSE"];
    const BRIEF: usize = 9;

    fn cells(&self) -> Vec<Cell> {
        let rules: Vec<&str> = self.differences.iter().map(|one| one.rule.as_str()).collect();
        let because: Vec<&str> = self.differences.iter().map(|one| one.because.as_str()).collect();
        vec![
            Cell::of(&self.environment),
            Cell::of(&self.tenant),
            Cell::of(&self.copy),
            Cell::of(&self.cluster),
            Cell::of(&self.place),
            Cell::of(&self.before),
            Cell::of(&self.after),
            Cell::of(&self.profile),
            Cell::of(rules.join(" ")),
            Cell::of(because.join("; ")),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}/{}", self.environment, self.tenant, self.copy)
    }
}
