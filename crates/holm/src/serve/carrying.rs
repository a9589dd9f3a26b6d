//! A process that only carries sessions: no catalog, no master key, no operations; its routes come by the [link](super::link).
//!
//! Promises: it starts with what a control plane says, or where none answers, with the routes on its disk as long as they may be served;
//! it goes over to the control plane when that is there. Refuses to start without its key, which a person put there.

use std::sync::Arc;
use std::time::Duration;

use holm_api::alone::{self, Alone};
use holm_core::error::{ErrorCode, Problem};
use holm_core::route::RouteTable;
use holm_engine::node::SERVES_ALONE;
use holm_engine::node::round::Answering;
use holm_link::kept::{Kept, Moment};
use holm_link::{Feed, Publisher};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::kept::{self, Keeper, Source, Store, publish_after};
use super::link::{Ended, Link, removed};
use super::process::{Api, DataPlane, Pages, Process, alone_until_refused, and_away, off_the_reactor};
use super::standing::{FromDisk, Standing, at, reason};

impl Process {
    /// Starts one and returns when a client may connect.
    ///
    /// # Errors
    /// The first thing that did not start.
    pub(super) async fn carrying(config: Arc<Config>, listener: TcpListener, publisher: Publisher, store: Store) -> Result<Self, Problem> {
        let (store, identity) = store.of_node()?;
        let link = Arc::new(Link::new(config.controls.clone(), identity, store.newest_version())?);
        let (standing, store) = (Arc::new(Standing::default()), Arc::new(store));
        // Before anything is published: no change is acknowledged until it is on disk.
        let feed = publisher.subscribe();
        let first = link.first().await;
        let (on_disk, heard) = match first {
            Ok(None) => {
                discard(&store);
                return Err(removed());
            }
            Ok(Some(table)) => {
                off_the_reactor(|| store.take_stock(table.version()))?;
                publisher.publish(table);
                (None, kept::now())
            }
            Err(problem) => {
                let (Kept { heard, table }, age) = on_disk(&store, &problem)?;
                standing.alone(FromDisk { since: kept::now(), heard, problem });
                publish_after(&publisher, table.clone(), age);
                (Some(Arc::new(table)), heard)
            }
        };
        let started = async {
            let keeper = keeper(&store, Source::link(&publisher, &link, heard), feed, &standing, on_disk).await?;
            Ok((keeper, DataPlane::start(&config, &publisher).await?))
        };
        let (keeper, data) = match started.await {
            Ok(started) => started,
            Err(problem) => {
                // It may be known by now; nobody should wait for it.
                link.leave(publisher.table().version()).await;
                return Err(problem);
            }
        };
        let pages = Pages::new(data.as_ref(), &standing);
        let api = Api::start(listener, answers(&config, &publisher, &standing, &pages), &pages);
        let answering = pages.answering();
        let ((ended, ended_seen), (_, control), stop) = (watch::channel(None), watch::channel(None), CancellationToken::new());
        let governing = tokio::spawn(govern(
            Carrying { link, publisher, standing: Arc::clone(&standing), store, heard, ended, answering },
            keeper,
            stop.clone(),
        ));
        Ok(Self { data, api, linger: config.linger, standing, control, ended: ended_seen, stop, governing })
    }
}

/// What the task that keeps the routes works with.
struct Carrying {
    link: Arc<Link>,
    publisher: Publisher,
    standing: Arc<Standing>,
    store: Arc<Store>,
    /// When a control plane was last heard of before this start.
    heard: Moment,
    ended: watch::Sender<Option<Problem>>,
    /// What it says of itself when it is asked.
    answering: Answering,
}

/// Keeps routes until told to stop.
async fn govern(of: Carrying, keeper: Keeper, stop: CancellationToken) -> Option<holm_engine::control::Control> {
    let Carrying { link, publisher, standing, store, heard, ended, answering } = of;
    let last = || link.heard().unwrap_or(heard);
    let asking = async {
        match link.run(&publisher, &standing, &stop, &answering).await {
            Ended::Removed => {
                tracing::error!("this node was removed: it stops");
                discard(&store);
                ended.send_replace(Some(removed()));
                // Nobody wants to hear that it leaves.
                stop.cancelled().await;
            }
            Ended::Stopped => link.leave(publisher.table().version()).await,
        }
    };
    let alone = async {
        let problem = alone_until_refused(&store, last).await;
        tracing::error!(code = %problem.code, why = problem.why, "this node was alone for too long");
        ended.send_replace(Some(problem));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(asking, keeper.run(stop.clone())) } => {}
        () = alone => {}
    }
    // What the keeper has written since goes too.
    if ended.borrow().as_ref().is_some_and(|problem| problem.code == ErrorCode::NodeRemoved) {
        discard(&store);
    }
    None
}

/// Whoever is removed does not start from its disk either.
fn discard(store: &Store) {
    match off_the_reactor(|| store.discard()) {
        Ok(()) => tracing::info!("its routes were removed from its disk"),
        Err(problem) => tracing::error!(why = reason(&problem), "its routes cannot be removed from its disk"),
    }
}

/// What may be served while no control plane answers, and how old it is.
fn on_disk(store: &Store, away: &Problem) -> Result<(Kept, Duration), Problem> {
    let (now, kept) = (kept::now(), off_the_reactor(|| store.read()).map_err(|problem| and_away(problem, away))?);
    let Some(kept) = kept else {
        return Err(away.clone().next("this node has no routes on its disk yet that it could serve meanwhile"));
    };
    let left = store.newest_time().and_then(|newest| store.time_left(&kept.heard, newest, &now));
    let left = left.map_err(|problem| and_away(problem, away))?;
    tracing::warn!(
        route_version = %kept.table.version(),
        heard = at(kept.heard.wall),
        hours_left = left.as_secs() / 3600,
        why = reason(away),
        "no control plane answers: this node serves the routes on its disk, and nothing that was changed since"
    );
    Ok((kept, SERVES_ALONE.saturating_sub(left)))
}

async fn keeper(
    store: &Arc<Store>,
    source: Source,
    feed: Feed,
    standing: &Arc<Standing>,
    on_disk: Option<Arc<RouteTable>>,
) -> Result<Keeper, Problem> {
    let fresh = on_disk.is_none();
    let mut keeper = Keeper::new(Arc::clone(store), source, feed, Arc::clone(standing), on_disk);
    if fresh {
        // Ready means that it could be started again alone.
        keeper.save().await?;
    }
    Ok(keeper)
}

fn answers(config: &Config, publisher: &Publisher, standing: &Arc<Standing>, pages: &Pages) -> axum::Router {
    let (publisher, standing, controls) = (publisher.clone(), Arc::clone(standing), config.controls.clone());
    let elsewhere = move || {
        let problem = Problem::new(ErrorCode::PathNotFound, "this node only carries sessions: it has no API");
        controls.iter().fold(problem, |problem, control| {
            problem.next(format!("ask a control plane: `--url {}`", control.origin().ascii_serialization()))
        })
    };
    alone::router(Alone {
        routes: Arc::new(move || -> Arc<RouteTable> { publisher.table() }),
        metrics: pages.metrics(),
        why: Arc::new(move || if standing.heard_from_disk().is_some() { standing.why() } else { elsewhere() }),
        draining: pages.draining(),
        carries: true,
    })
}
