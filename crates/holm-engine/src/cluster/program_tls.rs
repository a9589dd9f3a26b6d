//! How a program that uses libpq, or takes a URL as libpq does, is told to speak to a server of PostgreSQL.
//!
//! Promises: it speaks as Holm itself does, and verifies whom; the roots are in a file that only we can write and that is gone when
//! this is dropped. Those of the system are written out too: libpq learnt to find them in version 16.

use std::io::{self, Write as _};

use holm_core::cluster::tls::ServerTls;
use tempfile::NamedTempFile;
use tokio::process::Command;

/// What a program is told; it must not outlive this.
pub struct ProgramTls {
    sslmode: &'static str,
    channel_binding: &'static str,
    roots: Option<NamedTempFile>,
}

impl ProgramTls {
    /// For a server that is spoken to so.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// # Cancel safety
    /// Safe: the file goes.
    pub async fn of(tls: &ServerTls) -> io::Result<Self> {
        let (wanted, sslmode) = (tls.clone(), tls.mode().as_str());
        // As our own logins do (`holm_pgwire::scram::choice`). libpq would answer to anything else with the password.
        let channel_binding = if tls.must_bind() { "require" } else { "prefer" };
        let written = tokio::task::spawn_blocking(move || roots(&wanted)).await;
        Ok(Self { sslmode, channel_binding, roots: written.expect("writing a file does not panic")? })
    }

    /// Tells it by the variables that libpq knows.
    pub fn tell(&self, command: &mut Command) {
        command.env("PGSSLMODE", self.sslmode).env("PGCHANNELBINDING", self.channel_binding);
        if let Some(roots) = &self.roots {
            command.env("PGSSLROOTCERT", roots.path());
        }
    }

    /// The parameters of a URL, with the `?`; none where nothing is encrypted.
    pub(crate) fn query(&self) -> String {
        let Some(roots) = &self.roots else { return String::new() };
        let path: String = roots.path().as_os_str().as_encoded_bytes().iter().map(|byte| percent(*byte)).collect();
        format!("?sslmode={}&sslrootcert={path}", self.sslmode)
    }
}

fn percent(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}

fn roots(tls: &ServerTls) -> io::Result<Option<NamedTempFile>> {
    if !tls.is_encrypted() {
        return Ok(None);
    }
    let pem = tls.given_roots().map_or_else(holm_tls::system_roots_pem, |given| given.as_pem().to_owned());
    let mut file = tempfile::Builder::new().prefix("holm-roots-").suffix(".pem").tempfile()?;
    file.write_all(pem.as_bytes())?;
    Ok(Some(file))
}

#[cfg(test)]
mod tests {
    use holm_core::cluster::tls::{RootCertificates, Roots};

    use super::*;

    const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[tokio::test]
    async fn a_program_is_told_what_holm_does_itself_and_the_file_goes_with_it() {
        let roots: RootCertificates = ROOT.parse().unwrap();
        for (tls, sslmode, binding) in [
            (ServerTls::VerifyCa(roots.clone()), "verify-ca", "require"),
            (ServerTls::VerifyFull(Roots::Given(roots)), "verify-full", "prefer"),
        ] {
            let told = ProgramTls::of(&tls).await.unwrap();
            let path = told.roots.as_ref().unwrap().path().to_owned();
            let mut command = Command::new("psql");
            told.tell(&mut command);
            let told_of =
                |name: &str| command.as_std().get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value.map(ToOwned::to_owned));
            assert_eq!(told_of("PGSSLMODE").unwrap(), sslmode);
            assert_eq!(told_of("PGCHANNELBINDING").unwrap(), binding);
            assert_eq!(std::fs::read_to_string(told_of("PGSSLROOTCERT").unwrap()).unwrap(), ROOT);
            assert!(told.query().starts_with(&format!("?sslmode={sslmode}&sslrootcert=/")));
            drop(told);
            assert!(!path.exists());
        }
        let told = ProgramTls::of(&ServerTls::Disable).await.unwrap();
        assert_eq!((told.sslmode, told.query().as_str(), told.roots.is_none()), ("disable", "", true));
    }
}
