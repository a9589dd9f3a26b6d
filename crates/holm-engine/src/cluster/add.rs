//! Adds a server as a cluster of one environment: looked at, recorded, closed to everyone else, filled, opened.
//!
//! Promises: nothing is placed on a server before its first database is ready; a server that Holm could not work on is
//! refused with every reason before anything changes; undone, the server is as it was found. The password is sealed before
//! it enters the operation's state, and is in no journal. Refuses a server that is known already, under whatever address,
//! and the catalog's own.

use std::time::Duration;

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, Reason, Subject};
use holm_core::capability::{Capability, Suits};
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::state::{ClusterEvent, ClusterState};
use holm_core::cluster::tls::ServerTls;
use holm_core::cluster::{ClusterName, ServerAddress};
use holm_core::environment::EnvironmentName;
use holm_core::error::{Changed, ErrorCode, Problem};
use holm_core::id::{ClusterId, OperationId};
use holm_core::key::KeyPurpose;
use holm_core::role::RoleName;
use holm_core::secret::Secret;
use holm_store::cluster::{self, Cluster, Inserted, PublicBefore, life};
use holm_store::data_key::KeyOwner;
use holm_store::database::{self, DatabaseState};
use holm_store::residency::{observed, placed};
use holm_store::template::{self, TemplateState};
use holm_store::tx::Tx;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::capability::{self, Seen};
use super::client_certificate::CarriedCertificate;
use super::connect::Access;
use super::url::ServerUrl;
use super::{condemn, copies, encrypted, guard, identity, lock};
use crate::control::Control;
use crate::environment;
use crate::operation::acting::{Acting, Site};
use crate::operation::definition::{Act, Flow, Operation, RETRY_FOR, Step, StepError, Stepped, Undo};
use crate::operation::request::{Request, request};
use crate::reconcile::pool::Part;
use crate::residency::known::Known;
use crate::residency::placed::Claim;
use crate::secret::carried::Carried;
use crate::secret::data_key::DataKey;
use crate::secret::seal::Purpose;

/// Sessions that Holm itself may need at once: the pool's, its workers', the seeds', the doctor's.
const KEPT_FOR_HOLM: u32 = 10;

/// How long the first database is waited for at once; it takes a second or so, and every step on the way is a signal.
const LOOK: Duration = Duration::from_secs(10);
const BETWEEN: SignedDuration = SignedDuration::from_secs(1);

/// How long to wait for another process that works on the pool.
const PART_PATIENCE: Duration = Duration::from_secs(60);

/// The operation.
pub(crate) struct Add;

/// What it knows.
#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    cluster: ClusterId,
    name: ClusterName,
    environment: EnvironmentName,
    address: ServerAddress,
    /// In the clear, for one that an older Holm began.
    #[serde(default)]
    tls: ServerTls,
    /// What the server is shown, its key sealed.
    #[serde(default)]
    client_certificate: Option<CarriedCertificate>,
    role: RoleName,
    password: Carried,
    wanted_max: Option<u32>,
    /// Where it is said to be; nobody said so to an older Holm.
    #[serde(default)]
    claim: Option<Claim>,
    /// What was seen, once it was looked at.
    found: Option<Found>,
}

/// What a server is, and how it was found.
#[derive(Serialize, Deserialize)]
struct Found {
    system_identifier: i64,
    capability: Capability,
    public_before: Vec<PublicBefore>,
    /// Copies of everything there; an older Holm did not look for any.
    #[serde(default)]
    copies: Vec<observed::Seen>,
}

