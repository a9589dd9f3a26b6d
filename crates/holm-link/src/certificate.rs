//! Signs placement certificates, and checks them before a server connection is opened.
//!
//! Promises: one that was changed anywhere, that somebody else signed, that is for another tenant, database or server, or whose
//! time and grace are over is refused by name. Refuses clocks and routes' meaning: moments come as arguments, and what may be
//! done with a database is for whoever admits. Ed25519 (RFC 8032), since a certificate is shown to people who must not be able to
//! make one.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use holm_core::environment::EnvironmentName;
use holm_core::placement::{Certificate, Claims, Placement, SystemIdentifier, Withheld};
use holm_core::role::DatabaseName;
use holm_core::route::{Route, RouteTable};
use holm_core::secret::Secret;
use jiff::Timestamp;

/// The key that an installation signs with.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: [u8; 32],
}

/// Why a server connection is not opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// There is none.
    #[error("the tenant has no placement certificate: {}", .0.as_str())]
    Withheld(Withheld),
    /// Nobody said who signs.
    #[error("it is not known here who signs placement certificates")]
    NoAuthority,
    /// By its own words it is of another Holm.
    #[error("the placement certificate was signed by another installation")]
    OtherInstallation,
    /// Its tenant is another.
    #[error("the placement certificate is another tenant's")]
    OtherTenant,
    /// Its cluster is another.
    #[error("the placement certificate is for another cluster")]
    OtherCluster,
    /// It was changed, or is for another database or environment.
    #[error("the placement certificate is not what was signed for this database")]
    Forged,
    /// Its time and its grace are over.
    #[error("the placement certificate expired at {expired_at}, and its grace is over")]
    Expired {
        /// When its time was over.
        expired_at: Timestamp,
    },
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey([redacted])")
    }
}

impl SigningKey {
    /// Takes over 32 bytes that were derived, or random.
    pub fn from_seed(seed: &Secret<[u8; 32]>) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("any 32 bytes are a seed (RFC 8032, 5.1.5)");
        let public = pair.public_key().as_ref().try_into().expect("an Ed25519 public key has 32 bytes");
        Self { pair, public }
    }

    /// The half that signatures are checked with.
    pub const fn public(&self) -> [u8; 32] {
        self.public
    }

    /// Signs.
    pub fn sign(&self, claims: Claims, environment: &EnvironmentName, database: &DatabaseName) -> Certificate {
        let signature = self.pair.sign(&claims.signed_bytes(environment, database));
        let signature = signature.as_ref().try_into().expect("an Ed25519 signature has 64 bytes");
        Certificate { claims, signer: signer(&self.public), signature }
    }
}

/// How a key is named in what it signed.
pub fn signer(public: &[u8; 32]) -> [u8; 8] {
    let digest = digest(&SHA256, public);
    *digest.as_ref().first_chunk().expect("SHA-256 has 32 bytes")
}

