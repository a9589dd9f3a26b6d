//! The parts of a serving process: started in order, stopped in reverse.
//!
//! Where there is a catalog, everything starts from it. Where it does not answer and this node has kept its routes, the data
//! plane starts from those, and the control plane follows when the catalog is there.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use holm_api::alone::{self, Alone, Answers};
use holm_api::{ApiConfig, UsageOf};
use holm_core::error::{ErrorCode, Problem};
use holm_core::route::RouteTable;
use holm_engine::control::Control;
use holm_engine::key;
use holm_engine::node::round::Answering;
use holm_engine::node::{NodeRole, SERVES_ALONE};
use holm_link::kept::{Kept, Moment};
use holm_link::{Feed, Publisher};
use holm_proxy::gateway::{self, Gateway};
use holm_proxy::postgres::{self as proxy, Proxy};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::governing;
use super::kept::{self, Keeper, Source, Store, publish_after};
use super::standing::{FromDisk, Standing, at, reason};
use crate::{metrics, usage};

/// A transaction gets this long once its client did not leave by itself; an API request too.
const DRAIN: Duration = Duration::from_secs(5);

/// How often a node that is alone looks whether it may still be.
const LOOK: Duration = Duration::from_secs(10);

/// A process that serves.
pub(super) struct Process {
    pub(super) data: Option<DataPlane>,
    pub(super) api: Api,
    pub(super) linger: Duration,
    pub(super) standing: Arc<Standing>,
    /// The control plane, when there is one.
    pub(super) control: watch::Receiver<Option<Control>>,
    /// Why it had to stop, as soon as it has to.
    pub(super) ended: watch::Receiver<Option<Problem>>,
    pub(super) stop: CancellationToken,
    /// Returns the control plane when told to stop, what it kept being on disk.
    pub(super) governing: JoinHandle<Option<Control>>,
}

pub(super) struct DataPlane {
    proxy: Proxy,
    gateway: Gateway,
}

pub(super) struct Api {
    address: SocketAddr,
    answers: Answers,
    draining: CancellationToken,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// What the API is made of, with and without a catalog.
#[derive(Clone)]
pub(super) struct Pages {
    metrics: Arc<dyn Fn() -> String + Send + Sync>,
    usage: UsageOf,
    standing: Arc<Standing>,
    draining: CancellationToken,
}

/// What the governing task works with.
struct Governing {
    config: Arc<Config>,
    publisher: Publisher,
    standing: Arc<Standing>,
    stop: CancellationToken,
    control: watch::Sender<Option<Control>>,
    ended: watch::Sender<Option<Problem>>,
}

/// Where routes are kept: the store, and the keeper's end of the way from the control plane.
struct Keeping {
    store: Arc<Store>,
    /// What lies there.
    on_disk: Arc<RouteTable>,
    feed: Feed,
}

impl Process {
    /// Starts everything and returns when a client may connect.
    ///
    /// # Errors
    /// The first thing that did not start.
    pub(super) async fn start(config: Config) -> Result<Self, Problem> {
        let listener = TcpListener::bind(config.api_listen).await.map_err(|error| cannot_listen(config.api_listen, &error))?;
        let store = config.data_dir.as_deref().map(Store::open).transpose()?;
        if store.is_none() && config.role.carries() {
            tracing::info!("no data directory was named: this node could not start while the catalog is away");
        }
        let (config, publisher) = (Arc::new(config), Publisher::default());
        if config.role == NodeRole::Data {
            let store = store.expect("a node that only carries sessions has a directory");
            return Self::carrying(config, listener, publisher, store).await;
        }
        match governing::open(&config, &publisher, store.as_ref().and_then(Store::installation)).await {
            Ok(control) => Self::with_catalog(config, listener, control, store).await,
            Err(problem) if governing::is_away(&problem) => match store {
                Some(store) => Self::from_disk(config, listener, publisher, store, problem).await,
                None => Err(problem),
            },
            Err(problem) => Err(problem),
        }
    }

