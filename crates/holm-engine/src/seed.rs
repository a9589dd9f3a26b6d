//! The seed of a new tenant (R97): a SQL file or a command, run as the tenant's own owner role.
//!
//! Promises: it logs in for real, as the role that owns this database and nothing else; the password is in no process
//! list and in no error; it ends within a deadline. A seed must be idempotent: after a crash it runs again.

mod command;
mod sql_file;

use std::time::Duration;

use holm_core::credential::Level;
use holm_core::environment::EnvironmentKind;
use holm_core::error::{ErrorCode, Problem};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use holm_store::cluster::Cluster;
use holm_store::environment::Seed;
use holm_store::tenant::Tenant;

use crate::cluster::connect::Access;
use crate::cluster::trouble::{ClusterError, Trouble};
use crate::control::Control;
use crate::secret::logins::Logins;

/// Long enough for a command that compiles itself first.
const DEADLINE: Duration = Duration::from_secs(300);

/// Why a seed has not run.
#[derive(Debug)]
pub(crate) enum SeedError {
    /// It failed, and would again.
    Failed(Problem),
    /// Something else was in the way.
    Later(Problem),
}

/// What a seed is run against.
struct Target<'a> {
    access: &'a Access,
    kind: EnvironmentKind,
    tenant: &'a Tenant,
    database: DatabaseName,
    owner: RoleName,
    password: Secret<String>,
}

/// Runs the seed that the tenant's environment has now.
///
/// # Cancel safety
/// Safe: a file's transaction is rolled back, a command and its children are killed.
pub(crate) async fn run(control: &Control, cluster: &Cluster, tenant: &Tenant) -> Result<(), SeedError> {
    let catalog = control.catalog();
    let environment = holm_store::environment::by_name(catalog, &tenant.environment).await.map_err(later)?;
    let Some((kind, seed)) = environment.and_then(|environment| Some((environment.kind, environment.seed?))) else { return Ok(()) };
    let Some(database) = holm_store::database::of_tenant(catalog, tenant.id).await.map_err(later)? else { return Ok(()) };
    let sealed = database.sealed_logins.as_bytes();
    let ring = control.keys().ring(Vec::new(), [sealed]).await.map_err(later)?;
    let logins = Logins::unseal(&ring, database.id, sealed).map_err(later)?;
    let access = control.access(cluster).await.map_err(later)?;
    let owner = RoleName::of(&database.name, Level::Owner);
    let password = logins.of(Level::Owner).password.clone();
    let target = Target { access: &access, kind, tenant, database: database.name, owner, password };
    match seed {
        Seed::SqlFile(path) => sql_file::run(&target, &path).await,
        Seed::Command(argv) => command::run(&target, &argv).await,
    }
}

fn later(error: impl Into<Problem>) -> SeedError {
    SeedError::Later(error.into())
}

fn failed(tenant: &Tenant, why: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::SeedFailed, format!("the seed of tenant `{}` in `{}` failed", tenant.slug, tenant.environment))
        .because(why)
        .next("correct the seed, then create the tenant again: its name is free, its database is being removed")
}

/// A server that is gone or full is not the seed's fault.
fn sorted(error: &ClusterError, target: &Target<'_>, why: impl FnOnce() -> String) -> SeedError {
    match error.trouble() {
        Trouble::Unreachable | Trouble::Full | Trouble::Distrusted | Trouble::Unshown => {
            SeedError::Later(error.problem(&target.access.cluster))
        }
        Trouble::ReadOnly | Trouble::Refused => SeedError::Failed(failed(target.tenant, why())),
    }
}

/// Staging runs what production runs (R14); `NODE_ENV` has no other values that libraries agree on (R64).
const fn node_env(kind: EnvironmentKind) -> &'static str {
    match kind {
        EnvironmentKind::Production | EnvironmentKind::Staging => "production",
        EnvironmentKind::Development | EnvironmentKind::Ci => "development",
    }
}
