//! This process among those on the catalog: it says that it is there and which routes its data plane uses, and knows who else is.
//!
//! Promises: a change is confirmed only when every node that lives uses it; where nobody else is, that costs no question to
//! the catalog. A node that is silent is not waited for, but it is not taken for dead either: whatever closes something says
//! so by name (ADR-0009). A node that could not reach the catalog for [`SERVES_ALONE`] says that it must stop. One that keeps
//! routes on its disk may come back without asking, so that it stays known when it leaves (ADR-0011).

pub mod admission;
pub mod link;
pub mod round;

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use holm_core::actor::Actor;
use holm_core::audit::{AuditAction, NewEntry, Subject};
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::NodeId;
use holm_core::route::RouteVersion;
use holm_store::audit::record;
use holm_store::error::StoreError;
use holm_store::node::{self, NewNode, Nodes};
use holm_store::pulse::Pulse;
use tokio::time::{sleep, timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::control::Control;
use crate::pulse::EVERY;

pub use holm_store::node::{Node, NodeRole};

/// Three beats of the pulse and a half: longer than a busy machine stumbles, and shorter than a lease, so that an operation that is taken over
/// does not wait for the node that died with it.
pub(crate) const LIVE: Duration = Duration::from_secs(7);

/// For so long the data plane serves what it knows while nobody can tell it anything else; then it is in nobody's memory.
pub const ALONE_MAX: Duration = Duration::from_secs(96 * 3600);

/// Longer than a machine is away that comes back by itself after a hiccup of its network or its disk.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(60);

/// For so long a node goes on by itself, be it in memory or from its disk: an hour less than the others remember it, since their
/// clocks are not ours.
pub const SERVES_ALONE: Duration = ALONE_MAX.saturating_sub(Duration::from_secs(3600));

/// Only for words that were lost, and for the moment at which a node that died is silent for long enough.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

/// The data plane of this process closes sessions meanwhile.
const CONFIRM_AGAIN: Duration = Duration::from_secs(2);

/// How this process joins.
#[derive(Clone, Debug)]
pub struct NodeConfig {
    /// What people call it; no two processes should share one.
    pub name: String,
    /// What it does.
    pub role: NodeRole,
    /// The version of its Holm.
    pub holm_version: String,
    /// Whether it keeps routes on its disk, so that it may serve again without asking anybody.
    pub keeps_routes: bool,
}

/// What this process knows of itself and the others.
pub(crate) struct Membership {
    me: Option<NewNode>,
    keeps_routes: bool,
    known: Mutex<Nodes>,
    /// When the catalog was told last, by the steady clock of this process, and what.
    told: Mutex<(Instant, RouteVersion)>,
    alone: CancellationToken,
}

impl Membership {
    pub(crate) fn new(config: Option<NodeConfig>) -> Self {
        let keeps_routes = config.as_ref().is_some_and(|config| config.keeps_routes);
        let me = config.map(|config| NewNode {
            id: NodeId::from_uuid(Uuid::now_v7()),
            name: config.name,
            role: config.role,
            holm_version: config.holm_version,
        });
        let told = Mutex::new((Instant::now(), RouteVersion::default()));
        Self { me, keeps_routes, known: Mutex::default(), told, alone: CancellationToken::new() }
    }

    /// Whether this process is the node.
    fn is_me(&self, id: NodeId) -> bool {
        self.me.as_ref().is_some_and(|me| me.id == id)
    }

    /// Cancelled when this node was alone for too long.
    pub(crate) const fn alone(&self) -> &CancellationToken {
        &self.alone
    }

    /// What the pulse says of this node.
    pub(crate) fn says(&self) -> Option<(NodeId, RouteVersion)> {
        self.me.as_ref().map(|me| (me.id, self.told().1))
    }

    /// Whether a look found other nodes than are known here.
    fn differs(&self, found: &Pulse) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.membership < found.membership || known.nodes.len() as u64 != found.nodes
    }

    fn told(&self) -> std::sync::MutexGuard<'_, (Instant, RouteVersion)> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it is certain, without asking, that there is no other process.
    fn surely_alone(&self, membership: u64) -> bool {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.membership >= membership && known.nodes.iter().all(|node| self.is_me(node.id))
    }

    /// For how long the catalog was not heard of.
    pub(crate) fn unheard(&self) -> Duration {
        self.told().0.elapsed()
    }

    fn learn(&self, nodes: &Nodes) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if nodes.membership >= known.membership {
            known.clone_from(nodes);
        }
    }
}

