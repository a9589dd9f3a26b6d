//! The control plane of a serving process: there from the beginning, or as soon as the catalog answers.
//!
//! Promises: opened half, it is left in order; a catalog that comes back is taken up without a restart, and what it forbids
//! meanwhile is closed like any change. Refuses to try again what passes by nobody's waiting: at the start only a catalog that
//! does not answer, or a master key kept elsewhere that does not, lets a node serve from its disk.

use std::sync::Arc;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::InstallationId;
use holm_engine::control::{Control, ControlConfig};
use holm_engine::node::NodeConfig;
use holm_engine::programs::Programs;
use holm_link::Publisher;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::standing::{Standing, reason};
use crate::catalog::init::nobody;
use crate::catalog::open::is_catalog;

/// More would only queue behind the catalog's one disk.
const CATALOG_CONNECTIONS: usize = 8;

/// From one try to reach the catalog to the next; a try that hears nothing takes 5 s by itself.
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The same for a catalog that answers, and is not one to go over to: that takes a person.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// Opens the control plane on the catalog and publishes its routes. `installation` is whose it must be, if that is known.
///
/// # Errors
/// The first thing that does not let it.
///
/// # Cancel safety
/// Safe: a node that has joined and is heard of no more is not waited for.
pub(super) async fn open(config: &Config, publisher: &Publisher, installation: Option<InstallationId>) -> Result<Control, Problem> {
    let (catalog, keys) = (config.catalog.open(CATALOG_CONNECTIONS)?, config.catalog.master_keys()?);
    // Nothing is made silently: neither a catalog out of an empty database nor a master key.
    if !is_catalog(&catalog).await? {
        return Err(not_ready());
    }
    catalog.migrate().await?;
    let parts = ControlConfig {
        checkpoints: config.audit_checkpoints.clone(),
        mail: config.mail.clone(),
        programs: config.pg_bin.clone().map(|directory| Programs { directory, library_path: None }),
        node: Some(node(config)),
        installation,
        ..ControlConfig::new(catalog, keys, publisher.clone())
    };
    let control = Control::open(parts).await?;
    match nobody(&control).await {
        Ok(false) => Ok(control),
        other => {
            // It has joined; nobody should wait for it.
            control.shutdown().await;
            Err(other.err().unwrap_or_else(not_ready))
        }
    }
}

/// Whether a start that failed so may go on from disk.
pub(super) const fn is_away(problem: &Problem) -> bool {
    matches!(problem.code, ErrorCode::CatalogUnavailable | ErrorCode::MasterKeyUnavailable)
}

/// Tries until the catalog answers; `None` when told to stop first.
///
/// # Cancel safety
/// As [`open`].
pub(super) async fn open_when_there(
    config: &Config,
    publisher: &Publisher,
    installation: Option<InstallationId>,
    standing: &Arc<Standing>,
    stop: &CancellationToken,
) -> Option<Control> {
    let (mut said, mut pause) = (None, TRY_AGAIN);
    loop {
        let tried = tokio::select! {
            // What is dropped is safe to drop.
            () = stop.cancelled() => return None,
            tried = async {
                sleep(pause).await;
                open(config, publisher, installation).await
            } => tried,
        };
        match tried {
            Ok(control) => return Some(control),
            Err(problem) => {
                // Each reason once: a line a second would hide the rest of the log.
                if said != Some(problem.code) {
                    said = Some(problem.code);
                    tracing::warn!(code = %problem.code, why = reason(&problem), "the catalog cannot be used yet; this node goes on with the routes on its disk");
                }
                pause = if is_away(&problem) { TRY_AGAIN } else { LOOK_AGAIN };
                standing.still(problem);
            }
        }
    }
}

fn node(config: &Config) -> NodeConfig {
    let listen = if config.role.carries() { config.proxy.listen } else { config.api_listen };
    // A port that the kernel picks is not known yet.
    let port = if listen.port() == 0 { std::process::id() } else { listen.port().into() };
    NodeConfig {
        name: config.node_name.clone().unwrap_or_else(|| format!("{}:{port}", machine_name())),
        role: config.role,
        holm_version: env!("CARGO_PKG_VERSION").to_owned(),
        keeps_routes: config.data_dir.is_some(),
    }
}

fn not_ready() -> Problem {
    Problem::new(ErrorCode::CatalogNotReady, "the catalog was never made ready: nobody could sign in")
        .next("make it ready, once: `holm init`")
        .next("or restore a backup into it: `holm catalog restore FILE`")
}

/// As the kernel has it; every machine has one.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "holm".to_owned() } else { name.to_owned() }
}
