//! Answers nodes of the data plane that have no way to the catalog: who asks is known by its key alone, and speaks for itself in
//! the table of [nodes](crate::node) through this process.
//!
//! Promises: what a node says counts once, and only if its key sealed it; a run of it is known before it is told any route, so that
//! no change is confirmed without it. Who is let in for one environment is told nothing of another: what it is told is made of that
//! environment's part alone, before it is sealed. A question waits for news for [`HOLD`] at most. Refuses to say anything, even why, to whoever
//! has no key that was let in.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::NodeId;
use holm_core::route::{RouteTable, RouteVersion};
use holm_link::bundle::{self, Envelope, PublicKey};
use holm_link::message::{Answer, HELLO_LENGTH_MAX, Hello, Told};
use holm_link::wire::Changes;
use holm_store::data_node::{self, DataNode, Heard, Joined};
use holm_store::node;
use holm_store::route;
use tokio::sync::watch;
use tokio::time::timeout;
use uuid::Uuid;

use super::{LIVE, round};
use crate::control::Control;
use crate::key;

/// For so long a question waits for something new. A third of the time after which a silent node is not waited for.
pub const HOLD: Duration = Duration::from_secs(2);

/// A change that was made before a node came is read by then; if not, the node asks another.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Whatever the seal adds to a question is less than this.
const QUESTION_LENGTH_MAX: usize = HELLO_LENGTH_MAX + 1024;

/// Whoever wants to know something of the nodes does not wait for longer.
const ROUND: Duration = Duration::from_secs(2);

/// Who is not known is looked for in the catalog so often at most, however many strangers ask.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A node that is further behind is told everything.
const TOLD_MAX: usize = 8;

/// The keys of nodes, and what was told to each.
#[derive(Default)]
pub(crate) struct Known {
    nodes: Mutex<HashMap<Uuid, PublicKey>>,
    /// Held while the catalog is asked who is let in: who else is not known waits for the same answer.
    looked: tokio::sync::Mutex<Option<Instant>>,
    /// The tables that this process told each node last; they share what did not change.
    told: Mutex<HashMap<Uuid, VecDeque<Arc<RouteTable>>>>,
    /// What is to be asked of each node, for as long as somebody waits for it.
    rounds: Mutex<Vec<Round>>,
    /// Grows with the rounds.
    put: watch::Sender<u64>,
}

/// A question to all nodes.
struct Round {
    id: Uuid,
    /// Nobody is asked who must not know of it.
    about: EnvironmentName,
    question: String,
    since: Instant,
    /// The runs that were asked.
    asked: HashSet<NodeId>,
}

