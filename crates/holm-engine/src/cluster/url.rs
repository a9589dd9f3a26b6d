//! Where a server is, as people write it: `postgresql://user:password@host:port/database`.
//!
//! Promises: one host, one port, one role, one way to speak to it; no text of it that could hold the password is repeated in a
//! refusal. Refuses what Holm would not heed: sockets, several hosts, an `sslmode` that protects from nobody, parameters; and
//! to read a file that a URL names, which would be one of the machine where Holm runs.

use holm_core::cluster::ServerAddress;
use holm_core::cluster::asked::Asked;
use holm_core::cluster::client_certificate::ClientCertificate;
use holm_core::cluster::tls::{InvalidServerTls, RootCertificates, ServerTls};
use holm_core::error::{ErrorCode, Problem};
use holm_core::role::{DatabaseName, RoleName};
use holm_core::secret::Secret;
use tokio_postgres::Config;
use tokio_postgres::config::{ChannelBinding, Host, SslMode as DriverMode, SslNegotiation, TargetSessionAttrs};

use super::client_certificate;

/// PostgreSQL's own.
const PORT: u16 = 5432;

/// What a URL says.
#[derive(Clone, Debug)]
pub struct ServerUrl {
    /// Where it listens.
    pub address: ServerAddress,
    /// How to speak to it.
    pub tls: ServerTls,
    /// Whether that was said; if not, it is what saying nothing means for a server that is new.
    pub says_tls: bool,
    /// What it is to be shown; for a server that is known already, nothing said is what was shown before.
    pub client_certificate: Option<ClientCertificate>,
    /// Who to log in as.
    pub role: RoleName,
    /// With what.
    pub password: Secret<String>,
    /// Which database, if it says one.
    pub database: Option<DatabaseName>,
}

/// What is given beside a URL; each counts instead of the URL's own.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// The role's password.
    pub password: Option<Secret<String>>,
    /// PostgreSQL's word.
    pub sslmode: Option<String>,
    /// Certificates in PEM.
    pub ssl_root_cert: Option<String>,
    /// What the server is to be shown: a certificate in PEM, and those that lead to its authority.
    pub client_cert: Option<String>,
    /// The certificate's private key in PEM.
    pub client_key: Option<Secret<String>>,
}

impl ServerUrl {
    /// Reads a URL; a password that is given beside it counts instead of its own.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidValue`].
    pub fn parse(url: &Secret<String>, password: Option<&Secret<String>>) -> Result<Self, Problem> {
        Self::read(url, &Beside { password: password.cloned(), ..Beside::default() })
    }

    /// Reads a URL, and what is given beside it.
    ///
    /// # Errors
    /// [`ErrorCode::InvalidValue`]; also for a password that keys cannot be derived from.
    pub fn read(url: &Secret<String>, beside: &Beside) -> Result<Self, Problem> {
        let text = url.expose();
        if !(text.starts_with("postgresql://") || text.starts_with("postgres://")) {
            return Err(invalid("it does not begin with `postgresql://`"));
        }
        let (text, asked) = Asked::split(text).map_err(tls_invalid)?;
        // The driver's own words could repeat a part of it.
        let config: Config =
            text.expose().parse().map_err(|_| invalid("it cannot be read as a URL with parameters that PostgreSQL knows"))?;
        let says_tls = !asked.is_silent() || beside.sslmode.is_some() || beside.ssl_root_cert.is_some();
        let roots: Option<RootCertificates> = beside.ssl_root_cert.as_deref().map(str::parse).transpose().map_err(tls_invalid)?;
        let tls = asked.with(beside.sslmode.as_deref(), roots).map_err(tls_invalid)?;
        let client_certificate = client_certificate::read(beside.client_cert.as_deref(), beside.client_key.as_ref())?;
        let unheeded = [
            ("sslmode", config.get_ssl_mode() != DriverMode::Prefer),
            ("sslnegotiation", config.get_ssl_negotiation() != SslNegotiation::Postgres),
            ("hostaddr", !config.get_hostaddrs().is_empty()),
            ("options", config.get_options().is_some()),
            ("target_session_attrs", config.get_target_session_attrs() != TargetSessionAttrs::Any),
            ("channel_binding", config.get_channel_binding() == ChannelBinding::Require),
        ];
        if let Some((parameter, _)) = unheeded.into_iter().find(|(_, given)| *given) {
            return Err(invalid(&format!("it has the parameter `{parameter}`, which Holm would not heed")));
        }
        let host = match config.get_hosts() {
            [Host::Tcp(host)] if !host.is_empty() => host.trim_start_matches('[').trim_end_matches(']').into(),
            [_] | [] => return Err(invalid("it names no host that is reached by TCP")),
            _ => return Err(invalid("it names several hosts; give the primary")),
        };
        let port = match config.get_ports() {
            [] => PORT,
            [port] => *port,
            _ => return Err(invalid("it names several ports")),
        };
        if port == 0 {
            return Err(invalid("nobody listens on port 0"));
        }
        let role = config.get_user().ok_or_else(|| invalid("it names no role"))?.parse().map_err(|error| invalid(&format!("{error}")))?;
        let own = config.get_password().map(|bytes| String::from_utf8(bytes.to_vec()).map(Secret::new)).transpose();
        let own = own.map_err(|_| not_ascii())?;
        let password = beside.password.clone().or(own).filter(|password| !password.expose().is_empty());
        let password = password.ok_or_else(|| invalid("it has no password, and none is given beside it"))?;
        // SASLprep leaves printable ASCII alone; anything else some client would derive another key from.
        if !password.expose().bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
            return Err(not_ascii());
        }
        let database = config.get_dbname().map(str::parse).transpose().map_err(|error| invalid(&format!("{error}")))?;
        Ok(Self { address: ServerAddress { host, port }, tls, says_tls, client_certificate, role, password, database })
    }
}

