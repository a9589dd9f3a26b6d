//! What came of a test, and running a program with a deadline.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context as _;

/// How often one looks whether a program has ended.
const LOOK: Duration = Duration::from_millis(2);

/// What came of one test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Whether the test itself says that all is well.
    pub(crate) passed: bool,
    /// What is compared, line by line.
    pub(crate) text: String,
}

/// By the names of the tests.
pub(crate) type Outcomes = BTreeMap<String, Outcome>;

/// Runs a program to its end, both its outputs into one file; says whether it succeeded. One that is not done in time is
/// killed, which the file then says.
pub(crate) fn run(command: &mut Command, output: &Path, most: Duration) -> anyhow::Result<bool> {
    fs::create_dir_all(output.parent().context("a file in a directory")?)?;
    let file = File::create(output).with_context(|| output.display().to_string())?;
    let mut child = command.stdout(file.try_clone()?).stderr(file).spawn().with_context(|| format!("start {command:?}"))?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.success());
        }
        if begun.elapsed() > most {
            child.kill()?;
            child.wait()?;
            let mut all = fs::read(output)?;
            all.extend_from_slice(format!("\n(killed after {} s)\n", most.as_secs()).as_bytes());
            fs::write(output, all)?;
            return Ok(false);
        }
        thread::sleep(LOOK);
    }
}

/// What a program says to standard output, which must be that it succeeded.
pub(crate) fn ask(command: &mut Command) -> anyhow::Result<String> {
    let said = command.stderr(Stdio::inherit()).output().with_context(|| format!("start {command:?}"))?;
    anyhow::ensure!(said.status.success(), "{command:?} failed");
    Ok(String::from_utf8(said.stdout)?)
}