/// What a server connection for a route may be opened to: a server of that identity, or whichever is at the cluster's address
/// where none is known. `now` is the control plane's time.
///
/// # Errors
/// [`Refused`].
pub fn check(route: &Route, table: &RouteTable, now: Timestamp) -> Result<Option<SystemIdentifier>, Refused> {
    let certificate = match &route.placement {
        Placement::Certified(certificate) => certificate,
        Placement::Withheld(why) => return Err(Refused::Withheld(*why)),
    };
    let authority = table.authority().ok_or(Refused::NoAuthority)?;
    let Certificate { claims, signer: named, signature } = certificate.as_ref();
    if *named != signer(&authority.key) {
        return Err(Refused::OtherInstallation);
    }
    if claims.tenant != route.tenant {
        return Err(Refused::OtherTenant);
    }
    if claims.cluster != route.cluster {
        return Err(Refused::OtherCluster);
    }
    let bytes = claims.signed_bytes(&route.environment, &route.database);
    UnparsedPublicKey::new(&ED25519, &authority.key).verify(&bytes, signature).map_err(|_| Refused::Forged)?;
    if claims.is_over(now) {
        return Err(Refused::Expired { expired_at: claims.expires_at });
    }
    Ok(claims.server)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use holm_core::credential::Level;
    use holm_core::id::{ClusterId, TenantId};
    use holm_core::limits::TenantLimits;
    use holm_core::placement::{Allows, Authority, GRACE, JudgedBy};
    use holm_core::role::RoleName;
    use holm_core::route::{RouteChange, RouteState, RouteVersion, ServerLogin};
    use holm_core::scram::LoginKeys;
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn key(n: u8) -> SigningKey {
        SigningKey::from_seed(&Secret::new([n; 32]))
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn table(key: &SigningKey) -> RouteTable {
        let authority = Authority { key: key.public(), told_at: at(1_000) };
        RouteTable::default().with(RouteVersion(1), [RouteChange::Authority(authority)])
    }

    fn claims() -> Claims {
        Claims {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            cluster: ClusterId::from_uuid(Uuid::from_u128(2)),
            server: Some(SystemIdentifier(3)),
            judged_by: Some(JudgedBy { profile: [4; 32], registry: [5; 32] }),
            allows: Allows::All,
            issued_at: at(1_000),
            expires_at: at(2_000),
        }
    }

    fn route(certificate: Certificate) -> Route {
        let database = DatabaseName::generated(Uuid::from_u128(1));
        let login = |level| ServerLogin {
            role: RoleName::of(&database, level),
            keys: LoginKeys { client_key: Secret::new([1; 32]), server_key: Secret::new([2; 32]) },
        };
        Route {
            tenant: TenantId::from_uuid(Uuid::from_u128(1)),
            slug: "goteborg".parse().unwrap(),
            environment: "production".parse().unwrap(),
            state: RouteState::Serving,
            epoch: 1,
            cluster: ClusterId::from_uuid(Uuid::from_u128(2)),
            logins: Level::ALL.map(login).into(),
            next_logins: None,
            database,
            parameters: Box::new([]),
            limits: TenantLimits::default(),
            aliases: Box::new([]),
            placement: Placement::Certified(Arc::new(certificate)),
        }
    }

    /// Of this route, as `key` signs it.
    fn signed(key: &SigningKey, claims: Claims) -> Route {
        let database = DatabaseName::generated(Uuid::from_u128(1));
        route(key.sign(claims, &"production".parse().unwrap(), &database))
    }

    #[test]
    fn a_certificate_is_good_for_its_database_on_its_server_until_its_grace_is_over() {
        let (key, route) = (key(1), signed(&key(1), claims()));
        let last = at(2_000) + GRACE;
        for now in [at(0), at(1_000), at(2_000), at(2_001), last] {
            assert_eq!(check(&route, &table(&key), now), Ok(Some(SystemIdentifier(3))), "{now}");
        }
        assert_eq!(check(&route, &table(&key), last + std::time::Duration::from_secs(1)), Err(Refused::Expired { expired_at: at(2_000) }));
    }

    #[test]
    fn every_other_certificate_is_refused_by_name() {
        let ours = table(&key(1));
        let now = at(1_500);
        let other = |change: fn(&mut Claims)| {
            let mut claims = claims();
            change(&mut claims);
            signed(&key(1), claims)
        };
        assert_eq!(check(&signed(&key(2), claims()), &ours, now), Err(Refused::OtherInstallation));
        let mut pretends = key(2).sign(claims(), &"production".parse().unwrap(), &DatabaseName::generated(Uuid::from_u128(1)));
        pretends.signer = signer(&key(1).public());
        assert_eq!(check(&route(pretends), &ours, now), Err(Refused::Forged), "another's key under our name");
        assert_eq!(check(&other(|claims| claims.tenant = TenantId::from_uuid(Uuid::from_u128(9))), &ours, now), Err(Refused::OtherTenant));
        assert_eq!(
            check(&other(|claims| claims.cluster = ClusterId::from_uuid(Uuid::from_u128(9))), &ours, now),
            Err(Refused::OtherCluster)
        );
        let elsewhere = key(1).sign(claims(), &"production".parse().unwrap(), &DatabaseName::generated(Uuid::from_u128(7)));
        assert_eq!(check(&route(elsewhere), &ours, now), Err(Refused::Forged), "another database of the tenant");
        let staging = key(1).sign(claims(), &"staging".parse().unwrap(), &DatabaseName::generated(Uuid::from_u128(1)));
        assert_eq!(check(&route(staging), &ours, now), Err(Refused::Forged), "another environment");
        assert_eq!(check(&signed(&key(1), claims()), &RouteTable::default(), now), Err(Refused::NoAuthority));
        let withheld = Route { placement: Placement::Withheld(Withheld::Blocked), ..signed(&key(1), claims()) };
        assert_eq!(check(&withheld, &ours, now), Err(Refused::Withheld(Withheld::Blocked)));
    }

    proptest! {
        #[test]
        fn a_certificate_that_was_changed_anywhere_is_refused(bit in 0_u32..8, byte in 0_usize..64, what in 0_u8..5) {
            let mut certificate = key(1).sign(claims(), &"production".parse().unwrap(), &DatabaseName::generated(Uuid::from_u128(1)));
            match what {
                0 => certificate.signature[byte] ^= 1 << bit,
                1 => certificate.claims.server = Some(SystemIdentifier(3 ^ (1 << byte))),
                2 => certificate.claims.expires_at = at(2_000 + 1 + i64::try_from(byte).unwrap()),
                3 => certificate.claims.judged_by = None,
                _ => certificate.claims.allows = Allows::Reading,
            }
            prop_assert_eq!(check(&route(certificate), &table(&key(1)), at(1_500)), Err(Refused::Forged));
        }
    }
}
