//! The URL with which an app reaches one tenant through the proxy.

use holm_core::secret::Secret;

use crate::percent;
use crate::stored_credentials::Stored;

/// A connection URL that psql takes as it is: a level's credential, the proxy's address, the tenant as database name.
///
/// `schema` becomes `?schema=…`, which Prisma expects and psql refuses (R33).
pub(crate) fn proxy_url(credential: &Stored, proxy: &str, slug: &str, schema: Option<&str>) -> Secret<String> {
    let (user, password) = (percent::encode(credential.name.as_str()), percent::encode(credential.secret.expose()));
    let query = schema.map(|schema| format!("?schema={}", percent::encode(schema))).unwrap_or_default();
    Secret::new(format!("postgresql://{user}:{password}@{}/{}{query}", reachable(proxy), percent::encode(slug)))
}

/// An address that listens everywhere is reached on the loopback of the same machine.
pub(crate) fn reachable(address: &str) -> String {
    match address.parse::<std::net::SocketAddr>() {
        Ok(address) if address.ip().is_unspecified() && address.is_ipv4() => format!("127.0.0.1:{}", address.port()),
        Ok(address) if address.ip().is_unspecified() => format!("[::1]:{}", address.port()),
        _ => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credential(secret: &str) -> Stored {
        Stored {
            name: "production-rw".parse().unwrap(),
            environment: "production".parse().unwrap(),
            level: holm_core::credential::Level::Rw,
            secret: Secret::new(secret.to_owned()),
        }
    }

    #[test]
    fn r33_the_url_has_the_form_that_prisma_and_psql_know() {
        let url = proxy_url(&credential("s3cret"), "127.0.0.1:6432", "goteborg", None);
        assert_eq!(url.expose(), "postgresql://production-rw:s3cret@127.0.0.1:6432/goteborg");
        let url = proxy_url(&credential("s3cret"), "127.0.0.1:6432", "goteborg", Some("public"));
        assert_eq!(url.expose(), "postgresql://production-rw:s3cret@127.0.0.1:6432/goteborg?schema=public");
    }

    #[test]
    fn r33_a_secret_that_means_something_in_a_url_is_encoded() {
        let url = proxy_url(&credential("a@b:c/d?e#f%$\"'"), "[::]:6432", "malmo", None);
        assert_eq!(url.expose(), "postgresql://production-rw:a%40b%3Ac%2Fd%3Fe%23f%25%24%22%27@[::1]:6432/malmo");
    }

    #[test]
    fn an_address_that_listens_everywhere_is_given_as_one_that_can_be_dialled() {
        assert_eq!(reachable("0.0.0.0:6432"), "127.0.0.1:6432");
        assert_eq!(reachable("[::]:6432"), "[::1]:6432");
        assert_eq!(reachable("10.0.0.4:6432"), "10.0.0.4:6432");
        assert_eq!(reachable("proxy.example.com:6432"), "proxy.example.com:6432");
    }
}
