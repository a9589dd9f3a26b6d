//! A server's URL on a command line, and beside it its password, how it is to be spoken to and what it is to be shown.
//!
//! Promises: a password can be given without standing in the command line, where every process on the machine can read it;
//! it is sent and never printed. Of a file with root certificates nothing else is sent, least of all a private key.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use holm_core::cluster::tls::SslMode;
use holm_core::error::{ErrorCode, Problem};

use super::client_cert::MayShow;
use crate::root_certificates;

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
    /// `verify-full`, `verify-ca` or `disable`, instead of the URL's [default for a new one: verify-full with root certificates, else disable]
    #[arg(long, value_name = "MODE")]
    sslmode: Option<SslMode>,
    /// The file with the certificates, in PEM, that the server's must lead to [default: those of the operating system]
    #[arg(long, value_name = "FILE")]
    ssl_root_cert: Option<PathBuf>,
    #[command(flatten)]
    shown: MayShow,
}

/// What a command line says of a server.
pub(in crate::cli) struct Told {
    pub(in crate::cli) url: String,
    pub(in crate::cli) password: Option<String>,
    pub(in crate::cli) sslmode: Option<String>,
    pub(in crate::cli) ssl_root_cert: Option<String>,
    pub(in crate::cli) client_cert: Option<String>,
    pub(in crate::cli) client_key: Option<String>,
}

impl Server {
    /// What it says, with what the files say that it names.
    ///
    /// # Errors
    /// A file cannot be read, has not what it should have, or a private key can be read by others.
    pub(in crate::cli) fn read(self) -> Result<Told, Problem> {
        let password = match &self.password_file {
            Some(path) => Some(password_in(path)?.trim_end_matches(['\r', '\n']).to_owned()),
            None => std::env::var("HOLM_SERVER_PASSWORD").ok().filter(|password| !password.is_empty()),
        };
        let ssl_root_cert = self.ssl_root_cert.as_deref().map(root_certificates::read).transpose()?.map(Into::into);
        let (client_cert, client_key) = self.shown.read()?.unzip();
        Ok(Told { url: self.url, password, sslmode: self.sslmode.map(|mode| mode.to_string()), ssl_root_cert, client_cert, client_key })
    }
}

fn password_in(path: &Path) -> Result<String, Problem> {
    let mut text = String::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(PASSWORD_BYTES_MAX).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(PASSWORD_BYTES_MAX).read_to_string(&mut text))
    };
    read.map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, format!("the password cannot be read from `{}`", path.display())).because(error)
    })?;
    Ok(text)
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("password_file", &self.password_file).finish_non_exhaustive()
    }
}
