//! Whether PostgreSQL takes the values of a tenant's parameters (R79): a value that it refuses would refuse every session.

use holm_core::error::{ErrorCode, Problem};
use tokio_postgres::error::SqlState;

use super::NewTenant;
use crate::control::Control;

/// For the length of the statement only, in Holm's own session; the names are a closed list.
const TRY: &str = "SELECT set_config($1, $2, true)";

/// Asks a server of the environment; costs nothing when no parameter is given.
///
/// # Errors
/// [`ErrorCode::InvalidValue`] with PostgreSQL's own words.
pub(super) async fn check(control: &Control, new: &NewTenant) -> Result<(), Problem> {
    if new.parameters.is_empty() {
        return Ok(());
    }
    let clusters = holm_store::cluster::list(control.catalog()).await?;
    let here = |cluster: &&holm_store::cluster::Cluster| {
        cluster.environment == new.environment && new.cluster.as_ref().is_none_or(|wanted| *wanted == cluster.name)
    };
    // Without one there is nothing to ask, and the creation says so itself.
    let Some(cluster) = clusters.iter().find(here) else { return Ok(()) };
    let refused = |error: crate::cluster::trouble::ClusterError| error.problem(&cluster.name);
    let admin = control.access(cluster).await?.maintenance().await.map_err(refused)?;
    for parameter in &new.parameters {
        if let Err(error) = admin.query("try a parameter", TRY, &[&parameter.name(), &parameter.value()]).await {
            if !error.is(&SqlState::INVALID_PARAMETER_VALUE) {
                return Err(refused(error));
            }
            let why = error.said().map_or("", |said| said.message()).to_owned();
            let what = format!("`{}` is not a value that `{}` can have", parameter.value().escape_debug(), parameter.name());
            return Err(Problem::new(ErrorCode::InvalidValue, what).because(why).next("give it as it would stand in `postgresql.conf`"));
        }
    }
    admin.close().await;
    Ok(())
}
