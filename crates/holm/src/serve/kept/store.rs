//! The data directory of a node: `node.key` says who it is, `routes` has the newest table, sealed for it, `seen` how far it had
//! come, and `lock` keeps a second process out.
//!
//! Promises: each file is written whole or not at all, for its owner alone, and is on disk when the write returns. What cannot
//! be believed is refused by name and left as it is; only [`Store::take_stock`], with a catalog at hand that knows better, puts it aside.

use std::fmt::Display;
use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use holm_core::error::{ErrorCode, Problem};
use holm_core::id::InstallationId;
use holm_core::route::{RouteTable, RouteVersion};
use holm_core::secret::Secret;
use holm_engine::node::SERVES_ALONE;
use holm_link::bundle::{self, NodeId, PublicKey};
use holm_link::kept::{self, Kept, Moment};
use holm_postgres::lock::FileLock;

use super::clock;
use super::identity::{Identity, random};
use super::seen::Seen;
use crate::private_file;

const NODE_KEY: &str = "node.key";
const ROUTES: &str = "routes";
const SEEN: &str = "seen";

/// A clock that is moved back by less is not noticed anyway.
const NOTED_EVERY: Duration = Duration::from_secs(300);

/// An opened and locked data directory.
#[derive(Debug)]
pub(in crate::serve) struct Store {
    directory: PathBuf,
    identity: Option<Arc<Identity>>,
    /// Whether the node seals what it keeps by itself, since no control plane is in its process.
    for_itself: bool,
    _lock: FileLock,
}

impl Store {
    /// Opens or makes the directory, and reads who this node is.
    ///
    /// # Errors
    /// It cannot be used, another process uses it, others may write to it, or its key is damaged.
    pub(in crate::serve) fn open(path: &Path) -> Result<Self, Problem> {
        let cannot = |error: io::Error| unusable(path, error);
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(cannot)?;
        let directory = fs::canonicalize(path).map_err(cannot)?;
        if fs::metadata(&directory).map_err(cannot)?.permissions().mode() & 0o022 != 0 {
            return Err(unusable(path, "others than its owner may write to it").next(format!("`chmod 700 {}`", path.display())));
        }
        let lock = FileLock::try_new(&directory.join("lock")).map_err(cannot)?.ok_or_else(|| in_use(path))?;
        sweep(&directory).map_err(cannot)?;
        let mut store = Self { directory, identity: None, for_itself: false, _lock: lock };
        store.identity = store.read_identity()?.map(Arc::new);
        Ok(store)
    }

    /// Whose routes are here, if any ever were.
    pub(in crate::serve) fn installation(&self) -> Option<InstallationId> {
        self.identity.as_ref().map(|identity| identity.installation)
    }

    /// As the directory of a node that was let in by its key, which must be there.
    ///
    /// # Errors
    /// It is not.
    pub(in crate::serve) fn of_node(mut self) -> Result<(Self, Arc<Identity>), Problem> {
        let Some(identity) = self.identity.clone() else {
            let what =
                format!("there is no `{NODE_KEY}` in `{}`, which the control plane would know this node by", self.directory.display());
            return Err(Problem::new(ErrorCode::InvalidConfig, what)
                .next(format!("make it where you are signed in, and copy it there: `holm node add NAME --key-file {NODE_KEY}`")));
        };
        self.for_itself = true;
        Ok((self, identity))
    }

    /// The newest version that this node has kept; nothing older is to be believed.
    pub(in crate::serve) fn newest_version(&self) -> RouteVersion {
        self.seen().map_or_else(|_| RouteVersion::default(), |seen| seen.version)
    }

    /// Seals what only this node may read, as it could have been told by nobody else.
    pub(super) fn seal_for_itself(&self, version: RouteVersion, plain: &[u8]) -> Vec<u8> {
        let identity = self.identity.as_ref().expect("a directory of a node has its key");
        let ephemeral = Secret::new(random());
        let sealed = bundle::seal(&identity.pair, &identity.pair.public(), &ephemeral, &identity.envelope(version), plain);
        sealed.expect("a node's own public key is one that a node makes")
    }

