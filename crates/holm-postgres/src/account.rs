//! The account that runs servers: the caller's own, or an unprivileged one when the caller is root.
//!
//! PostgreSQL refuses to run as root. Names are read from `/etc/passwd`: the three that are looked for are system accounts,
//! which no directory service provides.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use aws_lc_rs::digest::{SHA256, digest};

/// The accounts tried when the caller is root, best first.
const CANDIDATES: [&str; 3] = ["holm", "postgres", "nobody"];

/// An account that a server runs as.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

impl Account {
    /// The account to become for running a server; `None` when the caller's own will do.
    ///
    /// # Errors
    /// The caller is root and none of the accounts exists; the text says which were looked for.
    pub fn for_servers() -> Result<Option<Self>, String> {
        if !is_root() {
            return Ok(None);
        }
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        let account = CANDIDATES.iter().find_map(|name| Self::in_passwd(&passwd, name));
        account
            .map(Some)
            .ok_or_else(|| format!("PostgreSQL does not run as root, and none of the users `{}` exists", CANDIDATES.join("`, `")))
    }

    fn in_passwd(passwd: &str, name: &str) -> Option<Self> {
        let mut fields = passwd.lines().map(|line| line.split(':')).find(|fields| fields.clone().next() == Some(name))?.skip(2);
        let (uid, gid): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
        // An entry called `postgres` with the rights of root would not help.
        (uid != 0).then(|| Self { name: name.to_owned(), uid, gid })
    }

    /// Makes a command run as this account; the caller's supplementary groups are dropped with it.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// The first directory above `path` that this account may not pass through.
    pub(crate) fn barred_at(&self, path: &Path) -> Option<PathBuf> {
        let mut ancestors: Vec<&Path> = path.ancestors().skip(1).collect();
        ancestors.reverse();
        ancestors.into_iter().find(|directory| directory.metadata().is_ok_and(|m| !self.may_pass(&m))).map(Path::to_owned)
    }

    fn may_pass(&self, directory: &fs::Metadata) -> bool {
        let bit = match () {
            () if directory.uid() == self.uid => 0o100,
            () if directory.gid() == self.gid => 0o010,
            () => 0o001,
        };
        directory.mode() & bit != 0
    }
}

/// The directory for servers that belong to `directory`: itself, or, for root, one of its own below `/var/lib/holm`, since
/// `/root` and a private temporary directory are closed to the account that runs servers. Computes, creates nothing.
pub fn private_root(directory: &Path) -> PathBuf {
    let absolute = directory.canonicalize().or_else(|_| std::path::absolute(directory)).unwrap_or_else(|_| directory.to_owned());
    if is_root() { Path::new("/var/lib/holm").join(name_of(&absolute)) } else { absolute }
}

/// A name that a person recognises and that no other directory has: `.holm` in `/srv/orchestra` is `orchestra-1f0c…`.
fn name_of(absolute: &Path) -> String {
    let hash = digest(&SHA256, absolute.as_os_str().as_encoded_bytes());
    let hex: String = hash.as_ref()[..6].iter().map(|byte| format!("{byte:02x}")).collect();
    let owner = absolute.iter().rev().map(|part| part.to_string_lossy()).find(|part| !part.starts_with('.')).unwrap_or_default();
    let readable: String = owner.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(24).collect();
    format!("{}-{hex}", if readable.is_empty() { "root" } else { &readable })
}

/// Where fetched installations are kept: `/var/cache/holm/postgresql` for root, else below `XDG_CACHE_HOME` or `~/.cache`.
pub fn cache_root() -> PathBuf {
    if is_root() {
        return PathBuf::from("/var/cache/holm/postgresql");
    }
    let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"));
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute()).or_else(home);
    base.unwrap_or_else(std::env::temp_dir).join("holm/postgresql")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWD: &str =
        "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:,,,:/var/lib/postgresql:/bin/bash\nnobody:x:65534:65534::/:\n";

    #[test]
    fn an_account_is_read_from_passwd_and_one_with_the_rights_of_root_is_none() {
        let found = Account::in_passwd(PASSWD, "postgres").unwrap();
        assert_eq!((found.uid, found.gid), (101, 104));
        assert_eq!(Account::in_passwd(PASSWD, "root"), None);
        assert_eq!(Account::in_passwd(PASSWD, "holm"), None);
        assert_eq!(Account::in_passwd("postgres:x:broken", "postgres"), None);
    }

    #[test]
    fn two_directories_never_share_a_root() {
        let (a, b) = (name_of(Path::new("/srv/orchestra/.holm")), name_of(Path::new("/home/x/orchestra/.holm")));
        assert!(a.starts_with("orchestra-") && b.starts_with("orchestra-"), "{a} {b}");
        assert_ne!(a, b);
        assert!(name_of(Path::new("/")).starts_with("root-"));
    }
}
