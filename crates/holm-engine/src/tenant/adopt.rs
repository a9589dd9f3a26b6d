//! Adopts a database that somebody brings by URL: a cluster with room for one, and the tenant on it.
//!
//! Promises: nothing in the database, nor on its server, is changed, now or when the tenant is deleted; the password is
//! sealed before it enters the operation's state. Refuses, by what it is and not by its address: the catalog, a server or a
//! database that Holm has already, a role with more power than a tenant may have, a server that lets in by anything but
//! SCRAM, a standby. There is one role, the owner's: levels `rw` and `ro` are refused where they are asked for.

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::capability::{Authentication, Capability, Suits};
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::state::{ClusterEvent, ClusterState};
use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::{ClusterId, DatabaseId, EnvironmentId, OperationId, TenantId};
use holm_core::key::KeyPurpose;
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use holm_core::tenant::TenantEvent;
use holm_policy::evaluate::verdict::Outcome;
use holm_store::cluster::{self, Adopted, Cluster, Inserted, life};
use holm_store::data_key::KeyOwner;
use holm_store::residency::{self, assigned, placed, standing};
use holm_store::tenant::claim::{self, Named};
use holm_store::tenant::name;
use holm_store::tx::Tx;
use holm_store::{database, tenant};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::rename;
use crate::cluster::add::{name_taken, owner_of_password, passing_or_not, sealed_password, taken};
use crate::cluster::capability::{self, Seen};
use crate::cluster::client_certificate::CarriedCertificate;
use crate::cluster::connect::Access;
use crate::cluster::encrypted;
use crate::cluster::identity;
use crate::cluster::url::ServerUrl;
use crate::control::{CONFIRM_PATIENCE, Control};
use crate::environment;
use crate::operation::acting::Acting;
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};
use crate::residency::choose::{not_there, standings};
use crate::residency::copies::{self, Judged, Whose};
use crate::residency::known::Known;
use crate::residency::placed::Claim;
use crate::secret::adopted::AdoptedLogin;
use crate::secret::carried::Carried;
use crate::secret::seal::Purpose;

/// Sessions that are kept for whoever brought the database, and for Holm's own looks.
const KEPT_BACK: u32 = 5;

/// Whether a role may connect to a database on the same server; the URL's own is where it is asked.
const REACHES: &str = "\
SELECT has_database_privilege(r.oid, d.oid, 'CONNECT')
FROM pg_roles r, pg_database d
WHERE r.rolname = $1 AND d.oid = $2::bigint::oid";

/// The operation.
pub(crate) struct Adopt;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    tenant: TenantId,
    slug: TenantSlug,
    environment: EnvironmentName,
    environment_id: EnvironmentId,
    cluster: ClusterId,
    name: ClusterName,
    database_id: DatabaseId,
    address: ServerAddress,
    /// In the clear, for one that an older Holm began.
    #[serde(default)]
    tls: ServerTls,
    /// What the server is shown, its key sealed.
    #[serde(default)]
    client_certificate: Option<CarriedCertificate>,
    role: RoleName,
    database: DatabaseName,
    password: Carried,
    /// Where the database is said to be, and by which profile it is judged; an older Holm asked for neither.
    #[serde(default)]
    claim: Option<Claim>,
    #[serde(default)]
    profile: Option<String>,
    /// What was seen, once it was looked at.
    found: Option<Found>,
}

/// What the database and its server are.
#[derive(Serialize, Deserialize)]
struct Found {
    identifier: i64,
    oid: u32,
    capability: Capability,
    login: Carried,
}

