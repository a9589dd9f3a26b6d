//! `holm residency report sub-processors`

use holm_api::view::reports::{CompanyView, SubProcessorsView};
use holm_core::error::Problem;

use super::Printed;
use super::html::Page;
use crate::cli::context::Context;
use crate::cli::residency::shown;
use crate::output::{Answer, Cell, Row};

/// Of what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency report sub-processors --env production
  holm residency report sub-processors --env production --format html > sub-processors.html
  holm residency report sub-processors --env production -o csv

Each line is by a fact with a source and a date; what nobody knows is told below.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    printed: Printed,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let list: SubProcessorsView = context.client()?.get_where(&args.printed.path("sub-processors"), &args.printed.as_of.query()).await?;
    let text = args.printed.text(context, || page(&list), shown(&written(&list)))?;
    Ok(Answer::document(text, &list, &list.companies))
}

fn owners(company: &CompanyView) -> String {
    if company.owners.is_empty() { "no owner is known".to_owned() } else { format!("owned by {}", company.owners.join(", ")) }
}

fn written(list: &SubProcessorsView) -> String {
    let mut text = format!("Who processes what is in {}: {} (as of {})\n", list.environment, list.places.join(", "), list.as_of);
    for one in &list.companies {
        let country = one.established_in.as_deref().unwrap_or("?");
        text += &format!("\n{} ({country}), {} of {}, sees {}, from {}\n", one.name, one.purpose, one.provider, one.reach, from(one));
        text += &format!("  {}; by {}, {} of {}\n", owners(one), one.fact, one.certainty, one.checked_on);
    }
    if !list.gaps.is_empty() {
        text += "\nWhat is not known\n";
    }
    for gap in &list.gaps {
        text += &format!("  {gap}\n");
    }
    text
}

fn from(company: &CompanyView) -> String {
    if company.countries.is_empty() { "?".to_owned() } else { company.countries.join(" ") }
}

fn page(list: &SubProcessorsView) -> String {
    let rows: Vec<Vec<String>> = list
        .companies
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.established_in.clone().unwrap_or_else(|| "?".to_owned()),
                owners(one),
                format!("{} of {}", one.purpose, one.provider),
                one.reach.clone(),
                from(one),
                one.fact.clone(),
                format!("{}{}", one.source, one.url.as_ref().map(|url| format!(" {url}")).unwrap_or_default()),
                format!("{} ({})", one.checked_on, one.certainty),
            ]
        })
        .collect();
    let headings = ["company", "established in", "owners", "purpose", "sees", "works from", "fact", "source", "read on"];
    let page = Page::new(&format!("Sub-processors of {}", list.environment))
        .paragraph(&format!(
            "As of {}, by facts with the hash {}. Places in use: {}.",
            list.as_of,
            list.registry_hash,
            list.places.join(", ")
        ))
        .table(&headings, &rows)
        .heading("What is not known");
    if list.gaps.is_empty() { page.paragraph("Nothing that is asked for here.") } else { page.items(&list.gaps) }.end()
}

impl Row for CompanyView {
    const COLUMNS: &'static [&'static str] = &[
        "COMPANY",
        "ESTABLISHED",
        "PROVIDER",
        "PURPOSE",
        "SEES",
        "FROM",
        "LINK",
        "OWNERS",
        "FACT",
        "CHECKED",
        "CERTAINTY",
        "SOURCE",
        "URL",
        "ENTITY",
    ];
    const BRIEF: usize = 6;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.name),
            self.established_in.clone().into(),
            Cell::of(&self.provider),
            Cell::of(&self.purpose),
            Cell::of(&self.reach),
            Cell::of(self.countries.join(" ")),
            Cell::Number(self.link.into()),
            Cell::of(self.owners.join(", ")),
            Cell::of(&self.fact),
            Cell::of(self.checked_on),
            Cell::of(&self.certainty),
            Cell::of(&self.source),
            self.url.clone().into(),
            Cell::of(&self.entity),
        ]
    }

    fn name(&self) -> String {
        self.entity.clone()
    }
}