fn tls_invalid(why: InvalidServerTls) -> Problem {
    Problem::new(ErrorCode::InvalidValue, "the server cannot be spoken to like that").because(why).next(
        "say `--sslmode verify-full`, with `--ssl-root-cert FILE` if the system does not know who issued the server's certificate; \
         `--sslmode disable` only where nobody else is on the way",
    )
}

fn invalid(why: &str) -> Problem {
    Problem::new(ErrorCode::InvalidValue, "the server's URL cannot be used")
        .because(why)
        .next("give it as `postgresql://user:password@host:port/database`")
}

fn not_ascii() -> Problem {
    Problem::new(ErrorCode::InvalidValue, "the password cannot be used")
        .because("it has characters that are not printable ASCII")
        .next("set another password for the role")
}

#[cfg(test)]
mod tests {
    use holm_core::cluster::tls::Roots;

    use super::*;

    fn parse(text: &str) -> Result<ServerUrl, Problem> {
        ServerUrl::parse(&Secret::new(text.to_owned()), None)
    }

    #[test]
    fn a_url_is_read_with_what_is_encoded_in_it() {
        let url = parse("postgresql://a%40b:p%2Fw%20x@db.example.com/app%20one").unwrap();
        assert_eq!((url.address.to_string(), url.role.as_str()), ("db.example.com:5432".to_owned(), "a@b"));
        assert_eq!((url.password.expose().as_str(), url.database.unwrap().as_str()), ("p/w x", "app one"));
        let url = parse("postgresql:///app?host=db.example.com&port=6000&user=u&password=p&sslmode=disable").unwrap();
        assert_eq!((url.address.to_string(), url.role.as_str()), ("db.example.com:6000".to_owned(), "u"));
        let beside = Secret::new("other".to_owned());
        let url = ServerUrl::parse(&Secret::new("postgres://holm@[::1]:6000".to_owned()), Some(&beside)).unwrap();
        assert_eq!((url.address.to_string(), url.password == beside, url.database), ("[::1]:6000".to_owned(), true, None));
    }

