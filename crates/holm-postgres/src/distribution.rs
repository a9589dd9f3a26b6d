//! PostgreSQL from the distribution's packages, downloaded and unpacked into the cache; the system is left as it is.
//!
//! Debian's server finds its shared files relative to its program, so that it runs from wherever it is unpacked.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::apt::Apt;
use crate::cache::Locked;
use crate::libraries;
use crate::version::{MAJOR_MAX, MAJOR_MIN};

/// Each round can bring libraries that need libraries in turn; the last one takes everything that is left.
const LIBRARY_ROUNDS: usize = 4;

/// Fetches the newest PostgreSQL that the distribution offers, or that of one major version, and returns its programs' directory.
pub(crate) fn fetch(cache: &Locked<'_>, major: Option<u16>) -> Result<PathBuf, String> {
    let told = |error: std::io::Error| error.to_string();
    let work = cache.partial("apt").map_err(told)?;
    let tree = cache.partial("tree").map_err(told)?;
    let apt = Apt::prepare(&work.path).map_err(told)?;
    tracing::info!("reading the distribution's package lists");
    let complaints = apt.update()?;
    let chosen = choose(&apt, major).map_err(|none| if complaints.is_empty() { none } else { format!("{none}, since: {complaints}") });
    let (major, version) = chosen?;
    let (server, client) = (format!("postgresql-{major}"), format!("postgresql-client-{major}"));
    tracing::info!(package = %server, %version, "downloading PostgreSQL from the distribution");
    // libpq always: programs may need one that is newer than the system's.
    apt.unpack(&[&server, &client, "libpq5"], &tree.path)?;
    complete(&apt, &tree.path, &tree.path.join(bin_of(major)), &[&server, &client])?;
    let name = format!("{server}_{}", version.replace(|c: char| !c.is_ascii_alphanumeric() && !".+-~".contains(c), "_"));
    let kept = cache.keep(&tree.path, &name).map_err(told)?;
    Ok(kept.join(bin_of(major)))
}

fn bin_of(major: u16) -> String {
    format!("usr/lib/postgresql/{major}/bin")
}

fn choose(apt: &Apt, major: Option<u16>) -> Result<(u16, String), String> {
    let majors: Vec<u16> = (MAJOR_MIN..=MAJOR_MAX).rev().filter(|m| major.is_none_or(|wanted| wanted == *m)).collect();
    let packages: Vec<String> = majors.iter().map(|major| format!("postgresql-{major}")).collect();
    let offered = apt.candidates(&packages)?.into_iter().next();
    let (package, version) = offered.ok_or_else(|| format!("apt offers none of `{}`", packages.join("`, `")))?;
    let major = package.strip_prefix("postgresql-").and_then(|number| number.parse().ok()).ok_or("apt answered for another package")?;
    Ok((major, version))
}

/// Unpacks the libraries that the system lacks beside the programs.
fn complete(apt: &Apt, tree: &Path, bin: &Path, packages: &[&str]) -> Result<(), String> {
    let mut known: Option<BTreeSet<String>> = None;
    let mut unpacked = BTreeSet::new();
    for round in 1..=LIBRARY_ROUNDS {
        let missing = libraries::missing(tree, bin)?;
        if missing.is_empty() {
            return Ok(());
        }
        let libraries = match &known {
            Some(libraries) => libraries,
            None => known.insert(apt.libraries_below(packages)?),
        };
        let named: BTreeSet<String> = missing.iter().filter_map(|library| libraries::package_of(library, libraries)).collect();
        let fresh: BTreeSet<String> = named.difference(&unpacked).cloned().collect();
        let wanted = if fresh.is_empty() || round == LIBRARY_ROUNDS { libraries.difference(&unpacked).cloned().collect() } else { fresh };
        tracing::info!(libraries = wanted.len(), "downloading libraries that the system lacks");
        apt.unpack(&wanted.iter().map(String::as_str).collect::<Vec<_>>(), tree)?;
        unpacked.extend(wanted);
    }
    let missing: Vec<String> = libraries::missing(tree, bin)?.into_iter().collect();
    if missing.is_empty() { Ok(()) } else { Err(format!("no package has the libraries `{}`", missing.join("`, `"))) }
}
