//! What a URL says of TLS, in libpq's words, taken out of it: drivers know only the modes that protect from nobody.
//!
//! Promises: of the URL nothing is repeated in a refusal but a word that looks like a mode and is none. Refuses to name a file: whose machine it would be on is the caller's to know.

use crate::cluster::tls::{InvalidServerTls, RootCertificates, ServerTls, SslMode};
use crate::secret::Secret;

/// `sslmode` and `sslrootcert` of a URL.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Asked {
    sslmode: Option<String>,
    /// Whether it says that the system's roots count.
    system_roots: bool,
}

impl Asked {
    /// Takes it out; gives what is left of the URL.
    ///
    /// # Errors
    /// [`InvalidServerTls::Twice`] and [`InvalidServerTls::File`].
    pub fn split(url: &str) -> Result<(Secret<String>, Self), InvalidServerTls> {
        // As drivers read it: what stands before the first `@` is a login, in which a `?` means nothing.
        let begin = url.find('@').map_or(0, |at| at + 1);
        let Some(query) = url[begin..].find('?').map(|at| begin + at + 1) else {
            return Ok((Secret::new(url.to_owned()), Self::default()));
        };
        let (mut asked, mut kept) = (Self::default(), Vec::new());
        for parameter in url[query..].split('&') {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => {
                    if asked.sslmode.replace(value.to_owned()).is_some() {
                        return Err(InvalidServerTls::Twice);
                    }
                }
                Some(("sslrootcert", "system")) => asked.system_roots = true,
                Some(("sslrootcert", _)) => return Err(InvalidServerTls::File),
                _ => kept.push(parameter),
            }
        }
        let rest = kept.join("&");
        let end = if rest.is_empty() { query - 1 } else { query };
        Ok((Secret::new([&url[..end], &rest].concat()), asked))
    }

    /// Whether it says nothing of TLS.
    pub const fn is_silent(&self) -> bool {
        self.sslmode.is_none() && !self.system_roots
    }

    /// How the server is to be spoken to; a mode beside the URL counts instead of its own. Roots say that something is to be
    /// verified, and who says no mode with them, or the system's, means all of it.
    ///
    /// # Errors
    /// [`InvalidServerTls`].
    pub fn with(self, sslmode: Option<&str>, roots: Option<RootCertificates>) -> Result<ServerTls, InvalidServerTls> {
        let mode: Option<SslMode> = sslmode.or(self.sslmode.as_deref()).map(str::parse).transpose()?;
        let implied = if roots.is_some() || self.system_roots { SslMode::VerifyFull } else { SslMode::Disable };
        let mode = mode.unwrap_or(implied);
        if self.system_roots && roots.is_none() && mode == SslMode::Disable {
            return Err(InvalidServerTls::RootsUnused);
        }
        ServerTls::new(mode, roots)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_tls_is_taken_out_and_the_rest_is_as_it_was() {
        for (url, rest, mode) in [
            ("postgresql://u:p@h/d", "postgresql://u:p@h/d", Some(SslMode::Disable)),
            ("postgresql://u:p@h/d?sslmode=verify-full", "postgresql://u:p@h/d", Some(SslMode::VerifyFull)),
            ("postgresql://u:p@h/d?a=b&sslrootcert=system&c=d", "postgresql://u:p@h/d?a=b&c=d", Some(SslMode::VerifyFull)),
            ("postgresql://u:p?sslmode=require@h/d?x=y", "postgresql://u:p?sslmode=require@h/d?x=y", Some(SslMode::Disable)),
            ("postgresql://u:p@h/d?sslmode=require", "postgresql://u:p@h/d", None),
        ] {
            let (left, asked) = Asked::split(url).unwrap();
            assert_eq!(left.expose(), rest);
            assert_eq!(asked.with(None, None).map(|tls| tls.mode()).ok(), mode, "{url}");
        }
        assert!(Asked::split("postgresql://u:p@h/d?application_name=x").unwrap().1.is_silent());
        for said in ["sslmode=disable", "sslrootcert=system"] {
            assert!(!Asked::split(&format!("postgresql://u:p@h/d?{said}")).unwrap().1.is_silent());
        }
        // A separator that is none makes the password a part of the word.
        for glued in ["sslmode=disable?password=hunter22", "sslmode=verify-full;password=hunter22", "sslmode=disable password=hunter22"] {
            let (_, asked) = Asked::split(&format!("postgresql://u@h/d?{glued}")).unwrap();
            let refused = asked.with(None, None).unwrap_err().to_string();
            assert!(refused.contains("sslmode") && !refused.contains("hunter22"), "{refused}");
        }
        for (url, why) in [
            ("postgresql://u:hunter22@h/d?sslmode=disable&sslmode=verify-full", InvalidServerTls::Twice),
            ("postgresql://u:hunter22@h/d?sslrootcert=/etc/passwd", InvalidServerTls::File),
        ] {
            let refused = Asked::split(url).unwrap_err();
            assert_eq!(refused, why);
            assert!(!refused.to_string().contains("passwd"));
        }
    }
}
