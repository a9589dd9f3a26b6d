//! Makes an environment, or brings it up to date.
//!
//! Promises: doing it again with the same words changes nothing; what follows from a change (a new template, a larger
//! pool) comes by itself. A migrations directory that cannot be used is the clusters' trouble and not refused here, so
//! that a slip in it does not keep Holm from starting.

use std::path::{Path, PathBuf};

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::environment::{Domain, EnvironmentKind, EnvironmentName};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::EnvironmentId;
use holm_core::key::KeyPurpose;
use holm_store::audit::record;
use holm_store::data_key::KeyOwner;
use holm_store::environment::{self, Environment, Seed, Upserted};
use holm_store::sealed::Sealed;
use uuid::Uuid;

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::secret::random;
use crate::secret::seal::Purpose;

/// 1,000 databases of 10 MB each, all idle; more is a slip of the finger.
const POOL_SIZE_MAX: u32 = 1_000;

/// An environment as it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEnvironment {
    /// Its name.
    pub name: EnvironmentName,
    /// What it is for; cannot be changed later.
    pub kind: EnvironmentKind,
    /// Where its tenants' subdomains live.
    pub domain: Domain,
    /// How many ready databases each of its clusters keeps.
    pub pool_size: u32,
    /// Its migrations directory, absolute.
    pub migrations: Option<PathBuf>,
    /// What fills a new tenant's database (R97); paths are absolute.
    pub seed: Option<Seed>,
}

/// Makes an environment what it should be, and returns it as it is then.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: a relative path, a domain that another environment has, another kind than before.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn ensure(control: &Control, by: &Actor, new: NewEnvironment) -> Result<Environment, Problem> {
    check(&new)?;
    let (environment, version) = control.tasks().finish("ensure an environment", upsert(control.clone(), by.clone(), new)).await?;
    if let Some(version) = version {
        control.confirmed(version, CONFIRM_PATIENCE).await?;
    }
    Ok(environment)
}

async fn upsert(
    control: Control,
    by: Actor,
    new: NewEnvironment,
) -> Result<(Environment, Option<holm_core::route::RouteVersion>), Problem> {
    let id = EnvironmentId::from_uuid(Uuid::now_v7());
    let sealing = control.keys().for_new(KeyOwner::Environment(id), KeyPurpose::HeaderKey).await?;
    let header_key = sealing.key.seal(Purpose::HeaderKey(id), &random::bytes::<32>());
    let row = environment::NewEnvironment {
        id,
        name: new.name.clone(),
        kind: new.kind,
        domain: new.domain.clone(),
        sealed_header_key: Sealed::new(header_key),
        pool_size: new.pool_size,
        migrations: new.migrations,
        seed: new.seed,
    };
    let mut tx = control.catalog().transaction().await?;
    let (environment, action) = match environment::upsert(&mut tx, &row).await? {
        Upserted::Unchanged(environment) => return Ok((environment, None)),
        Upserted::Created(environment) => {
            sealing.keep(&mut tx).await?;
            (environment, AuditAction::EnvironmentCreate)
        }
        Upserted::Changed(environment) => (environment, AuditAction::EnvironmentChange),
        Upserted::DomainTaken(other) => {
            return Err(invalid(
                format!("domain `{}` belongs to environment `{other}`", new.domain),
                "give each environment a domain of its own",
            ));
        }
        Upserted::OtherKind(kind) => {
            let what = format!("environment `{}` is of kind `{kind}` and stays so", new.name);
            return Err(invalid(what, "make an environment of another name for another kind"));
        }
    };
    record(&mut tx, NewEntry::new(&by, action, Some(&environment.name), Subject::Environment(environment.id)));
    let version = tx.commit().await?;
    control.nudge();
    Ok((environment, version))
}

fn check(new: &NewEnvironment) -> Result<(), Problem> {
    if new.pool_size > POOL_SIZE_MAX {
        return Err(invalid(format!("a pool of {} databases is too large", new.pool_size), "keep it at 1,000 or less"));
    }
    if let Some(directory) = &new.migrations {
        check_path(directory)?;
    }
    match &new.seed {
        Some(Seed::SqlFile(file)) => check_path(file),
        Some(Seed::Command(argv)) if argv.first().is_none_or(String::is_empty) => {
            Err(invalid("the seed's command is empty".to_owned(), "give a program and its arguments"))
        }
        Some(Seed::Command(argv)) if argv.iter().any(|argument| argument.contains('\0')) => {
            Err(invalid("the seed's command has a zero byte in it".to_owned(), "take it out"))
        }
        Some(Seed::Command(_)) | None => Ok(()),
    }
}

/// Several processes read it, each with a working directory of its own; the catalog holds text without zero bytes.
fn check_path(path: &Path) -> Result<(), Problem> {
    let is_text = path.to_str().is_some_and(|text| !text.contains('\0'));
    if path.is_absolute() && is_text {
        return Ok(());
    }
    let what = format!("`{}` is not an absolute path in UTF-8", path.display().to_string().escape_debug());
    Err(invalid(what, "give the whole path, from `/`"))
}

fn invalid(what: String, next: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, what).next(next)
}
