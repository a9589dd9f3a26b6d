//! A seed that is a file of SQL: one transaction in a login as the tenant's owner.

use std::path::Path;

use holm_migrate::statements::Position;
use tokio::time::timeout;
use tokio_postgres::error::ErrorPosition;

use super::{DEADLINE, SeedError, Target, failed, sorted};
use crate::cluster::trouble::ClusterError;

/// As much as PostgreSQL and we hold in memory without harm; more is for a command.
const BYTES_MAX: u64 = 64 * 1024 * 1024;

pub(super) async fn run(target: &Target<'_>, path: &Path) -> Result<(), SeedError> {
    let script = read(path).await.map_err(|why| SeedError::Failed(failed(target.tenant, why)))?;
    let session = target.access.login(&target.database, &target.owner, &target.password).await;
    let session = session.map_err(|error| sorted(&error, target, || error.to_string()))?;
    let applied = timeout(DEADLINE, async {
        session.client().batch_execute("BEGIN").await?;
        session.client().batch_execute(&script).await?;
        session.client().batch_execute("COMMIT").await
    });
    match applied.await {
        Ok(Ok(())) => {
            session.close().await;
            Ok(())
        }
        Ok(Err(source)) => {
            let error = ClusterError::postgres("run a seed", source);
            Err(sorted(&error, target, || refusal(path, &script, &error)))
        }
        Err(_) => {
            Err(SeedError::Failed(failed(target.tenant, format!("`{}` ran for longer than {} s", path.display(), DEADLINE.as_secs()))))
        }
    }
}

async fn read(path: &Path) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("`{}` cannot be read: {error}", path.display());
    let length = tokio::fs::metadata(path).await.map_err(unreadable)?.len();
    if length > BYTES_MAX {
        return Err(format!("`{}` has more than {} MiB", path.display(), BYTES_MAX / (1024 * 1024)));
    }
    tokio::fs::read_to_string(path).await.map_err(unreadable)
}

/// Without PostgreSQL's DETAIL, which quotes rows.
fn refusal(path: &Path, script: &str, error: &ClusterError) -> String {
    let Some(said) = error.said() else { return error.to_string() };
    let place = match said.position() {
        Some(ErrorPosition::Original(nth)) => {
            format!(" at {}", Position::of_character(script, usize::try_from(*nth).unwrap_or(usize::MAX)))
        }
        _ => String::new(),
    };
    format!("`{}`{place}: {} ({})", path.display(), said.message(), said.code().code())
}
