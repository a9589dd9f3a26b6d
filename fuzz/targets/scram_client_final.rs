//! A client's last SCRAM message: whatever it says, without the password it does not get in.

#![no_main]

use std::num::NonZeroU32;
use std::sync::LazyLock;

use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::keys::LoginKeys;
use holm_pgwire::scram::server::{Channel, start};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<LoginKeys> = LazyLock::new(|| LoginKeys::derive(b"pencil", b"salt", NonZeroU32::MIN));

/// The one right answer; its proof holds for this exchange only, in which all nonces are fixed.
static RIGHT: LazyLock<String> = LazyLock::new(|| {
    let (opening, client_first) = Opening::new("client".to_owned());
    let (_, server_first) =
        start(KEYS.verifier(b"salt", NonZeroU32::MIN), Channel::Unbound, client_first.as_bytes(), "server").expect("our client's words are well-formed");
    opening.respond(server_first.as_bytes(), &KEYS).expect("our server's words are well-formed").1
});

fuzz_target!(|message: &[u8]| {
    let (challenge, _) = start(KEYS.verifier(b"salt", NonZeroU32::MIN), Channel::Unbound, b"n,,n=,r=client", "server").expect("it is well-formed");
    let finished = challenge.finish(message);
    assert_eq!(finished.is_ok(), message == RIGHT.as_bytes());
});
