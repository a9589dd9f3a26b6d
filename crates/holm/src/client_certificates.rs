//! What `--tls-client-ca`, `--tls-client-crl` and `--tls-client-names` mean.

use std::path::PathBuf;

use holm_proxy::postgres::{ClientCertificates, GoodFor};

/// What clients of the proxy must show, if anything.
pub(crate) fn client_certificates(authorities: Option<PathBuf>, revoked: Option<PathBuf>, is_named: bool) -> Option<ClientCertificates> {
    let good_for = if is_named { GoodFor::Named } else { GoodFor::Any };
    authorities.map(|authorities| ClientCertificates { authorities, revoked, good_for })
}
