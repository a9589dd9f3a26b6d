//! The command that installs PostgreSQL on this machine.

/// What decides the command.
pub(crate) struct Machine {
    /// The text of `/etc/os-release`, empty where there is none.
    pub(crate) os_release: String,
    /// Whether it is a Mac.
    pub(crate) is_mac: bool,
    /// Whether the caller is root.
    pub(crate) is_root: bool,
}

impl Machine {
    /// This one.
    pub(crate) fn here() -> Self {
        Self {
            os_release: std::fs::read_to_string("/etc/os-release").unwrap_or_default(),
            is_mac: cfg!(target_os = "macos"),
            is_root: crate::account::is_root(),
        }
    }

    /// The exact command to type; `None` on a system that we do not know.
    pub(crate) fn install_command(&self) -> Option<String> {
        if self.is_mac {
            return Some("brew install postgresql@17".to_owned());
        }
        let command = self.families().find_map(|family| match family {
            "debian" | "ubuntu" => Some("apt-get install postgresql"),
            "fedora" | "rhel" | "centos" => Some("dnf install postgresql-server"),
            "suse" | "opensuse" | "opensuse-leap" | "opensuse-tumbleweed" | "sles" => Some("zypper install postgresql-server"),
            "arch" => Some("pacman -S postgresql"),
            "alpine" => Some("apk add postgresql postgresql-client"),
            _ => None,
        })?;
        Some(if self.is_root { command.to_owned() } else { format!("sudo {command}") })
    }

    /// What the system calls itself and what it says it is like, in that order (os-release(5)).
    fn families(&self) -> impl Iterator<Item = &str> {
        let field = |name: &str| self.os_release.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
        [field("ID"), field("ID_LIKE")].into_iter().flat_map(|value| value.trim().trim_matches(['"', '\'']).split_whitespace())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_system_has_its_command() {
        for (os_release, expected) in [
            ("PRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nID=debian\n", Some("sudo apt-get install postgresql")),
            ("ID=linuxmint\nID_LIKE=\"ubuntu debian\"\n", Some("sudo apt-get install postgresql")),
            ("ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\n", Some("sudo dnf install postgresql-server")),
            ("ID=fedora\n", Some("sudo dnf install postgresql-server")),
            ("ID=\"opensuse-tumbleweed\"\nID_LIKE=\"opensuse suse\"\n", Some("sudo zypper install postgresql-server")),
            ("ID=manjaro\nID_LIKE=arch\n", Some("sudo pacman -S postgresql")),
            ("ID=alpine\n", Some("sudo apk add postgresql postgresql-client")),
            ("ID=nixos\n", None),
            ("", None),
        ] {
            let machine = |is_root| Machine { os_release: os_release.to_owned(), is_mac: false, is_root };
            assert_eq!(machine(false).install_command().as_deref(), expected);
            assert_eq!(machine(true).install_command().as_deref(), expected.map(|command| &command[5..]));
        }
        let mac = Machine { os_release: String::new(), is_mac: true, is_root: false };
        assert_eq!(mac.install_command().as_deref(), Some("brew install postgresql@17"));
    }
}
