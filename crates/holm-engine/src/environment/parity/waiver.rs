//! Waivers: a difference between two environments that somebody accepts, until a day; granted and revoked (R20).
//!
//! Promises: a waiver has an owner, a reason and an end, and ends by itself; it is for the values that there were when it was granted,
//! so that what becomes different afterwards is told. Refuses any of what does not differ, and of a server that nobody could look at.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::parity::{DifferenceId, Finding};
use holm_store::audit::record;
use holm_store::parity::{self, NewWaiver, Waiver};
use jiff::Timestamp;
use uuid::Uuid;

use crate::control::Control;
use crate::environment;
use crate::residency::assigned::invalid;
use crate::residency::paper::said;

/// A name, or an office.
const OWNER_LENGTH_MAX: usize = 200;

/// What somebody who asks why is answered.
const WORDS_LENGTH_MAX: usize = 2000;

/// What is wanted of a waiver, as it was written.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Wanted {
    /// Which difference: `parameter/TimeZone`.
    pub difference: String,
    /// Who answers for it.
    pub owner: String,
    /// Why it may be so.
    pub reason: String,
    /// When it ends.
    pub until: Timestamp,
}

/// Those that nobody revoked, ended ones too.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Waiver>, Problem> {
    Ok(parity::list(control.catalog()).await?)
}

/// One of them.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn show(control: &Control, id: Uuid) -> Result<Waiver, Problem> {
    parity::by_id(control.catalog(), id).await?.ok_or_else(|| not_found(id))
}

/// There is no such waiver, or none that whoever asks may know of.
pub fn not_found(id: Uuid) -> Problem {
    Problem::new(ErrorCode::RecordNotFound, format!("there is no waiver {id}")).next("see which there are: `holm env parity waivers`")
}

/// Grants one, of what differs now, and returns it. The clusters are asked.
///
/// # Errors
/// No such environment; [`ErrorCode::InvalidValue`]: it says too little, is over, or nothing of that id differs. Nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn grant(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    with: &EnvironmentName,
    wanted: Wanted,
) -> Result<Waiver, Problem> {
    let act = give(control.clone(), by.clone(), environment.clone(), with.clone(), wanted);
    control.tasks().finish("waive a difference", act).await
}

/// Revokes one, and returns what it was.
///
/// # Errors
/// [`ErrorCode::RecordNotFound`]; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn revoke(control: &Control, by: &Actor, id: Uuid) -> Result<Waiver, Problem> {
    control.tasks().finish("revoke a waiver", take(control.clone(), by.clone(), id)).await
}

async fn give(control: Control, by: Actor, environment: EnvironmentName, with: EnvironmentName, wanted: Wanted) -> Result<Waiver, Problem> {
    let difference: DifferenceId = wanted.difference.parse().map_err(|error| invalid("difference", &error))?;
    let owner = said("owner", &wanted.owner, OWNER_LENGTH_MAX)?;
    let reason = said("reason", &wanted.reason, WORDS_LENGTH_MAX)?;
    let (here, there) = (environment::show(&control, &environment).await?, environment::show(&control, &with).await?);
    // Before the transaction: no session of the catalog is held while servers are asked.
    let report = super::report(&control, &environment, &with).await?;
    let told = report.told.iter().find(|told| told.finding.id == difference);
    let finding = &told.ok_or_else(|| alike(&environment, &with, &difference))?.finding;
    if !finding.can_be_waived() {
        return Err(invalid("difference", &"that a server does not answer cannot be waived")
            .next("start it, or take it out: `holm doctor`, `holm cluster remove`"));
    }
    let (values_here, values_there) = finding.to_waive();
    let new = NewWaiver {
        id: Uuid::now_v7(),
        environment: here.id,
        with: there.id,
        difference,
        here: values_here,
        there: values_there,
        owner,
        reason,
        until: wanted.until,
    };
    let mut tx = control.catalog().transaction().await?;
    if !parity::keep(&mut tx, &new).await? {
        return Err(invalid("end", &"it is over already"));
    }
    let detail = told_of(&new.difference, &with, new.until, new.id);
    record(&mut tx, NewEntry::new(&by, AuditAction::ParityWaive, Some(&environment), Subject::Environment(here.id)).with(detail));
    tx.commit().await?;
    show(&control, new.id).await
}

async fn take(control: Control, by: Actor, id: Uuid) -> Result<Waiver, Problem> {
    let found = show(&control, id).await?;
    let environment = environment::show(&control, &found.environment).await?;
    let mut tx = control.catalog().transaction().await?;
    // Another may have been first.
    if !parity::remove(&mut tx, id).await? {
        return Err(not_found(id));
    }
    let entry = NewEntry::new(&by, AuditAction::ParityRevoke, Some(&found.environment), Subject::Environment(environment.id));
    record(&mut tx, entry.with(told_of(&found.difference, &found.with, found.until, id)));
    tx.commit().await?;
    Ok(found)
}

/// Without the words that people gave: they may name somebody, and the log is kept for ever.
fn told_of(difference: &DifferenceId, with: &EnvironmentName, until: Timestamp, id: Uuid) -> Detail {
    Detail::Judged { what: format!("{difference} {with} until {until} {id}"), before: None }
}

fn alike(environment: &EnvironmentName, with: &EnvironmentName, difference: &DifferenceId) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("`{environment}` and `{with}` do not differ in `{difference}`"))
        .because("a waiver is for what differs when it is granted")
        .next(format!("see what does: `holm env parity show --env {environment} --with {with}`"))
}

/// The waiver that covers a finding; of several the one that ends last.
pub(super) fn of(waivers: &[Waiver], environment: &EnvironmentName, with: &EnvironmentName, finding: &Finding) -> Option<Waiver> {
    let (here, there) = finding.to_waive();
    let covers = |waiver: &&Waiver| {
        let forth = waiver.environment == *environment && waiver.with == *with && waiver.here == here && waiver.there == there;
        let back = waiver.environment == *with && waiver.with == *environment && waiver.here == there && waiver.there == here;
        !waiver.ended && waiver.difference == finding.id && (forth || back)
    };
    waivers.iter().filter(covers).max_by_key(|waiver| waiver.until).cloned()
}
