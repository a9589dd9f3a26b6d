//! Copies a tenant within its environment, while it is in use: a new tenant with a database, roles and logins of its own,
//! and the content of one moment.
//!
//! Promises: whatever a tenant wrote runs only as the owner of the copy; the source is only read, as its own owner; until
//! the copy is whole nobody is let in, and undoing leaves nothing of it. Credentials are not copied, since each is for one
//! tenant. Refuses another environment, where the data may not be; refuses content that only a superuser could make.
//! Deliberately absent: what the source granted beyond what every tenant's roles are granted; a copy begins as a new
//! tenant does.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::cluster::ClusterName;
use holm_core::cluster::state::ClusterState;
use holm_core::credential::Level;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DatabaseId, EnvironmentId, OperationId, TenantId};
use holm_core::key::KeyPurpose;
use holm_core::parameter::TenantParameter;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantState;
use holm_policy::evaluate::verdict::Outcome;
use holm_store::cluster::Cluster;
use holm_store::data_key::KeyOwner;
use holm_store::database::{self, Database, DatabaseState};
use holm_store::residency::{self, assigned, standing};
use holm_store::sealed::Sealed;
use holm_store::state::Update;
use holm_store::template::{self, TemplateId, TemplateState};
use holm_store::tenant::copying::{self, NewCopy, Planned};
use holm_store::tenant::version::TenantVersion;
use holm_store::tenant::{self, Tenant, name};
use holm_store::tx::Tx;
use serde::{Deserialize, Serialize};
use tokio::time::sleep;
use uuid::Uuid;

use super::{extend, rename};
use crate::cluster::transfer::{self, End, Transfer, TransferError};
use crate::cluster::trouble::ClusterError;
use crate::cluster::{condemn, copy as on_cluster, lock};
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::operation::acting::{Acting, Progress, Site};
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, busy, request};
use crate::residency::choose::{not_there, standings};
use crate::residency::copies::{self, Judged, Whose};
use crate::residency::known::Known;
use crate::secret::logins::Logins;
use crate::secret::random;
use crate::tenant::unchanged::unchanged;
use crate::{environment, programs};

/// Longer than a server is away for maintenance: hours of copying are not given up for minutes.
const COPY_RETRY_FOR: Duration = Duration::from_secs(3600);

/// How often a copy tells how far it is, and looks whether it is still wanted.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// The operation.
pub(crate) struct Copy;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    environment: EnvironmentName,
    environment_id: EnvironmentId,
    source: TenantId,
    source_database: DatabaseId,
    source_cluster: ClusterId,
    /// The copy.
    tenant: TenantId,
    slug: TenantSlug,
    parameters: Vec<TenantParameter>,
    /// By which profile the source is judged, and so the copy; an older Holm knew of none.
    #[serde(default)]
    profile: Option<String>,
    ttl: Option<Duration>,
    database: DatabaseId,
    name: DatabaseName,
    cluster: ClusterId,
    template: Uuid,
}

