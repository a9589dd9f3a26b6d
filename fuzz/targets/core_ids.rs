//! Ids as the API is sent them: read back as printed, and never as another kind's.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use holm_core::id::{ClusterId, CredentialId, DatabaseId, EnvironmentId, OperationId, TenantId, TokenId};
use libfuzzer_sys::fuzz_target;

/// Whether it is an id of this kind; if so, it prints as it was written.
fn is<I: FromStr + Display>(text: &str) -> usize {
    usize::from(text.parse::<I>().is_ok_and(|id| {
        assert_eq!(id.to_string(), text);
        true
    }))
}

fuzz_target!(|text: &str| {
    let kinds = is::<TenantId>(text)
        + is::<ClusterId>(text)
        + is::<EnvironmentId>(text)
        + is::<CredentialId>(text)
        + is::<DatabaseId>(text)
        + is::<TokenId>(text)
        + is::<OperationId>(text);
    assert!(kinds <= 1);
});
