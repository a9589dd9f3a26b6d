//! The suites of drivers in Rust: test programs that are asked for their tests, and then run once for each.
//!
//! Compared is whether a test passes; what it said is kept for whoever reads of one that does not.

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::Told;
use crate::access::Way;
use crate::door;
use crate::outcome::{Outcome, Outcomes, ask, run as run_program};
use crate::served::Served;

/// The slowest copies 1 GB, which takes some 20 s; one that waits for what does not come waits so long.
const PATIENCE: Duration = Duration::from_secs(180);

/// tokio-postgres and its blocking sister: they want a server at port 5433 that lets `postgres` in without a password, which they
/// have at the door.
pub(crate) fn tokio_postgres(told: &Told, way: Way) -> anyhow::Result<Outcomes> {
    let served = Served::start(way, "postgres,pass_user,md5_user,scram_user", "drivers", &[])?;
    for extension in ["hstore", "citext", "ltree"] {
        served.psql(&["-c", &format!("CREATE EXTENSION {extension}")])?;
    }
    fs::create_dir_all(&told.out)?;
    let path = told.out.join("door");
    let _ = fs::remove_file(&path);
    door::keep(UnixListener::bind(&path).with_context(|| path.display().to_string())?, served.way.clone());
    each(told, way, |program| door::command(&path, program))
}

/// sqlx: told by `DATABASE_URL`, in its own directory, on a database with its tables.
pub(crate) fn sqlx(told: &Told, way: Way) -> anyhow::Result<Outcomes> {
    let source = told.source.as_deref().context("`--source` says where sqlx is")?;
    let served = Served::start(way, "postgres", "sqlx", &[])?;
    let setup = source.join("tests/postgres/setup.sql");
    served.psql(&["-f", setup.to_str().context("a path in UTF-8")?])?;
    each(told, way, |program| {
        let mut command = Command::new(program);
        command.env("DATABASE_URL", &served.way.url).env("SQLX_OFFLINE_DIR", ".sqlx").current_dir(source);
        command
    })
}

fn each(told: &Told, way: Way, command: impl Fn(&Path) -> Command) -> anyhow::Result<Outcomes> {
    ensure!(!told.programs.is_empty(), "`--program` says where a built test program is, once for each");
    let mut outcomes = Outcomes::new();
    for program in &told.programs {
        let list = ask(command(program).args(["--list", "--format", "terse"]))?;
        for test in list.lines().filter_map(|line| line.strip_suffix(": test")) {
            let name = format!("{}::{test}", stem(program));
            if !told.wants(&name) {
                continue;
            }
            let output = told.out.join(way.to_string()).join(name.replace("::", "_"));
            let passed = run_program(command(program).args(["--exact", test, "--test-threads", "1"]), &output, PATIENCE)?;
            outcomes.insert(name, Outcome { passed, text: format!("passed: {passed}") });
        }
    }
    Ok(outcomes)
}

/// The name of a test program without what the compiler adds to it.
fn stem(program: &Path) -> String {
    let name = program.file_name().unwrap_or_default().to_string_lossy();
    name.rsplit_once('-').map_or(&*name, |(stem, _)| stem).to_owned()
}
