//! The way of a node of the data plane to a control plane elsewhere: it asks, says what it uses, and publishes what it is told.
//!
//! Promises: it believes what was sealed with the control plane's key, however the bytes came; what is acknowledged is used by every
//! session. Of several control planes any one will do, and it goes from one to the next by itself. Refuses tokens: its key is what it
//! is known by. What travels is sealed: over plain HTTP can be seen which node has which version, and no route (ADR-0015).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use holm_api::envelope::Envelope as Said;
use holm_core::error::{ErrorCode, Problem};
use holm_core::id::NodeId;
use holm_core::route::{RouteTable, RouteVersion};
use holm_engine::node::round::Answering;
use holm_link::Publisher;
use holm_link::bundle;
use holm_link::kept::Moment;
use holm_link::message::{Answer, Hello, Nonce, TOLD_LENGTH_MAX, Told};
use reqwest::{StatusCode, Url};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::kept::random;
use super::kept::{self, Identity};
use super::standing::{Standing, reason};

/// A control plane that is there takes a connection sooner.
const CONNECT: Duration = Duration::from_secs(3);

/// It holds a question back for two seconds, and may have to read routes first.
const SILENT: Duration = Duration::from_secs(5);

/// For the whole of an answer: everything about 20,000 tenants, on a slow line.
const ANSWER: Duration = Duration::from_secs(60);

/// Whoever says more is not a control plane of ours; 20,000 tenants are some megabytes.
const ANSWER_LENGTH_MAX: usize = 512 * 1024 * 1024;

/// For the workers of the data plane to say who uses them.
const ANSWERING: Duration = Duration::from_secs(1);

/// To say that it leaves; nobody should wait long for that.
const LEAVE: Duration = Duration::from_secs(3);

/// From a failure to the next try, at another one if there is; twice as long each time.
const AGAIN: Duration = Duration::from_millis(250);
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// As much as fits on a line of a log.
const QUOTED_MAX: usize = 200;

/// For so long a node that starts looks for a control plane before it takes the routes on its disk.
const START: Duration = Duration::from_secs(8);

/// The data plane closes sessions meanwhile.
const CONFIRM: Duration = Duration::from_secs(2);

/// A node's end of the link.
pub(super) struct Link {
    http: reqwest::Client,
    controls: Vec<Url>,
    identity: Arc<Identity>,
    run: NodeId,
    /// Which of them is asked.
    at: AtomicU64,
    /// When something was last asked that was answered.
    heard: Mutex<Option<(Instant, Moment)>>,
    /// The newest time that something was asked at.
    asked: Mutex<Duration>,
    /// Nothing older is believed, whoever says it.
    newest: RouteVersion,
}

/// What a question says beside who asks.
struct Says {
    /// The version that all sessions use.
    uses: RouteVersion,
    /// The newest one that there is.
    has: RouteVersion,
    leaves: bool,
    told: Option<Told>,
}

impl Says {
    const fn first() -> Self {
        Self { uses: RouteVersion(0), has: RouteVersion(0), leaves: false, told: None }
    }
}

/// Why asking came to an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Ended {
    /// It was told to stop.
    Stopped,
    /// It was removed, as a control plane said under its seal.
    Removed,
}

impl Link {
    /// Prepares; nothing is asked yet. `newest` is what this node had before.
    ///
    /// # Errors
    /// This machine has no randomness or TLS.
    pub(super) fn new(controls: Vec<Url>, identity: Arc<Identity>, newest: RouteVersion) -> Result<Self, Problem> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("holm/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .read_timeout(SILENT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy();
        // No TLS, no certificates: a small machine may have none.
        let plain = controls.iter().all(|control| control.scheme() == "http");
        let builder = if plain { builder.tls_certs_only([]) } else { builder };
        let http = builder.build().map_err(|error| Problem::new(ErrorCode::InvalidConfig, "HTTP cannot be used here").because(error))?;
        let run = NodeId::from_uuid(Uuid::now_v7());
        Ok(Self { http, controls, identity, run, at: AtomicU64::new(0), heard: Mutex::default(), asked: Mutex::default(), newest })
    }

