//! Contracts, clauses and assessments: put on file, and taken off (R6).
//!
//! Promises: a paper is with somebody whom the registry knows, holds from a day and perhaps to one, and counts in one environment
//! or in all; an assessment is of a country, and for how long it counts is its profile's to say. Refuses the document itself: its hash says which one it was, and whoever has it can prove so.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_policy::country::Country;
use holm_policy::id::PaperId;
use holm_policy::registry::Registry;
use holm_store::audit::record;
use holm_store::residency;
pub use holm_store::residency::paper::Of;
use holm_store::residency::paper::{self, NewPaper, Paper};
use jiff::civil::{Date, date};
use uuid::Uuid;

use super::assigned::invalid;
use super::known::Known;
use super::watch;
use crate::control::Control;
use crate::environment;

/// An edition is a date or a number, with a word or two.
const EDITION_LENGTH_MAX: usize = 200;

/// Before these nobody who signed anything of today was in business, and dates of the catalog begin.
const SIGNED_FROM: Date = date(1900, 1, 1);

/// What a transfer impact assessment is called among papers.
pub const ASSESSMENT: &str = "assessment";

/// A paper to be put on file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// What it is: `dpa`, or [`ASSESSMENT`].
    pub kind: String,
    /// With whom, as the registry calls them; of an assessment, of where.
    pub of: Of,
    /// The first day on which it holds; of an assessment, when it was done.
    pub signed_on: Date,
    /// The first day on which it no longer does.
    pub ends_on: Option<Date>,
    /// Which edition of it.
    pub edition: Option<String>,
    /// SHA-256 of the document.
    pub document_sha256: Option<[u8; 32]>,
    /// The only environment that it is for; all, if none is said.
    pub environment: Option<EnvironmentName>,
}

/// Those on file.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Paper>, Problem> {
    Ok(paper::on_file(control.catalog()).await?)
}

/// One of them.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, id: Uuid) -> Result<Paper, Problem> {
    list(control).await?.into_iter().find(|paper| paper.id == id).ok_or_else(|| not_found(id))
}

/// There is no such paper, or none that whoever asks may know of.
pub fn not_found(id: Uuid) -> Problem {
    Problem::new(ErrorCode::RecordNotFound, format!("there is no paper {id} on file"))
        .next("see which there are: `holm residency paper list`")
}

/// Puts one on file, and returns it.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: something of it cannot be; no such environment. Nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn keep(control: &Control, by: &Actor, wanted: Wanted) -> Result<Paper, Problem> {
    control.tasks().finish("put a paper on file", put(control.clone(), by.clone(), wanted)).await
}

/// Takes one off file, and returns what it was.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn remove(control: &Control, by: &Actor, id: Uuid) -> Result<Paper, Problem> {
    control.tasks().finish("take a paper off file", take(control.clone(), by.clone(), id)).await
}

async fn put(control: Control, by: Actor, wanted: Wanted) -> Result<Paper, Problem> {
    let kind: PaperId = wanted.kind.parse().map_err(|error| invalid("kind", &error))?;
    dated(wanted.signed_on, wanted.ends_on)?;
    is_of_its_kind(&wanted)?;
    let edition = wanted.edition.map(|text| said("edition", &text, EDITION_LENGTH_MAX)).transpose()?;
    let environment = match &wanted.environment {
        Some(name) => Some(environment::show(&control, name).await?),
        None => None,
    };
    let mut tx = control.catalog().transaction().await?;
    let (known, _) = Known::alone(&control, &mut tx).await?;
    let of = of(known.registry(), &wanted.of)?;
    let new = NewPaper {
        id: Uuid::now_v7(),
        environment: environment.as_ref().map(|environment| environment.id),
        kind: kind.to_string(),
        of,
        signed_on: wanted.signed_on,
        ends_on: wanted.ends_on,
        edition,
        document_sha256: wanted.document_sha256,
    };
    residency::advance(&mut tx).await?;
    paper::keep(&mut tx, &new).await?;
    let subject = environment.as_ref().map_or(Subject::Installation, |environment| Subject::Environment(environment.id));
    let detail = Detail::Judged { what: format!("{} {} {}", new.kind, new.of.as_str(), new.id), before: None };
    record(&mut tx, NewEntry::new(&by, AuditAction::PaperKeep, wanted.environment.as_ref(), subject).with(detail));
    tx.commit().await?;
    watch::soon(&control);
    show(&control, new.id).await
}

async fn take(control: Control, by: Actor, id: Uuid) -> Result<Paper, Problem> {
    let found = show(&control, id).await?;
    let subject = match &found.environment {
        Some(name) => Subject::Environment(environment::show(&control, name).await?.id),
        None => Subject::Installation,
    };
    let mut tx = control.catalog().transaction().await?;
    residency::alone(&mut tx).await?;
    residency::advance(&mut tx).await?;
    // Another may have been first.
    if !paper::remove(&mut tx, id).await? {
        return Err(not_found(id));
    }
    let detail = Detail::Judged { what: format!("{} {} {id}", found.kind, found.of.as_str()), before: None };
    record(&mut tx, NewEntry::new(&by, AuditAction::PaperRemove, found.environment.as_ref(), subject).with(detail));
    tx.commit().await?;
    watch::soon(&control);
    Ok(found)
}

/// An assessment is of a country and has no end of its own; anything else is with a company.
fn is_of_its_kind(wanted: &Wanted) -> Result<(), Problem> {
    match (&wanted.of, wanted.kind == ASSESSMENT) {
        (Of::Country(_), false) => {
            Err(invalid("kind", &format!("only `{ASSESSMENT}` is of a country; a `{}` is with a company", wanted.kind)))
        }
        (Of::Company(_), true) => Err(invalid("kind", &format!("an `{ASSESSMENT}` is of the country that data is transferred to"))),
        (Of::Country(_), true) if wanted.ends_on.is_some() => {
            Err(invalid("end", &"for how many days an assessment counts is said by the profile that asks for it"))
        }
        _ => Ok(()),
    }
}

fn of(registry: &Registry, of: &Of) -> Result<Of, Problem> {
    match of {
        Of::Country(name) => {
            let country: Country = name.parse().map_err(|error| invalid("country", &error))?;
            Ok(Of::Country(country.to_string()))
        }
        Of::Company(name) => match registry.entity_called(name) {
            Ok(entity) => Ok(Of::Company(entity.id.to_string())),
            Err(error) => Err(invalid("company", &error)
                .next("see whom you sign with: `holm provider show PROVIDER`; add a company of your own: `holm residency facts add FILE`")),
        },
    }
}

fn dated(signed_on: Date, ends_on: Option<Date>) -> Result<(), Problem> {
    if signed_on < SIGNED_FROM {
        return Err(invalid("day of signing", &format!("{signed_on} is before {SIGNED_FROM}")));
    }
    match ends_on.filter(|ends_on| *ends_on <= signed_on) {
        Some(ends_on) => Err(invalid("end", &format!("{ends_on} is not after {signed_on}, from when it holds"))),
        None => Ok(()),
    }
}

/// Words that people gave, as the catalog can keep them: on one line, and no more than somebody reads.
pub(crate) fn said(what: &str, text: &str, length_max: usize) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > length_max {
        return Err(invalid(what, &format!("it has more than {length_max} characters")));
    }
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(invalid(what, &"it is not text on one line"));
    }
    Ok(text.to_owned())
}
