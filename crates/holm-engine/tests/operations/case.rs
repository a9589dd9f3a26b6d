//! One operation with orders for it, from the setting of its stage to the look at what came of it.

use std::fmt::Write;
use std::sync::Arc;

use futures_util::StreamExt;
use futures_util::stream;
use holm_core::id::OperationId;
use holm_core::operation::OperationState;
use holm_core::operation::standing::Standing;
use holm_engine::operation::probe::{Direction, Moment};
use holm_engine::operation::show;
use holm_store::page::Page;
use holm_testkit::eventually;

use crate::order::{self, Gate, Obedience, Order, Place};
use crate::snapshot::{Snapshot, differences};
use crate::subject::{Stage, Subject};
use crate::world::{PATIENCE, World};

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

/// One case for each place at which an operation can be met, forward and back.
pub(crate) fn everywhere(subject: &'static Subject, moments: &[Moment], order: Order) -> Vec<Case> {
    let steps = subject.listed().steps.len();
    let forward = (0..steps).flat_map(|step| moments.iter().map(move |moment| Case::forward(subject, step, *moment, order)));
    let places = (0..=last_to_undo(subject).unwrap_or(0)).flat_map(|step| moments.iter().map(move |moment| (step, *moment)));
    let back = places.filter_map(|(step, moment)| {
        let place = Place { step, direction: Direction::Back, moment };
        Case::back(subject, vec![(place, order)])
    });
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
        let before = world.snapshot_of(&stage).await;
        let id = (case.subject.request)(world.control(), &stage).await;
        for (place, order) in &case.orders {
            order::give(&world.orders(), id, *place, *order);
        }
        asked.push(Asked { case: case.clone(), id, stage, before });
    }
    asked
}

/// What may be under way at the same time: all together, but for those that must be alone.
pub(crate) fn batches(cases: Vec<Case>) -> Vec<Vec<Case>> {
    let (alone, together): (Vec<_>, Vec<_>) = cases.into_iter().partition(|case| case.subject.alone);
    let together = Some(together).filter(|cases| !cases.is_empty());
    together.into_iter().chain(alone.into_iter().map(|case| vec![case])).collect()
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
    world.settled().await;
    for one in asked {
        let told = one.tell(world).await;
        println!("checking {told}");
        assert!(one.met_all(world), "not every order was met\n{told}");
        let operation = show::show(world.control(), one.id).await.unwrap();
        assert_eq!(operation.state, one.case.end, "{told}");
        assert_eq!(one.replayed(world).await.summary(), one.case.end, "its journal says otherwise\n{told}");
        if one.case.end == OperationState::Succeeded {
            (one.case.subject.succeeded)(world, &one.stage).await;
        } else {
            let after = world.snapshot_of(&one.stage).await;
            assert_eq!(differences(&one.before, &after), Vec::<String>::new(), "not as before\n{told}");
        }
    }
    world.assert_whole().await;
}

impl Asked {
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
