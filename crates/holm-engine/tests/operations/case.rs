//! One operation with orders for it, from the setting of its stage to the look at what came of it.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::operation::standing::Standing;
use holm_engine::operation::probe::{Direction, Moment};
use holm_engine::operation::show;
use holm_store::page::Page;
use holm_testkit::{TestServer, eventually};

use crate::order::{self, Gate, Obedience, Order, Place};
use crate::servers::{self, Lent};
use crate::snapshot::{Snapshot, differences};
use crate::subject::{Stage, Subject};
use crate::world::{PATIENCE, World};

/// From the end of a process to another one's first step, on a busy machine of two cores.
const TAKEOVER: Duration = Duration::from_secs(3);

/// An operation and what is done to it.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) subject: &'static Subject,
    pub(crate) orders: Vec<(Place, Order)>,
    pub(crate) end: OperationState,
}

/// One that was asked for.
pub(crate) struct Asked {
    pub(crate) case: Case,
    pub(crate) id: OperationId,
    stage: Stage,
    before: Snapshot,
    only_read: Snapshot,
}

impl Case {
    /// One that succeeds, whatever is done at a place.
    pub(crate) fn forward(subject: &'static Subject, step: usize, moment: Moment, order: Order) -> Self {
        let place = Place { step, direction: Direction::Forward, moment };
        Self { subject, orders: vec![(place, order)], end: OperationState::Succeeded }
    }

    /// One whose last step before the point of no return fails after it acted, so that everything is undone; `None` if
    /// there is no such step.
    pub(crate) fn back(subject: &'static Subject, orders: Vec<(Place, Order)>) -> Option<Self> {
        let place = Place { step: last_to_undo(subject)?, direction: Direction::Forward, moment: Moment::Acted };
        let orders = std::iter::once((place, Order::Refuse)).chain(orders).collect();
        Some(Self { subject, orders, end: OperationState::Undone })
    }
}

/// The last step that can be undone.
pub(crate) fn last_to_undo(subject: &Subject) -> Option<usize> {
    let listed = subject.listed();
    listed.no_return.unwrap_or(listed.steps.len()).checked_sub(1)
}

/// One case for each step, forward and back, in which the order is met at every one of the moments, one after the other: so
/// every place has its turn, and an operation is not made anew for each.
pub(crate) fn everywhere(subject: &'static Subject, moments: &[Moment], order: Order) -> Vec<Case> {
    let orders = |step, direction| moments.iter().map(move |moment| (Place { step, direction, moment: *moment }, order)).collect();
    let forward = (0..subject.listed().steps.len()).map(|step| orders(step, Direction::Forward));
    let forward = forward.map(|orders| Case { subject, orders, end: OperationState::Succeeded });
    let back = (0..=last_to_undo(subject).unwrap_or(0)).filter_map(|step| Case::back(subject, orders(step, Direction::Back)));
    forward.chain(back).collect()
}

/// Deals cases out, so that a few worlds can have them at the same time: proofs wait much and do little.
pub(crate) fn dealt(cases: Vec<Case>, hands: usize) -> Vec<Vec<Case>> {
    let mut dealt = vec![Vec::new(); hands];
    for (n, case) in cases.into_iter().enumerate() {
        dealt[n % hands].push(case);
    }
    dealt
}

/// Sets the stages, puts a control plane that obeys in the place of the one that did, and asks for the operations, which
/// nobody carries out before it is started.
pub(crate) async fn ask(world: &mut World, cases: &[Case], gate: &Arc<Gate>) -> Vec<Asked> {
    let first = usize::try_from(world.count("operation").await).unwrap() * 10;
    let stages: Vec<Stage> = {
        let world = &*world;
        let stage = |(number, case): (usize, &Case)| (case.subject.stage)(world, first + number);
        stream::iter(cases.iter().enumerate()).map(stage).buffered(4).collect().await
    };
    world.settled().await;
    let probe = Obedience::new(world.orders(), Arc::clone(gate));
    world.open(Some(Arc::new(probe))).await;
    let mut asked = Vec::new();
    for (case, stage) in cases.iter().zip(stages) {
        let (before, only_read) = (world.snapshot_of(&stage).await, world.only_read(&stage).await);
        let id = (case.subject.request)(world.control(), &stage).await;
        for (place, order) in &case.orders {
            order::give(&world.orders(), id, *place, *order);
        }
        asked.push(Asked { case: case.clone(), id, stage, before, only_read });
    }
    asked
}