    #[test]
    fn what_would_not_be_heeded_is_refused_and_no_password_is_repeated() {
        for text in [
            "",
            "host=x user=y password=hunter22",
            "mysql://u:hunter22@h/d",
            "postgresql://u:hunter22@/d",
            "postgresql://u:hunter22@h1,h2/d",
            "postgresql://u:hunter22@h:99999/d",
            "postgresql://u:hunter22@h:0/d",
            "postgresql://u:hunter22@h/d?port=6000",
            "postgresql://u:hunter22@h:6000/d?port=5432",
            "postgresql://u:hunter22@h/d?hostaddr=127.0.0.1",
            "postgresql://u:hunter22@h/d?options=-crole%3Dx",
            "postgresql://u:hunter22@h/d?target_session_attrs=read-only",
            "postgresql://u:hunter22@h/d?channel_binding=require",
            "postgresql://u:hunter22@%2Frun%2Fpostgresql/d",
            "postgresql:///d?host=/run/postgresql&user=u&password=hunter22",
            "postgresql://u:hunter22@h/d?host=h2",
            "postgresql://u:hunter22@h/d?sslrootcert=x",
            "postgresql://u:hunter22@h/d?sslmode=require",
            "postgresql://u:hunter22@h/d?sslmode=prefer",
            "postgresql://u:hunter22@h/d?sslmode=allow",
            "postgresql://u:hunter22@h/d?sslmode=verify-ca",
            "postgresql://u:hunter22@h/d?sslmode=Verify-Full",
            "postgresql://u:hunter22@h/d?sslmode=",
            "postgresql://u:hunter22@h/d?sslmode=disable&sslmode=verify-full",
            "postgresql://u:hunter22@h/d?%73slmode=require",
            "postgresql://u:hunter22@h/d?sslmode=disable&sslrootcert=system",
            "postgresql://u:hunter22@h/d?sslrootcert=/etc/passwd",
            "postgresql://u:hunter22@h/d?sslnegotiation=direct",
            "postgresql://h/d",
            "postgresql://u@h/d",
            "postgresql://u:@h/d",
            "postgresql://u:hunter22%C3%A5@h/d",
            "postgresql://u:hunter22%00@h/d",
        ] {
            let problem = parse(text).unwrap_err();
            assert!(!format!("{problem:?}").contains("hunter22"), "{problem:?}");
            assert!(!problem.next.is_empty());
        }
        for weak in ["allow", "prefer", "require"] {
            let problem = parse(&format!("postgresql://u:p@h/d?sslmode={weak}")).unwrap_err();
            assert!(problem.why.unwrap().contains(&format!("`sslmode={weak}`")));
        }
    }

    #[test]
    fn how_to_speak_to_it_is_said_in_the_url_or_beside_it_and_what_is_beside_counts() {
        const ROOT: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        let read = |url: &str, sslmode: Option<&str>, root: Option<&str>| {
            let beside = Beside { sslmode: sslmode.map(str::to_owned), ssl_root_cert: root.map(str::to_owned), ..Beside::default() };
            ServerUrl::read(&Secret::new(url.to_owned()), &beside)
        };
        let (system, given) = (ServerTls::VerifyFull(Roots::System), ServerTls::VerifyFull(Roots::Given(ROOT.parse().unwrap())));
        let any_name = ServerTls::VerifyCa(ROOT.parse().unwrap());
        for (query, sslmode, root, expected) in [
            ("", None, None, &ServerTls::Disable),
            ("?sslmode=disable", None, None, &ServerTls::Disable),
            ("?sslmode=verify-full", None, None, &system),
            ("?sslrootcert=system", None, None, &system),
            ("?sslmode=verify-full&sslrootcert=system&connect_timeout=5", None, None, &system),
            ("?connect_timeout=5&sslmode=verify-full", None, Some(ROOT), &given),
            ("", None, Some(ROOT), &given),
            ("?sslmode=verify-ca", None, Some(ROOT), &any_name),
            ("?sslmode=verify-full", Some("verify-ca"), Some(ROOT), &any_name),
            // As a provider hands it out.
            ("?sslmode=prefer", Some("verify-full"), None, &system),
            ("?sslmode=require", Some("disable"), None, &ServerTls::Disable),
            ("?sslmode=verify-full", Some("disable"), None, &ServerTls::Disable),
        ] {
            let url = read(&format!("postgresql://u:p%3Fq@h:6000/d{query}"), sslmode, root).unwrap();
            assert_eq!(url.tls, *expected, "{query} {sslmode:?}");
            assert_eq!((url.address.to_string(), url.password.expose().as_str()), ("h:6000".to_owned(), "p?q"));
        }
        assert_eq!(read("postgresql://u:p?sslmode=require@h/d", None, None).unwrap().password.expose(), "p?sslmode=require");
        for (sslmode, root) in [(Some("disable"), Some(ROOT)), (Some("verify-ca"), None), (Some("verify-full"), Some("AAAA"))] {
            assert_eq!(read("postgresql://u:p@h/d", sslmode, root).unwrap_err().code, ErrorCode::InvalidValue);
        }
    }
}
