//! How a program that uses libpq, or takes a URL as libpq does, is told to speak to a server of PostgreSQL.
//!
//! Promises: it speaks as Holm itself does, verifies whom, and shows what Holm shows; the roots are in a file that only we can write and
//! that is gone when this is dropped. Those of the system are written out too: libpq learnt to find them in version 16. A private key
//! is in a file that only we can read, in memory where the system has files there.

use std::io::{self, Write as _};
use std::path::Path;

use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::ServerTls;
use tempfile::NamedTempFile;
use tokio::process::Command;

/// Files in memory, on Linux.
const MEMORY: &str = "/dev/shm";

/// What a program is told; it must not outlive this.
pub struct ProgramTls {
    sslmode: &'static str,
    channel_binding: &'static str,
    roots: Option<NamedTempFile>,
    shown: Option<Shown>,
}

/// What a program shows the server, in files.
struct Shown {
    chain: NamedTempFile,
    key: NamedTempFile,
}

impl ProgramTls {
    /// For a server that is spoken to so, and is shown that.
    ///
    /// # Errors
    /// The file cannot be written.
    ///
    /// # Cancel safety
    /// Safe: the file goes.
    pub async fn of(tls: &ServerTls, shown: Option<&ClientCertificate>) -> io::Result<Self> {
        let shown = shown.filter(|_| tls.is_encrypted()).cloned();
        let (wanted, sslmode) = (tls.clone(), tls.mode().as_str());
        // As our own logins do (`holm_pgwire::scram::choice`). libpq would answer to anything else with the password.
        let channel_binding = if tls.must_bind() { "require" } else { "prefer" };
        let write = move || Ok::<_, io::Error>((roots(&wanted)?, shown.as_ref().map(Shown::write).transpose()?));
        let (roots, shown) = tokio::task::spawn_blocking(write).await.expect("writing a file does not panic")?;
        Ok(Self { sslmode, channel_binding, roots, shown })
    }

    /// Tells it by the variables that libpq knows.
    pub fn tell(&self, command: &mut Command) {
        command.env("PGSSLMODE", self.sslmode).env("PGCHANNELBINDING", self.channel_binding);
        if let Some(roots) = &self.roots {
            command.env("PGSSLROOTCERT", roots.path());
        }
        if let Some(shown) = &self.shown {
            command.env("PGSSLCERT", shown.chain.path()).env("PGSSLKEY", shown.key.path());
        }
    }

    /// The parameters of a URL, with the `?`; none where nothing is encrypted.
    pub(crate) fn query(&self) -> String {
        let Some(roots) = &self.roots else { return String::new() };
        let mut query = format!("?sslmode={}&sslrootcert={}", self.sslmode, encoded(roots));
        if let Some(Shown { chain, key }) = &self.shown {
            query.extend(["&sslcert=", &encoded(chain), "&sslkey=", &encoded(key)]);
        }
        query
    }
}

impl Shown {
    fn write(shown: &ClientCertificate) -> io::Result<Self> {
        let mut chain = tempfile::Builder::new().prefix("holm-client-").suffix(".pem").tempfile()?;
        chain.write_all(shown.chain().as_pem().as_bytes())?;
        let mut named = tempfile::Builder::new();
        named.prefix("holm-client-").suffix(".key");
        // What a process leaves behind that is killed is gone with the machine's next start.
        let mut key =
            if Path::new(MEMORY).is_dir() { named.tempfile_in(MEMORY).or_else(|_| named.tempfile())? } else { named.tempfile()? };
        key.write_all(shown.key().expose_pem().expose().as_bytes())?;
        Ok(Self { chain, key })
    }
}

fn encoded(file: &NamedTempFile) -> String {
    file.path().as_os_str().as_encoded_bytes().iter().map(|byte| percent(*byte)).collect()
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
    use std::os::unix::fs::PermissionsExt as _;

    use holm_core::cluster::tls::{RootCertificates, Roots};
    use holm_core::secret::Secret;

    use super::*;

    const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

    #[tokio::test]
    async fn a_program_is_told_what_holm_does_itself_and_the_file_goes_with_it() {
        let roots: RootCertificates = ROOT.parse().unwrap();
        for (tls, sslmode, binding) in [
            (ServerTls::VerifyCa(roots.clone()), "verify-ca", "require"),
            (ServerTls::VerifyFull(Roots::Given(roots)), "verify-full", "prefer"),
        ] {
            let told = ProgramTls::of(&tls, None).await.unwrap();
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
        let key = Secret::new("-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n".to_owned());
        let shown = ClientCertificate::given(Some(ROOT), Some(&key)).unwrap();
        let told = ProgramTls::of(&ServerTls::VerifyFull(Roots::Given(ROOT.parse().unwrap())), shown.as_ref()).await.unwrap();
        let files = told.shown.as_ref().unwrap();
        let path = files.key.path().to_owned();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(
            (std::fs::read_to_string(&path).unwrap(), std::fs::read_to_string(&files.chain).unwrap()),
            (key.expose().clone(), ROOT.to_owned())
        );
        assert!(told.query().contains("&sslcert=/") && told.query().contains("&sslkey=/") && !told.query().contains("c2VjcmV0"));
        drop(told);
        assert!(!path.exists());
        let told = ProgramTls::of(&ServerTls::Disable, shown.as_ref()).await.unwrap();
        assert_eq!((told.sslmode, told.query().as_str(), told.roots.is_none()), ("disable", "", true));
    }
}