    async fn with_catalog(config: Arc<Config>, listener: TcpListener, control: Control, store: Option<Store>) -> Result<Self, Problem> {
        let standing = Arc::new(Standing::default());
        let started = async {
            let mut keeper = store.map(|store| off_the_reactor(|| keeper_of(store, &control, &standing))).transpose()?;
            if let Some(keeper) = &mut keeper {
                // Ready means that it could be started again without the catalog.
                keeper.save().await?;
            }
            Ok((keeper, DataPlane::start(&config, control.publisher()).await?))
        };
        let (keeper, data) = match started.await {
            Ok(started) => started,
            Err(problem) => {
                // It has joined; nobody should wait for it.
                control.shutdown().await;
                return Err(problem);
            }
        };
        control.start();
        let pages = Pages::new(data.as_ref(), &standing);
        let api = Api::start(listener, pages.whole(&control), &pages);
        let linger = config.linger;
        let (governing, control_seen, ended) = Governing::new(config, control.publisher().clone(), &standing);
        governing.control.send_replace(Some(control.clone()));
        let stop = governing.stop.clone();
        let governing = tokio::spawn(governing.keep(control, keeper));
        Ok(Self { data, api, linger, standing, control: control_seen, ended, stop, governing })
    }

    async fn from_disk(
        config: Arc<Config>,
        listener: TcpListener,
        publisher: Publisher,
        store: Store,
        away: Problem,
    ) -> Result<Self, Problem> {
        let standing = Arc::new(Standing::default());
        let (now, kept) = (kept::now(), off_the_reactor(|| store.read()).map_err(|problem| and_away(problem, &away))?);
        let Some(Kept { heard, table }) = kept else {
            return Err(away.next("this node has no routes on its disk yet that it could serve meanwhile"));
        };
        let left = store.newest_time().and_then(|newest| store.time_left(&heard, newest, &now));
        let left = left.map_err(|problem| and_away(problem, &away))?;
        let age = SERVES_ALONE.saturating_sub(left);
        tracing::warn!(
            route_version = %table.version(),
            heard = at(heard.wall),
            hours_left = left.as_secs() / 3600,
            why = reason(&away),
            "the catalog cannot be reached: this node serves the routes on its disk, and nothing that was changed since"
        );
        // Before anything is published: no change after these routes is acknowledged until it is on disk.
        let keeping = Keeping { feed: publisher.subscribe(), on_disk: Arc::new(table.clone()), store: Arc::new(store) };
        publish_after(&publisher, table, age);
        standing.alone(FromDisk { since: now, heard, problem: away });
        let data = DataPlane::start(&config, &publisher).await?;
        let pages = Pages::new(data.as_ref(), &standing);
        let api = Api::start(listener, pages.alone(&publisher), &pages);
        let linger = config.linger;
        let (governing, control, ended) = Governing::new(config, publisher, &standing);
        let stop = governing.stop.clone();
        let governing = tokio::spawn(governing.take_over(keeping, heard, api.answers.clone(), pages));
        Ok(Self { data, api, linger, standing, control, ended, stop, governing })
    }

    /// What to tell whoever started it.
    pub(super) fn ready(&self) -> String {
        let mut said = "Holm is ready:".to_owned();
        if let Some(data) = &self.data {
            let (proxy, gateway) = (data.proxy.local_addr(), data.gateway.local_addr());
            write!(said, " proxy {proxy}, gateway {gateway},").expect("writing to a string does not fail");
        }
        write!(said, " API http://{}/v1", self.api.address).expect("writing to a string does not fail");
        if let Some(heard) = self.standing.heard_from_disk() {
            write!(said, ", routes of {} from disk, since the catalog does not answer", at(heard.wall))
                .expect("writing to a string does not fail");
        }
        said
    }

    /// Has the proxy use what its certificate's files say now; what came of it is in the log.
    pub(super) async fn read_tls_again(&self) {
        let renewal = self.data.as_ref().and_then(|data| data.proxy.tls_renewal());
        match renewal {
            Some(renewal) => drop(renewal.read_again().await),
            None => tracing::info!("SIGHUP: there is no certificate to read again"),
        }
    }

