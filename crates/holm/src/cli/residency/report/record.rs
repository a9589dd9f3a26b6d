//! `holm residency report record`

use holm_api::view::reports::{ProcessingRecordView, RecordedCopyView, RecordedTenantView};
use holm_core::error::Problem;

use super::Printed;
use super::html::Page;
use crate::cli::context::Context;
use crate::cli::residency::{countries, shown};
use crate::client::InParts;
use crate::output::{Answer, Cell, Row};

/// Of what.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency report record --env production
  holm residency report record --env production --format html --out record.html
  holm residency report record --env production -o csv

It says which profile is satisfied, by which facts, as of when; and what is not in it, since a controller alone knows.")]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    printed: Printed,
}

/// A copy, and whose it is.
#[derive(serde::Serialize)]
struct Of<'a> {
    tenant: &'a RecordedTenantView,
    copy: &'a RecordedCopyView,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let record: ProcessingRecordView =
        context.client()?.whole(&args.printed.path("processing-record"), &args.printed.as_of.query()).await?;
    let copies: Vec<Of<'_>> = record.tenants.iter().flat_map(|tenant| tenant.copies.iter().map(move |copy| Of { tenant, copy })).collect();
    let text = args.printed.text(context, || page(&record, &copies), shown(&written(&record, &copies)))?;
    Ok(Answer::document(text, &record, &copies))
}

impl InParts for ProcessingRecordView {
    fn next(&self) -> Option<&String> {
        self.next.as_ref()
    }

    fn take_next(&mut self) -> Option<String> {
        self.next.take()
    }

    fn goes_with(&self, part: &Self) -> bool {
        self.registry_hash == part.registry_hash
    }

    fn add(&mut self, part: Self) {
        self.tenants.extend(part.tenants);
        self.next = part.next;
    }
}

impl Of<'_> {
    fn profile(&self) -> String {
        let (name, version) = (self.tenant.profile.as_deref(), self.tenant.profile_version.unwrap_or_default());
        name.map_or_else(|| "none".to_owned(), |name| format!("{name} version {version}"))
    }

    /// Whether the profile is satisfied, in words.
    fn satisfied(&self) -> String {
        let until = self.copy.valid_until.map(|at| format!(" until {}", at.round(jiff::Unit::Second).unwrap_or(at))).unwrap_or_default();
        match self.copy.outcome.as_deref() {
            Some("allow") => format!("satisfied{until}"),
            Some("deny") => "not satisfied".to_owned(),
            Some(_) => "cannot be said".to_owned(),
            None => "not judged".to_owned(),
        }
    }

    fn transfers(&self) -> String {
        let each: Vec<String> = self.copy.transfers.iter().map(|one| format!("{}: {} ({})", one.rule, one.because, one.outcome)).collect();
        if each.is_empty() { "the profile asks nothing of them".to_owned() } else { each.join("; ") }
    }

    fn retention(&self) -> String {
        let each: Vec<String> =
            self.copy.retention.iter().map(|one| format!("{} = {} (read {})", one.fact, one.value, one.checked_on)).collect();
        if each.is_empty() { "not known".to_owned() } else { each.join("; ") }
    }
}

fn written(record: &ProcessingRecordView, copies: &[Of<'_>]) -> String {
    let mut text = format!("What is known of the processing in {} ({}), as of {}\n", record.environment, record.kind, record.as_of);
    for of in copies {
        let Of { tenant, copy } = of;
        let place = tenant.place.as_deref().unwrap_or("nobody said where");
        let lies = countries(copy.countries.as_ref());
        text += &format!("\n{} {} on {} ({place}), in {lies}\n", tenant.tenant, copy.role, tenant.cluster);
        text += &format!("  profile {}: {}\n", of.profile(), of.satisfied());
        text += &format!("  transfers: {}\n  kept: {}\n", of.transfers(), of.retention());
    }
    text += "\nWhat is not in it\n";
    for what in &record.not_in_it {
        text += &format!("  {what}\n");
    }
    text
}

fn page(record: &ProcessingRecordView, copies: &[Of<'_>]) -> String {
    let rows: Vec<Vec<String>> = copies
        .iter()
        .map(|of| {
            vec![
                of.tenant.tenant.to_string(),
                of.copy.role.clone(),
                format!("{} ({})", of.tenant.cluster, of.tenant.place.as_deref().unwrap_or("nobody said where")),
                countries(of.copy.countries.as_ref()),
                of.tenant.contracting.clone().unwrap_or_else(|| "?".to_owned()),
                format!("{}: {}", of.profile(), of.satisfied()),
                of.transfers(),
                of.retention(),
                of.copy.facts.join(", "),
            ]
        })
        .collect();
    let headings = ["tenant", "copy", "cluster and place", "countries", "who signs", "profile", "transfers", "kept", "by which facts"];
    Page::new(&format!("Record of processing in {}", record.environment))
        .paragraph(&format!("As of {}, by facts with the hash {}.", record.as_of, record.registry_hash))
        .table(&headings, &rows)
        .heading("What is not in it")
        .items(&record.not_in_it)
        .end()
}

impl Row for Of<'_> {
    const COLUMNS: &'static [&'static str] =
        &["TENANT", "COPY", "CLUSTER", "PLACE", "COUNTRIES", "SIGNS", "PROFILE", "SATISFIED", "TRANSFERS", "KEPT", "FACTS"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::of(&self.tenant.tenant),
            Cell::of(&self.copy.role),
            Cell::of(&self.tenant.cluster),
            self.tenant.place.clone().into(),
            Cell::of(countries(self.copy.countries.as_ref())),
            self.tenant.contracting.clone().into(),
            Cell::of(self.profile()),
            Cell::of(self.satisfied()),
            Cell::of(self.transfers()),
            Cell::of(self.retention()),
            Cell::of(self.copy.facts.join(" ")),
        ]
    }

    fn name(&self) -> String {
        format!("{}/{}", self.tenant.tenant, self.copy.role)
    }
}
