//! `holm residency places`: without `--env` it asks no server, since the registry and profiles are in the program, or in a file.

use std::fmt::Write as _;

use holm_api::view::places::{NeedView, PairView, PlaceView, PlacesView, RefusedPlaceView};
use holm_core::error::{ErrorCode, Problem};
use holm_engine::residency::known::Papers;
use holm_engine::residency::places::{self, Terms, Words};
use holm_policy::registry::Registry;
use jiff::Timestamp;

use super::{profile, shown};
use crate::cli::context::Context;
use crate::client::InParts;
use crate::output::{Answer, Cell, Row};

/// By what, and where.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency places --profile eea-jurisdiction
  holm residency places --profile ./mine.toml --database scalingo --key-holder client_side
  holm residency places --profile eea-region-adequate --database railway --plan railway=pro -o json
  holm residency places --env production --bucket ovh/GRA

Without --env it asks no server: it judges by what Holm ships, and nothing is on file. With it, the facts, the papers and the profiles
of the installation count. What must be signed, assessed or excepted first is told with each answer; that somebody will agree to it is
not said. It is a question: nothing is changed.")]
pub(in crate::cli) struct Args {
    /// A profile that comes with Holm, or a file; with --env, one in force [default: that of the environment]
    #[arg(long, value_name = "PROFILE")]
    profile: Option<String>,
    /// The environment whose papers and facts count
    #[arg(long = "env", value_name = "ENVIRONMENT")]
    environment: Option<String>,
    /// Where the database must be: a provider, or one region of it
    #[arg(long, value_name = "PROVIDER[/REGION]")]
    database: Option<String>,
    /// Where the bucket must be
    #[arg(long, value_name = "PROVIDER[/REGION]")]
    bucket: Option<String>,
    /// Where the database's provider is told to put backups [default: where it puts them by itself]
    #[arg(long, value_name = "PROVIDER/REGION")]
    backup: Option<String>,
    /// Who can decrypt the bucket [default: provider]
    #[arg(long, value_name = "WHO")]
    key_holder: Option<String>,
    /// On which plan of a provider's one is; may be said of several
    #[arg(long = "plan", value_name = "PROVIDER=PLAN")]
    plans: Vec<String>,
    /// Buckets elsewhere, too, for databases that have something nearer
    #[arg(long)]
    all: bool,
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let found = if args.environment.is_some() { asked(context, &args).await? } else { local(&args)? };
    Ok(Answer::document(shown(&written(&found)), &found, &found.pairs))
}

/// By what Holm ships.
fn local(args: &Args) -> Result<PlacesView, Problem> {
    let Some(name) = &args.profile else {
        return Err(Problem::new(ErrorCode::InvalidValue, "nobody says by which profile to judge")
            .next("name one that comes with Holm, or a file: `--profile eea-jurisdiction`")
            .next("or an environment, whose own counts: `--env production`"));
    };
    let registry = Registry::shipped();
    let profile = profile::read(name, &registry)?;
    let terms = Terms { registry: &registry, profile: &profile, environment: None, papers: Papers::default(), now: Timestamp::now() };
    Ok(places::answer(terms, &words(args))?.into())
}

fn words(args: &Args) -> Words {
    let Args { database, bucket, backup, key_holder, plans, all, .. } = args;
    Words {
        database: database.clone(),
        bucket: bucket.clone(),
        backup: backup.clone(),
        key_holder: key_holder.clone(),
        plans: plans.clone(),
        all: *all,
    }
}

/// By what an installation knows.
async fn asked(context: &Context, args: &Args) -> Result<PlacesView, Problem> {
    let plans = args.plans.join(";");
    let named = [
        ("profile", &args.profile),
        ("database", &args.database),
        ("bucket", &args.bucket),
        ("backup", &args.backup),
        ("key_holder", &args.key_holder),
    ];
    let mut query: Vec<(&str, &str)> = named.into_iter().filter_map(|(name, value)| Some((name, value.as_deref()?))).collect();
    query.extend((!plans.is_empty()).then_some(("plan", plans.as_str())));
    query.extend(args.all.then_some(("all", "true")));
    let environment = args.environment.as_deref().unwrap_or_default();
    context.client()?.whole(&["environments", environment, "places"], &query).await
}

