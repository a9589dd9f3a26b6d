//! A tenant's placement certificate as the data plane has it, for somebody who wants to check it.
//!
//! Promises: what was signed is given byte for byte, with the signature and the key, so that it can be checked without Holm. Refuses to
//! judge: it is what was said last.

use holm_core::cluster::ClusterName;
use holm_core::environment::EnvironmentName;
use holm_core::error::{ErrorCode, Problem};
use holm_core::placement::{Certificate, GRACE, Placement, Withheld};
use holm_core::slug::TenantSlug;
use jiff::Timestamp;

use crate::control::Control;
use crate::tenant;

/// What the data plane has.
#[derive(Clone, Debug)]
pub struct Certified {
    /// Where.
    pub environment: EnvironmentName,
    /// Whose.
    pub tenant: TenantSlug,
    /// On which cluster its database is.
    pub cluster: ClusterName,
    /// The certificate, or why there is none.
    pub standing: Result<Shown, Withheld>,
}

/// A certificate, and what is needed to check it.
#[derive(Clone, Debug)]
pub struct Shown {
    /// As it is.
    pub certificate: Certificate,
    /// Until when it is good if nobody renews it.
    pub good_until: Timestamp,
    /// What the signature is over.
    pub signed: Vec<u8>,
    /// The Ed25519 key that checks it.
    pub key: [u8; 32],
}

/// What the data plane is told of a tenant now.
///
/// # Errors
/// No such tenant; [`ErrorCode::RecordNotFound`]: it has no route, so that there is nothing to certify; the catalog does not answer.
///
/// # Cancel safety
/// Safe: it only reads.
pub async fn of(control: &Control, environment: &EnvironmentName, slug: &TenantSlug) -> Result<Certified, Problem> {
    let tenant = tenant::show(control, environment, slug).await?;
    let table = control.publisher().table();
    let found = table.route_of(tenant.id).and_then(|route| Some((route, table.cluster(route.cluster)?, table.authority()?)));
    let Some((route, cluster, authority)) = found else {
        return Err(Problem::new(ErrorCode::RecordNotFound, format!("the tenant `{slug}` has no placement certificate"))
            .because("nobody is let in to it, so that there is nothing to certify")
            .next(format!("see where it is in its life: `holm tenant show {slug} --env {environment}`")));
    };
    let standing = match &route.placement {
        Placement::Withheld(why) => Err(*why),
        Placement::Certified(certificate) => Ok(Shown {
            certificate: (**certificate).clone(),
            good_until: certificate.claims.expires_at.saturating_add(GRACE).unwrap_or(Timestamp::MAX),
            signed: certificate.claims.signed_bytes(&route.environment, &route.database),
            key: authority.key,
        }),
    };
    Ok(Certified { environment: route.environment.clone(), tenant: route.slug.clone(), cluster: cluster.name.clone(), standing })
}