    /// The first routes, of whichever control plane answers first; none if this node was removed.
    ///
    /// # Errors
    /// [`ErrorCode::ControlUnavailable`] when none does in time; [`ErrorCode::LinkRefused`] when all refuse.
    ///
    /// # Cancel safety
    /// Safe.
    pub(super) async fn first(&self) -> Result<Option<RouteTable>, Problem> {
        let (begun, mut refused) = (Instant::now(), 0);
        loop {
            let problem = match self.ask(Says::first()).await {
                Ok(Answer::Table(table)) => return Ok(Some(table)),
                Ok(Answer::Removed) => return Ok(None),
                // It has read no routes yet itself.
                Ok(Answer::Nothing | Answer::Changes(_) | Answer::Asked { .. }) => unavailable("it has no routes itself yet"),
                Err(problem) => problem,
            };
            // Each once: one of them may have a wrong clock.
            refused += usize::from(problem.code == ErrorCode::LinkRefused);
            if begun.elapsed() >= START || refused >= self.controls.len() {
                return Err(problem);
            }
            sleep(AGAIN).await;
        }
    }

    /// For how long nobody was heard of; since always when nobody ever was.
    pub(super) fn unheard(&self) -> Duration {
        self.heard_at().map_or(Duration::MAX, |(at, _)| at.elapsed())
    }

    /// When somebody was last heard of, by the clocks of this machine.
    pub(super) fn heard(&self) -> Option<Moment> {
        self.heard_at().map(|(_, moment)| moment)
    }

    fn heard_at(&self) -> Option<(Instant, Moment)> {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks, publishes, acknowledges and answers until told to stop, or told that this node was removed.
    pub(super) async fn run(&self, publisher: &Publisher, standing: &Standing, stop: &CancellationToken, answering: &Answering) -> Ended {
        let (mut uses, mut lost, mut again, mut told) = (RouteVersion::default(), false, AGAIN, None);
        'anew: loop {
            let has = publisher.table().version();
            let asking = self.ask(Says { uses, has, leaves: false, told: told.clone() });
            tokio::pin!(asking);
            let answer = loop {
                // All are safe to drop: what was asked is asked again, and says more.
                tokio::select! {
                    () = stop.cancelled() => return Ended::Stopped,
                    confirmed = publisher.acknowledged(has, CONFIRM), if uses < has => {
                        if confirmed.is_ok() {
                            uses = has;
                            continue 'anew;
                        }
                    }
                    answer = &mut asking => break answer,
                }
            };
            match answer {
                Ok(Answer::Removed) => return Ended::Removed,
                Ok(answer) => {
                    told = if let Answer::Asked { round, question } = answer {
                        // Whoever asked gave up long before a data plane that does not say how it is.
                        let text = tokio::time::timeout(ANSWERING, answering(question)).await.ok().flatten();
                        text.filter(|text| text.len() <= TOLD_LENGTH_MAX).map(|text| Told { round, text })
                    } else {
                        take(publisher, answer);
                        None
                    };
                    if std::mem::take(&mut lost) {
                        tracing::info!("a control plane answers again");
                    }
                    standing.with_catalog();
                    again = AGAIN;
                }
                Err(problem) => {
                    if !std::mem::replace(&mut lost, true) {
                        tracing::warn!(code = %problem.code, why = reason(&problem), "no control plane answers; this node goes on with what it knows");
                    }
                    standing.still(problem);
                    tokio::select! {
                        () = stop.cancelled() => return Ended::Stopped,
                        () = sleep(again) => again = AGAIN_MAX.min(again * 2),
                    }
                }
            }
        }
    }

    /// Says that this node has ended its sessions, so that nobody waits for it; if it is not heard, they do for some seconds.
    pub(super) async fn leave(&self, has: RouteVersion) {
        match tokio::time::timeout(LEAVE, self.ask(Says { has, leaves: true, ..Says::first() })).await {
            Ok(Ok(_)) => {}
            Ok(Err(problem)) => tracing::warn!(why = reason(&problem), "no control plane could be told that this node is leaving"),
            Err(_) => tracing::warn!("no control plane could be told in time that this node is leaving"),
        }
    }

    /// Asks one of the control planes; after a failure the next question goes to the next.
    async fn ask(&self, says: Says) -> Result<Answer, Problem> {
        let at = self.at.load(Ordering::Relaxed);
        let answer = self.ask_at(at, says).await;
        if answer.is_err() {
            let _ = self.at.compare_exchange(at, at.wrapping_add(1), Ordering::Relaxed, Ordering::Relaxed);
        }
        answer
    }