    /// Waits until it must stop. Cancel safe: it only waits.
    pub(super) async fn ended(&self) -> Problem {
        let (mut ended, mut control) = (self.ended.clone(), self.control.clone());
        let alone = async {
            let control = there(&mut control).await;
            control.alone_too_long().await
        };
        // Both only wait.
        tokio::select! {
            problem = there(&mut ended) => problem,
            problem = alone => problem,
        }
    }

    /// Gives no session time for leaving, if nobody wants this process to have any.
    pub(super) fn hurry(&mut self, why: &Problem) {
        if why.code == ErrorCode::NodeRemoved {
            self.linger = Duration::ZERO;
        }
    }

    /// Stops: unready, no new sessions, those that are open get time, then the API, then the tasks; last it leaves the others.
    pub(super) async fn stop(self) {
        self.api.draining.cancel();
        if let Some(DataPlane { proxy, gateway }) = self.data {
            tokio::join!(gateway.shutdown(self.linger + DRAIN), proxy.shutdown_after(self.linger, DRAIN));
        }
        self.api.stop.cancel();
        if tokio::time::timeout(DRAIN, self.api.task).await.is_err() {
            tracing::warn!("some API requests were cut off");
        }
        self.stop.cancel();
        match self.governing.await {
            Ok(Some(control)) => control.shutdown().await,
            Ok(None) => {}
            Err(error) => tracing::error!(%error, "the task of the control plane panicked"),
        }
    }
}

impl Governing {
    fn new(
        config: Arc<Config>,
        publisher: Publisher,
        standing: &Arc<Standing>,
    ) -> (Self, watch::Receiver<Option<Control>>, watch::Receiver<Option<Problem>>) {
        let ((control, control_seen), (ended, ended_seen)) = (watch::channel(None), watch::channel(None));
        let governing = Self { config, publisher, standing: Arc::clone(standing), stop: CancellationToken::new(), control, ended };
        (governing, control_seen, ended_seen)
    }

    /// Keeps routes until told to stop.
    async fn keep(self, control: Control, keeper: Option<Keeper>) -> Option<Control> {
        match keeper {
            Some(keeper) => keeper.run(self.stop.clone()).await,
            None => self.stop.cancelled().await,
        }
        Some(control)
    }