impl InParts for PlacesView {
    fn next(&self) -> Option<&String> {
        self.next.as_ref()
    }

    fn take_next(&mut self) -> Option<String> {
        self.next.take()
    }

    fn goes_with(&self, part: &Self) -> bool {
        self.registry_hash == part.registry_hash && (&self.profile, self.profile_version) == (&part.profile, part.profile_version)
    }

    fn add(&mut self, part: Self) {
        self.pairs.extend(part.pairs);
        self.refused.extend(part.refused);
        self.next = part.next;
    }
}

fn written(found: &PlacesView) -> String {
    let PlacesView { profile, profile_version, kind, .. } = found;
    let mut text = format!("By profile {profile} version {profile_version}, for {kind}");
    match &found.environment {
        Some(name) => drop(writeln!(text, ", with what is on file for {name}")),
        None => text += ", with nothing on file\n",
    }
    for near in ["same_region", "colocated", "same_country", "elsewhere"] {
        let mut pairs = found.pairs.iter().filter(|pair| pair.near == near).peekable();
        if pairs.peek().is_some() {
            let _ = writeln!(text, "\n{}", heading(near));
        }
        for pair in pairs {
            let _ = writeln!(text, "  {} + {}{}", pair.database, pair.bucket, needed(&pair.needs));
        }
    }
    if found.left_out > 0 {
        let _ = writeln!(text, "\n{} more are elsewhere, of databases that have a bucket nearer: `--all`", found.left_out);
    }
    if found.pairs.is_empty() {
        text += "\nNo database and bucket are allowed together\n";
        alone(&mut text, "database", &found.databases);
        alone(&mut text, "bucket", &found.buckets);
    }
    refusals(&mut text, "Refused", "deny", &found.refused);
    refusals(&mut text, "Not known, which blocks", "unknown", &found.refused);
    text
}

fn heading(near: &str) -> &str {
    match near {
        "same_region" => "In one region",
        "colocated" => "In the same halls",
        "same_country" => "In one country",
        _ => "Elsewhere within the profile",
    }
}

fn needed(needs: &[NeedView]) -> String {
    let each: Vec<&str> = needs.iter().map(|need| need.what.as_str()).collect();
    if each.is_empty() { String::new() } else { format!(", needs: {}", each.join(", ")) }
}

fn alone(text: &mut String, what: &str, places: &[PlaceView]) {
    if places.is_empty() {
        let _ = writeln!(text, "  no {what} is allowed anywhere that was asked about");
    }
    for one in places {
        let _ = writeln!(text, "  a {what} alone: {}{}", one.place, needed(&one.needs));
    }
}

fn refusals(text: &mut String, head: &str, outcome: &str, refused: &[RefusedPlaceView]) {
    let mut refused = refused.iter().filter(|one| one.outcome == outcome).peekable();
    if refused.peek().is_some() {
        let _ = writeln!(text, "\n{head}");
    }
    for one in refused {
        let worst = one.against.iter().filter(|against| against.outcome == outcome);
        let (mut worst, all) = (worst.peekable(), one.against.len());
        if let Some(first) = worst.peek() {
            let rule = first.rule.as_deref().map(|rule| format!("{rule}: ")).unwrap_or_default();
            let more = if all > 1 { format!(" (and {} more: `-o json`)", all - 1) } else { String::new() };
            let facts = if first.facts.is_empty() { String::new() } else { format!(" [{}]", first.facts.join(", ")) };
            let _ = writeln!(text, "  {} at {}: {} {rule}{}{facts}{more}", one.kept, one.place, first.copy, first.because);
        }
    }
}

impl Row for PairView {
    const COLUMNS: &'static [&'static str] = &["NEAR", "DATABASE", "BUCKET", "NEEDS", "UNTIL"];
    const BRIEF: usize = 5;

    fn cells(&self) -> Vec<Cell> {
        let needs: Vec<&str> = self.needs.iter().map(|need| need.what.as_str()).collect();
        vec![
            Cell::of(&self.near),
            Cell::of(&self.database),
            Cell::of(&self.bucket),
            Cell::of(needs.join(", ")),
            self.valid_until.map_or(Cell::Empty, Cell::time),
        ]
    }

    fn name(&self) -> String {
        format!("{}+{}", self.database, self.bucket)
    }
}