impl Operation for Copy {
    type State = State;
    const KIND: &'static str = "tenant.copy";
    const ACTION: AuditAction = AuditAction::TenantCopy;
    /// Each reads and writes as fast as it can.
    const AT_ONCE: u32 = 2;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "plan",
            act: Act::Catalog(|acting, tx, state| Box::pin(plan(acting, tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(give_up(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "copy content",
            act: Act::Outside(|acting, state| Box::pin(copy_content(acting, state))),
            undo: Undo::Outside(|acting, state| Box::pin(remove(acting, state))),
            retry_for: COPY_RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "serve",
            act: Act::Catalog(|_, tx, state| Box::pin(serve(tx, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: true,
        },
        Step {
            name: "tell data plane",
            act: Act::Outside(|acting, _| Box::pin(confirm(acting))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

async fn plan(acting: &Acting, tx: &mut Tx, state: &mut State) -> Stepped {
    let logins = tokio::task::spawn_blocking(Logins::generate).await.expect("hashing does not panic");
    let sealing = acting.control.keys().for_new(KeyOwner::Database(state.database), KeyPurpose::Logins).await?;
    residency::share(tx).await?;
    // As it is now: it may have been given one, or another, since the copy was asked for.
    let given = assigned::of_environment_within(tx, &state.environment).await?;
    state.profile = assigned::of_tenant_within(tx, state.source).await?.or(given.and_then(|given| given.profile));
    let copies = judged(&acting.control, tx, state).await.map_err(|problem| match problem.code {
        ErrorCode::ResidencyRefused | ErrorCode::ProfileNotFound => StepError::Fatal(problem),
        _ => StepError::Retry(problem),
    })?;
    let new = NewCopy {
        id: state.tenant,
        environment: state.environment_id,
        slug: state.slug.clone(),
        parameters: state.parameters.clone(),
        profile: state.profile.clone(),
        ttl: state.ttl,
        made_by: acting.id,
        cluster: state.cluster,
        database: state.database,
        database_name: state.name.clone(),
        sealed_logins: Sealed::new(logins.seal(&sealing.key, state.database)),
        template: TemplateId::from_uuid(state.template),
    };
    let refused = match copying::plan(tx, &new).await? {
        Planned::Done => {
            standing::set(tx, &standings(state.tenant, &copies)).await?;
            sealing.keep(tx).await?;
            return Ok(Flow::Done);
        }
        Planned::Before => return Ok(Flow::Done),
        Planned::Taken => rename::taken(&state.environment, &state.slug),
        Planned::Reserved(alias) => rename::reserved(&state.environment, &alias),
        Planned::ClusterClosed(now) => {
            let name = holm_store::cluster::by_id(acting.control.catalog(), state.cluster).await?.map(|cluster| cluster.name);
            closed(name.as_ref(), now)
        }
    };
    Err(StepError::Fatal(refused))
}

/// The copies that the copy would have, of which the source's profile allows every one.
async fn judged(control: &Control, tx: &mut Tx, state: &State) -> Result<Vec<Judged>, Problem> {
    let Some(name) = &state.profile else { return Ok(Vec::new()) };
    let (known, now) = Known::within(control, tx).await?;
    let profile = known.profile(name)?;
    let given = assigned::of_environment_within(tx, &state.environment).await?.ok_or_else(|| environment::not_found(&state.environment))?;
    let clusters = holm_store::cluster::list_within(tx).await?;
    let Some(cluster) = clusters.iter().find(|cluster| cluster.id == state.cluster) else { return Ok(Vec::new()) };
    let whose = Whose { environment: &state.environment, kind: given.kind, tenant: None };
    let copies = copies::on(&known, profile, whose, cluster, now);
    match copies::worst(&copies) {
        Outcome::Allow => Ok(copies),
        _ => Err(not_there(profile, &cluster.name, &copies)),
    }
}

/// The name is free again; the database is condemned, and forgotten when nothing of it is left.
async fn give_up(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let problem = Problem::new(ErrorCode::OperationUndone, format!("the copy `{}` was not finished", state.slug));
    let _ = tenant::fail(tx, state.tenant, &problem).await?;
    Ok(())
}

async fn copy_content(acting: &Acting, state: &mut State) -> Stepped {
    let programs = programs::found(acting.control.programs())?;
    let source = known(acting, state.source_database).await?;
    let site = acting.site(state.cluster).await?;
    // Where the source is elsewhere, sessions of a former runner are ended there too.
    let other = if state.source_cluster == state.cluster { None } else { Some(acting.site(state.source_cluster).await?) };
    let from = other.as_ref().unwrap_or(&site);
    lock::one(&site.admin, state.database.as_uuid()).await.map_err(|error| site.retry(&error))?;
    // Under the lock: if a person abandoned the operation, it is condemned, and perhaps gone already.
    let target = known(acting, state.database).await?;
    if target.state != DatabaseState::Claimed {
        return Err(StepError::Lost);
    }
    let logins = logins_of(acting, &target).await?;
    if !on_cluster::is_whole(&site.admin, &target.name, &logins).await.map_err(|error| site.retry(&error))? {
        let source_logins = logins_of(acting, &source).await?;
        let work = Filling { acting, state, programs, from, to: &site, source: &source, source_logins: &source_logins };
        work.fill().await?;
        on_cluster::hand_over(&site.admin, &target.name, &logins).await.map_err(|error| site.retry(&error))?;
    }
    if let Some(other) = other {
        other.leave().await;
    }
    site.leave().await;
    Ok(Flow::Done)
}

async fn known(acting: &Acting, id: DatabaseId) -> Result<Database, StepError> {
    let database = database::by_id(acting.control.catalog(), id).await?;
    database.ok_or_else(|| StepError::Fatal(Problem::new(ErrorCode::CopyRefused, format!("{id} is gone from the catalog"))))
}

async fn logins_of(acting: &Acting, database: &Database) -> Result<Logins, StepError> {
    let sealed = database.sealed_logins.as_bytes();
    let ring = acting.control.keys().ring(Vec::new(), [sealed]).await?;
    Ok(Logins::unseal(&ring, database.id, sealed).map_err(Problem::from)?)
}

/// One attempt at filling the target, behind the fences of both clusters.
struct Filling<'a> {
    acting: &'a Acting,
    state: &'a State,
    programs: &'a programs::Programs,
    from: &'a Site,
    to: &'a Site,
    source: &'a Database,
    source_logins: &'a Logins,
}

impl Filling<'_> {
    async fn fill(&self) -> Result<(), StepError> {
        let (from, to) = (self.from, self.to);
        let shape = on_cluster::shape(&from.admin, &self.source.name).await.map_err(|error| from.retry(&error))?;
        let (shape, size) = shape.ok_or_else(|| self.refused("its database is not on its cluster"))?;
        self.check_extensions().await?;
        // Known to this attempt only.
        let password = random::password();
        let (name, owner) = (&self.state.name, RoleName::of(&self.state.name, Level::Owner));
        let made = on_cluster::make_empty(to.access(), &to.admin, name, &shape, to.cluster.access.major(), &password).await;
        made.map_err(|error| self.sorted(&error))?;
        let session = to.login(name, &owner, &password).await?;
        on_cluster::prepare(&session, name).await.map_err(|error| to.retry(&error))?;
        session.close().await;
        self.transfer(size, &owner, &password).await?;
        // Its owner may have changed that, while it restored what the tenant wrote.
        on_cluster::let_in(&to.admin, name, &password).await.map_err(|error| to.retry(&error))?;
        let session = to.login(name, &owner, &password).await?;
        on_cluster::close_ledger(&session, name).await.map_err(|error| to.retry(&error))?;
        session.close().await;
        Ok(())
    }

    async fn check_extensions(&self) -> Result<(), StepError> {
        let owner = RoleName::of(&self.source.name, Level::Owner);
        let session = self.from.login(&self.source.name, &owner, &self.source_logins.of(Level::Owner).password).await?;
        let extensions = on_cluster::extensions(&session).await.map_err(|error| self.from.retry(&error))?;
        session.close().await;
        let privileged = on_cluster::privileged(&self.to.admin, extensions).await.map_err(|error| self.to.retry(&error))?;
        if privileged.is_empty() {
            return Ok(());
        }
        let names = privileged.iter().map(|name| format!("`{}`", name.escape_debug())).collect::<Vec<_>>().join(", ");
        let why = format!("cluster `{}` has no such extension that a tenant's owner may make: {names}", self.to.cluster.name);
        Err(self.refused(&why))
    }

    async fn transfer(&self, size: u64, owner: &RoleName, password: &Secret<String>) -> Result<(), StepError> {
        let (acting, application_name) = (self.acting, self.acting.application_name());
        let source_owner = RoleName::of(&self.source.name, Level::Owner);
        let transfer = Transfer {
            programs: self.programs,
            application_name: &application_name,
            from: End {
                address: &self.from.cluster.access.address,
                tls: &self.from.cluster.access.tls,
                client_certificate: self.from.access().client_certificate.as_ref(),
                database: &self.source.name,
                owner: &source_owner,
                password: &self.source_logins.of(Level::Owner).password,
            },
            to: End {
                address: &self.to.cluster.access.address,
                tls: &self.to.cluster.access.tls,
                client_certificate: self.to.access().client_certificate.as_ref(),
                database: &self.state.name,
                owner,
                password,
            },
        };
        // A dump has no indexes, so that it is shorter than its database; one that is longer is done when it is.
        let moved = AtomicU64::new(0);
        let cancelled = async {
            loop {
                sleep(LOOK_EVERY).await;
                let done = moved.load(Ordering::Relaxed);
                acting.progress(Progress { done, of: size.max(done + 1), unit: "bytes" }).await;
                if acting.cancel_asked().await {
                    return;
                }
            }
        };
        match transfer::run(&transfer, &moved, cancelled).await {
            Ok(()) => {
                let all = moved.load(Ordering::Relaxed);
                acting.progress(Progress { done: all, of: all, unit: "bytes" }).await;
                Ok(())
            }
            Err(error) if error.may_pass() => Err(StepError::Retry(self.problem(&error))),
            Err(error) => Err(StepError::Fatal(self.problem(&error))),
        }
    }

    fn problem(&self, error: &TransferError) -> Problem {
        Problem::new(ErrorCode::CopyRefused, format!("the content could not be copied into `{}`", self.state.slug))
            .because(error)
            .next("put right what the reason says in the tenant that is copied, then copy it again")
    }

    fn refused(&self, why: &str) -> StepError {
        let problem = Problem::new(ErrorCode::CopyRefused, format!("`{}` cannot be made a copy of that tenant", self.state.slug));
        StepError::Fatal(problem.because(why).next("put right what the reason says, or choose another cluster with `--cluster`"))
    }

    /// A locale or an encoding that this cluster does not have will not come by itself.
    fn sorted(&self, error: &ClusterError) -> StepError {
        let unfit = error.said().is_some_and(|said| matches!(said.code().code(), "22023" | "42704" | "0A000" | "42809"));
        if unfit { self.refused(&error.problem(&self.to.cluster.name).why.unwrap_or_default()) } else { self.to.retry(error) }
    }
}

async fn remove(acting: &Acting, state: &State) -> Result<(), StepError> {
    let site = acting.site(state.cluster).await?;
    lock::one(&site.admin, state.database.as_uuid()).await.map_err(|error| site.retry(&error))?;
    // Roles that others refer to are locked here, and removed by the reconciler when they can be.
    let _ = condemn::remove(&site.admin, &state.name).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(())
}

async fn serve(tx: &mut Tx, state: &mut State) -> Stepped {
    match copying::made(tx, state.tenant).await? {
        Update::Done | Update::Refused(TenantState::Serving) => Ok(Flow::Done),
        other => {
            let what = format!("the copy `{}` is whole and cannot be let in to: {other:?}", state.slug);
            Err(StepError::Retry(Problem::new(ErrorCode::TenantState, what)))
        }
    }
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

/// The copy that is asked for.
#[derive(Clone, Debug)]
pub struct NewTenantCopy {
    /// Its name.
    pub slug: TenantSlug,
    /// Where its database is to be; where the source's is, if that does not matter.
    pub cluster: Option<ClusterName>,
    /// How long it lives, if it has an end.
    pub ttl: Option<Duration>,
    /// Why, as they say.
    pub reason: Option<Reason>,
}

/// Copies a tenant, and returns the operation that does. Until it is over the copy is being created.
///
/// # Errors
/// No such tenant, one that is being created or changed by another operation, a name that is in use or kept for another
/// tenant; [`ErrorCode::ClusterElsewhere`]: a cluster of another environment; [`ErrorCode::ClusterClosed`]: one that is not
/// open; [`ErrorCode::ProgramsNotFound`]; trouble with the catalog.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn copy(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    new: NewTenantCopy,
) -> Result<OperationId, Problem> {
    copy_at(control, by, environment, slug, new, None).await
}

/// As [`copy`], if the tenant is as the caller saw it.
///
/// # Errors
/// As with [`copy`]; [`ErrorCode::PreconditionFailed`].
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn copy_at(
    control: &Control,
    by: &Actor,
    environment: &EnvironmentName,
    slug: &TenantSlug,
    new: NewTenantCopy,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    let act = begin(control.clone(), by.clone(), environment.clone(), slug.clone(), new, seen);
    control.tasks().finish("copy a tenant", act).await
}

async fn begin(
    control: Control,
    by: Actor,
    environment: EnvironmentName,
    slug: TenantSlug,
    new: NewTenantCopy,
    seen: Option<TenantVersion>,
) -> Result<OperationId, Problem> {
    let tenant = environment::tenant(&control, &environment, &slug).await?;
    let ttl = extend::ttl(&control, &environment, new.ttl).await?;
    let subject = format!("tenant `{}` in `{environment}`, a copy of `{slug}`", new.slug);
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    if let Some(other) = holm_store::operation::holder(&mut tx, &[tenant.id.as_uuid()]).await? {
        return Err(busy(&format!("tenant `{slug}` in `{environment}`"), &other));
    }
    tx.rollback().await?;
    let (source, cluster, template) = places(&control, &tenant, new.cluster.as_ref()).await?;
    programs::found(control.programs())?;
    let mut tx = control.catalog().transaction().await?;
    unchanged(&mut tx, &environment, &slug, seen).await?;
    free(&mut tx, &tenant, &new.slug).await?;
    let copy = TenantId::from_uuid(Uuid::now_v7());
    let given = assigned::of_environment_within(&mut tx, &environment).await?;
    let wanted = Request {
        by,
        environment: Some((tenant.environment_id, environment.clone())),
        cluster: Some(cluster.id),
        subject,
        audited: Subject::Tenant(tenant.id),
        holds: vec![tenant.id.as_uuid(), copy.as_uuid()],
        parent: None,
        reason: new.reason,
        deadline: None,
        state: State {
            environment,
            environment_id: tenant.environment_id,
            source: tenant.id,
            source_database: source.id,
            source_cluster: source.cluster,
            tenant: copy,
            slug: new.slug,
            parameters: tenant.parameters,
            profile: tenant.profile.or(given.and_then(|given| given.profile)),
            ttl,
            database: DatabaseId::from_uuid(Uuid::now_v7()),
            name: DatabaseName::generated(Uuid::new_v4()),
            cluster: cluster.id,
            template: template.as_uuid(),
        },
    };
    judged(&control, &mut tx, &wanted.state).await?;
    let operation = request::<Copy>(&mut tx, wanted).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

/// The source's database, the cluster of the copy, and the template whose members it is laid out like.
async fn places(control: &Control, tenant: &Tenant, wanted: Option<&ClusterName>) -> Result<(Database, Cluster, TemplateId), Problem> {
    if !tenant.state.is_established() {
        return Err(not_now(tenant));
    }
    let source = database::of_tenant(control.catalog(), tenant.id).await?.ok_or_else(|| not_now(tenant))?;
    let home = holm_store::cluster::by_id(control.catalog(), source.cluster).await?.ok_or_else(|| not_now(tenant))?;
    let template = source.template.ok_or_else(|| adopted(tenant))?;
    let Some(name) = wanted.filter(|wanted| **wanted != home.name) else {
        is_open(&home)?;
        return Ok((source, home, template));
    };
    let cluster = holm_store::cluster::by_name(control.catalog(), name).await?.filter(|cluster| cluster.adopted.is_none());
    let cluster = cluster.ok_or_else(|| no_such_cluster(tenant, name))?;
    if cluster.environment != tenant.environment {
        return Err(elsewhere(tenant, &cluster));
    }
    is_open(&cluster)?;
    if cluster.access.major() < home.access.major() {
        return Err(Problem::new(ErrorCode::CopyRefused, format!("`{}` cannot be copied to cluster `{name}`", tenant.slug))
            .because(format!("it runs PostgreSQL {}, and the tenant's cluster {}", cluster.access.major(), home.access.major()))
            .next("choose a cluster of the same version or a newer one: `holm cluster list`"));
    }
    let templates = template::list(control.catalog(), cluster.id).await?;
    let template = templates.iter().rev().find(|template| template.state != TemplateState::Planned).map(|template| template.id);
    let template = template.ok_or_else(|| not_ready(&cluster))?;
    Ok((source, cluster, template))
}

/// Asked again when it is taken; here so that whoever asks hears it at once.
async fn free(tx: &mut Tx, tenant: &Tenant, slug: &TenantSlug) -> Result<(), Problem> {
    if name::is_taken(tx, tenant.environment_id, slug, TenantId::from_uuid(Uuid::nil())).await? {
        return Err(rename::taken(&tenant.environment, slug));
    }
    match name::alias_within(tx, tenant.environment_id, slug).await? {
        Some(alias) => Err(rename::reserved(&tenant.environment, &alias)),
        None => Ok(()),
    }
}

/// Its owner's role is not Holm's, and says nothing of what the roles of a copy should be.
fn adopted(tenant: &Tenant) -> Problem {
    Problem::new(ErrorCode::CopyRefused, format!("`{}` in `{}` cannot be copied", tenant.slug, tenant.environment))
        .because("its database was brought by URL, and Holm changes nothing in it and has no template like it")
        .next("copy it with `pg_dump` and `pg_restore` into a tenant that Holm made")
}

fn not_now(tenant: &Tenant) -> Problem {
    let Tenant { slug, environment, state, .. } = tenant;
    Problem::new(ErrorCode::TenantState, format!("tenant `{slug}` in `{environment}` cannot be copied while it is {state}"))
        .next(format!("look at it: `holm tenant show {slug} --env {environment}`"))
}

fn no_such_cluster(tenant: &Tenant, name: &ClusterName) -> Problem {
    Problem::new(ErrorCode::ClusterNotFound, format!("`{}` has no cluster called `{name}`", tenant.environment))
        .next("see which there are: `holm cluster list`")
}

fn is_open(cluster: &Cluster) -> Result<(), Problem> {
    if cluster.state == ClusterState::Open { Ok(()) } else { Err(closed(Some(&cluster.name), cluster.state)) }
}

fn closed(cluster: Option<&ClusterName>, state: ClusterState) -> Problem {
    let cluster = cluster.map_or_else(|| "the cluster".to_owned(), |name| format!("cluster `{name}`"));
    Problem::new(ErrorCode::ClusterClosed, format!("{cluster} takes no copy of a tenant: it is {state}"))
        .next("choose another cluster with `--cluster`: `holm cluster list`")
}

fn elsewhere(tenant: &Tenant, cluster: &Cluster) -> Problem {
    let Tenant { slug, environment, .. } = tenant;
    let what = format!("tenant `{slug}` in `{environment}` cannot be copied to cluster `{}`", cluster.name);
    Problem::new(ErrorCode::ClusterElsewhere, what)
        .because(format!("that cluster belongs to `{}`, and a copy stays in its environment", cluster.environment))
        .next(format!("choose a cluster of `{environment}`: `holm cluster list`"))
}

fn not_ready(cluster: &Cluster) -> Problem {
    Problem::new(ErrorCode::NoDatabaseInTime, format!("cluster `{}` is not ready for a copy", cluster.name))
        .because("nothing was made on it yet")
        .next("see how it is: `holm cluster list`")
}
