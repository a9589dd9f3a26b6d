//! `--demo`: three orchestras in production, one of them in staging too, with the schema and data of a booking service
//! for orchestra substitutes.
//!
//! Everything here goes through the same doors as a user's own tenants: migrations and seed of the environment, then
//! each orchestra's data through the proxy with an app's credential. The files lie in the directory, to be read and changed.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::credential::Level;
use holm_core::environment::{EnvironmentKind, EnvironmentName};
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::slug::TenantSlug;
use holm_engine::control::Control;
use holm_engine::tenant::{self, NewTenant};

use super::credentials;
use super::directory::Directory;
use super::environments::{DevEnvironment, DevEnvironments};

macro_rules! file {
    ($path:literal) => {
        ($path, include_str!(concat!("../../../../demo/", $path)))
    };
}

/// What `--demo` lays down under `demo/` in the directory.
const FILES: &[(&str, &str)] = &[
    file!("prisma/schema.prisma"),
    file!("prisma/migrations/migration_lock.toml"),
    file!("prisma/migrations/20260302091500_init/migration.sql"),
    file!("prisma/migrations/20260316134000_invitations/migration.sql"),
    file!("prisma/migrations/20260407080500_fees/migration.sql"),
    file!("prisma/migrations/20260420101000_open_gigs/migration.sql"),
    file!("prisma/migrations/20260504073000_answers/migration.sql"),
    file!("prisma/migrations/20260601120000_gigs_by_status/migration.sql"),
    file!("seed.sql"),
];

/// Each tenant of the demo, and its own data.
const TENANTS: &[(&str, &str, &str)] = &[
    ("production", "goteborg", GOTEBORG),
    ("production", "malmo", include_str!("../../../../demo/orchestras/malmo.sql")),
    ("production", "stockholm", include_str!("../../../../demo/orchestras/stockholm.sql")),
    ("staging", "goteborg", GOTEBORG),
];

/// Played in both environments: invented data may be where production data may not.
const GOTEBORG: &str = include_str!("../../../../demo/orchestras/goteborg.sql");

/// A minute holds a cold template on the slowest machine seen; more would only hide a fault.
const CREATE_PATIENCE: Duration = Duration::from_secs(60);

/// The proxy is in this process.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// The demo's environments.
pub(super) fn environments(directory: &Directory) -> DevEnvironments {
    let root = directory.file("demo");
    let environment = |kind: EnvironmentKind, domain: &str| DevEnvironment {
        name: kind.as_str().parse().expect("a kind's word is a name"),
        kind,
        domain: domain.parse().expect("a constant that is a domain"),
        migrations: Some(root.join("prisma/migrations")),
        seed: Some(root.join("seed.sql")),
    };
    DevEnvironments {
        demo: true,
        environments: vec![
            environment(EnvironmentKind::Production, "localhost"),
            environment(EnvironmentKind::Staging, "staging.localhost"),
        ],
    }
}

/// Lays down the files that are not there; those that are may have been changed by their owner.
///
/// # Errors
/// One cannot be written.
pub(super) fn write_files(directory: &Directory) -> Result<(), Problem> {
    for (name, content) in FILES {
        let path = directory.file("demo").join(name);
        let written = match path.parent() {
            _ if path.exists() => Ok(()),
            Some(parent) => fs::create_dir_all(parent).and_then(|()| fs::write(&path, content)),
            None => Ok(()),
        };
        written
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be written", path.display())).because(error))?;
    }
    Ok(())
}

/// Creates the demo's tenants where they are missing, each with its own data.
///
/// # Errors
/// A tenant cannot be created, or its data not be loaded; the next start tries again.
pub(super) async fn ensure_tenants(control: &Control, by: &Actor, directory: &Directory, proxy: SocketAddr) -> Result<(), Problem> {
    for (environment, slug, data) in TENANTS {
        let environment: EnvironmentName = environment.parse().expect("a constant that is a name");
        let slug: TenantSlug = slug.parse().expect("a constant that is a slug");
        let mark = directory.file("demo").join(format!("{environment}-{slug}.loaded"));
        if mark.exists() {
            continue;
        }
        create(control, by, &environment, &slug).await?;
        load(directory, proxy, &environment, &slug, data).await?;
        fs::write(&mark, b"")
            .map_err(|error| Problem::new(ErrorCode::InvalidConfig, format!("`{}` cannot be written", mark.display())).because(error))?;
    }
    Ok(())
}

async fn create(control: &Control, by: &Actor, environment: &EnvironmentName, slug: &TenantSlug) -> Result<(), Problem> {
    let new = NewTenant {
        environment: environment.clone(),
        slug: slug.clone(),
        cluster: None,
        parameters: Vec::new(),
        ttl: None,
        profile: None,
        near: None,
    };
    match tenant::create(control, by, new, CREATE_PATIENCE).await {
        Ok(_) => Ok(()),
        // From a start that was killed between creating and loading.
        Err(problem) if problem.code == ErrorCode::SlugTaken => Ok(()),
        Err(problem) => Err(problem),
    }
}

/// Loads an orchestra's own data as an app would: through the proxy, with the environment's credential. The file is
/// idempotent, so that a start that was killed halfway is simply repeated.
async fn load(
    directory: &Directory,
    proxy: SocketAddr,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    data: &str,
) -> Result<(), Problem> {
    let failed = |error: &dyn std::fmt::Display| {
        Problem::new(ErrorCode::SeedFailed, format!("the demo's data could not be loaded into `{slug}` in `{environment}`"))
            .because(error)
            .changed(Changed::Something)
            .next("start `holm dev --demo` again, or leave out `--demo` to go on without it")
    };
    let (name, secret) = credentials::secret(directory, environment, Level::Rw)?;
    let mut config = tokio_postgres::Config::new();
    config.host(proxy.ip().to_string()).port(proxy.port()).user(name.as_str()).password(secret.expose()).dbname(slug.as_str());
    config.connect_timeout(CONNECT_PATIENCE);
    let (client, connection) = config.connect(tokio_postgres::NoTls).await.map_err(|error| failed(&error))?;
    let connection = tokio::spawn(connection);
    let loaded = client.batch_execute(&format!("BEGIN;\n{data}\nCOMMIT;")).await.map_err(|error| failed(&error));
    drop(client);
    let _ = connection.await;
    loaded
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    #[test]
    fn the_demo_carries_every_migration_that_lies_in_its_directory() {
        let migrations = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo/prisma/migrations");
        let there: BTreeSet<String> =
            fs::read_dir(migrations).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let carried: BTreeSet<String> =
            FILES.iter().filter_map(|(name, _)| name.strip_prefix("prisma/migrations/")?.split('/').next()).map(str::to_owned).collect();
        assert_eq!(carried, there);
    }
}
