//! The template that a cluster should have: of its environment's migrations as they are on disk now.

use holm_core::error::{ErrorCode, Problem};
use holm_core::role::DatabaseName;
use holm_migrate::MigrationSet;
use holm_store::state::Update;
use holm_store::template::{self, NewTemplate, Template, TemplateId, TemplateState};
use uuid::Uuid;

use super::Pool;
use crate::cluster::{lock, template as on_cluster};

/// How a template is made; a change of it makes every template anew.
const LAYOUT: u32 = 1;

/// There is no template of today's migrations.
pub(super) struct Failed {
    /// The one before, which goes on serving.
    pub(super) serving: Option<Template>,
    pub(super) problem: Problem,
}

impl Pool<'_> {
    /// Finds or makes the template of today's migrations.
    pub(super) async fn template(&self) -> Result<Template, Failed> {
        let known = match template::list(self.control.catalog(), self.cluster.id).await {
            Ok(known) => known,
            Err(error) => return Err(Failed { serving: None, problem: error.into() }),
        };
        let serving = known.iter().rev().find(|template| template.state == TemplateState::Ready).cloned();
        self.newest(&known).await.map_err(|problem| Failed { serving, problem })
    }

    async fn newest(&self, known: &[Template]) -> Result<Template, Problem> {
        let migrations = self.migrations().await?;
        let fingerprint = format!("{LAYOUT}-{}-{}", self.major, migrations.fingerprint());
        let living = || known.iter().filter(|template| template.state != TemplateState::Retired);
        let ready = living().find(|template| template.fingerprint == fingerprint && template.state == TemplateState::Ready);
        if let Some(ready) = ready {
            // The directory went back to what it was, while another template was planned.
            if living().count() > 1 {
                self.switch_to(ready.id).await?;
            }
            return Ok(ready.clone());
        }
        let Some(planned) = self.plan(fingerprint).await? else { return Err(self.no_pool()) };
        self.build(&planned, &migrations).await?;
        self.switch_to(planned.id).await?;
        Ok(Template { state: TemplateState::Ready, ..planned })
    }

    async fn migrations(&self) -> Result<MigrationSet, Problem> {
        let Some(directory) = self.environment.migrations.clone() else { return Ok(MigrationSet::empty()) };
        let read = tokio::task::spawn_blocking(move || MigrationSet::read(&directory)).await;
        Ok(read.expect("reading a directory does not panic")?)
    }

    /// Commits the name before anything has it.
    async fn plan(&self, fingerprint: String) -> Result<Option<Template>, Problem> {
        let new = NewTemplate {
            id: TemplateId::from_uuid(Uuid::now_v7()),
            cluster: self.cluster.id,
            fingerprint,
            database: DatabaseName::template(Uuid::new_v4()),
        };
        let mut tx = self.control.catalog().transaction().await?;
        let planned = template::plan(&mut tx, &new).await?;
        tx.commit().await?;
        Ok(planned)
    }

    async fn build(&self, planned: &Template, migrations: &MigrationSet) -> Result<(), Problem> {
        lock::one_from_the_still(self.admin, planned.id.as_uuid()).await.map_err(|error| self.problem(&error))?;
        // It may have been given up while the lock was waited for; what is made then would be nobody's.
        if template::by_id(self.control.catalog(), planned.id).await?.is_none_or(|now| now.state == TemplateState::Retired) {
            let _ = lock::release(self.admin, planned.id.as_uuid()).await;
            return Err(self.no_pool());
        }
        let made = on_cluster::make(self.access, self.admin, &planned.database, self.major, migrations).await;
        let problem = made.err().map(|error| error.problem(&self.cluster.name));
        template::set_trouble(self.control.catalog(), planned.id, problem.as_ref()).await?;
        // Not given back after a failure that closed the session; then it went with the session.
        let _ = lock::release(self.admin, planned.id.as_uuid()).await;
        problem.map_or(Ok(()), Err)
    }

    fn no_pool(&self) -> Problem {
        Problem::new(ErrorCode::ClusterClosed, format!("no pool is kept on cluster `{}` any more", self.cluster.name))
    }

    /// In one transaction, so that nobody finds the new template ready and the members of the old one still handed out.
    async fn switch_to(&self, id: TemplateId) -> Result<(), Problem> {
        let mut tx = self.control.catalog().transaction().await?;
        if template::mark_ready(&mut tx, id).await? != Update::Done {
            // Given up meanwhile, and what came after it is not to be given up for it.
            return Err(self.no_pool());
        }
        template::retire_others(&mut tx, self.cluster.id, id).await?;
        holm_store::database::condemn_stale(&mut tx, self.cluster.id).await?;
        tx.commit().await?;
        Ok(())
    }
}