    /// Waits for the catalog, goes over to it, then as [`Self::keep`].
    async fn take_over(self, keeping: Keeping, heard: Moment, answers: Answers, pages: Pages) -> Option<Control> {
        let Keeping { store, on_disk, feed } = keeping;
        let opening = governing::open_when_there(&self.config, &self.publisher, store.installation(), &self.standing, &self.stop);
        // Both are safe to drop; a node that half joined is heard of no more.
        let control = tokio::select! {
            control = opening => control?,
            problem = alone_until_refused(&store, || heard) => {
                tracing::error!(code = %problem.code, why = problem.why, "this node was alone for too long");
                self.ended.send_replace(Some(problem));
                self.stop.cancelled().await;
                return None;
            }
        };
        let mut keeper = Keeper::new(store, Source::catalog(&control), feed, Arc::clone(&self.standing), Some(on_disk));
        // What failed is said by the keeper, which tries again; nothing that it could not write is acknowledged meanwhile.
        let _ = keeper.save().await;
        control.start();
        answers.replace(pages.whole(&control));
        self.standing.with_catalog();
        tracing::info!(route_version = %control.publisher().table().version(), "the catalog answers: this node goes on from there");
        self.control.send_replace(Some(control.clone()));
        self.keep(control, Some(keeper)).await
    }
}

/// Waits until the routes on disk may not be served any more. Cancel safe: it only looks.
pub(super) async fn alone_until_refused(store: &Store, heard: impl Fn() -> Moment) -> Problem {
    let mut newest = heard().wall;
    loop {
        sleep(LOOK).await;
        let now = kept::now();
        if let Err(problem) = store.time_left(&heard(), newest, &now) {
            return problem;
        }
        newest = newest.max(now.wall);
        if let Err(problem) = store.note_time(&now) {
            tracing::warn!(why = problem.why, "how late it is cannot be written down");
        }
    }
}

fn keeper_of(mut store: Store, control: &Control, standing: &Arc<Standing>) -> Result<Keeper, Problem> {
    let (installation, sender) = key::bundle::sender(control);
    store.identify(installation, sender)?;
    store.take_stock(control.publisher().table().version())?;
    let feed = control.publisher().subscribe();
    Ok(Keeper::new(Arc::new(store), Source::catalog(control), feed, Arc::clone(standing), None))
}

/// Both are what stands in the way.
pub(super) fn and_away(kept: Problem, away: &Problem) -> Problem {
    let why = format!("{}; and {}", kept.why.as_deref().unwrap_or_default(), reason(away));
    let problem = kept.because(why);
    away.next.iter().fold(problem, |problem, next| problem.next(next.clone()))
}

/// Reads and decrypts for some tens of milliseconds, before anybody waits for this process.
pub(super) fn off_the_reactor<T>(work: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(work)
}

/// The first value that is there; none ever comes from somebody who went away.
async fn there<T: Clone>(seen: &mut watch::Receiver<Option<T>>) -> T {
    if let Ok(value) = seen.wait_for(Option::is_some).await.map(|value| value.clone())
        && let Some(value) = value
    {
        return value;
    }
    std::future::pending().await
}

impl DataPlane {
    /// Only now that the routes are there: before, every tenant would be unknown.
    pub(super) async fn start(config: &Config, publisher: &Publisher) -> Result<Option<Self>, Problem> {
        if !config.role.carries() {
            return Ok(None);
        }
        let proxy = proxy::start(config.proxy.clone(), publisher.subscribe()).await?;
        let gateway = gateway::start(config.gateway.clone(), publisher.subscribe()).await?;
        Ok(Some(Self { proxy, gateway }))
    }
}

impl Pages {
    pub(super) fn new(data: Option<&DataPlane>, standing: &Arc<Standing>) -> Self {
        let counters = data.map(|data| (data.proxy.counters(), data.proxy.gauges(), data.gateway.counters()));
        let said = Arc::clone(standing);
        let metrics = move || {
            let carried = counters.as_ref().map_or_else(String::new, |(proxy, gauges, gateway)| metrics::render(proxy, gauges, gateway));
            carried + &said.metrics()
        };
        let usage: UsageOf = match data {
            Some(data) => usage::of(data.proxy.counters(), data.proxy.gauges()),
            None => ApiConfig::default().usage,
        };
        Self { metrics: Arc::new(metrics), usage, standing: Arc::clone(standing), draining: CancellationToken::new() }
    }

    fn whole(&self, control: &Control) -> axum::Router {
        let config = ApiConfig {
            metrics: Arc::clone(&self.metrics),
            usage: Arc::clone(&self.usage),
            draining: self.draining.clone(),
            ..ApiConfig::default()
        };
        holm_api::router(control.clone(), config)
    }

    fn alone(&self, publisher: &Publisher) -> axum::Router {
        let (publisher, standing) = (publisher.clone(), Arc::clone(&self.standing));
        alone::router(Alone {
            routes: Arc::new(move || -> Arc<RouteTable> { publisher.table() }),
            metrics: Arc::clone(&self.metrics),
            why: Arc::new(move || standing.why()),
            draining: self.draining.clone(),
            carries: false,
        })
    }

    pub(super) fn metrics(&self) -> Arc<dyn Fn() -> String + Send + Sync> {
        Arc::clone(&self.metrics)
    }

    pub(super) fn answering(&self) -> Answering {
        holm_api::answering(Arc::clone(&self.usage))
    }

    pub(super) fn draining(&self) -> CancellationToken {
        self.draining.clone()
    }
}

impl Api {
    pub(super) fn start(listener: TcpListener, first: axum::Router, pages: &Pages) -> Self {
        let address = listener.local_addr().expect("a bound listener has an address");
        let (answers, stop) = (Answers::new(first), CancellationToken::new());
        let task = tokio::spawn(holm_api::serve::serve(listener, answers.router(), stop.clone()));
        Self { address, answers, draining: pages.draining.clone(), stop, task }
    }
}

fn cannot_listen(address: SocketAddr, error: &std::io::Error) -> Problem {
    Problem::new(ErrorCode::CannotListen, format!("the API cannot listen on `{address}`"))
        .because(error)
        .next("choose another address with `--api-listen`, or port 0 for any free one")
}
