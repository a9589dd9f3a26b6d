//! What is left when a pass is cut off, at any point, or when a process ends that had trouble.

use std::pin::Pin;
use std::task::{Context, Poll};

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::ClusterId;
use holm_store::pulse::{Look, look};
use holm_testkit::eventually;
use tokio::sync::watch;
use tokio::time::timeout;

use super::rest::Rest;
use super::{Part, Pass, pass, until_disturbed};
use crate::control::Control;
use crate::support::{PATIENCE, SCHEMA, Setup, World};

/// A future that is dropped after so many polls, wherever it is then.
struct Cut<F> {
    inner: Pin<Box<F>>,
    polls_left: usize,
}

impl<F: Future> Future for Cut<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls_left == 0 {
            return Poll::Ready(None);
        }
        self.polls_left -= 1;
        match self.inner.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if self.polls_left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

async fn cut_off(control: &Control, id: ClusterId, polls: usize) -> bool {
    let mut whole = true;
    for part in Part::ALL {
        let cut = Cut { inner: Box::pin(pass(control, id, part)), polls_left: polls };
        whole &= cut.await.is_some();
    }
    whole
}

/// The server may still be at work on what was cut off, and holds its locks until it is done.
async fn to_the_end(control: &Control, id: ClusterId) {
    for part in Part::ALL {
        let settled = async || match pass(control, id, part).await {
            Ok(Pass::Settled | Pass::Nothing) => Ok(()),
            Ok(Pass::Busy | Pass::Gone) => Err(None::<Problem>),
            Err(problem) => Err(Some(problem)),
        };
        eventually(PATIENCE, "a pass to its end", settled).await;
    }
}

/// The story: a process that keeps the pool is killed at some instant; another one starts.
#[tokio::test]
async fn a_pass_that_is_killed_anywhere_leaves_what_the_next_one_finishes_or_removes() {
    let world = World::start(Setup { pool_size: 0, migrations: vec![SCHEMA], ..Setup::default() }).await;
    world.settled().await;
    world.control.shutdown().await;
    let control = world.second_control().await;
    let id = holm_store::cluster::list(control.catalog()).await.unwrap()[0].id;
    let catalog = world.catalog().await;
    let resize = async |size: i32| catalog.execute("UPDATE environment SET pool_size = $1", &[&size]).await.unwrap();
    let (mut polls, mut cuts) = (1, 0);
    loop {
        // A new template, its first members, and the end of the old ones, cut off after so many polls.
        world.write_migrations(&[("20260401090000_next", &format!("CREATE TABLE t{polls} (id int)"))]);
        resize(2).await;
        let whole = cut_off(&control, id, polls).await;
        to_the_end(&control, id).await;
        assert_eq!(world.count("database WHERE state = 'ready'").await, 2, "after {polls} polls");
        assert_eq!(world.orphans().await, Vec::<String>::new(), "after {polls} polls");
        // Then the members' removal, likewise.
        resize(0).await;
        let gone = cut_off(&control, id, polls).await;
        to_the_end(&control, id).await;
        assert_eq!(world.count("database").await, 0, "after {polls} polls");
        assert_eq!(world.orphans().await, Vec::<String>::new(), "after {polls} polls");
        if whole && gone {
            break;
        }
        cuts += 1;
        polls += 1 + polls / 4;
    }
    assert!(cuts > 10, "only {cuts} cuts: the passes were hardly cut at all");
    assert_eq!(world.count("template WHERE state <> 'retired' OR dropped_at IS NULL").await, 1);
    let databases = world.server.connect("postgres").await;
    let left: i64 = databases.query_one("SELECT count(*) FROM pg_database WHERE datname ~ '^t'", &[]).await.unwrap().get(0);
    // The template, and PostgreSQL's two.
    assert_eq!(left, 3);
}

/// The story: one of two processes cannot reach a cluster, notes that, and ends; the other one could all the time, and rests.
#[tokio::test]
async fn trouble_that_was_noted_by_a_process_that_ended_is_taken_back_by_one_that_rests() {
    let world = World::start(Setup::default()).await;
    world.settled().await;
    world.control.shutdown().await;
    let control = world.second_control().await;
    let id = holm_store::cluster::list(control.catalog()).await.unwrap()[0].id;
    let rest = Rest::of(&control, id).await.unwrap().unwrap();
    let unreachable = Problem::new(ErrorCode::ClusterUnreachable, "`production-1` does not answer");
    assert!(holm_store::cluster::set_trouble(control.catalog(), id, Some(&unreachable)).await.unwrap());
    let looked = watch::Sender::new(Some(look(control.catalog(), &Look { node: None, known: &[], jobs: &[] }).await.unwrap()));
    let (_silent, mut signal) = watch::channel(0);
    timeout(PATIENCE, until_disturbed(&mut signal, &looked, id, &rest)).await.expect("it rests although there is trouble");
    assert_eq!(pass(&control, id, Part::Make).await.unwrap(), Pass::Settled);
    assert_eq!(world.count("cluster WHERE trouble IS NOT NULL").await, 0);
    let found = look(control.catalog(), &Look { node: None, known: &[], jobs: &[] }).await.unwrap();
    assert_eq!(found.troubled, []);
}
