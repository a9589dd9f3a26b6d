//! Puts profiles in force: those that come with Holm by their name, others as text.
//!
//! Promises: a profile that fails one of its own cases, by what this installation knows, is not put in force; a version that
//! is in force never changes. Whoever is judged by an older version is judged by the new one at once.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_policy::profile::Profile;
use holm_store::audit::record;
use holm_store::residency;
use holm_store::residency::facts;
use holm_store::residency::profile::{self, Keeping, Kept};

use super::known;
use super::watch;
use crate::control::Control;

/// Every version that was ever in force, by name.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Kept>, Problem> {
    Ok(profile::all(control.catalog()).await?)
}

/// Puts a profile in force, and returns it. One that is in force already, and means the same, stays as it is.
///
/// # Errors
/// [`ErrorCode::ProfileRefused`]: it cannot be read, fails a case of its own, or is not newer than the one in force; nothing
/// changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn keep(control: &Control, by: &Actor, text: String) -> Result<Kept, Problem> {
    control.tasks().finish("put a profile in force", act(control.clone(), by.clone(), text)).await
}

/// The text of a profile that comes with Holm.
///
/// # Errors
/// [`ErrorCode::ProfileNotFound`]: there is none of that name.
pub fn shipped(name: &str) -> Result<&'static str, Problem> {
    let found = Profile::SHIPPED.iter().find(|(file, _)| file.trim_end_matches(".toml") == name);
    found.map(|(_, text)| *text).ok_or_else(|| {
        let names: Vec<&str> = Profile::SHIPPED.iter().map(|(file, _)| file.trim_end_matches(".toml")).collect();
        Problem::new(ErrorCode::ProfileNotFound, format!("no profile `{}` comes with Holm", name.escape_debug()))
            .next(format!("give a file, or one of: {}", names.join(", ")))
    })
}

async fn act(control: Control, by: Actor, text: String) -> Result<Kept, Problem> {
    let mut tx = control.catalog().transaction().await?;
    // The facts alone: if a profile that is in force cannot be understood, this is how it is put right.
    residency::alone(&mut tx).await?;
    let facts = facts::in_force_within(&mut tx).await?;
    let (text, profile) = tokio::task::spawn_blocking(move || checked(text, &facts)).await.expect("reading a profile does not panic")?;
    let (id, version) = (profile.metadata().id.clone(), profile.metadata().version);
    let kept = profile::keep(&mut tx, id.as_str(), version, &text, profile.hash().as_str()).await?;
    match kept {
        Keeping::Same(kept) => {
            tx.rollback().await?;
            return Ok(kept);
        }
        Keeping::NotNewer(now) => return Err(not_newer(&now, version)),
        Keeping::Done => {}
    }
    residency::advance(&mut tx).await?;
    let what = format!("{id} {version}");
    record(&mut tx, NewEntry::new(&by, AuditAction::ProfileKeep, None, Subject::Installation).with(Detail::Judged { what, before: None }));
    tx.commit().await?;
    watch::soon(&control);
    let all = profile::all(control.catalog()).await?;
    let kept = all.into_iter().rfind(|kept| kept.name == id.as_str());
    kept.ok_or_else(|| Problem::new(ErrorCode::Internal, format!("profile `{id}` was written and is not there")))
}

fn checked(text: String, facts: &[facts::Kept]) -> Result<(String, Profile), Problem> {
    let refused = |why: String| Problem::new(ErrorCode::ProfileRefused, "the profile cannot be put in force").because(why);
    let registry = known::overlaid(facts)?;
    let profile = Profile::parse("profile", &text, &registry)
        .map_err(|problems| refused(problems.on_one_line()).next("check it: `holm residency profile check FILE`"))?;
    if i32::try_from(profile.metadata().version).is_err() {
        return Err(refused(format!("version {} is more than {}", profile.metadata().version, i32::MAX)).next("count from 1"));
    }
    let results = profile.run_cases(&registry).map_err(|problems| refused(problems.on_one_line()))?;
    let failed: Vec<String> = results
        .iter()
        .filter(|result| !result.passed)
        .map(|result| format!("case {} expects {} and came to {}", result.number, result.expect, result.verdict.outcome))
        .collect();
    if failed.is_empty() {
        Ok((text, profile))
    } else {
        Err(refused(failed.join("; ")).next("see why: `holm residency profile check FILE`; facts of your own count here too"))
    }
}

fn not_newer(now: &Kept, version: u32) -> Problem {
    let what = format!("version {} of profile `{}` is in force, and version {version} is not newer", now.version, now.name);
    Problem::new(ErrorCode::ProfileRefused, what)
        .because("what a version means never changes, so that a verdict can be told later")
        .next(format!("give it a higher `version`, at least {}", now.version + 1))
}
