//! Debian's package downloader, pointed at directories of our own.
//!
//! Promises: it works as root and as an ordinary user, and neither reads what dpkg believes to be installed nor changes
//! anything of the system: lists, cache and status are private, and the hooks that a system runs after an update are off.
//! The system's sources, keys and proxy settings apply.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use crate::directory;
use crate::run::{last_words, output_within};

/// For one run of apt over a slow line: the lists have some 10 MB, the packages 20 to 50 MB.
const DOWNLOAD_DEADLINE: Duration = Duration::from_secs(300);
/// For reading lists and unpacking.
const LOCAL_DEADLINE: Duration = Duration::from_secs(60);

/// apt with directories of its own.
pub(crate) struct Apt {
    configuration: PathBuf,
    downloads: PathBuf,
}

impl Apt {
    /// Whether this system has apt and dpkg.
    pub(crate) fn is_here() -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        ["apt-get", "apt-cache", "dpkg-deb"]
            .iter()
            .all(|program| std::env::split_paths(&path).any(|directory| directory.join(program).is_file()))
    }

    /// Makes the private directories in `work`.
    pub(crate) fn prepare(work: &Path) -> io::Result<Self> {
        for name in ["state", "lists", "lists/partial", "archives", "archives/partial", "downloads"] {
            directory::create_open(&work.join(name))?;
        }
        fs::write(work.join("status"), "")?;
        let configuration = work.join("apt.conf");
        fs::write(&configuration, settings(work))?;
        Ok(Self { configuration, downloads: work.join("downloads") })
    }

    /// Downloads the package lists and returns apt's complaints: lists that it cannot get are no failure to apt, and need not
    /// be one to us, when the others have what is wanted.
    pub(crate) fn update(&self) -> Result<String, String> {
        let output = self.run("apt-get", &["update"], DOWNLOAD_DEADLINE)?;
        Ok(if output.stderr.is_empty() { String::new() } else { last_words(&output) })
    }

    /// The versions that apt would install of those packages, in the order asked; packages that it does not know are left out.
    pub(crate) fn candidates(&self, packages: &[String]) -> Result<Vec<(String, String)>, String> {
        let arguments: Vec<&str> = ["policy"].into_iter().chain(packages.iter().map(String::as_str)).collect();
        let policy = self.run("apt-cache", &arguments, LOCAL_DEADLINE)?;
        let found = candidates_in(&String::from_utf8_lossy(&policy.stdout));
        Ok(packages.iter().filter_map(|package| found.iter().find(|(name, _)| name == package).cloned()).collect())
    }

    /// The packages with shared libraries that those packages need, directly or not.
    pub(crate) fn libraries_below(&self, packages: &[&str]) -> Result<BTreeSet<String>, String> {
        let only = ["--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks", "--no-replaces", "--no-enhances"];
        let arguments: Vec<&str> = ["depends", "--recurse"].into_iter().chain(only).chain(packages.iter().copied()).collect();
        let depends = self.run("apt-cache", &arguments, LOCAL_DEADLINE)?;
        Ok(libraries_in(&String::from_utf8_lossy(&depends.stdout)))
    }

    /// Downloads packages, checked by apt against the signed lists, and unpacks them into `tree`.
    pub(crate) fn unpack(&self, packages: &[&str], tree: &Path) -> Result<(), String> {
        let arguments: Vec<&str> = ["download"].into_iter().chain(packages.iter().copied()).collect();
        self.run("apt-get", &arguments, DOWNLOAD_DEADLINE)?;
        let entries = fs::read_dir(&self.downloads).map_err(|error| error.to_string())?;
        let files: Vec<PathBuf> =
            entries.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "deb")).collect();
        // Unpacking is decompression: one package per core helps, and there are few packages.
        let results: Vec<_> = std::thread::scope(|scope| {
            let running: Vec<_> = files.iter().map(|file| scope.spawn(|| unpack_one(file, tree))).collect();
            running.into_iter().map(|thread| thread.join().unwrap_or_else(|_| Err("unpacking panicked".to_owned()))).collect()
        });
        results.into_iter().collect()
    }

    fn run(&self, program: &str, arguments: &[&str], deadline: Duration) -> Result<Output, String> {
        let mut command = Command::new(program);
        command.arg("-c").arg(&self.configuration).arg("-q").args(arguments).current_dir(&self.downloads);
        command.env("LC_ALL", "C").env("DEBIAN_FRONTEND", "noninteractive");
        checked(program, arguments.first().copied().unwrap_or_default(), output_within(&mut command, deadline))
    }
}

