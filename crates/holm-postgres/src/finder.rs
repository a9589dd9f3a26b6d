//! Finds a PostgreSQL: the one that was named, one on this machine, one fetched earlier, or one that it fetches now.
//!
//! Promises: the first that can be used wins, in the order of [`Finder::find`]; a broken or incomplete one is passed over and
//! named in the error if nothing else is found. Refuses to install anything: what is fetched lies in Holm's own cache.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};

use crate::advice::Machine;
use crate::apt::Apt;
use crate::archive::Archive;
use crate::cache::{self, Locked};
use crate::distribution;
use crate::installation::{Installation, Source, Unusable};
use crate::roots::Roots;
use crate::run::output_within;
use crate::server::data_major;
use crate::version::{MAJOR_MAX, MAJOR_MIN};

/// Where and how to look.
#[derive(Clone, Debug)]
pub struct Finder {
    /// The directory of programs to use and no other; `HOLM_PG_BIN`.
    pub explicit: Option<PathBuf>,
    /// Where fetched installations are kept; the account that runs servers must be able to read it.
    pub cache: PathBuf,
    /// Where to look on this machine.
    pub roots: Roots,
    /// Whether anything may be fetched.
    pub network: bool,
    /// The archive to fetch when nothing else is there.
    pub archive: Option<Archive>,
}

/// What a search wants and what it has seen.
struct Search<'a> {
    finder: &'a Finder,
    major: Option<u16>,
    tried: Vec<String>,
}

impl Finder {
    /// The finder as the environment configures it: `HOLM_PG_BIN`, `HOLM_PG_ROOTS` (see [`Roots`]), `HOLM_PG_CACHE`,
    /// `HOLM_PG_OFFLINE` (set: fetch nothing), and the variables of [`Archive::from_env`].
    pub fn from_env() -> Self {
        Self {
            explicit: std::env::var_os("HOLM_PG_BIN").map(PathBuf::from),
            cache: std::env::var_os("HOLM_PG_CACHE").map_or_else(crate::account::cache_root, PathBuf::from),
            roots: Roots::from_env(),
            network: std::env::var_os("HOLM_PG_OFFLINE").is_none(),
            archive: Archive::from_env(),
        }
    }

    /// The first PostgreSQL that can be used: the explicit one and no other; `PATH`; `pg_config`; the usual places, newest
    /// first; the cache; an archive that a person named and nothing after that; the distribution's packages; the pinned archive.
    /// Blocks, and up to minutes when it fetches.
    ///
    /// # Errors
    /// [`ErrorCode::PostgresNotFound`] with everything that was tried and the command that installs one.
    pub fn find(&self) -> Result<Installation, Problem> {
        Search { finder: self, major: None, tried: Vec::new() }.run()
    }

    /// As [`Self::find`], but one that can run a data directory, if that exists: of the same major version.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_for(&self, data: &Path) -> Result<Installation, Problem> {
        Search { finder: self, major: data_major(data), tried: Vec::new() }.run()
    }
}

