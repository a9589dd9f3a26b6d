//! The shape of a placement certificate on the wire.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::slug::TenantSlug;
use holm_engine::residency::certified::Certified;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What the data plane is told of where a tenant's database may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CertificateView {
    /// The tenant's name.
    #[schema(value_type = String, example = "goteborg")]
    pub tenant: TenantSlug,
    /// Its environment.
    #[schema(value_type = String, example = "production")]
    pub environment: EnvironmentName,
    /// The cluster that its database is on.
    #[schema(value_type = String, example = "production-1")]
    pub cluster: ClusterName,
    /// What may be done there: `all`, `reading`, `finishing`, `finishing_reading` or `nothing`.
    #[schema(example = "all")]
    pub allows: String,
    /// Why nothing may be; null otherwise.
    pub withheld: Option<String>,
    /// The certificate; null where it is withheld.
    pub certificate: Option<SignedView>,
}

/// A certificate, and what is needed to check it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SignedView {
    /// The system identifier of the server that it is for; null where that may not be asked.
    #[schema(example = "7384912345678901234")]
    pub server: Option<String>,
    /// The SHA-256 of the profile that it was judged by; null for a tenant without one.
    pub profile_hash: Option<String>,
    /// The SHA-256 of all that was known of providers, companies and law then.
    pub registry_hash: Option<String>,
    /// When it was said.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
    /// When it should have been said anew.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Until when it is good if nobody does.
    #[schema(value_type = String, format = DateTime)]
    pub good_until: Timestamp,
    /// What the signature is over, in hexadecimal digits.
    pub signed: String,
    /// The Ed25519 signature, likewise.
    pub signature: String,
    /// The key that checks it, likewise.
    pub key: String,
}

impl From<Certified> for CertificateView {
    fn from(certified: Certified) -> Self {
        let Certified { environment, tenant, cluster, standing } = certified;
        let (allows, withheld, certificate) = match standing {
            Err(why) => ("nothing".to_owned(), Some(why.as_str().to_owned()), None),
            Ok(shown) => {
                let claims = &shown.certificate.claims;
                let signed = SignedView {
                    server: claims.server.map(|server| server.to_string()),
                    profile_hash: claims.judged_by.map(|by| hex(&by.profile)),
                    registry_hash: claims.judged_by.map(|by| hex(&by.registry)),
                    issued_at: claims.issued_at,
                    expires_at: claims.expires_at,
                    good_until: shown.good_until,
                    signed: hex(&shown.signed),
                    signature: hex(&shown.certificate.signature),
                    key: hex(&shown.key),
                };
                (claims.allows.to_string(), None, Some(signed))
            }
        };
        Self { tenant, environment, cluster, allows, withheld, certificate }
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
