//! The files of a PgBouncer configuration, read from the disk: what they include, and nothing else.
//!
//! Promises: bounded in bytes and in depth, whatever is included; a circle of includes is refused with its way. A path that
//! is not absolute counts from the working directory, as in PgBouncer. Refuses what is no text.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use holm_core::error::{ErrorCode, Problem};

use super::config::{Config, Place, Reading};
use super::ini::{self, Item};
use super::owners::Owners;
use super::userlist::{self, Proof};

/// All files together: 100,000 databases in lines of 160 bytes.
const BYTES_MAX: u64 = 16 * 1024 * 1024;

/// PgBouncer follows as many, one in the other.
const DEPTH_MAX: usize = 10;

/// Reads a configuration with all that it includes.
///
/// # Errors
/// A file cannot be read or is not understood; what it is and where stands in it.
pub(crate) fn config(path: &Path) -> Result<Config, Problem> {
    let mut files = Files { reading: Reading::default(), left: BYTES_MAX, open: Vec::new() };
    files.take(path, None)?;
    Ok(files.reading.done())
}

/// Reads the users of an `auth_file`, by name.
///
/// # Errors
/// It cannot be read or is not understood.
pub(crate) fn users(path: &Path) -> Result<HashMap<String, Proof>, Problem> {
    let text = text(path, &mut BYTES_MAX.clone())?;
    let listed = userlist::read(&text);
    let listed = listed.map_err(|broken| not_understood(format!("{}:{}", path.display(), broken.line), broken.why))?;
    Ok(listed.into_iter().map(|listed| (listed.name, listed.proof)).collect())
}

/// Reads who owns the databases.
///
/// # Errors
/// It cannot be read or is not understood.
pub(crate) fn owners(path: &Path) -> Result<Owners, Problem> {
    let text = text(path, &mut BYTES_MAX.clone())?;
    Owners::read(&text).map_err(|wrong| {
        not_understood(format!("{}:{}", path.display(), wrong.0), "a line is `host:port:database:role:password`")
            .next("write `\\:` for a colon and `\\\\` for a backslash in a field")
    })
}

struct Files {
    reading: Reading,
    left: u64,
    /// Those that are being read, each included by the one before it.
    open: Vec<PathBuf>,
}

impl Files {
    fn take(&mut self, path: &Path, from: Option<&Place>) -> Result<(), Problem> {
        let text = text(path, &mut self.left).map_err(|problem| match from {
            Some(place) => problem.next(format!("it is included at {place}; paths count from the working directory, as in PgBouncer")),
            None => problem,
        })?;
        self.enter(path)?;
        let file = path.display().to_string();
        let lines = ini::read(&text).map_err(|malformed| not_understood(format!("{file}:{}", malformed.line), malformed.why))?;
        for line in lines {
            let place = Place { file: file.clone(), line: line.number };
            match line.item {
                Item::Include(path) => self.take(Path::new(&path), Some(&place))?,
                item => self.reading.take(item, place).map_err(|wrong| not_understood(wrong.place.to_string(), &wrong.why))?,
            }
        }
        self.open.pop();
        Ok(())
    }

    fn enter(&mut self, path: &Path) -> Result<(), Problem> {
        let real = path.canonicalize().map_err(|error| unreadable(path, &error))?;
        if self.open.contains(&real) {
            let way: Vec<String> = self.open.iter().chain([&real]).map(|path| path.display().to_string()).collect();
            return Err(not_read(path, "it includes itself").because(way.join(" includes ")));
        }
        if self.open.len() > DEPTH_MAX {
            return Err(
                not_read(path, "it is included too deep").because(format!("PgBouncer follows {DEPTH_MAX} includes, one in the other"))
            );
        }
        self.open.push(real);
        Ok(())
    }
}

/// The text of a file that is not larger than what is left.
fn text(path: &Path, left: &mut u64) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    // A directory can be opened, and only reading says that it is one.
    let read = std::fs::File::open(path).and_then(|file| file.take(*left + 1).read_to_end(&mut bytes));
    read.map_err(|error| unreadable(path, &error))?;
    let length = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    *left = left.checked_sub(length).ok_or_else(|| {
        not_read(path, "it is too large").because(format!("the files of a configuration may have {} MiB together", BYTES_MAX / 1024 / 1024))
    })?;
    let text = String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
        not_understood(format!("{}:{line}", path.display()), "it is not UTF-8").next("write it as UTF-8")
    })?;
    match text.split_once('\0') {
        None => Ok(text),
        Some((before, _)) => {
            Err(not_understood(format!("{}:{}", path.display(), before.matches('\n').count() + 1), "it has a zero byte and is no text"))
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    not_read(path, "it cannot be opened").because(error)
}

fn not_read(path: &Path, what: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("`{}` is not read: {what}", path.display()))
}

fn not_understood(place: String, why: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("what stands at {place} is not understood")).because(why)
}
