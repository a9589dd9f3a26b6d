//! What is looked at while nothing is said of a cluster: its server, and the migrations of its environment.
//!
//! Promises: no question to the catalog, whose changes are told. Refuses to say what is different: a pass finds that out.

use std::path::PathBuf;

use holm_core::error::Problem;
use holm_core::id::ClusterId;
use holm_migrate::MigrationSet;

use crate::cluster::connect::Access;
use crate::control::Control;

/// What was there when a pass began.
pub(super) struct Rest {
    access: Access,
    migrations: Option<PathBuf>,
    fingerprint: Option<String>,
}

impl Rest {
    /// `None` where nothing can be looked at.
    ///
    /// # Errors
    /// The catalog does not answer.
    pub(super) async fn of(control: &Control, id: ClusterId) -> Result<Option<Self>, Problem> {
        let Some(cluster) = holm_store::cluster::by_id(control.catalog(), id).await? else { return Ok(None) };
        let environment = holm_store::environment::by_name(control.catalog(), &cluster.environment).await?;
        let (access, migrations) = (control.access(&cluster).await?, environment.and_then(|environment| environment.migrations));
        let fingerprint = fingerprint(migrations.clone()).await;
        Ok(Some(Self { access, migrations, fingerprint }))
    }

    /// Whether the server takes sessions and the migrations are as they were.
    pub(super) async fn lasts(&self) -> bool {
        let Ok(session) = self.access.maintenance().await else { return false };
        session.close().await;
        self.fingerprint == fingerprint(self.migrations.clone()).await
    }
}

/// `None` without migrations, and where they cannot be read: what is wrong with them is the pass' to say, once.
async fn fingerprint(directory: Option<PathBuf>) -> Option<String> {
    let read = move || MigrationSet::read(&directory?).ok().map(|set| set.fingerprint().to_string());
    tokio::task::spawn_blocking(read).await.expect("reading a directory does not panic")
}
