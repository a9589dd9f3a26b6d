//! Who may use the proxy's admin console, as flags, environment and files say it.
//!
//! Promises: a password is in a file that others cannot read, or the process does not start; a name without a password, or a
//! password without a name, is a mistake and not a console that is half there.

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;
use holm_proxy::postgres::{ConsoleRole, ConsoleUser};

/// As PostgreSQL's and as those of credentials.
const NAME_LENGTH_MAX: usize = 63;
/// It opens every tenant of the node to being stopped, so that it is not to be guessed.
const PASSWORD_LENGTH_MIN: usize = 12;
/// What SCRAM's own limits leave room for, and far more than anybody types.
const PASSWORD_LENGTH_MAX: usize = 1024;

/// Who may use the console; nobody when nothing is said.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct ConsoleArgs {
    /// Who may use the proxy's admin console (the databases `holm` and `pgbouncer`) and act there; there is none when not set
    #[arg(long, value_name = "NAME", env = "HOLM_CONSOLE_USER")]
    console_user: Option<String>,
    /// The file with their password
    #[arg(long, value_name = "FILE", env = "HOLM_CONSOLE_PASSWORD_FILE")]
    console_password_file: Option<PathBuf>,
    /// Who may look on there and change nothing: an exporter, a dashboard
    #[arg(long, value_name = "NAME", env = "HOLM_CONSOLE_STATS_USER")]
    console_stats_user: Option<String>,
    /// The file with their password
    #[arg(long, value_name = "FILE", env = "HOLM_CONSOLE_STATS_PASSWORD_FILE")]
    console_stats_password_file: Option<PathBuf>,
}

impl ConsoleArgs {
    /// Reads names and files.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidConfig`] with what is wrong.
    pub(crate) fn users(self) -> Result<Vec<ConsoleUser>, Problem> {
        let admin = user("--console-user", self.console_user, self.console_password_file, ConsoleRole::Admin)?;
        let stats = user("--console-stats-user", self.console_stats_user, self.console_stats_password_file, ConsoleRole::Stats)?;
        let users: Vec<ConsoleUser> = admin.into_iter().chain(stats).collect();
        match &users[..] {
            [admin, stats] if admin.name == stats.name => Err(invalid("`--console-user` and `--console-stats-user` are the same name")
                .next("give each a name of its own: what may be done goes by the name")),
            _ => Ok(users),
        }
    }
}

fn user(flag: &str, name: Option<String>, file: Option<PathBuf>, role: ConsoleRole) -> Result<Option<ConsoleUser>, Problem> {
    let file_flag = flag.replace("-user", "-password-file");
    let (name, file) = match (name.filter(|name| !name.is_empty()), file.filter(|file| !file.as_os_str().is_empty())) {
        (None, None) => return Ok(None),
        (Some(name), Some(file)) => (name, file),
        (Some(_), None) => return Err(invalid(format!("`{flag}` is given without `{file_flag}`")).next("give both, or neither")),
        (None, Some(_)) => return Err(invalid(format!("`{file_flag}` is given without `{flag}`")).next("give both, or neither")),
    };
    if name.len() > NAME_LENGTH_MAX || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(
            invalid(format!("`{flag}` is no user name")).next(format!("take 1 to {NAME_LENGTH_MAX} letters, digits and signs of ASCII"))
        );
    }
    Ok(Some(ConsoleUser { name, password: password(&file_flag, &file)?, role }))
}

fn password(flag: &str, path: &Path) -> Result<Secret<String>, Problem> {
    let unreadable = |error: std::io::Error| invalid(format!("the file of `{flag}`, `{}`, cannot be read", path.display())).because(error);
    let file = File::open(path).map_err(unreadable)?;
    is_private(flag, path, &file.metadata().map_err(unreadable)?)?;
    // One more than fits, and the end of the line.
    let mut read = String::with_capacity(PASSWORD_LENGTH_MAX + 3);
    let length_max = u64::try_from(read.capacity()).expect("it is a thousand");
    file.take(length_max).read_to_string(&mut read).map_err(unreadable)?;
    let text = Secret::new(read);
    let password = text.expose().strip_suffix('\n').unwrap_or(text.expose());
    let password = password.strip_suffix('\r').unwrap_or(password);
    let fits = (PASSWORD_LENGTH_MIN..=PASSWORD_LENGTH_MAX).contains(&password.len());
    if !fits || !password.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) {
        return Err(invalid(format!("the password in the file of `{flag}`, `{}`, cannot be used", path.display()))
            .because(format!(
                "a password of the console is {PASSWORD_LENGTH_MIN} to {PASSWORD_LENGTH_MAX} printable characters of ASCII, on one line"
            ))
            .next(format!("make one: `(umask 077; openssl rand -base64 24 > {})`", path.display())));
    }
    Ok(Secret::new(password.to_owned()))
}

