//! A server's first SCRAM message, as the client's side reads it: the server may be the tenant's own.

#![no_main]

use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::keys::LoginKeys;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|message: &[u8]| {
    let keys = LoginKeys { client_key: [1; 32], server_key: [2; 32] };
    let (opening, _) = Opening::new("client".to_owned());
    let Ok((_, client_final)) = opening.respond(message, &keys) else { return };
    let message = std::str::from_utf8(message).expect("it was read as text");
    let nonce = message.strip_prefix("r=").and_then(|rest| rest.split_once(',')).expect("it begins with a nonce").0;
    assert!(nonce.starts_with("client") && nonce.len() > "client".len(), "a server that adds nothing could replay an exchange");
    assert!(client_final.starts_with(&format!("c=biws,r={nonce},p=")));
});