impl Operation for Adopt {
    type State = State;
    const KIND: &'static str = "tenant.adopt";
    const ACTION: AuditAction = AuditAction::TenantAdopt;
    const STEPS: &'static [Step<State>] = &[
        Step {
            name: "inspect",
            act: Act::Outside(|acting, state| Box::pin(inspect(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "record",
            act: Act::Catalog(|acting, tx, state| Box::pin(record(acting, tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(forget(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "serve",
            act: Act::Outside(|acting, _| Box::pin(confirm(acting))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
    ];
}

/// Only reads, so that it needs no fence.
async fn inspect(acting: &Acting, state: &mut State) -> Stepped {
    state.password.renew(acting.control.keys()).await?;
    let password = state.password.open(acting.control.keys(), Purpose::AdminPassword(state.cluster)).await?;
    let shown = match &mut state.client_certificate {
        Some(carried) => Some(carried.renew(acting.control.keys(), state.cluster).await?),
        None => None,
    };
    let access = access(state, password, shown);
    state.found = Some(look(&acting.control, &access, state).await.map_err(passing_or_not)?);
    Ok(Flow::Done)
}

fn access(state: &State, password: Secret<String>, client_certificate: Option<ClientCertificate>) -> Access {
    Access {
        cluster: state.name.clone(),
        address: state.address.clone(),
        tls: state.tls.clone(),
        client_certificate,
        role: state.role.clone(),
        password,
        application_name: None,
        home: Some(state.database.clone()),
    }
}

/// Looks, and refuses what cannot be a tenant's.
async fn look(control: &Control, access: &Access, state: &State) -> Result<Found, Problem> {
    let now = identity::now(control).await?;
    let mut seen = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    refuse(control, access, state, &seen).await?;
    let keys = seen.keys.take().ok_or_else(|| identity::not_scram(access, Authentication::Trust))?;
    let login = AdoptedLogin { role: access.role.clone(), keys };
    let login = Carried::seal(control.keys(), owner_of_login(state.database_id), |key| login.seal(key, state.database_id)).await?;
    let found = Found { identifier: identity::identifier(&seen, access), oid: seen.database_oid, login, capability: seen.capability };
    seen.session.close().await;
    Ok(found)
}

/// In the order in which a person would check it: what it is, whose it is, who it lets in.
async fn refuse(control: &Control, access: &Access, state: &State, seen: &Seen) -> Result<(), Problem> {
    identity::is_not_the_catalog(control, seen, &access.address).await?;
    let known: Vec<Cluster> = identity::known(control, seen, access).await?.into_iter().filter(|known| known.id != state.cluster).collect();
    let own = Adopted { database: state.database.clone(), oid: seen.database_oid };
    if let Some(known) = known.iter().find(|known| known.clashes(state.environment_id, Some(&own))) {
        return Err(taken(known, &state.environment, &access.address));
    }
    fits(access, seen, &known).await
}

/// Refuses a login that cannot be a tenant's; `others` are what Holm has on the same server.
pub(crate) async fn fits(access: &Access, seen: &Seen, others: &[Cluster]) -> Result<(), Problem> {
    let facts = &seen.capability.facts;
    if facts.authentication != Authentication::Scram {
        return Err(identity::not_scram(access, facts.authentication));
    }
    if facts.superuser {
        return Err(too_powerful(access, "is a superuser, and a tenant's sessions would be one"));
    }
    if facts.replication {
        return Err(too_powerful(access, "may replicate, and so read every database of its server"));
    }
    if seen.capability.suits == Suits::Nothing {
        return Err(Problem::new(ErrorCode::ServerUnsuitable, format!("the database at {} cannot be adopted", access.address))
            .because(seen.capability.because.join("; "))
            .next("give the primary server, of PostgreSQL 14 or newer"));
    }
    if !seen.owns {
        return Err(Problem::new(ErrorCode::ServerUnsuitable, format!("role `{}` does not own database `{}`", access.role, access.home()))
            .because("a tenant's sessions of level `owner` log in as it, and migrations make tables as it")
            .next("give the role that owns the database"));
    }
    for other in others {
        apart(access, seen, other).await?;
    }
    Ok(())
}

/// Two tenants on one server must not reach each other's databases.
async fn apart(access: &Access, seen: &Seen, other: &Cluster) -> Result<(), Problem> {
    let Some(adopted) = &other.adopted else { return Ok(()) };
    let reaches = async |role: &RoleName, oid: u32| {
        let rows = seen.session.query("ask who may connect", REACHES, &[&role.as_str(), &i64::from(oid)]).await;
        rows.map(|rows| rows.first().is_some_and(|row| row.get(0))).map_err(|error| identity::at(&access.address, &error))
    };
    if reaches(&access.role, adopted.oid).await? {
        return Err(too_powerful(access, &format!("may connect to database `{}`, which is another tenant's", adopted.database)));
    }
    if reaches(&other.access.admin_role, seen.database_oid).await? {
        let role = &other.access.admin_role;
        return Err(Problem::new(
            ErrorCode::TooPowerful,
            format!("role `{role}` of another tenant may connect to database `{}`", access.home()),
        )
        .next(format!("revoke it there: `REVOKE CONNECT ON DATABASE \"{}\" FROM PUBLIC`", access.home())));
    }
    Ok(())
}

fn too_powerful(access: &Access, what: &str) -> Problem {
    Problem::new(ErrorCode::TooPowerful, format!("role `{}` {what}", access.role))
        .next("make a role that owns the database and may do nothing else on that server, and give that")
}

async fn record(acting: &Acting, tx: &mut Tx, state: &mut State) -> Stepped {
    residency::share(tx).await?;
    if state.profile.is_none() {
        // It may have been given one since the adoption was asked for.
        let given = assigned::of_environment_within(tx, &state.environment).await?;
        state.profile = given.and_then(|given| given.profile);
    }
    let copies = judged(&acting.control, tx, state).await.map_err(|problem| match problem.code {
        ErrorCode::ResidencyRefused | ErrorCode::ProfileNotFound | ErrorCode::InvalidValue => StepError::Fatal(problem),
        _ => StepError::Retry(problem),
    })?;
    let found = state.found.as_ref().ok_or_else(|| StepError::Fatal(Problem::new(ErrorCode::Internal, "it was not looked at")))?;
    match cluster::insert(tx, &new_cluster(state, found)).await? {
        Inserted::Done(_) => {}
        Inserted::NoSuchEnvironment => return Err(StepError::Fatal(environment::not_found(&state.environment))),
        Inserted::Taken(known) if known.name == state.name => return Err(StepError::Fatal(name_taken(&state.name))),
        Inserted::Taken(known) => return Err(StepError::Fatal(taken(&known, &state.environment, &state.address))),
    }
    state.password.keep(tx, owner_of_password(state.cluster)).await.map_err(StepError::Fatal)?;
    if let Some(carried) = &state.client_certificate {
        carried.keep(tx, state.cluster).await.map_err(StepError::Fatal)?;
    }
    life::observed_within(tx, state.cluster, &found.capability, false).await?;
    let new = database::NewAdopted { id: state.database_id, cluster: state.cluster, sealed_login: found.login.sealed() };
    if !database::adopt(tx, &new).await? {
        return Err(StepError::Fatal(Problem::new(ErrorCode::Internal, "the cluster that was just made is not there for a database")));
    }
    found.login.keep(tx, owner_of_login(state.database_id)).await.map_err(StepError::Fatal)?;
    match claim::adopt(tx, state.tenant, state.environment_id, &state.slug, state.database_id, state.profile.as_deref()).await? {
        Named::Done => {}
        Named::Taken => return Err(StepError::Fatal(rename::taken(&state.environment, &state.slug))),
        Named::Reserved(alias) => return Err(StepError::Fatal(rename::reserved(&state.environment, &alias))),
    }
    if let Some(claim) = &state.claim {
        let _ = placed::set(tx, state.cluster, &claim.claimed()).await?;
    }
    standing::set(tx, &standings(state.tenant, &copies)).await?;
    let _ = tenant::mark_serving(tx, state.tenant).await?;
    Ok(Flow::Done)
}

/// The profile that it is to have, if any; a place that there is not is refused with that.
async fn by_which(control: &Control, new: &NewAdoption) -> Result<Option<String>, Problem> {
    if let Some(claim) = &new.claim {
        claim.place(Known::now(control).await?.0.registry())?;
    }
    let given = assigned::of_environment(control.catalog(), &new.environment).await?;
    Ok(new.profile.clone().or(given.and_then(|given| given.profile)))
}

/// Its copies, of which the profile, if it is to have one, allows every one.
async fn judged(control: &Control, tx: &mut Tx, state: &State) -> Result<Vec<Judged>, Problem> {
    let Some(name) = &state.profile else { return Ok(Vec::new()) };
    let (known, now) = Known::within(control, tx).await?;
    let profile = known.profile(name)?;
    let place = state.claim.as_ref().map(|claim| claim.place(known.registry())).transpose()?;
    let given = assigned::of_environment_within(tx, &state.environment).await?.ok_or_else(|| environment::not_found(&state.environment))?;
    let whose = Whose { environment: &state.environment, kind: given.kind, tenant: None };
    let plan = state.claim.as_ref().and_then(|claim| claim.plan.as_ref()?.parse().ok());
    let copies = copies::at(&known, profile, whose, (place.as_ref(), plan.as_ref()), now);
    match copies::worst(&copies) {
        Outcome::Allow => Ok(copies),
        _ if place.is_none() => Err(not_there(profile, &state.name, &copies).next("give `--provider` and `--region` with the adoption")),
        _ => Err(not_there(profile, &state.name, &copies)),
    }
}

/// As many sessions as the tenant may have there.
pub(crate) fn room(capability: &Capability) -> u32 {
    capability.facts.connections().saturating_sub(KEPT_BACK).max(1)
}

pub(crate) const fn owner_of_login(id: DatabaseId) -> (KeyOwner, KeyPurpose) {
    (KeyOwner::Database(id), KeyPurpose::Logins)
}

fn new_cluster(state: &State, found: &Found) -> cluster::NewCluster {
    let facts = &found.capability.facts;
    cluster::NewCluster {
        id: state.cluster,
        environment: state.environment.clone(),
        name: state.name.clone(),
        system_identifier: found.identifier,
        access: cluster::Access {
            address: state.address.clone(),
            tls: state.tls.clone(),
            client_certificate: state.client_certificate.as_ref().map(CarriedCertificate::stored),
            admin_role: state.role.clone(),
            sealed_admin_password: state.password.sealed(),
            server_version: facts.server_version,
            connections_max: room(&found.capability),
        },
        state: ClusterState::Open,
        adopted: Some(Adopted { database: state.database.clone(), oid: found.oid }),
        public_before: Vec::new(),
    }
}

/// The tenant is given up and the cluster forgotten; the database was never touched.
async fn forget(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let _ = tenant::tell_one(tx, state.tenant, TenantEvent::Delete).await?;
    let _ = tenant::drop_one(tx, state.tenant).await?;
    let _ = database::forget(tx, state.database_id).await?;
    let _ = life::tell(tx, state.cluster, ClusterEvent::LetGo).await?;
    Ok(())
}

async fn confirm(acting: &Acting) -> Stepped {
    acting.control.confirmed_now(CONFIRM_PATIENCE).await?;
    Ok(Flow::Done)
}

/// A database to be adopted.
#[derive(Clone, Debug)]
pub struct NewAdoption {
    /// The tenant's environment, for good.
    pub environment: EnvironmentName,
    /// The tenant's name.
    pub slug: TenantSlug,
    /// Where the database is, and who owns it.
    pub url: ServerUrl,
    /// The name of the cluster that it becomes; left out, `<environment>-<slug>`.
    pub cluster: Option<ClusterName>,
    /// Where the database is said to be.
    pub claim: Option<Claim>,
    /// By which profile its copies are judged; left out, by its environment's, if that has one.
    pub profile: Option<String>,
}

/// Adopts a database, and returns the operation that does.
///
/// # Errors
/// Every reason that can be seen at once: a name that is taken or kept for another tenant, the catalog, a server or a database that is known, a role
/// that may do too much or too little, a server that does not answer or lets in otherwise than by SCRAM; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn adopt(control: &Control, by: &Actor, new: NewAdoption, reason: Option<Reason>) -> Result<OperationId, Problem> {
    control.tasks().finish("adopt a database", begin(control.clone(), by.clone(), new, reason)).await
}

/// The name that the cluster gets; both names must be free.
async fn free(control: &Control, new: &NewAdoption) -> Result<ClusterName, Problem> {
    if tenant::by_slug(control.catalog(), &new.environment, &new.slug).await?.is_some() {
        return Err(rename::taken(&new.environment, &new.slug));
    }
    if let Some(alias) = name::alias(control.catalog(), &new.environment, &new.slug).await? {
        return Err(rename::reserved(&new.environment, &alias));
    }
    let named = match new.cluster.clone() {
        Some(name) => name,
        None => cluster_name(&new.environment, &new.slug)?,
    };
    match cluster::by_name(control.catalog(), &named).await? {
        None => Ok(named),
        Some(_) => Err(name_taken(&named).next("or give the cluster a name of its own: `--cluster-name`")),
    }
}

async fn begin(control: Control, by: Actor, new: NewAdoption, reason: Option<Reason>) -> Result<OperationId, Problem> {
    let environment = environment::show(&control, &new.environment).await?;
    let cluster_named = free(&control, &new).await?;
    let Some(database) = new.url.database.clone() else {
        return Err(Problem::new(ErrorCode::InvalidValue, "the URL names no database")
            .next("give it as `postgresql://user:password@host:port/database`"));
    };
    let shown = new.url.client_certificate.clone();
    encrypted::usable(&new.url.address, &new.url.tls, shown.as_ref()).await?;
    let profile = by_which(&control, &new).await?;
    let cluster = ClusterId::from_uuid(Uuid::now_v7());
    let password = sealed_password(&control, cluster, &new.url).await?;
    let client_certificate = match &shown {
        Some(shown) => Some(CarriedCertificate::seal(control.keys(), cluster, shown).await?),
        None => None,
    };
    let ServerUrl { address, tls, role, password: plain, .. } = new.url;
    let state = State {
        tenant: TenantId::from_uuid(Uuid::now_v7()),
        slug: new.slug.clone(),
        environment: new.environment.clone(),
        environment_id: environment.id,
        cluster,
        name: cluster_named,
        database_id: DatabaseId::from_uuid(Uuid::now_v7()),
        address,
        tls,
        client_certificate,
        role,
        database,
        password,
        claim: new.claim,
        profile,
        found: None,
    };
    let mut tx = control.catalog().transaction().await?;
    judged(&control, &mut tx, &state).await?;
    tx.rollback().await?;
    // What would be refused in a moment is refused now; the operation looks again.
    let found = look(&control, &access(&state, plain, shown), &state).await?;
    let claims = [
        format!("cluster {}", state.name),
        format!("tenant {} {}", state.environment, state.slug),
        format!("database {} {}", found.identifier, found.oid),
    ];
    let claims = claims.map(|what| identity::claim(&what));
    let wanted = Request {
        by,
        environment: Some((environment.id, environment.name)),
        cluster: Some(cluster),
        subject: format!("tenant `{}` in `{}`", new.slug, new.environment),
        audited: Subject::Tenant(state.tenant),
        holds: [&[state.tenant.as_uuid(), cluster.as_uuid()][..], &claims].concat(),
        parent: None,
        reason,
        deadline: None,
        state,
    };
    let mut tx = control.catalog().transaction().await?;
    let operation = request::<Adopt>(&mut tx, wanted).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

/// Names of clusters are unique over all environments, and slugs are not.
fn cluster_name(environment: &EnvironmentName, slug: &TenantSlug) -> Result<ClusterName, Problem> {
    format!("{environment}-{slug}").parse().map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, "the cluster of an adopted database is called as its environment and its tenant")
            .because(error)
            .next("give the cluster a name of its own: `--cluster-name`")
    })
}