impl Search<'_> {
    fn run(mut self) -> Result<Installation, Problem> {
        if let Some(bin) = &self.finder.explicit {
            return Installation::examine(bin, Source::Explicit, None).map_err(|why| refuse_explicit(bin, &why));
        }
        for group in [self.in_path(), self.by_pg_config(), self.in_usual_places()] {
            if let Some(found) = self.newest(group) {
                return Ok(found);
            }
        }
        self.tried.push(self.places());
        self.in_cache(Source::Cache).or_else(|| self.fetch()).ok_or_else(|| self.refuse())
    }

    fn in_path(&self) -> Vec<(PathBuf, Source)> {
        self.finder.roots.in_path("postgres").into_iter().map(|bin| (bin, Source::Path)).collect()
    }

    fn by_pg_config(&self) -> Vec<(PathBuf, Source)> {
        let ask = |directory: PathBuf| {
            let output = output_within(Command::new(directory.join("pg_config")).arg("--bindir"), Duration::from_secs(5)).ok()?;
            let bin = String::from_utf8(output.stdout).ok()?;
            Some((PathBuf::from(bin.trim()), Source::PgConfig)).filter(|(bin, _)| bin.is_absolute())
        };
        self.finder.roots.in_path("pg_config").into_iter().filter_map(ask).collect()
    }

    fn in_usual_places(&self) -> Vec<(PathBuf, Source)> {
        self.finder.roots.existing().into_iter().map(|bin| (bin.clone(), Source::Usual(bin))).collect()
    }

    fn in_cache(&mut self, source: Source) -> Option<Installation> {
        let bins = cache::program_directories(&self.finder.cache);
        self.newest(bins.into_iter().map(|bin| (bin, source.clone())).collect())
    }

    /// The newest usable one of a group; says of the others why not, unless there is simply nothing there.
    fn newest(&mut self, group: Vec<(PathBuf, Source)>) -> Option<Installation> {
        let mut usable = Vec::new();
        for (bin, source) in group {
            let libraries = cache::library_path(&self.finder.cache, &bin);
            match Installation::examine(&bin, source, libraries) {
                Ok(found) if self.major.is_none_or(|major| found.version.major == major) => usable.push(found),
                Ok(found) => self.tried.push(format!("`{}`: version {}", bin.display(), found.version)),
                Err(Unusable::Absent) => {}
                Err(why) => self.tried.push(format!("`{}`: {why}", bin.display())),
            }
        }
        usable.into_iter().max_by_key(|found| found.version)
    }

    fn fetch(&mut self) -> Option<Installation> {
        if !self.finder.network {
            self.tried.push("nothing was fetched, since `HOLM_PG_OFFLINE` or the caller forbids it".to_owned());
            return None;
        }
        let finder = self.finder;
        let locked = match cache::lock(&finder.cache) {
            Ok(locked) => locked,
            Err(error) => {
                self.tried.push(format!("nothing can be fetched into `{}`: {error}", finder.cache.display()));
                return None;
            }
        };
        // Another process may have fetched it while we waited for the lock.
        if let Some(found) = self.in_cache(Source::Cache) {
            return Some(found);
        }
        match &finder.archive {
            // Whoever names an archive wants that one, and must hear when it is not what they think it is.
            Some(archive) if archive.named => self.fetch_archive(&locked, archive),
            archive => self.fetch_packages(&locked).or_else(|| self.fetch_archive(&locked, archive.as_ref()?)),
        }
    }

    fn fetch_packages(&mut self, cache: &Locked<'_>) -> Option<Installation> {
        if !Apt::is_here() {
            return None;
        }
        let fetched = distribution::fetch(cache, self.major);
        self.usable("the distribution's packages", Source::Distribution, fetched)
    }

    fn fetch_archive(&mut self, cache: &Locked<'_>, archive: &Archive) -> Option<Installation> {
        if archive.major.is_some() && self.major.is_some() && archive.major != self.major {
            return None;
        }
        let fetched = archive.fetch(cache);
        self.usable(&format!("the archive `{}`", archive.location), Source::Archive, fetched)
    }

    fn usable(&mut self, what: &str, source: Source, fetched: Result<PathBuf, String>) -> Option<Installation> {
        let examined = fetched.and_then(|bin| {
            let libraries = cache::library_path(&self.finder.cache, &bin);
            Installation::examine(&bin, source, libraries).map_err(|why| format!("`{}`: {why}", bin.display()))
        });
        examined.map_err(|why| self.tried.push(format!("{what}: {why}"))).ok()
    }

    /// The places that were looked at, for the error.
    fn places(&self) -> String {
        let roots = &self.finder.roots;
        let named = roots.path.iter().flat_map(|_| ["`PATH`".to_owned(), "`pg_config`".to_owned()]);
        let usual = roots.usual.iter().map(|place| format!("`{}`", place.display()));
        let places: Vec<String> = named.chain(usual).chain([format!("`{}`", self.finder.cache.display())]).collect();
        format!("none in {}", places.join(", "))
    }

    fn refuse(&self) -> Problem {
        let what = match self.major {
            Some(major) => format!("no PostgreSQL {major}, which made the data directory, was found"),
            None => format!("no PostgreSQL {MAJOR_MIN} to {MAJOR_MAX} was found"),
        };
        advised(Problem::new(ErrorCode::PostgresNotFound, what).because(self.tried.join("; ")))
    }
}

fn refuse_explicit(bin: &Path, why: &Unusable) -> Problem {
    let what = format!("no PostgreSQL that Holm can use is in `{}`", bin.display());
    advised(Problem::new(ErrorCode::PostgresNotFound, what).because(why))
}

fn advised(problem: Problem) -> Problem {
    let problem = match Machine::here().install_command() {
        Some(command) => problem.next(command),
        None => problem.next(format!("install PostgreSQL {MAJOR_MIN} to {MAJOR_MAX}")),
    };
    problem.next("or set HOLM_PG_BIN to the directory of PostgreSQL's programs")
}
