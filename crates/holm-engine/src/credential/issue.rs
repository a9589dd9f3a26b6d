//! Issues a credential for the proxy.
//!
//! Promises: the secret exists here and in the answer, and nowhere else; what is kept checks it and cannot be used to log
//! in. A credential belongs to one environment (R1).

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Detail, NewEntry, Subject};
use holm_core::credential::{CredentialName, Level, Scope};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::CredentialId;
use holm_core::route::RouteVersion;
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_store::audit::record;
use holm_store::credential::{self, Credential, Inserted};
use holm_store::tenant::Tenant;
use uuid::Uuid;

use crate::control::{CONFIRM_PATIENCE, Control};
use crate::secret::{random, scram};
use crate::{environment, tenant};

/// 4096 rounds of PBKDF2 do not make up for a secret that can be guessed.
const SECRET_LENGTH_MIN: usize = 16;

/// What fits a SCRAM exchange many times over.
const SECRET_LENGTH_MAX: usize = 256;

/// The tenants that a credential is for, as people name them.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CredentialScope {
    /// Any of its environment.
    App,
    /// One.
    Tenant(TenantSlug),
}

/// A credential that is asked for.
#[derive(Clone, Debug)]
pub struct NewCredential {
    /// Its environment, for good.
    pub environment: EnvironmentName,
    /// Its user name, unique over all environments.
    pub name: CredentialName,
    /// The tenants that it is for.
    pub scope: CredentialScope,
    /// What its sessions may do.
    pub level: Level,
    /// A secret that somebody chose; left out, a random one.
    pub secret: Option<Secret<String>>,
}

/// A credential, and what logs in with it: shown once.
#[derive(Debug)]
pub struct IssuedCredential {
    /// What is kept.
    pub credential: Credential,
    /// What is not.
    pub secret: Secret<String>,
}

/// Issues a credential, good from here on.
///
/// # Errors
/// [`ErrorCode::CredentialTaken`], no such environment or tenant, [`ErrorCode::InvalidValue`] for a secret that cannot be
/// one, a catalog that does not answer. A data plane that is silent is none: the secret would be lost with the answer.
///
/// # Cancel safety
/// Safe, but for the secret: a credential may exist of which nobody knows it. Revoke it by its name.
pub async fn issue(control: &Control, by: &Actor, new: NewCredential) -> Result<IssuedCredential, Problem> {
    let secret = match &new.secret {
        None => random::password(),
        Some(given) => checked(given)?,
    };
    let act = insert(control.clone(), by.clone(), new, secret.clone());
    let (credential, version) = control.tasks().finish("issue a credential", act).await?;
    if let Some(version) = version
        && let Err(problem) = control.confirmed(version, CONFIRM_PATIENCE).await
    {
        tracing::warn!(code = %problem.code, why = problem.why, "a new credential is not known everywhere yet");
    }
    Ok(IssuedCredential { credential, secret })
}

async fn insert(
    control: Control,
    by: Actor,
    new: NewCredential,
    secret: Secret<String>,
) -> Result<(Credential, Option<RouteVersion>), Problem> {
    let scope = match &new.scope {
        CredentialScope::App => Scope::App,
        CredentialScope::Tenant(slug) => {
            let tenant = tenant::show(&control, &new.environment, slug).await?;
            level_is_there(&control, &new, &tenant).await?;
            Scope::Tenant(tenant.id)
        }
    };
    let verifier = tokio::task::spawn_blocking(move || scram::new_verifier(&secret)).await.expect("hashing does not panic");
    let row = credential::NewCredential {
        id: CredentialId::from_uuid(Uuid::now_v7()),
        name: new.name.clone(),
        environment: new.environment.clone(),
        scope,
        level: new.level,
        verifier,
    };
    let mut tx = control.catalog().transaction().await?;
    let credential = match credential::insert(&mut tx, &row).await? {
        Inserted::Done(credential) => credential,
        Inserted::NoSuchEnvironment => return Err(environment::not_found(&new.environment)),
        Inserted::NoSuchTenant => return Err(not_in_use(&new)),
        Inserted::NameTaken => return Err(taken(&new)),
    };
    let tenant = match row.scope {
        Scope::App => None,
        Scope::Tenant(id) => Some(id),
    };
    let entry = NewEntry::new(&by, AuditAction::CredentialIssue, Some(&new.environment), Subject::Credential(credential.id));
    record(&mut tx, entry.with(Detail::Credential { level: new.level, tenant }));
    let version = tx.commit().await?;
    control.nudge();
    Ok((credential, version))
}

/// Printable ASCII, on which SASLprep has nothing to change, so that every client hashes the same.
pub(super) fn checked(given: &Secret<String>) -> Result<Secret<String>, Problem> {
    let text = given.expose();
    let fits = (SECRET_LENGTH_MIN..=SECRET_LENGTH_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        return Ok(given.clone());
    }
    Err(Problem::new(ErrorCode::InvalidValue, "the secret of a credential cannot be this")
        .because(format!("it needs {SECRET_LENGTH_MIN} to {SECRET_LENGTH_MAX} printable ASCII characters without blanks"))
        .next("leave it out, and a random one is made"))
}

/// A database that somebody brought has its owner's role and no other.
async fn level_is_there(control: &Control, new: &NewCredential, tenant: &Tenant) -> Result<(), Problem> {
    let database = holm_store::database::of_tenant(control.catalog(), tenant.id).await?;
    if new.level == Level::Owner || !database.is_some_and(|database| database.is_adopted()) {
        return Ok(());
    }
    let what = format!("the database of tenant `{}` has no role of level `{}`", tenant.slug, new.level);
    Err(Problem::new(ErrorCode::LevelNotThere, what)
        .because("it was brought with one role, its owner's, and Holm changes nothing in it")
        .next("issue one of level `owner`"))
}

fn taken(new: &NewCredential) -> Problem {
    Problem::new(ErrorCode::CredentialTaken, format!("a credential called `{}` exists already", new.name))
        .because("names of credentials are unique over all environments, since the proxy finds the environment by them")
        .next("choose another name, or revoke that one first")
}

fn not_in_use(new: &NewCredential) -> Problem {
    let slug = match &new.scope {
        CredentialScope::App => String::new(),
        CredentialScope::Tenant(slug) => slug.to_string(),
    };
    Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{}` is not in use yet", new.environment))
        .next(format!("wait until it serves: `holm tenant show {slug} --env {}`", new.environment))
}
