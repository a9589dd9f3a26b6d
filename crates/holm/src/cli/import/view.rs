//! The plan as it is shown, to people and to programs.
//!
//! Promises: made from what may be seen of a plan; a password has no way in.

use std::path::Path;

use holm_core::error::Problem;
use serde::Serialize;

use crate::output::{Cell, Row};
use crate::percent;
use crate::pgbouncer::plan::{Adoption, Becomes, Obstacle, Plan, Planned, shell};
use crate::pgbouncer::settings::{self, Fate};

/// A whole plan.
#[derive(Debug, Serialize)]
pub(super) struct PlanView {
    pub(super) file: String,
    pub(super) environment: String,
    pub(super) databases: Vec<DatabaseView>,
    pub(super) settings: Vec<SettingView>,
    pub(super) notes: Vec<String>,
}

/// What becomes of a database.
#[derive(Debug, Serialize)]
pub(super) struct DatabaseView {
    /// PgBouncer's name for it.
    pub(super) name: String,
    pub(super) place: String,
    pub(super) state: State,
    pub(super) tenant: Option<TenantView>,
    pub(super) obstacles: Vec<ObstacleView>,
    /// SQL for its server, to be run there first.
    pub(super) before: Option<String>,
    pub(super) notes: Vec<String>,
    /// Why it is not there, after it was tried.
    pub(super) problem: Option<Problem>,
}

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// All that it needs is known.
    Ready,
    /// Something has to be said or done first.
    Blocked,
    /// It is a tenant's now.
    Adopted,
    /// It was before.
    There,
    /// It was tried.
    Failed,
    /// It was not tried, since others could not be.
    Untried,
}

impl State {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Blocked => "blocked",
            Self::Adopted => "adopted",
            Self::There => "there",
            Self::Failed => "failed",
            Self::Untried => "untried",
        }
    }
}

/// The tenant that it becomes.
#[derive(Debug, Serialize)]
pub(super) struct TenantView {
    pub(super) slug: String,
    /// `10.0.0.1:5432`
    pub(super) server: String,
    pub(super) database: String,
    pub(super) role: String,
    pub(super) sslmode: String,
    pub(super) max: Option<u32>,
    /// Which do the same one by one; the password is asked for.
    pub(super) commands: Vec<String>,
}

/// What is in the way.
#[derive(Debug, Serialize)]
pub(super) struct ObstacleView {
    pub(super) why: String,
    pub(super) next: String,
}

/// What becomes of a setting.
#[derive(Debug, Serialize)]
pub(super) struct SettingView {
    pub(super) section: &'static str,
    pub(super) name: String,
    pub(super) place: String,
    pub(super) fate: Fate,
    pub(super) how: &'static str,
}

/// For every adopted database.
const POOLING: &str = "apps use adopted databases with credentials of level `owner`, which have sessions; for transaction pooling \
     a connection says `options=-c holm.pooling=transaction`";
const APPS: &str =
    "apps connect with the tenant's name as database name and a credential of Holm's: `holm credential create NAME --level owner`";

impl PlanView {
    pub(super) fn new(file: &Path, environment: &str, plan: &Plan) -> Self {
        let settings = plan.set.iter().map(|set| {
            let (fate, how) = settings::fate(set.section, &set.name);
            SettingView { section: set.section.as_str(), name: set.name.clone(), place: set.place.to_string(), fate, how }
        });
        Self {
            file: file.display().to_string(),
            environment: environment.to_owned(),
            databases: plan.databases.iter().map(|planned| DatabaseView::new(planned, environment)).collect(),
            settings: settings.collect(),
            notes: [POOLING, APPS].map(str::to_owned).into_iter().chain(plan.notes.iter().cloned()).collect(),
        }
    }
}

impl DatabaseView {
    fn new(planned: &Planned, environment: &str) -> Self {
        let (state, tenant, obstacles) = match &planned.becomes {
            Becomes::Tenant(adoption) => (State::Ready, Some(TenantView::new(adoption, environment)), Vec::new()),
            Becomes::NothingYet(obstacles) => (State::Blocked, None, obstacles.iter().map(ObstacleView::new).collect()),
        };
        Self {
            name: planned.name.clone(),
            place: planned.place.clone(),
            state,
            tenant,
            obstacles,
            before: planned.before.clone(),
            notes: planned.notes.clone(),
            problem: None,
        }
    }

    /// Why it is no tenant's, in short.
    pub(super) fn why(&self) -> Option<String> {
        match (&self.problem, self.obstacles.as_slice()) {
            (Some(problem), _) => Some(problem.why.as_ref().map_or_else(|| problem.what.clone(), |why| format!("{}: {why}", problem.what))),
            (None, []) => None,
            (None, obstacles) => Some(obstacles.iter().map(|obstacle| obstacle.why.as_str()).collect::<Vec<_>>().join("; ")),
        }
    }
}

impl ObstacleView {
    fn new(obstacle: &Obstacle) -> Self {
        Self { why: obstacle.why.clone(), next: obstacle.next.clone() }
    }
}

/// `postgresql://role@host:port/database`, without a password.
pub(super) fn url(adoption: &Adoption) -> String {
    let (role, database) = (percent::encode(adoption.role.as_str()), percent::encode(adoption.at.database.as_str()));
    format!("postgresql://{role}@{}/{database}", adoption.at.server())
}

impl TenantView {
    fn new(adoption: &Adoption, environment: &str) -> Self {
        let (slug, environment) = (&adoption.slug, shell(environment));
        let mut adopt = format!(
            "holm tenant adopt {slug} --env {environment} --server {} --password-file FILE --sslmode {}",
            shell(&url(adoption)),
            adoption.sslmode,
        );
        if let Some(path) = &adoption.root_cert {
            adopt += &format!(" --ssl-root-cert {}", shell(&path.display().to_string()));
        }
        if let Some((chain, key)) = &adoption.shown {
            adopt += &format!(" --client-cert {} --client-key {}", shell(&chain.display().to_string()), shell(&key.display().to_string()));
        }
        let limit = adoption.max.map(|max| format!("holm tenant limits {slug} --env {environment} --max {max}"));
        Self {
            slug: slug.to_string(),
            server: adoption.at.server(),
            database: adoption.at.database.to_string(),
            role: adoption.role.to_string(),
            sslmode: adoption.sslmode.to_string(),
            max: adoption.max,
            commands: [adopt].into_iter().chain(limit).collect(),
        }
    }
}

impl Row for DatabaseView {
    const COLUMNS: &'static [&'static str] = &["NAME", "STATE", "TENANT", "SERVER", "DATABASE", "ROLE", "MAX", "WHY", "PLACE"];
    const BRIEF: usize = 8;

    fn cells(&self) -> Vec<Cell> {
        let of = |field: fn(&TenantView) -> String| Cell::from(self.tenant.as_ref().map(field));
        vec![
            Cell::of(&self.name),
            Cell::of(self.state.as_str()),
            of(|tenant| tenant.slug.clone()),
            of(|tenant| tenant.server.clone()),
            of(|tenant| tenant.database.clone()),
            of(|tenant| tenant.role.clone()),
            self.tenant.as_ref().and_then(|tenant| tenant.max).map_or(Cell::Empty, |max| Cell::Number(max.into())),
            self.why().into(),
            Cell::of(&self.place),
        ]
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