fn unpack_one(file: &Path, tree: &Path) -> Result<(), String> {
    let unpacked = output_within(Command::new("dpkg-deb").arg("-x").arg(file).arg(tree), LOCAL_DEADLINE);
    checked("dpkg-deb", "-x", unpacked)?;
    fs::remove_file(file).map_err(|error| error.to_string())
}

fn checked(program: &str, verb: &str, result: io::Result<Output>) -> Result<Output, String> {
    match result {
        Ok(output) if output.status.success() => Ok(output),
        Ok(output) => Err(format!("`{program} {verb}`: {}", last_words(&output))),
        Err(error) => Err(format!("`{program} {verb}`: {error}")),
    }
}

/// The configuration file, read after the system's own. Lists in it can only be cleared there, not on a command line.
fn settings(work: &Path) -> String {
    let hooks = ["Pre-Invoke", "Post-Invoke", "Post-Invoke-Success"].map(|hook| format!("#clear APT::Update::{hook};\n")).concat();
    // Indexes that only graphical and command-not-found tools read.
    let unread = ["DEP-11", "DEP-11-icons-small", "DEP-11-icons", "DEP-11-icons-hidpi", "CNF", "Contents-deb"]
        .map(|index| format!("Acquire::IndexTargets::deb::{index}::DefaultEnabled \"false\";\n"))
        .concat();
    let work = work.display();
    format!(
        r#"{hooks}{unread}Dir::State "{work}/state";
Dir::State::lists "{work}/lists";
Dir::State::status "{work}/status";
Dir::Cache "{work}";
Dir::Cache::archives "{work}/archives";
Dir::Cache::pkgcache "{work}/packages.bin";
Dir::Cache::srcpkgcache "";
Debug::NoLocking "1";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "1";
Acquire::http::Timeout "15";
Acquire::https::Timeout "15";
"#
    )
}

/// Reads `apt-cache policy`: a line with the package, then, indented, its candidate.
fn candidates_in(policy: &str) -> Vec<(String, String)> {
    let mut package = "";
    let mut found = Vec::new();
    for line in policy.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            package = name;
        } else if let Some(version) = line.trim().strip_prefix("Candidate: ").filter(|version| *version != "(none)") {
            found.push((package.to_owned(), version.to_owned()));
        }
    }
    found
}

/// Reads `apt-cache depends --recurse`: packages stand at the beginning of a line.
fn libraries_in(depends: &str) -> BTreeSet<String> {
    depends.lines().filter(|line| is_wanted_library(line)).map(str::to_owned).collect()
}

fn is_wanted_library(package: &str) -> bool {
    // The C library fits the system's loader and no other; the compiler library is only for JIT, which is off, and has 100 MB.
    let unwanted = ["libc6", "libc-bin", "libc-l10n", "libllvm", "libz3-", "libperl", "libpython", "libtcl"];
    (package.starts_with("lib") || package == "zlib1g")
        && !package.ends_with("-perl")
        && !unwanted.iter().any(|start| package.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_candidates_of_a_policy_are_read_and_packages_without_one_left_out() {
        let policy = "postgresql-17:\n  Installed: (none)\n  Candidate: (none)\n  Version table:\n     17.1 -1\n\
                      postgresql-15:\n  Installed: 15.18-0+deb12u1\n  Candidate: 15.20-0+deb12u1\n  Version table:\n     15.20-0+deb12u1 500\n";
        assert_eq!(candidates_in(policy), [("postgresql-15".to_owned(), "15.20-0+deb12u1".to_owned())]);
        assert_eq!(candidates_in(""), []);
    }

    #[test]
    fn only_libraries_are_taken_from_the_dependencies() {
        let depends = "postgresql-15\n |Depends: locales\n  Depends: libpq5\n    libelogind0\nlibpq5\nlibllvm14\nlibc6\nlibc6-i386\nzlib1g\nlibjson-perl\nperl\nlibgcc-s1\n";
        assert_eq!(libraries_in(depends).into_iter().collect::<Vec<_>>(), ["libgcc-s1", "libpq5", "zlib1g"]);
    }

    #[test]
    fn no_directory_of_the_system_is_written_to() {
        let settings = settings(Path::new("/private"));
        for key in
            ["Dir::State ", "Dir::State::lists ", "Dir::State::status ", "Dir::Cache ", "Dir::Cache::archives ", "Dir::Cache::pkgcache "]
        {
            let line = settings.lines().find(|line| line.starts_with(key)).unwrap();
            assert!(line.contains("\"/private"), "{line}");
        }
        assert!(settings.contains("#clear APT::Update::Post-Invoke;"));
    }
}