/// Joins, before the routes are read for the first time.
pub(crate) async fn join(control: &Control) -> Result<(), Problem> {
    if let Some(me) = &control.membership().me {
        node::join(control.catalog(), me).await?;
        look(control).await?;
    }
    Ok(())
}

/// Leaves; the data plane must have ended its sessions.
pub(crate) async fn leave(control: &Control) {
    let membership = control.membership();
    let Some(me) = &membership.me else { return };
    let left = if membership.keeps_routes {
        node::fall_silent(control.catalog(), me.id, LIVE).await
    } else {
        node::leave(control.catalog(), me.id).await
    };
    if let Err(error) = left {
        tracing::warn!(%error, "the catalog could not be told that this node is leaving; the others wait for it a moment");
    }
}

/// What people call this process; nothing for one that the others do not know.
pub fn name(control: &Control) -> Option<&str> {
    control.membership().me.as_ref().map(|me| me.name.as_str())
}

/// Every process, for people.
///
/// # Errors
/// The catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn list(control: &Control) -> Result<Vec<Node>, Problem> {
    Ok(look(control).await?.nodes)
}

/// Whether a node was heard of so lately that it is waited for.
pub fn lives(node: &Node) -> bool {
    node.silent < LIVE
}

/// Whether a silent node's name has been taken by one that started later: then it is gone.
pub(crate) fn replaced(all: &[Node], node: &Node) -> bool {
    !lives(node) && all.iter().any(|other| other.name == node.name && other.started_at > node.started_at)
}

async fn look(control: &Control) -> Result<Nodes, StoreError> {
    let nodes = node::list(control.catalog()).await?;
    control.membership().learn(&nodes);
    Ok(nodes)
}

/// What became of a wait for the others.
pub(crate) enum Heard {
    /// All use it.
    All,
    /// Those that live do; these are silent, and may serve what they knew.
    Lost(Vec<String>),
    /// These live, and have not confirmed in time.
    Late(Vec<String>),
    /// The catalog cannot be asked.
    Unknown(StoreError),
}

/// Waits until every other node that lives uses a version.
///
/// # Cancel safety
/// Safe: it only reads.
pub(crate) async fn others_use(control: &Control, version: RouteVersion, deadline: tokio::time::Instant) -> Heard {
    let membership = control.membership();
    let mut news = control.node_news();
    loop {
        news.borrow_and_update();
        if membership.surely_alone(control.catalog().membership()) {
            return Heard::All;
        }
        let nodes = match look(control).await {
            Ok(nodes) => nodes.nodes,
            Err(error) => return Heard::Unknown(error),
        };
        let behind = |node: &&Node| !membership.is_me(node.id) && node.role.carries() && node.route_version < version;
        let behind = nodes.iter().filter(behind).filter(|node| !replaced(&nodes, node)).cloned();
        let (live, lost): (Vec<Node>, Vec<Node>) = behind.partition(lives);
        let names = |nodes: Vec<Node>| nodes.into_iter().map(|node| node.name).collect::<Vec<_>>();
        match (live.is_empty(), lost.is_empty()) {
            (true, true) => return Heard::All,
            (true, false) => return Heard::Lost(names(lost)),
            (false, _) if tokio::time::Instant::now() >= deadline => return Heard::Late(names(live)),
            (false, _) => {}
        }
        // Either news came, or it is time to look for what was lost.
        let _ = timeout_at(deadline.min(tokio::time::Instant::now() + LOOK_AGAIN), news.changed()).await;
    }
}

/// Says which routes this node uses, as soon as it does, if there is anybody who may wait for it; the pulse says it otherwise.
pub(crate) async fn acknowledge(control: Control) {
    let Some(me) = control.membership().me.clone() else { return };
    let mut published = control.published().subscribe();
    let mut said = RouteVersion::default();
    loop {
        let version = *published.borrow_and_update();
        if version > said && control.publisher().acknowledged(version, CONFIRM_AGAIN).await.is_ok() {
            control.membership().told().1 = version;
            if control.membership().surely_alone(control.catalog().membership()) {
                said = version;
            } else {
                match node::acknowledge(control.catalog(), me.id, version).await {
                    Ok(_) => said = version,
                    Err(_) => sleep(LOOK_AGAIN).await,
                }
            }
        }
        if *published.borrow() <= said && published.changed().await.is_err() {
            return;
        }
    }
}