    /// Makes the node's key if there is none yet; the catalog must be at hand.
    ///
    /// # Errors
    /// The directory is of another installation, or cannot be written to.
    pub(in crate::serve) fn identify(&mut self, installation: InstallationId, sender: PublicKey) -> Result<(), Problem> {
        if let Some(known) = &self.identity {
            let same = known.installation == installation && known.sender == sender;
            return if same { Ok(()) } else { Err(self.refused("they are of another installation")) };
        }
        let (identity, bytes) = Identity::make(installation, sender);
        // The key last: whatever is found beside a key was begun with it.
        self.note(&Seen { version: RouteVersion::default(), wall: Duration::ZERO })?;
        self.write(NODE_KEY, bytes.expose()).map_err(|error| self.unwritable(error))?;
        self.identity = Some(Arc::new(identity));
        Ok(())
    }

    /// The routes that were kept, however old they are; nothing if none were.
    ///
    /// # Errors
    /// [`ErrorCode::KeptRoutesRefused`], saying why; nothing was changed.
    pub(in crate::serve) fn read(&self) -> Result<Option<Kept>, Problem> {
        let bytes = match fs::read(self.file(ROUTES)) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(|error| self.refused(error))?,
        };
        let identity = self.identity.as_ref().ok_or_else(|| self.refused("`node.key`, which opens them, is not there"))?;
        let seen = self.seen()?;
        let mine = identity.envelope(seen.version);
        let sender = if self.for_itself { identity.pair.public() } else { identity.sender };
        let opened = bundle::open(&identity.pair, &sender, &mine, &bytes);
        let (version, plain) = opened.map_err(|error| self.refused(error))?;
        let kept = kept::decode(plain.expose()).map_err(|error| self.refused(error))?;
        if kept.table.version() != version {
            return Err(self.refused("they are of another version than their envelope"));
        }
        Ok(Some(kept))
    }

    /// The latest that the wall clock of this machine was seen at.
    ///
    /// # Errors
    /// [`ErrorCode::KeptRoutesRefused`]: it is not known.
    pub(in crate::serve) fn newest_time(&self) -> Result<Duration, Problem> {
        Ok(self.seen()?.wall)
    }

    /// For how long routes that were heard of then may still be served; `newest` as of [`Self::newest_time`], or later.
    ///
    /// # Errors
    /// [`ErrorCode::KeptRoutesRefused`]: not any more, or the clock was moved and nobody can say.
    pub(in crate::serve) fn time_left(&self, heard: &Moment, newest: Duration, now: &Moment) -> Result<Duration, Problem> {
        let age = heard.age(newest, now).map_err(|moved| {
            self.refused(format_args!(
                "this machine's clock was moved back by {} s or more, so that their age is not known",
                moved.by.as_secs()
            ))
            .next("set the clock of this machine right")
        })?;
        let left = SERVES_ALONE.saturating_sub(age);
        if left.is_zero() { Err(self.expired(age)) } else { Ok(left) }
    }

    /// Looks at what is here when the catalog is at hand and has the last word: what cannot be believed, or knows more than the
    /// catalog, is put aside for people to look at.
    ///
    /// # Errors
    /// The directory cannot be written to.
    pub(in crate::serve) fn take_stock(&self, catalog: RouteVersion) -> Result<(), Problem> {
        match self.read() {
            Ok(None) => {}
            Ok(Some(kept)) if kept.table.version() <= catalog => return Ok(()),
            Ok(Some(kept)) => {
                let (kept, catalog) = (kept.table.version().0, catalog.0);
                tracing::error!(
                    kept,
                    catalog,
                    "the catalog is behind the routes that were kept: it was put back by something else than `holm catalog restore`"
                );
                self.set_aside()?;
            }
            Err(problem) => {
                tracing::error!(code = %problem.code, why = problem.why, "kept routes are put aside: they could not have been served");
                self.set_aside()?;
            }
        }
        match self.seen() {
            Ok(seen) if seen.version <= catalog => Ok(()),
            _ => self.note(&Seen { version: RouteVersion::default(), wall: Duration::ZERO }),
        }
    }

    /// Keeps a table, and when the catalog was last heard of, sealed by the control plane.
    ///
    /// # Errors
    /// It cannot be written; what was there is there still.
    pub(in crate::serve) fn keep(
        &self,
        heard: &Moment,
        now: &Moment,
        table: &RouteTable,
        seal: impl FnOnce(NodeId, &PublicKey, RouteVersion, &[u8]) -> Result<Vec<u8>, Problem>,
    ) -> Result<(), Problem> {
        let identity = self.identity.as_ref().expect("a node that has reached the catalog has its key");
        let plain = kept::encode(heard, table);
        let sealed = seal(identity.node, &identity.pair.public(), table.version(), plain.expose())?;
        self.write(ROUTES, &sealed).map_err(|error| self.unwritable(error))?;
        // After the routes: cut in between, they are newer than what was seen, which is no harm.
        self.note(&Seen { version: table.version(), wall: now.wall })
    }

    /// Remembers how late it is, to within [`NOTED_EVERY`].
    ///
    /// # Errors
    /// It cannot be written.
    pub(in crate::serve) fn note_time(&self, now: &Moment) -> Result<(), Problem> {
        let seen = self.seen()?;
        if now.wall > seen.wall + NOTED_EVERY { self.note(&Seen { wall: now.wall, ..seen }) } else { Ok(()) }
    }

    /// Removes the routes: what they let in is closed, and they cannot be replaced.
    ///
    /// # Errors
    /// They are there still.
    pub(in crate::serve) fn discard(&self) -> Result<(), Problem> {
        let removed = fs::remove_file(self.file(ROUTES)).and_then(|()| private_file::sync_directory_of(&self.file(ROUTES)));
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(self.unwritable(error)),
            _ => Ok(()),
        }
    }

    fn set_aside(&self) -> Result<(), Problem> {
        let aside = self.file(&format!("{ROUTES}.refused-{}", clock::now().wall.as_nanos()));
        fs::rename(self.file(ROUTES), &aside).map_err(|error| self.unwritable(error))?;
        tracing::warn!(file = %aside.display(), "they are here");
        Ok(())
    }

    fn read_identity(&self) -> Result<Option<Identity>, Problem> {
        let path = self.file(NODE_KEY);
        let bytes = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => Secret::new(read.map_err(|error| self.refused(error))?),
        };
        let mode = fs::metadata(&path).map_err(|error| self.refused(error))?.permissions().mode();
        if mode & 0o077 != 0 {
            return Err(self.refused("others than its owner may read `node.key`").next(format!("`chmod 600 {}`", path.display())));
        }
        let damaged = || {
            self.refused("`node.key` was cut or changed")
                .next("put it back from where you keep a copy, or give the node another data directory, which it fills when it reaches the catalog")
        };
        Identity::read(bytes.expose()).map(Some).ok_or_else(damaged)
    }

    fn seen(&self) -> Result<Seen, Problem> {
        let bytes = fs::read(self.file(SEEN)).map_err(|error| self.refused(format_args!("`{SEEN}` cannot be read: {error}")))?;
        Seen::read(&bytes).ok_or_else(|| self.refused(format_args!("`{SEEN}` was cut or changed")))
    }

    fn note(&self, seen: &Seen) -> Result<(), Problem> {
        self.write(SEEN, seen.write().as_bytes()).map_err(|error| self.unwritable(error))
    }

    fn write(&self, name: &str, content: &[u8]) -> io::Result<()> {
        private_file::write(&self.file(name), content)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    fn refused(&self, why: impl Display) -> Problem {
        Problem::new(ErrorCode::KeptRoutesRefused, format!("the routes that are kept in `{}` cannot be served", self.directory.display()))
            .because(why)
            .next("let this node reach the catalog: it starts from there, and keeps its routes anew")
    }

    fn expired(&self, age: Duration) -> Problem {
        let (age, most) = (age.as_secs() / 3600, SERVES_ALONE.as_secs() / 3600);
        self.refused(format_args!(
            "the catalog was last heard of {age} h ago, and after {most} h what was suspended or revoked meanwhile would still be let in"
        ))
    }

    fn unwritable(&self, error: impl Display) -> Problem {
        unusable(&self.directory, error)
    }
}

fn unusable(path: &Path, why: impl Display) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, format!("the data directory `{}` cannot be used", path.display()))
        .because(why)
        .next("name one that only Holm's user may write to: `--data-dir DIR`")
}

fn in_use(path: &Path) -> Problem {
    Problem::new(ErrorCode::DirectoryInUse, format!("another `holm serve` uses `{}`", path.display()))
        .next("stop it, or give each process a directory of its own with `--data-dir DIR`")
}

/// Removes what a write that was cut has left.
fn sweep(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let is_draft_of = |of: &&str| name.to_str().is_some_and(|name| private_file::is_draft_of(name, of));
        if [NODE_KEY, ROUTES, SEEN].iter().any(is_draft_of) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