impl Operation for Add {
    type State = State;
    const KIND: &'static str = "cluster.add";
    const ACTION: AuditAction = AuditAction::ClusterAdd;
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
            act: Act::Catalog(|_, tx, state| Box::pin(record(tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(forget(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "close to public",
            act: Act::Outside(|acting, state| Box::pin(close(acting, state))),
            undo: Undo::Outside(|acting, state| Box::pin(restore(acting, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "begin pool",
            act: Act::Catalog(|_, tx, state| Box::pin(begin_pool(tx, state))),
            undo: Undo::Catalog(|_, tx, state| Box::pin(end_pool(tx, state))),
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "first database",
            act: Act::Outside(|acting, state| Box::pin(first_database(acting, state))),
            undo: Undo::Nothing,
            retry_for: RETRY_FOR,
            no_return: false,
        },
        Step {
            name: "open",
            act: Act::Catalog(|_, tx, state| Box::pin(open(tx, state))),
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
    let found = look(&acting.control, &access, state).await.map_err(passing_or_not)?;
    state.found = Some(found);
    Ok(Flow::Done)
}

/// A server that is away may come back; one that does not fit will not fit later.
pub(crate) fn passing_or_not(problem: Problem) -> StepError {
    match problem.code {
        ErrorCode::ClusterUnreachable | ErrorCode::ClusterFull | ErrorCode::CatalogUnavailable => StepError::Retry(problem),
        _ => StepError::Fatal(problem),
    }
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
        home: None,
    }
}

/// Looks, and refuses what cannot be a cluster.
async fn look(control: &Control, access: &Access, state: &State) -> Result<Found, Problem> {
    let now = identity::now(control).await?;
    let seen = capability::observe(access, now).await.map_err(|unseen| identity::unseen(&unseen, access))?;
    let refused = refuse(control, access, state, &seen).await;
    let Seen { capability, public, session, .. } = seen;
    let copies = copies::look(&session).await;
    session.close().await;
    let (system_identifier, copies) = (refused?, copies.map_err(|error| error.problem(&state.name).changed(Changed::Nothing))?);
    room(&capability, state.wanted_max, &state.name)?;
    Ok(Found { system_identifier, capability, public_before: public, copies })
}

/// In the order in which a person would check it: what it is, whose it is, what it can.
async fn refuse(control: &Control, access: &Access, state: &State, seen: &Seen) -> Result<i64, Problem> {
    identity::is_not_the_catalog(control, seen, &access.address).await?;
    let identifier = identity::identifier(seen, access);
    let known = identity::known(control, seen, access).await?.into_iter().find(|known| known.id != state.cluster);
    if let Some(known) = known {
        return Err(taken(&known, &state.environment, &access.address));
    }
    if seen.capability.suits != Suits::Pool {
        return Err(unsuitable(&seen.capability, &state.environment, &access.address));
    }
    Ok(identifier)
}

pub(super) fn unsuitable(capability: &Capability, environment: &EnvironmentName, address: &ServerAddress) -> Problem {
    let problem = Problem::new(ErrorCode::ServerUnsuitable, format!("the server at {address} cannot be a cluster"))
        .because(capability.because.join("; "));
    match capability.suits {
        Suits::Adoption => {
            problem.next(format!("adopt a database of it instead: `holm tenant adopt <name> --env {environment} --server …`"))
        }
        _ => problem.next("give Holm a primary server of PostgreSQL 14 or newer where it is a superuser"),
    }
}

/// What is known already, said so that a server of another environment is the rule that it is (R13).
pub(crate) fn taken(known: &Cluster, environment: &EnvironmentName, address: &ServerAddress) -> Problem {
    let of = match &known.adopted {
        Some(adopted) => format!("has database `{}`, which is cluster", adopted.database),
        None => "is cluster".to_owned(),
    };
    let what = format!("the server at {address} {of} `{}` of environment `{}`", known.name, known.environment);
    if known.environment == *environment {
        return Problem::new(ErrorCode::ClusterTaken, what).next(format!("look at it: `holm cluster show {}`", known.name));
    }
    Problem::new(ErrorCode::ClusterElsewhere, what)
        .because("a server belongs to one environment, so that nothing crosses from one to another")
        .next(format!("give `{environment}` a server of its own"))
}

/// How many sessions the data plane may have there.
pub(super) fn room(capability: &Capability, wanted: Option<u32>, name: &ClusterName) -> Result<u32, Problem> {
    let most = capability.facts.connections().saturating_sub(KEPT_FOR_HOLM).max(1);
    match wanted {
        None => Ok(most),
        Some(wanted) if (1..=most).contains(&wanted) => Ok(wanted),
        Some(wanted) => {
            let what = format!("{wanted} connections to cluster `{name}` are more than it has to give: {most}");
            Err(Problem::new(ErrorCode::InvalidValue, what).next("raise `max_connections` there, or ask for fewer"))
        }
    }
}

fn found(state: &State) -> Result<&Found, StepError> {
    state.found.as_ref().ok_or_else(|| StepError::Fatal(Problem::new(ErrorCode::Internal, "the server was not looked at")))
}

async fn record(tx: &mut Tx, state: &mut State) -> Stepped {
    let found = found(state)?;
    let connections_max = room(&found.capability, state.wanted_max, &state.name).map_err(StepError::Fatal)?;
    let new = cluster::NewCluster {
        id: state.cluster,
        environment: state.environment.clone(),
        name: state.name.clone(),
        system_identifier: found.system_identifier,
        access: cluster::Access {
            address: state.address.clone(),
            tls: state.tls.clone(),
            client_certificate: state.client_certificate.as_ref().map(CarriedCertificate::stored),
            admin_role: state.role.clone(),
            sealed_admin_password: state.password.sealed(),
            server_version: found.capability.facts.server_version,
            connections_max,
        },
        state: ClusterState::Joining,
        adopted: None,
        public_before: found.public_before.clone(),
    };
    match cluster::insert(tx, &new).await? {
        Inserted::Done(_) => {
            state.password.keep(tx, owner_of_password(state.cluster)).await.map_err(StepError::Fatal)?;
            if let Some(carried) = &state.client_certificate {
                carried.keep(tx, state.cluster).await.map_err(StepError::Fatal)?;
            }
            life::observed_within(tx, state.cluster, &found.capability, false).await?;
            observed::note(tx, state.cluster, &found.copies).await?;
            if let Some(claim) = &state.claim {
                let _ = placed::set(tx, state.cluster, &claim.claimed()).await?;
            }
            Ok(Flow::Done)
        }
        Inserted::NoSuchEnvironment => Err(StepError::Fatal(environment::not_found(&state.environment))),
        Inserted::Taken(known) if known.name == state.name => Err(StepError::Fatal(name_taken(&state.name))),
        Inserted::Taken(known) => Err(StepError::Fatal(taken(&known, &state.environment, &state.address))),
    }
}

async fn forget(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    match life::tell(tx, state.cluster, ClusterEvent::Forget).await? {
        holm_store::state::Update::Refused(now) => Err(StepError::Retry(Problem::new(
            ErrorCode::ClusterClosed,
            format!("cluster `{}` cannot be forgotten while it is {now}", state.name),
        ))),
        _ => Ok(()),
    }
}

async fn close(acting: &Acting, state: &mut State) -> Stepped {
    let site = acting.site(state.cluster).await?;
    guard::close_to_public(&site.admin).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(Flow::Done)
}

async fn begin_pool(tx: &mut Tx, state: &mut State) -> Stepped {
    let _ = life::tell(tx, state.cluster, ClusterEvent::Fill).await?;
    Ok(Flow::Done)
}

async fn end_pool(tx: &mut Tx, state: &State) -> Result<(), StepError> {
    let _ = life::tell(tx, state.cluster, ClusterEvent::Withdraw).await?;
    Ok(())
}

/// The pool's reconciler makes it; here it is waited for, and its trouble told.
async fn first_database(acting: &Acting, state: &mut State) -> Stepped {
    let (mut signal, deadline) = (acting.control.signal(), Instant::now() + LOOK);
    loop {
        signal.borrow_and_update();
        if is_first_ready(acting, state).await? {
            return Ok(Flow::Done);
        }
        if timeout_at(deadline, signal.changed()).await.is_err() {
            // A row of the journal now and then, so that whoever watches sees that it is still waited.
            return Ok(Flow::WaitUntil(acting.now().saturating_add(BETWEEN).expect("a moment from now")));
        }
    }
}

async fn is_first_ready(acting: &Acting, state: &State) -> Result<bool, StepError> {
    let catalog = acting.control.catalog();
    let gone = || StepError::Fatal(Problem::new(ErrorCode::ClusterNotFound, format!("cluster `{}` is gone", state.name)));
    let now = cluster::by_id(catalog, state.cluster).await?.ok_or_else(gone)?;
    if let Some(trouble) = now.trouble {
        return Err(StepError::Retry(trouble));
    }
    let serving = template::list(catalog, state.cluster).await?.into_iter().find(|template| template.state == TemplateState::Ready);
    let wanted = environment::show(&acting.control, &state.environment).await?.pool_size.min(1);
    match serving {
        Some(serving) => Ok(database::ready_count(catalog, serving.id).await? >= u64::from(wanted)),
        None => Ok(false),
    }
}

async fn open(tx: &mut Tx, state: &mut State) -> Stepped {
    let _ = life::tell(tx, state.cluster, ClusterEvent::Open).await?;
    Ok(Flow::Done)
}

/// Takes away what the pool made, and gives everyone back what they had.
async fn restore(acting: &Acting, state: &State) -> Result<(), StepError> {
    // Nothing is done outside before the row is there.
    let Some(cluster) = cluster::by_id(acting.control.catalog(), state.cluster).await? else { return Ok(()) };
    let site = acting.site(cluster.id).await?;
    empty(acting, &site).await?;
    guard::reopen(&site.admin, &cluster.public_before).await.map_err(|error| site.retry(&error))?;
    site.leave().await;
    Ok(())
}

/// Removes everything of Holm's that no tenant has. The pool's own work is waited for, and kept off until the session ends.
pub(crate) async fn empty(acting: &Acting, site: &Site) -> Result<(), StepError> {
    let deadline = Instant::now() + PART_PATIENCE;
    for part in Part::ALL {
        while !lock::pool(&site.admin, part).await.map_err(|error| site.retry(&error))? {
            if Instant::now() >= deadline {
                return Err(StepError::Retry(busy(site)));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let (catalog, cluster) = (acting.control.catalog(), site.cluster.id);
    for condemned in database::of_state(catalog, cluster, DatabaseState::Condemned, u32::MAX).await? {
        if remove(site, condemned.id.as_uuid(), &condemned.name).await? {
            let mut tx = catalog.transaction().await?;
            let _ = database::forget(&mut tx, condemned.id).await?;
            tx.commit().await?;
        }
    }
    for retired in template::list(catalog, cluster).await?.into_iter().filter(|template| template.dropped_at.is_none()) {
        if retired.state == TemplateState::Retired && remove(site, retired.id.as_uuid(), &retired.database).await? {
            template::mark_dropped(catalog, retired.id).await?;
        }
    }
    Ok(())
}

/// Whether nothing of it is left.
async fn remove(site: &Site, id: Uuid, name: &holm_core::role::DatabaseName) -> Result<bool, StepError> {
    lock::one_from_the_still(&site.admin, id).await.map_err(|error| site.retry(&error))?;
    let removed = condemn::remove(&site.admin, name).await.map_err(|error| site.retry(&error))?;
    lock::release(&site.admin, id).await.map_err(|error| site.retry(&error))?;
    Ok(removed == condemn::Removed::Wholly)
}

fn busy(site: &Site) -> Problem {
    Problem::new(ErrorCode::OperationInProgress, format!("another process works on the pool of cluster `{}`", site.cluster.name))
}

/// A server to be added.
#[derive(Clone, Debug)]
pub struct NewServer {
    /// Its name, unique over all environments.
    pub name: ClusterName,
    /// Its environment, for good.
    pub environment: EnvironmentName,
    /// Where it is, and who Holm is there.
    pub url: ServerUrl,
    /// How many sessions the data plane may have there; left out, all but a few that Holm needs itself.
    pub connections_max: Option<u32>,
    /// Where it is said to be. Without that, no tenant that has a profile is placed there.
    pub claim: Option<Claim>,
}

/// Adds a server, and returns the operation that does.
///
/// # Errors
/// Every reason that can be seen at once: a name or a server that is taken, the catalog's own server, one that cannot do
/// what it must or does not answer; nothing changed.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn add(control: &Control, by: &Actor, new: NewServer, reason: Option<Reason>) -> Result<OperationId, Problem> {
    control.tasks().finish("add a cluster", begin(control.clone(), by.clone(), new, reason)).await
}

async fn begin(control: Control, by: Actor, new: NewServer, reason: Option<Reason>) -> Result<OperationId, Problem> {
    let environment = environment::show(&control, &new.environment).await?;
    if cluster::by_name(control.catalog(), &new.name).await?.is_some() {
        return Err(name_taken(&new.name));
    }
    if new.url.database.as_ref().is_some_and(|database| database.as_str() != "postgres") {
        return Err(Problem::new(ErrorCode::InvalidValue, "the URL of a server names a database")
            .because("a cluster is a whole server")
            .next("leave the database out, or adopt that one database: `holm tenant adopt`"));
    }
    if let Some(claim) = &new.claim {
        claim.place(Known::now(&control).await?.0.registry())?;
    }
    let shown = new.url.client_certificate.clone();
    encrypted::usable(&new.url.address, &new.url.tls, shown.as_ref()).await?;
    let id = ClusterId::from_uuid(Uuid::now_v7());
    let password = sealed_password(&control, id, &new.url).await?;
    let client_certificate = match &shown {
        Some(shown) => Some(CarriedCertificate::seal(control.keys(), id, shown).await?),
        None => None,
    };
    let ServerUrl { address, tls, role, password: plain, .. } = new.url;
    let state = State {
        cluster: id,
        name: new.name.clone(),
        environment: new.environment.clone(),
        address,
        tls,
        client_certificate,
        role,
        password,
        wanted_max: new.connections_max,
        claim: new.claim,
        found: None,
    };
    // What would be refused in a moment is refused now; the operation looks again.
    let found = look(&control, &access(&state, plain, shown), &state).await?;
    let claims = [format!("cluster {}", new.name), format!("server {}", found.system_identifier)].map(|what| identity::claim(&what));
    let wanted = Request {
        by,
        environment: Some((environment.id, environment.name)),
        cluster: Some(id),
        subject: format!("cluster `{}` in `{}`", new.name, new.environment),
        audited: Subject::Cluster(id),
        holds: [&[id.as_uuid()][..], &claims].concat(),
        parent: None,
        reason,
        deadline: None,
        state,
    };
    let mut tx = control.catalog().transaction().await?;
    let operation = request::<Add>(&mut tx, wanted).await?;
    tx.commit().await?;
    control.nudge_runner();
    Ok(operation)
}

/// Of the cluster that is to be, whose row will keep it.
pub(crate) async fn sealed_password(control: &Control, id: ClusterId, url: &ServerUrl) -> Result<Carried, Problem> {
    let seal = |key: &DataKey| key.seal(Purpose::AdminPassword(id), url.password.expose().as_bytes());
    Carried::seal(control.keys(), owner_of_password(id), seal).await
}

pub(crate) const fn owner_of_password(id: ClusterId) -> (KeyOwner, KeyPurpose) {
    (KeyOwner::Cluster(id), KeyPurpose::AdminPassword)
}

pub(crate) fn name_taken(name: &ClusterName) -> Problem {
    Problem::new(ErrorCode::ClusterTaken, format!("another cluster is called `{name}`")).next("choose another name: `holm cluster list`")
}
