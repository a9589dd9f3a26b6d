//! PostgreSQL's tests of libpq's pipeline mode: one program that is told the name of a test and where to connect.
//!
//! Compared are how it ended, what it said, and the messages of each direction as libpq saw them. How those of one direction
//! fall between those of the other is a matter of time, so that each direction is compared by itself.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::Told;
use crate::access::Way;
use crate::outcome::{Outcome, Outcomes, ask, run as run_program};
use crate::served::Served;

/// Those that send until an answer comes: how many messages there are is a matter of time, too. PostgreSQL compares no trace of
/// them either.
const UNTRACED: [&str; 2] = ["pipelined_insert", "uniqviol"];
/// The slowest takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(told: &Told, way: Way) -> anyhow::Result<Outcomes> {
    let program = told.programs.first().context("`--program` says where the built `libpq_pipeline` is")?;
    let served = Served::start(way, "suite", "pipeline", &[])?;
    let out = told.out.join(way.to_string());
    let mut outcomes = Outcomes::new();
    for test in ask(Command::new(program).arg("tests"))?.lines().filter(|test| told.wants(test)) {
        let (said, trace) = (out.join(format!("{test}.out")), out.join(format!("{test}.trace")));
        let mut command = Command::new(program);
        let passed = run_program(command.arg("-t").arg(&trace).args([test, &served.way.url]), &said, PATIENCE)?;
        let text = match UNTRACED.contains(&test) {
            true => String::new(),
            false => fs::read_to_string(&said)? + &by_direction(&fs::read_to_string(&trace)?),
        };
        outcomes.insert(test.to_owned(), Outcome { passed, text: format!("passed: {passed}\n{text}") });
    }
    Ok(outcomes)
}

/// A trace with all that was sent before all that was received.
fn by_direction(trace: &str) -> String {
    let (sent, received): (Vec<&str>, Vec<&str>) = trace.lines().partition(|line| line.starts_with('F'));
    [sent, received].concat().join("\n")
}
