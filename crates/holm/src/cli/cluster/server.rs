//! A server's URL on a command line, and its password beside it.
//!
//! Promises: a password can be given without standing in the command line, where every process on the machine can read it;
//! it is sent and never printed.

use std::io::Read as _;
use std::path::PathBuf;

use holm_core::error::{ErrorCode, Problem};

/// Longer than any password; a wrong file is not read to its end.
const PASSWORD_BYTES_MAX: u64 = 4096;

/// Where it is, and who to log in as.
#[derive(Clone, clap::Args)]
pub(in crate::cli) struct Server {
    /// `postgresql://role:password@host:port/database`
    #[arg(id = "server", long = "server", value_name = "URL")]
    url: String,
    /// The file with the password, `-` for stdin, instead of in the URL [env: HOLM_SERVER_PASSWORD for the password itself]
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

impl Server {
    /// URL and password.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(in crate::cli) fn read(self) -> Result<(String, Option<String>), Problem> {
        let password = match &self.password_file {
            Some(path) => Some(from_file(path)?),
            None => std::env::var("HOLM_SERVER_PASSWORD").ok().filter(|password| !password.is_empty()),
        };
        Ok((self.url, password))
    }
}

fn from_file(path: &std::path::Path) -> Result<String, Problem> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, format!("the password cannot be read from `{}`", path.display())).because(error)
    })?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("password_file", &self.password_file).finish_non_exhaustive()
    }
}
