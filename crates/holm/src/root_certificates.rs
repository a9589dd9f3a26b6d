//! Root certificates in a file that a person names.
//!
//! Promises: of the file nothing else is taken, least of all a private key.

use std::io::{self, Read as _};
use std::path::Path;

use holm_core::cluster::tls::RootCertificates;
use holm_core::error::{ErrorCode, Problem};

/// With what stands between certificates; what of it is kept has a limit of its own.
const BYTES_MAX: u64 = 1024 * 1024;

/// The certificates of a file, `-` for stdin.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: it cannot be read, or has none.
pub(crate) fn read(path: &Path) -> Result<RootCertificates, Problem> {
    let text = text_of(path).map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, format!("the root certificate cannot be read from `{}`", path.display())).because(error)
    })?;
    text.parse().map_err(|error| {
        Problem::new(ErrorCode::InvalidValue, format!("`{}` is no root certificate", path.display()))
            .because(error)
            .next("give the certificate, in PEM, of who issued the server's")
    })
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(BYTES_MAX).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(BYTES_MAX).read_to_string(&mut text)?;
    }
    Ok(text)
}
