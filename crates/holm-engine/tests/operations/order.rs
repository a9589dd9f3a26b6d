//! What is done to an operation at a position, written to files so that every process that carries it out obeys.
//!
//! An order is given once: it is renamed to `<position>.met-<pid>` before it is carried out, which is also the proof that
//! the position was reached.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::OperationId;
use holm_engine::operation::probe::{Direction, Moment, Position, Probe, Verdict};
use rustix::process::{Signal, getpid, kill_process};

/// A place in an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) step: usize,
    pub(crate) direction: Direction,
    pub(crate) moment: Moment,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}-{}-{:?}", self.direction, self.step, self.moment)
    }
}

/// What is done there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Order {
    /// The step is done once more.
    Repeat,
    /// It fails for good, whenever it is tried.
    Refuse,
    /// It fails this often, and as if for good.
    Fail(u32),
    /// It fails this often, in a way that may pass.
    Stumble(u32),
    /// The process kills itself.
    Kill,
    /// The process stops itself.
    Stop,
    /// The runner stands there until the gate is opened.
    Hold,
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Repeat => f.write_str("repeat 1"),
            Self::Refuse => f.write_str("refuse 1"),
            Self::Fail(times) => write!(f, "fail {times}"),
            Self::Stumble(times) => write!(f, "stumble {times}"),
            Self::Kill => f.write_str("kill 1"),
            Self::Stop => f.write_str("stop 1"),
            Self::Hold => f.write_str("hold 1"),
        }
    }
}

impl FromStr for Order {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, times) = text.split_once(' ').ok_or(())?;
        let times = times.parse().map_err(drop)?;
        match word {
            "repeat" => Ok(Self::Repeat),
            "refuse" => Ok(Self::Refuse),
            "fail" => Ok(Self::Fail(times)),
            "stumble" => Ok(Self::Stumble(times)),
            "kill" => Ok(Self::Kill),
            "stop" => Ok(Self::Stop),
            "hold" => Ok(Self::Hold),
            _ => Err(()),
        }
    }
}

/// Writes an order down for whichever process gets there.
pub(crate) fn give(directory: &Path, operation: OperationId, place: Place, order: Order) {
    let directory = directory.join(operation.to_string());
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(place.to_string()), order.to_string()).unwrap();
}

/// The process that met an order at a place, if one did.
pub(crate) fn met(directory: &Path, operation: OperationId, place: Place) -> Option<u32> {
    let prefix = format!("{place}.met-");
    let entries = fs::read_dir(directory.join(operation.to_string())).ok()?;
    entries.flatten().find_map(|entry| entry.file_name().to_str()?.strip_prefix(&prefix)?.parse().ok())
}

/// Lets a process go on that stopped itself at a place, once it is continued.
pub(crate) fn let_go(directory: &Path, operation: OperationId, place: Place) {
    fs::write(directory.join(operation.to_string()).join(format!("{place}.let-go")), "").unwrap();
}

/// Whether a stopped process went on.
pub(crate) fn woke(directory: &Path, operation: OperationId, place: Place) -> bool {
    directory.join(operation.to_string()).join(format!("{place}.woke")).exists()
}

/// Where runners stand until a test lets them go on.
#[derive(Default)]
pub(crate) struct Gate {
    /// How many have come, and how many of them may go on.
    standing: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Gate {
    /// Stands there.
    pub(crate) fn stand(&self) {
        let mut standing = self.standing.lock().unwrap();
        standing.0 += 1;
        let nth = standing.0;
        while nth > standing.1 {
            standing = self.changed.wait(standing).unwrap();
        }
    }

    /// How many have come so far.
    pub(crate) fn arrived(&self) -> usize {
        self.standing.lock().unwrap().0
    }

    /// Lets everyone go on who has come so far.
    pub(crate) fn open(&self) {
        let mut standing = self.standing.lock().unwrap();
        standing.1 = standing.0;
        self.changed.notify_all();
    }
}

/// Obeys orders.
pub(crate) struct Obedience {
    directory: PathBuf,
    gate: Arc<Gate>,
}

impl Obedience {
    pub(crate) fn new(directory: PathBuf, gate: Arc<Gate>) -> Self {
        Self { directory, gate }
    }
}

impl Probe for Obedience {
    fn at(&self, position: Position<'_>) -> Verdict {
        let place = Place { step: position.step, direction: position.direction, moment: position.moment };
        let directory = self.directory.join(position.operation.to_string());
        let path = directory.join(place.to_string());
        let Some(order) = fs::read_to_string(&path).ok().and_then(|text| text.parse::<Order>().ok()) else { return Verdict::Go };
        let done = directory.join(format!("{place}.met-{}", std::process::id()));
        let problem = || Problem::new(ErrorCode::Internal, format!("failed on purpose at {place}"));
        match order {
            // A runner that loses its lease before it could say so leaves this to the next.
            Order::Refuse => fs::write(&done, "").unwrap(),
            Order::Fail(times) | Order::Stumble(times) if times > 1 => {
                let fewer = if matches!(order, Order::Fail(_)) { Order::Fail(times - 1) } else { Order::Stumble(times - 1) };
                fs::write(&path, fewer.to_string()).unwrap();
            }
            // Another process may have been here at the same moment.
            _ if fs::rename(&path, &done).is_err() => return Verdict::Go,
            _ => {}
        }
        match order {
            Order::Repeat => Verdict::Repeat,
            Order::Refuse | Order::Fail(_) => Verdict::FailForGood(problem()),
            Order::Stumble(_) => Verdict::Fail(problem()),
            Order::Kill => {
                kill_process(getpid(), Signal::KILL).unwrap();
                unreachable!("nobody survives that")
            }
            Order::Stop => {
                kill_process(getpid(), Signal::STOP).unwrap();
                // A signal to the process is taken by its main thread, a moment later (signal(7)): without being let, this one could go
                // on before the process stands, and be in time.
                let let_go = directory.join(format!("{place}.let-go"));
                while !let_go.exists() {
                    std::thread::sleep(Duration::from_millis(1));
                }
                fs::write(directory.join(format!("{place}.woke")), "").unwrap();
                Verdict::Go
            }
            Order::Hold => {
                // Tasks that wait for this thread go on on another one.
                tokio::task::block_in_place(|| self.gate.stand());
                Verdict::Go
            }
        }
    }
}
