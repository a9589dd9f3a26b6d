//! PostgreSQL's regression tests, each by psql, in the order of `parallel_schedule` but one after the other.
//!
//! The outputs of the runs are compared with each other and not with what PostgreSQL expects: the servers are of the system, with
//! its settings, and a test that fails in the same way in both says as much of what is between as one that does not. The
//! runs have servers of their own, so that even numbers that are counted up are the same.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::Context as _;

use crate::Told;
use crate::access::Way;
use crate::outcome::{Outcome, Outcomes, run as run_program};
use crate::served::{PASSWORD, Served};

/// The slowest takes ten seconds.
const PATIENCE: Duration = Duration::from_secs(300);
const DATABASE: &str = "regression";
/// Of the server. Which rows a vacuum at some time makes room for is seen in the order of later ones.
const SERVER: [&str; 2] = ["max_prepared_transactions=2", "autovacuum=off"];
/// As `pg_regress` sets them for its database.
const SETTINGS: [&str; 6] = [
    "lc_messages TO 'C'",
    "lc_monetary TO 'C'",
    "lc_numeric TO 'C'",
    "lc_time TO 'C'",
    "bytea_output TO 'hex'",
    "timezone_abbreviations TO 'Default'",
];

pub(crate) fn run(told: &Told, way: Way) -> anyhow::Result<Outcomes> {
    let source = told.source.as_deref().context("`--source` says where `src/test/regress` of PostgreSQL is")?;
    let schedule = fs::read_to_string(source.join("parallel_schedule")).context("parallel_schedule")?;
    let served = Served::start(way, "suite", DATABASE, &SERVER)?;
    for setting in SETTINGS {
        served.psql(&["-c", &format!("ALTER DATABASE {DATABASE} SET {setting}")])?;
    }
    // One place for all runs, since it is in their outputs. The server writes there, too, under an account of its own that need
    // not get to where this was built.
    let shared = std::env::temp_dir().join(format!("holm-suites-{}", std::process::id()));
    let results = shared.join("results");
    fs::create_dir_all(&results)?;
    fs::set_permissions(&results, fs::Permissions::from_mode(0o777))?;
    let library = told.programs.first().map_or(shared.as_path(), |built| built.parent().unwrap_or(built));
    let mut outcomes = Outcomes::new();
    for test in schedule.lines().filter_map(|line| line.strip_prefix("test:")).flat_map(str::split_whitespace) {
        if !told.wants(test) {
            continue;
        }
        let output = told.out.join(way.to_string()).join(format!("{test}.out"));
        let mut command = psql(&served, test);
        command.env("PG_ABS_SRCDIR", source).env("PG_ABS_BUILDDIR", &shared).env("PG_LIBDIR", library).current_dir(source);
        command.stdin(fs::File::open(source.join("sql").join(format!("{test}.sql"))).with_context(|| test.to_owned())?);
        let ended = run_program(&mut command, &output, PATIENCE)?;
        let text = String::from_utf8_lossy(&fs::read(&output)?).into_owned();
        outcomes.insert(test.to_owned(), Outcome { passed: true, text: format!("ended well: {ended}\n{text}") });
    }
    fs::remove_dir_all(&shared)?;
    Ok(outcomes)
}

/// As `pg_regress` starts it.
fn psql(served: &Served, test: &str) -> Command {
    let mut command = Command::new("psql");
    command.args(["-X", "-a", "-q", "-d", DATABASE, "-v", "HIDE_TABLEAM=on", "-v", "HIDE_TOAST_COMPRESSION=on"]);
    command.env("PGHOST", &served.way.host).env("PGPORT", &served.way.port).env("PGUSER", "suite").env("PGPASSWORD", PASSWORD);
    command.env("PGAPPNAME", format!("pg_regress/{test}")).env("PG_DLSUFFIX", ".so");
    command.env("PGTZ", "America/Los_Angeles").env("PGDATESTYLE", "Postgres, MDY");
    command.env("PGOPTIONS", "-c intervalstyle=postgres_verbose").env("LC_MESSAGES", "C");
    for inherited in ["LANG", "LANGUAGE", "LC_ALL", "LC_COLLATE", "LC_CTYPE", "LC_MONETARY", "LC_NUMERIC", "LC_TIME", "PGSSLMODE"] {
        command.env_remove(inherited);
    }
    command
}
