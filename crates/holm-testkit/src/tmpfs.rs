//! Small file systems in memory, for servers whose disk fills up.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What fills the disk.
const BALLAST: &str = "ballast";

/// A mounted file system; unmounted when dropped.
#[derive(Debug)]
pub(crate) struct Tmpfs {
    directory: PathBuf,
}

impl Tmpfs {
    /// Mounts one on an empty directory; says why when it cannot.
    pub(crate) fn mount(directory: &Path, mebibytes: u32) -> Result<Self, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("only root can mount a file system".to_owned());
        }
        let size = format!("size={mebibytes}m,mode=0711");
        let mut mount = Command::new("mount");
        let output = mount.args(["-t", "tmpfs", "-o", &size, "holm-test"]).arg(directory).stdin(Stdio::null()).output();
        match output {
            Ok(output) if output.status.success() => Ok(Self { directory: directory.to_owned() }),
            Ok(output) => Err(format!("`mount`: {}", String::from_utf8_lossy(&output.stderr).trim())),
            Err(error) => Err(format!("`mount`: {error}")),
        }
    }

    /// Fills it to the last byte.
    pub(crate) fn fill(&self) {
        let mut ballast = File::options().create(true).append(true).open(self.directory.join(BALLAST)).expect("open the ballast");
        // First in large pieces, then whatever is left.
        for piece in [vec![0_u8; 1 << 20], vec![0; 1 << 10], vec![0; 1]] {
            while ballast.write_all(&piece).is_ok() {}
        }
    }

    /// Takes out what [`Self::fill`] put in.
    pub(crate) fn relieve(&self) {
        std::fs::remove_file(self.directory.join(BALLAST)).expect("remove the ballast");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        unmount(&self.directory);
    }
}

/// Unmounts what a dead process mounted on a directory, if it did.
pub(crate) fn unmount_leftover(directory: &Path) {
    let device = |path: &Path| path.symlink_metadata().ok().map(|found| found.dev());
    let above = directory.parent().and_then(device);
    if above.is_some() && device(directory).is_some_and(|own| Some(own) != above) {
        unmount(directory);
    }
}

fn unmount(directory: &Path) {
    // Lazily: a server that shuts down may still be in it.
    let _ = Command::new("umount").arg("-l").arg(directory).stdin(Stdio::null()).stderr(Stdio::null()).status();
}