/// As PostgreSQL wants it of its key: nobody else's to read; if it is root's, a group may.
fn is_private(flag: &str, path: &Path, file: &fs::Metadata) -> Result<(), Problem> {
    let for_others = if file.uid() == 0 { 0o037 } else { 0o077 };
    if file.mode() & for_others == 0 {
        return Ok(());
    }
    Err(invalid(format!("the file of `{flag}`, `{}`, is not private", path.display()))
        .because(format!("its mode is {:04o}: others can read or change it", file.mode() & 0o7777))
        .next(format!("`chmod 600 {}`, and take another password if somebody may have read it", path.display())))
}

fn invalid(what: impl Into<String>) -> Problem {
    Problem::new(ErrorCode::InvalidConfig, what.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    const GOOD: &str = "long enough for anybody";

    fn file(directory: &tempfile::TempDir, name: &str, content: &str, mode: u32) -> PathBuf {
        let path = directory.path().join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    fn args(user: Option<&str>, file: Option<&Path>) -> ConsoleArgs {
        ConsoleArgs { console_user: user.map(str::to_owned), console_password_file: file.map(Path::to_owned), ..ConsoleArgs::default() }
    }

    fn refused(args: ConsoleArgs) -> String {
        let problem = args.users().unwrap_err();
        assert_eq!(problem.code, ErrorCode::InvalidConfig);
        format!("{problem} {}", problem.why.as_deref().unwrap_or_default())
    }

    #[test]
    fn nobody_is_named_and_there_is_no_console() {
        assert!(ConsoleArgs::default().users().unwrap().is_empty());
        assert!(args(Some(""), Some(Path::new(""))).users().unwrap().is_empty(), "set to nothing is not set");
    }

    #[test]
    fn each_has_a_role_a_name_and_a_password_from_a_private_file() {
        let directory = tempfile::tempdir().unwrap();
        let (admin, stats) = (file(&directory, "a", &format!("{GOOD}\n"), 0o600), file(&directory, "s", "another good one\r\n", 0o400));
        let both = ConsoleArgs {
            console_stats_user: Some("watch".to_owned()),
            console_stats_password_file: Some(stats),
            ..args(Some("ops"), Some(&admin))
        };
        let users = both.users().unwrap();
        let users: Vec<_> = users.iter().map(|user| (user.name.as_str(), user.password.expose().as_str(), user.role)).collect();
        assert_eq!(users, [("ops", GOOD, ConsoleRole::Admin), ("watch", "another good one", ConsoleRole::Stats)]);
    }

    #[test]
    fn what_is_half_said_or_not_secret_stops_the_start() {
        let directory = tempfile::tempdir().unwrap();
        let good = file(&directory, "good", GOOD, 0o600);
        assert!(refused(args(Some("ops"), None)).contains("`--console-user` is given without `--console-password-file`"));
        assert!(refused(args(None, Some(&good))).contains("`--console-password-file` is given without `--console-user`"));
        for mode in [0o604, 0o602, 0o620, 0o644, 0o666] {
            let open = file(&directory, &format!("{mode:o}"), GOOD, mode);
            assert!(refused(args(Some("ops"), Some(&open))).contains("is not private"), "{mode:o}");
        }
        for (name, content) in
            [("empty", ""), ("brief", "short"), ("lines", "one line here\nanother line"), ("foreign", "lösenordet är långt")]
        {
            let bad = file(&directory, name, content, 0o600);
            let said = refused(args(Some("ops"), Some(&bad)));
            assert!(said.contains("cannot be used"), "{said}");
            assert!(content.is_empty() || !said.contains(content), "a password is not said back");
        }
        assert!(refused(args(Some("two words"), Some(&good))).contains("is no user name"));
        assert!(refused(args(Some("ops"), Some(&directory.path().join("none")))).contains("cannot be read"));
        let same = ConsoleArgs {
            console_stats_user: Some("ops".to_owned()),
            console_stats_password_file: Some(good.clone()),
            ..args(Some("ops"), Some(&good))
        };
        assert!(refused(same).contains("are the same name"));
    }
}