/// What may be under way at the same time: all together, but for those that must be alone, and as many as there are servers
/// of those that need one each.
pub(crate) fn batches(cases: Vec<Case>) -> Vec<Vec<Case>> {
    let (alone, rest): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.subject.alone);
    let (with_servers, together): (Vec<_>, Vec<_>) = rest.into_iter().partition(|case| case.subject.has_servers());
    let mut batches: Vec<_> = servers::rounds(with_servers);
    match batches.first_mut() {
        Some(first) => first.extend(together),
        None if together.is_empty() => {}
        None => batches.push(together),
    }
    batches.into_iter().chain(alone.into_iter().map(|case| vec![case])).collect()
}

/// As [`ask`], and carries them out in this process.
pub(crate) async fn run(world: &mut World, cases: Vec<Case>) {
    for cases in batches(cases) {
        let asked = ask(world, &cases, &Arc::default()).await;
        world.control().start();
        over(world, &asked).await;
        check(world, &asked).await;
    }
}

/// For all that processes are killed or stopped at: each takes a lease to be over and a new process to start.
pub(crate) fn patience(asked: &[Asked]) -> Duration {
    let met = asked.iter().flat_map(|one| &one.case.orders).filter(|(_, order)| matches!(order, Order::Kill | Order::Stop));
    PATIENCE + TAKEOVER * u32::try_from(met.count()).unwrap()
}

/// Waits until all are over.
pub(crate) async fn over(world: &World, asked: &[Asked]) {
    for one in asked {
        let state = eventually(PATIENCE, "the end of an operation", async || {
            let operation = show::show(world.control(), one.id).await.map_err(|problem| problem.what)?;
            if operation.state.is_over() { Ok(operation.state) } else { Err(format!("{operation:?}")) }
        });
        state.await;
    }
}

/// Looks at each, and then at the whole. The control plane of this process is running.
pub(crate) async fn check(world: &World, asked: &[Asked]) {
    check_each(world, asked).await;
    world.assert_whole().await;
}

/// As [`check`], while processes stand still.
pub(crate) async fn check_beside_the_still(world: &World, asked: &[Asked]) {
    check_each(world, asked).await;
    world.assert_whole_but_for_sessions().await;
}

async fn check_each(world: &World, asked: &[Asked]) {
    world.settled().await;
    for one in asked {
        let told = one.tell(world).await;
        assert!(one.met_all(world), "not every order was met\n{told}");
        let operation = show::show(world.control(), one.id).await.unwrap();
        assert_eq!(operation.state, one.case.end, "{told}");
        assert_eq!(one.replayed(world).await.summary(), one.case.end, "its journal says otherwise\n{told}");
        assert_eq!(differences(&one.only_read, &world.only_read(&one.stage).await), Vec::<String>::new(), "it was only to be read\n{told}");
        if one.case.end == OperationState::Succeeded {
            (one.case.subject.succeeded)(world, &one.stage).await;
        } else {
            let after = world.snapshot_of(&one.stage).await;
            assert_eq!(differences(&one.before, &after), Vec::<String>::new(), "not as before\n{told}");
        }
    }
}

impl Asked {
    /// The server that its stage has to itself, if it has one.
    pub(crate) fn server(&self) -> Option<&TestServer> {
        self.stage.server.as_ref().map(Lent::server)
    }

    /// Whether every position that something is ordered for was reached.
    pub(crate) fn met_all(&self, world: &World) -> bool {
        self.case.orders.iter().all(|(place, _)| order::met(&world.orders(), self.id, *place).is_some())
    }

    /// The standing that its journal gives, which must agree with its row.
    async fn replayed(&self, world: &World) -> Standing {
        let rows = show::journal(world.control(), self.id, &Page { after: None, limit: 500 }).await.unwrap();
        let mut standing: Option<Standing> = None;
        for row in &rows {
            let event = serde_json::from_str(&row.text).unwrap();
            standing = Some(match standing {
                None => Standing::begin(&event).unwrap(),
                Some(standing) => standing.after(&event, row.at).unwrap(),
            });
        }
        standing.unwrap()
    }

    /// What was done to it and what happened, for whoever reads a failure.
    pub(crate) async fn tell(&self, world: &World) -> String {
        let steps = self.case.subject.listed().steps;
        let mut told = format!("{} {}:", self.case.subject.kind, self.id);
        for (place, order) in &self.case.orders {
            let met = order::met(&world.orders(), self.id, *place).map_or("not met".to_owned(), |pid| format!("met by {pid}"));
            write!(told, " {order} at `{}` ({place}, {met})", steps[place.step]).unwrap();
        }
        if let Ok(rows) = show::journal(world.control(), self.id, &Page { after: None, limit: 500 }).await {
            for row in rows {
                write!(told, "\n  {} epoch {}: {}", row.seq, row.epoch, row.text.chars().take(200).collect::<String>()).unwrap();
            }
        }
        told
    }
}
