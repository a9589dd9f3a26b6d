//! PostgreSQL's client programs that Holm runs: `pg_dump` and `pg_restore`.
//!
//! Promises: looked for where they were said to be and nowhere else, so that the version is known. Whoever needs them and
//! has none is told how to name them.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use holm_core::error::{ErrorCode, Problem};

/// The programs of one PostgreSQL installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Programs {
    /// Their directory.
    pub directory: PathBuf,
    /// Directories with libraries that the system lacks, as `LD_LIBRARY_PATH` takes them.
    pub library_path: Option<OsString>,
}

/// Both are needed to copy a database.
const NEEDED: [&str; 2] = ["pg_dump", "pg_restore"];

impl Programs {
    /// Those of a directory that needs nothing else.
    pub fn new(directory: impl Into<PathBuf>) -> Self {
        Self { directory: directory.into(), library_path: None }
    }

    /// Where one is.
    pub(crate) fn path(&self, program: &str) -> PathBuf {
        self.directory.join(program)
    }
}

/// The programs, if they are there.
///
/// # Errors
/// [`ErrorCode::ProgramsNotFound`], with what is missing where.
pub(crate) fn found(programs: Option<&Programs>) -> Result<&Programs, Problem> {
    let Some(programs) = programs else { return Err(missing("Holm was not told where they are")) };
    match NEEDED.iter().find(|program| !programs.path(program).is_file()) {
        Some(program) => Err(missing(&format!("there is no `{program}` in `{}`", shown(&programs.directory)))),
        None => Ok(programs),
    }
}

fn shown(directory: &Path) -> String {
    directory.display().to_string()
}

fn missing(why: &str) -> Problem {
    Problem::new(ErrorCode::ProgramsNotFound, "a database is copied by `pg_dump` and `pg_restore`, which are not there").because(why).next(
        "install PostgreSQL's client programs where Holm runs, of the version of its servers or newer; `holm dev` finds them by itself",
    )
}