    async fn ask_at(&self, at: u64, Says { uses, has, leaves, told }: Says) -> Result<Answer, Problem> {
        let count = u64::try_from(self.controls.len()).expect("a command line is short");
        let control = &self.controls[usize::try_from(at % count).expect("less than there are")];
        let nonce = Nonce(random());
        let begun = (Instant::now(), kept::now());
        let asked = self.later_than_before(begun.1.wall);
        let holm_version = env!("CARGO_PKG_VERSION").to_owned();
        let hello = Hello { run: self.run, asked, nonce, uses, has, leaves, holm_version, told };
        let sent = self.http.post(control.clone()).header("content-type", "application/octet-stream").body(self.seal(&hello)).send();
        let whole = async { read(sent.await?).await };
        let said = tokio::time::timeout(ANSWER, whole).await;
        let said = said.map_err(|_| unavailable(format_args!("{control} has not said all within {} s", ANSWER.as_secs())))?;
        let (status, body) = said.map_err(|error| unavailable(format_args!("{control}: {}", innermost(&error))))?;
        let body = body.ok_or_else(|| foreign(control, "take one of that length"))?;
        if !status.is_success() {
            return Err(unsealed(control, status, &body));
        }
        let mine = self.identity.envelope(has);
        let opened = tokio::task::block_in_place(|| {
            let (_, plain) = bundle::open(&self.identity.pair, &self.identity.sender, &mine, &body).map_err(|error| error.to_string())?;
            Answer::decode(nonce, plain.expose()).map_err(|error| error.to_string())
        });
        let answer = opened.map_err(|error| foreign(control, error))?;
        if let Answer::Table(table) = &answer
            && table.version() < self.newest
        {
            // One that lags behind another; or the catalog was put back, and then a person decides.
            let older = format_args!("go back from route version {} to {}", self.newest, table.version()).to_string();
            return Err(
                foreign(control, older).next("if the catalog was put back: remove `routes` and `seen` from the node's data directory")
            );
        }
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        Ok(answer)
    }

    fn seal(&self, hello: &Hello) -> Vec<u8> {
        let ephemeral = holm_core::secret::Secret::new(random());
        let envelope = self.identity.envelope(RouteVersion::default());
        let sealed = bundle::seal(&self.identity.pair, &self.identity.sender, &ephemeral, &envelope, &hello.encode());
        sealed.expect("the control plane's public key is one that it uses")
    }

    /// Each question is of another moment, whatever the clock does within a microsecond or when it is set.
    fn later_than_before(&self, now: Duration) -> Duration {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        *asked = now.max(*asked + Duration::from_micros(1));
        *asked
    }
}

/// Publishes what an answer brings.
fn take(publisher: &Publisher, answer: Answer) {
    match answer {
        Answer::Table(table) => publisher.publish(table),
        // What does not fit is asked for again.
        Answer::Changes(changes) => drop(changes.apply(&publisher.table()).map(|table| publisher.publish(table))),
        Answer::Nothing | Answer::Removed | Answer::Asked { .. } => {}
    }
}

/// A whole answer, if it has a length that one can have.
async fn read(mut response: reqwest::Response) -> Result<(StatusCode, Option<Vec<u8>>), reqwest::Error> {
    let (status, mut body) = (response.status(), Vec::new());
    while let Some(part) = response.chunk().await? {
        if body.len() + part.len() > ANSWER_LENGTH_MAX {
            return Ok((status, None));
        }
        body.extend_from_slice(&part);
    }
    Ok((status, Some(body)))
}

pub(super) fn removed() -> Problem {
    Problem::new(ErrorCode::NodeRemoved, "this node was removed, and stops")
        .because("somebody said `holm node remove`")
        .next("let it in again, with a new key: `holm node add NAME --key-file FILE`")
}

/// Whoever is on the way may have said it: it ends nothing, and is quoted.
fn unsealed(control: &Url, status: StatusCode, body: &[u8]) -> Problem {
    let said = serde_json::from_slice::<Said<()>>(body).ok().and_then(|said| said.error);
    let said = said.map(|problem| format!("{}: {}", problem.what, problem.why.unwrap_or_default()));
    let said: String = said.unwrap_or_else(|| "not as Holm does".to_owned()).chars().take(QUOTED_MAX).collect();
    let said = format!("{control} answers {}: {}", status.as_u16(), said.escape_debug());
    if status == StatusCode::FORBIDDEN {
        return Problem::new(ErrorCode::LinkRefused, "what this node says is not taken")
            .because(said)
            .next("see which nodes were let in: `holm node keys`");
    }
    unavailable(said)
}

fn unavailable(why: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::ControlUnavailable, "no control plane answers this node")
        .because(why)
        .next("see whether one runs, and whether this machine may reach it: `--control URL`")
}

fn foreign(control: &Url, error: impl std::fmt::Display) -> Problem {
    unavailable(format_args!("{control} gave an answer that is none: refused to {error}"))
}

/// Without the layers that repeat it.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
