//! Shared libraries that programs need and the system lacks.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::cache::library_path_of;
use crate::installation::PROGRAMS;
use crate::run::output_within;

/// The names of libraries that the loader does not find for the programs in `bin`, with the libraries of `tree` beside them.
pub(crate) fn missing(tree: &Path, bin: &Path) -> Result<BTreeSet<String>, String> {
    let mut command = Command::new("ldd");
    command.args(PROGRAMS.map(|program| bin.join(program))).env("LC_ALL", "C");
    if let Some(path) = library_path_of(tree) {
        command.env("LD_LIBRARY_PATH", path);
    }
    let output = output_within(&mut command, Duration::from_secs(20)).map_err(|error| format!("`ldd`: {error}"))?;
    Ok(missing_in(&String::from_utf8_lossy(&output.stdout)))
}

fn missing_in(said: &str) -> BTreeSet<String> {
    said.lines().filter_map(|line| line.trim().strip_suffix(" => not found")).map(str::to_owned).collect()
}

/// The package that has a library, among those given, by the naming rule of Debian Policy 8.1: name and version of the
/// library, joined, with a hyphen between two digits; since 2024 some have `t64` after that. Then by the habits that break
/// the rule: `libxml2`, `libpam0g`, and `libicu72` for every library of its family.
pub(crate) fn package_of(library: &str, packages: &BTreeSet<String>) -> Option<String> {
    let (stem, version) = library.split_once(".so.")?;
    let stem = stem.to_lowercase().replace('_', "-");
    let hyphen = if stem.ends_with(|c: char| c.is_ascii_digit()) { "-" } else { "" };
    let ruled = format!("{stem}{hyphen}{version}");
    let named = [ruled.clone(), format!("{ruled}t64"), format!("{stem}-{version}"), format!("{ruled}g"), stem.clone()];
    let family =
        |package: &&String| package.strip_suffix(version).is_some_and(|start| start.len() > "lib".len() + 1 && stem.starts_with(start));
    named.into_iter().find(|name| packages.contains(name)).or_else(|| packages.iter().find(family).cloned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_that_are_not_found_are_read() {
        let said = "/x/bin/psql:\n\tlibpq.so.5 => not found\n\tlibc.so.6 => /lib/libc.so.6 (0x00007f)\n\tlibldap-2.5.so.0 => not found\n";
        assert_eq!(missing_in(said).into_iter().collect::<Vec<_>>(), ["libldap-2.5.so.0", "libpq.so.5"]);
    }

    #[test]
    fn a_library_leads_to_its_package() {
        let packages: BTreeSet<String> =
            ["libpq5", "libpam0g", "libldap-2.5-0", "libxml2", "libgssapi-krb5-2", "libssl3t64", "libicu72", "libkrb5-3", "liblz4-1"]
                .map(str::to_owned)
                .into();
        for (library, expected) in [
            ("libpq.so.5", Some("libpq5")),
            ("libldap-2.5.so.0", Some("libldap-2.5-0")),
            ("libgssapi_krb5.so.2", Some("libgssapi-krb5-2")),
            ("libkrb5.so.3", Some("libkrb5-3")),
            ("liblz4.so.1", Some("liblz4-1")),
            ("libssl.so.3", Some("libssl3t64")),
            ("libxml2.so.2", Some("libxml2")),
            ("libpam.so.0", Some("libpam0g")),
            ("libicui18n.so.72", Some("libicu72")),
            // It comes with `libldap-2.5-0`, which its name does not say.
            ("liblber-2.5.so.0", None),
            ("nonsense", None),
        ] {
            assert_eq!(package_of(library, &packages).as_deref(), expected, "{library}");
        }
    }
}
