//! What to run, and how long and often.

use std::path::PathBuf;
use std::time::Duration;

use crate::peers::PGBOUNCER;

pub(crate) struct Plan {
    pub(crate) workloads: Vec<String>,
    pub(crate) run: Duration,
    pub(crate) rounds: usize,
    pub(crate) clients: Vec<u32>,
    pub(crate) protocols: Vec<String>,
    pub(crate) tenants: Vec<usize>,
    /// Beginnings of the names of targets.
    targets: Vec<String>,
    pub(crate) pgbouncer: PathBuf,
}

impl Plan {
    pub(crate) fn from_args(args: &[String]) -> Self {
        let value = |name: &str, default: &str| {
            let at = args.iter().position(|arg| arg == name);
            at.and_then(|at| args.get(at + 1)).map_or_else(|| default.to_owned(), Clone::clone)
        };
        let numbers = |name: &str, default: &str| -> Vec<u32> {
            value(name, default).split(',').map(|number| number.parse().unwrap_or_else(|_| panic!("{name} is numbers"))).collect()
        };
        Self {
            // What Cargo itself adds begins with a dash.
            workloads: args.iter().skip(1).take_while(|arg| !arg.starts_with('-')).cloned().collect(),
            run: Duration::from_secs(value("--seconds", "2").parse().expect("--seconds is a number")),
            rounds: value("--rounds", "3").parse().expect("--rounds is a number"),
            clients: numbers("--clients", "1,16,64"),
            protocols: value("--protocols", "simple,extended,prepared").split(',').map(str::to_owned).collect(),
            tenants: numbers("--tenants", "1000").into_iter().map(|number| number as usize).collect(),
            targets: value("--targets", "direct,holm,pgbouncer").split(',').map(str::to_owned).collect(),
            pgbouncer: value("--pgbouncer", PGBOUNCER).into(),
        }
    }

    /// Whether a target takes part.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.targets.iter().any(|target| name.starts_with(target.as_str()))
    }
}