/// What a beat of the pulse means for this node: `found` is what the catalog answered since then, if it did.
pub(crate) async fn heard(control: &Control, since: Instant, found: Option<&Pulse>, lost: &mut bool) {
    let membership = control.membership();
    let Some(me) = &membership.me else { return };
    match found {
        Some(found) if found.known => {
            membership.told().0 = since;
            if std::mem::take(lost) {
                tracing::info!("the catalog hears of this node again");
            }
        }
        Some(_) => {
            tracing::warn!("this node was taken for gone; it joins again");
            let _ = node::join(control.catalog(), me).await;
        }
        None => {}
    }
    let silent = membership.told().0.elapsed();
    if silent >= LIVE && !*lost {
        *lost = true;
        tracing::warn!("the catalog could not be told for {} s that this node is there; it serves what it knows", LIVE.as_secs());
    }
    if silent >= SERVES_ALONE {
        membership.alone.cancel();
    }
    if found.is_some_and(|found| membership.differs(found)) {
        let _ = timeout(EVERY, look(control)).await;
    }
}

/// Forgets nodes that nobody needs to be warned of any more.
pub(crate) async fn forget(control: Control) -> Result<(), Problem> {
    for name in node::forget(control.catalog(), ALONE_MAX, LIVE).await? {
        tracing::info!(node = name, "a node that is gone was forgotten");
    }
    Ok(())
}

/// Gives up a node that is gone for good, so that nothing is waited for and nobody is warned because of it. Should it run all
/// the same, it serves what it knew, and joins again as soon as it reaches the catalog.
///
/// # Errors
/// [`ErrorCode::NodeNotFound`]; [`ErrorCode::NodeLives`] for one that was heard of within [`GIVE_UP_AFTER`]; the catalog does not
/// answer.
///
/// # Cancel safety
/// Safe: once begun it is finished.
pub async fn give_up(control: &Control, by: &Actor, name: &str) -> Result<Node, Problem> {
    let all = list(control).await?;
    let of_name = all.iter().filter(|node| node.name == name).max_by_key(|node| node.silent);
    let node = of_name.ok_or_else(|| not_found(name))?.clone();
    if node.silent < GIVE_UP_AFTER {
        return Err(heard_of(&node));
    }
    let (catalog, by, lost) = (control.catalog().clone(), by.clone(), node.clone());
    let act = async move {
        let mut tx = catalog.transaction().await?;
        let gone = node::give_up(&mut tx, &lost.name, GIVE_UP_AFTER).await?;
        if !gone.contains(&lost.id) {
            // It spoke, or somebody was faster.
            return Err(heard_of(&lost));
        }
        for id in gone {
            record(&mut tx, NewEntry::new(&by, AuditAction::NodeForget, None, Subject::Node(id)));
        }
        tx.commit().await?;
        Ok(())
    };
    control.tasks().finish("give up a node", act).await?;
    Ok(node)
}

fn not_found(name: &str) -> Problem {
    Problem::new(ErrorCode::NodeNotFound, format!("there is no node called `{}`", name.escape_debug()))
        .next("see which there are: `holm node list`")
}

fn heard_of(node: &Node) -> Problem {
    let Node { name, silent, .. } = node;
    Problem::new(ErrorCode::NodeLives, format!("node `{name}` is not given up: it was heard of {} s ago", silent.as_secs()))
        .because(format_args!(
            "one that lives would serve what it knew, and nobody would wait for it; {} s is long enough",
            GIVE_UP_AFTER.as_secs()
        ))
        .next("stop it, which lets it leave by itself; or wait, and look again: `holm node list`")
}

/// What a node says that must stop.
pub fn alone_too_long() -> Problem {
    let hours = SERVES_ALONE.as_secs() / 3600;
    Problem::new(ErrorCode::AloneTooLong, format!("this node could not reach the catalog for {hours} h, and stops"))
        .because("what was suspended or revoked meanwhile would still be let in")
        .next("see why the catalog cannot be reached from here, then start the node again")
}
