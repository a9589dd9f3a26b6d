//! The signature header as an app checks it: whatever a browser sends is no signature.
//!
//! The lines are a header value, a target and a host.

#![no_main]

#[path = "../../crates/holm-proxy/src/gateway/signature.rs"]
mod signature;

use std::time::Duration;

use holm_core::environment::EnvironmentName;
use holm_core::secret::Secret;
use holm_core::slug::TenantSlug;
use http::Method;
use libfuzzer_sys::fuzz_target;
use signature::{Claim, InvalidSignature, sign, verify};

const NOW: u64 = 1_763_710_000;
const SKEW: Duration = Duration::from_secs(30);

fuzz_target!(|text: &str| {
    let mut lines = text.splitn(3, '\n');
    let (header, target, host) = (lines.next().unwrap_or_default(), lines.next().unwrap_or("/"), lines.next().unwrap_or("a.example"));
    let slug: TenantSlug = "goteborg".parse().expect("it is a slug");
    let environment: EnvironmentName = "production".parse().expect("it is a name");
    let tenant = format!("ten_{:032x}", 1).parse().expect("it is an id");
    let claim = Claim { tenant, slug: &slug, environment: &environment, method: &Method::GET, target, host };
    let key = Secret::new([7; 32]);

    assert_ne!(verify(&key, header, &claim, NOW, SKEW), Ok(()), "nobody signs without the key");
    let signature = sign(&key, NOW, &claim);
    let expected = if host.contains('\n') { Err(InvalidSignature::Wrong) } else { Ok(()) };
    assert_eq!(verify(&key, &signature, &claim, NOW, SKEW), expected);
    assert_ne!(verify(&key, &signature, &Claim { target: &format!("{target}x"), ..claim }, NOW, SKEW), Ok(()));
    // A stranger's tag beside ours is refused, whichever is good.
    if header.split(',').any(|part| part.starts_with("v1=")) {
        let mixed = format!("{signature},{header}");
        assert_eq!(verify(&key, &mixed, &claim, NOW, SKEW), Err(InvalidSignature::Malformed));
    }
});
