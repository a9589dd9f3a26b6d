//! A client certificate and its private key in files that a person names.
//!
//! Promises: a key that others can read is refused, and so is one that is encrypted; of the files nothing else is taken, and nothing of
//! the key is repeated.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use holm_core::cluster::client_certificate::{CertificateChain, ClientKey};
use holm_core::error::{ErrorCode, Problem};
use holm_core::secret::Secret;

/// With what stands around; what of it is kept has a limit of its own.
const BYTES_MAX: u64 = 256 * 1024;

/// Both, in PEM.
///
/// # Errors
/// [`ErrorCode::InvalidValue`]: a file cannot be read or has not what it should have, or others can read the key.
pub(crate) fn read(chain: &Path, key: &Path) -> Result<(String, String), Problem> {
    let text = text_of(&mut open(chain)?).map_err(|error| unreadable(chain, &error))?;
    let chain: CertificateChain = text.parse().map_err(|error| {
        refused(chain, "no client certificate").because(error).next("give the certificate in PEM, and those that lead to its authority")
    })?;
    Ok((chain.into(), key_of(key)?.expose_pem().expose().clone()))
}

fn key_of(path: &Path) -> Result<ClientKey, Problem> {
    let mut file = open(path)?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    let mode = metadata.mode();
    // As libpq has it: nobody else, or of a file of root's those of its group.
    if mode & (if metadata.uid() == 0 { 0o037 } else { 0o077 }) != 0 {
        return Err(refused(path, "not yours alone")
            .because(format!("its mode is {:04o}: others can read or change it", mode & 0o7777))
            .next(format!("close it: `chmod 600 {}`; who could read it may have done so", path.display())));
    }
    let text = Secret::new(text_of(&mut file).map_err(|error| unreadable(path, &error))?);
    text.expose()
        .parse()
        .map_err(|error| refused(path, "no private key that can be used").because(error).next("give the key in PEM, without a passphrase"))
}

fn open(path: &Path) -> Result<File, Problem> {
    File::open(path).map_err(|error| unreadable(path, &error))
}

fn text_of(file: &mut File) -> io::Result<String> {
    let mut text = String::new();
    file.take(BYTES_MAX).read_to_string(&mut text)?;
    Ok(text)
}

fn refused(path: &Path, what: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("`{}` is {what}", path.display()))
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(ErrorCode::InvalidValue, format!("`{}` cannot be read", path.display())).because(error)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use holm_testkit::certificates::Authority;

    use super::*;

    #[test]
    fn a_key_that_others_can_read_or_that_cannot_be_used_is_refused_by_its_file_and_never_repeated() {
        let directory = tempfile::tempdir().unwrap();
        let certificate = Authority::new("x").issue_client("holm");
        let file = |name: &str, text: &str, mode: u32| {
            let path = directory.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let (chain, key) = (file("holm.crt", &certificate.pem, 0o644), file("holm.key", &certificate.key_pem(), 0o600));
        let (sent, secret) = read(&chain, &key).unwrap();
        assert!(sent == certificate.pem && secret == certificate.key_pem());
        let encrypted = certificate.key_pem().replace("PRIVATE", "ENCRYPTED PRIVATE");
        for (name, text, mode, why) in [
            ("open", certificate.key_pem(), 0o644, "its mode is 0644"),
            ("writable", certificate.key_pem(), 0o620, "its mode is 0620"),
            ("encrypted", encrypted, 0o600, "without a passphrase"),
            ("certificate", certificate.pem.clone(), 0o600, "no private key in PEM"),
            ("empty", String::new(), 0o600, "no private key in PEM"),
        ] {
            let problem = read(&chain, &file(name, &text, mode)).unwrap_err();
            assert!(problem.what.contains(name) && problem.why.as_ref().unwrap().contains(why), "{problem:?}");
            assert!(problem.code == ErrorCode::InvalidValue && !format!("{problem:?}").contains("-----"), "{problem:?}");
        }
        // The wrong way round, and together in one file.
        for (name, text) in [("both", certificate.pem.clone() + &certificate.key_pem()), ("other", certificate.key_pem())] {
            let problem = read(&file(name, &text, 0o600), &key).unwrap_err();
            assert!(problem.why.unwrap().contains("private key in it"));
        }
        assert!(read(&directory.path().join("nowhere"), &key).unwrap_err().what.contains("cannot be read"));
    }
}