impl Known {
    /// Has every node that asks here asked something.
    pub(super) fn put(&self, id: Uuid, about: EnvironmentName, question: &str) {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.retain(|round| round.since.elapsed() < ROUND);
        rounds.push(Round { id, about, question: question.to_owned(), since: Instant::now(), asked: HashSet::new() });
        drop(rounds);
        self.put.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// What a run of a node is to be asked now, and was not before; of one environment only about that.
    fn to_ask(&self, run: NodeId, of: Option<&EnvironmentName>) -> Option<Answer> {
        let mut rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rounds = rounds.iter_mut().filter(|round| round.since.elapsed() < ROUND);
        let round = rounds.find(|round| !round.asked.contains(&run) && of.is_none_or(|of| round.about == *of))?;
        round.asked.insert(run);
        Some(Answer::Asked { round: round.id, question: round.question.clone() })
    }

    /// Whether somebody waits for answers to a question.
    fn awaits(&self, id: Uuid) -> bool {
        let rounds = self.rounds.lock().unwrap_or_else(PoisonError::into_inner);
        rounds.iter().any(|round| round.id == id && round.since.elapsed() < ROUND)
    }

    /// Waits for something to ask.
    ///
    /// # Cancel safety
    /// Safe: what was found is returned at once.
    async fn asks(&self, run: NodeId, of: Option<&EnvironmentName>) -> Answer {
        let mut put = self.put.subscribe();
        loop {
            put.borrow_and_update();
            if let Some(asked) = self.to_ask(run, of) {
                return asked;
            }
            // The sender lives as long as this.
            let _ = put.changed().await;
        }
    }

    /// Remembers a table that is about to be told to a node, and gives the one of an older version, if this process told it that one
    /// lately: another process may have another table of the same version.
    fn before(&self, node: Uuid, table: &Arc<RouteTable>, version: RouteVersion) -> Option<Arc<RouteTable>> {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let told = told.entry(node).or_default();
        if told.back().is_none_or(|newest| newest.version() < table.version()) {
            told.push_back(Arc::clone(table));
            if told.len() > TOLD_MAX {
                told.pop_front();
            }
        }
        told.iter().find(|told| told.version() == version).cloned()
    }
}

/// Answers one question; the answer is sealed for who asked.
///
/// # Errors
/// [`ErrorCode::LinkRefused`] for what is not the word of a node that was let in; the catalog does not answer.
///
/// # Cancel safety
/// Safe: what was said counts, and is asked again.
pub async fn answer(control: &Control, question: &[u8]) -> Result<Vec<u8>, Problem> {
    let (node, to, hello) = open(control, question).await?;
    match heard(control, node, &hello).await {
        Ok(Some(wants)) => tell(control, node, to, hello, wants).await,
        Ok(None) => seal(control, node, to, hello, Answer::Removed).await,
        // Whatever else is wrong with it: who is removed hears that.
        Err(problem) if is_removed(control, node).await? => {
            tracing::debug!(code = %problem.code, "a node that was removed asks, and is told so");
            seal(control, node, to, hello, Answer::Removed).await
        }
        Err(problem) => Err(problem),
    }
}

/// Whether a node that was heard wants to hear more.
enum Wants {
    /// Of one environment, or of all.
    News(Option<EnvironmentName>),
    Nothing,
}

/// Takes a question into account; nothing for a node that is removed.
async fn heard(control: &Control, node: Asking, hello: &Hello) -> Result<Option<Wants>, Problem> {
    if !hello.is_of_now(now()) {
        let why = "the clocks of the node and of the control plane differ by more than five minutes";
        return Err(refused(why).next("set the clock of both machines by a time server"));
    }
    // Rare: this process lags behind another, or the catalog was put back, and what it confirms now such a node never hears of.
    if hello.has > control.publisher().table().version() && hello.has > route::version(control.catalog()).await? {
        let why = "it has newer routes than the catalog, which was put back to an earlier state";
        return Err(refused(why)
            .next("stop the node, remove `routes` and `seen` from its data directory, and start it: it then goes by the catalog"));
    }
    let asked = i64::try_from(hello.asked.as_micros()).map_err(|_| refused("it is of another time"))?;
    let Heard::Counts { name, used, environment } =
        data_node::heard(control.catalog(), node.node_id(), asked, hello.run, hello.uses).await?
    else {
        if is_removed(control, node).await? {
            return Ok(None);
        }
        let why = "a later question of this node was answered before";
        return Err(refused(why).next("if its clock was set back, wait until it reaches that time: five minutes at the most"));
    };
    match used {
        // It keeps routes, and may serve again without asking anybody.
        Some(_) if hello.leaves => {
            node::fall_silent(control.catalog(), hello.run, LIVE).await?;
            return Ok(Some(Wants::Nothing));
        }
        None if hello.leaves => return Ok(Some(Wants::Nothing)),
        Some(used) if hello.uses > used => drop(node::acknowledge(control.catalog(), hello.run, hello.uses).await?),
        Some(_) => {}
        None => {
            let joined = data_node::join(control.catalog(), node.node_id(), &name, hello.run, &hello.holm_version, LIVE).await?;
            if joined == Joined::Refused {
                return Err(refused("too many processes have this node's key, or one that is another's run"));
            }
        }
    }
    // What nobody waits for is not passed on; and what cannot be costs a line in somebody's answer, and not this node its routes.
    if let Some(Told { round, text }) = &hello.told
        && control.linked().awaits(*round)
        && let Err(problem) = round::say(control, *round, hello.run, text).await
    {
        tracing::debug!(%problem, "what a node says of itself could not be passed on");
    }
    // Until it uses something, a change may have been confirmed before it was known: that it hears first of all.
    if hello.uses == RouteVersion::default() {
        up_to(control, route::version(control.catalog()).await?).await?;
    }
    Ok(Some(Wants::News(environment)))
}

/// Waits for news and tells them.
async fn tell(control: &Control, node: Asking, to: PublicKey, hello: Hello, wants: Wants) -> Result<Vec<u8>, Problem> {
    let mut asked = None;
    let of = if let Wants::News(of) = &wants { of.as_ref() } else { None };
    if matches!(wants, Wants::News(_)) {
        let mut published = control.published().subscribe();
        let news = async {
            // Both are safe to drop. Routes first: others wait for them.
            tokio::select! {
                biased;
                _ = published.wait_for(|version| *version > hello.has) => None,
                asked = control.linked().asks(hello.run, of) => Some(asked),
            }
        };
        asked = timeout(HOLD, news).await.ok().flatten();
    }
    let table = control.publisher().table();
    if asked.is_none() && (matches!(wants, Wants::Nothing) || table.version() <= hello.has) {
        return seal(control, node, to, hello, Answer::Nothing).await;
    }
    // The table first, then this look: what was published after a removal was committed goes to nobody who is removed.
    if is_removed(control, node).await? {
        return seal(control, node, to, hello, Answer::Removed).await;
    }
    if let Some(asked) = asked {
        return seal(control, node, to, hello, asked).await;
    }
    // The table may be hours old; the node goes by what time it is now.
    let now = table.told_at(control.publisher().routes().now());
    let older = control.linked().before(node.node_id(), &table, hello.has);
    let answer = match (older, of.cloned()) {
        (Some(older), None) => Answer::Changes(Changes::between(&older, &now)),
        (None, None) => Answer::Table(now),
        (Some(older), Some(of)) => Answer::Changes(Changes::between_of(&older, &now, &of)),
        (None, Some(of)) => {
            // It goes through the whole table.
            let part = tokio::task::spawn_blocking(move || now.of(&of)).await;
            Answer::Table(part.expect("a part of a table is taken without a panic"))
        }
    };
    seal(control, node, to, hello, answer).await
}

async fn is_removed(control: &Control, node: Asking) -> Result<bool, Problem> {
    let found = data_node::by_id(control.catalog(), node.node_id()).await?;
    Ok(found.is_none_or(|node| node.removed_at.is_some()))
}

/// Which node a question says that it is of; the bundle's word, which its key proves.
#[derive(Clone, Copy)]
struct Asking(bundle::NodeId);

impl Asking {
    const fn node_id(self) -> Uuid {
        Uuid::from_bytes(self.0.0)
    }
}

async fn open(control: &Control, question: &[u8]) -> Result<(Asking, PublicKey, Hello), Problem> {
    if question.len() > QUESTION_LENGTH_MAX {
        return Err(refused(bundle::Refused::NotABundle));
    }
    let said = bundle::said(question).ok_or_else(|| refused(bundle::Refused::NotABundle))?;
    let node = Asking(said.node);
    let installation = control.keys().installation();
    let stranger = || refused("no node of this installation has that key");
    let to = key_of(control, node).await?.ok_or_else(stranger)?;
    let mine = Envelope { installation, node: said.node, version: RouteVersion::default() };
    let (_, plain) = key::bundle::open(control, &to, &mine, question).map_err(|_| stranger())?;
    let hello = Hello::decode(plain.expose()).map_err(refused)?;
    Ok((node, to, hello))
}

async fn key_of(control: &Control, node: Asking) -> Result<Option<PublicKey>, Problem> {
    let known = control.linked();
    let cached = || known.nodes.lock().unwrap_or_else(PoisonError::into_inner).get(&node.node_id()).copied();
    if let Some(key) = cached() {
        return Ok(Some(key));
    }
    let mut looked = known.looked.lock().await;
    // Who waited here is known by now, or is a stranger: of those there may be many, and they cost the catalog nothing.
    if cached().is_none() && looked.is_none_or(|at| at.elapsed() >= LOOK_AGAIN) {
        let all = data_node::all(control.catalog()).await?;
        *looked = Some(Instant::now());
        let mut nodes = known.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        // An identity never gets another key; as many as were ever let in.
        nodes.extend(all.into_iter().map(|DataNode { id, public_key, .. }| (id, PublicKey(public_key))));
    }
    Ok(cached())
}

async fn up_to(control: &Control, version: RouteVersion) -> Result<(), Problem> {
    let mut published = control.published().subscribe();
    match timeout(CATCH_UP, published.wait_for(|published| *published >= version)).await {
        Ok(Ok(_)) => Ok(()),
        _ => Err(Problem::new(ErrorCode::ControlUnavailable, "this process has not read the newest routes yet").next("ask again")),
    }
}

/// Writes and seals a table for some milliseconds, where nobody waits for it.
async fn seal(control: &Control, node: Asking, to: PublicKey, hello: Hello, answer: Answer) -> Result<Vec<u8>, Problem> {
    let control = control.clone();
    let work = move || {
        let version = match &answer {
            Answer::Table(table) => table.version(),
            Answer::Changes(changes) => changes.to(),
            Answer::Nothing | Answer::Removed | Answer::Asked { .. } => hello.has,
        };
        key::bundle::seal(&control, node.0, &to, version, answer.encode(hello.nonce).expose())
    };
    tokio::task::spawn_blocking(work).await.expect("sealing an answer does not panic")
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO)
}

fn refused(why: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::LinkRefused, "what a node of the data plane says is not taken")
        .because(why)
        .next("see which nodes were let in: `holm node keys`")
}
