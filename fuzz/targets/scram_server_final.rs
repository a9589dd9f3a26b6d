//! A server's last SCRAM message: whatever it says, without the keys it is not believed.

#![no_main]

use std::num::NonZeroU32;
use std::sync::LazyLock;

use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::keys::LoginKeys;
use holm_pgwire::scram::server::{Channel, start};
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<LoginKeys> = LazyLock::new(|| LoginKeys::derive(b"pencil", b"salt", NonZeroU32::MIN));

/// What a server that knows the keys says.
static RIGHT: LazyLock<String> = LazyLock::new(|| {
    let (opening, client_first) = Opening::new("client".to_owned());
    let verifier = KEYS.verifier(b"salt", NonZeroU32::MIN);
    let (challenge, server_first) =
        start(verifier, Channel::Unbound, client_first.as_bytes(), "server").expect("our client's words are well-formed");
    let (_, client_final) = opening.respond(server_first.as_bytes(), &KEYS).expect("our server's words are well-formed");
    challenge.finish(client_final.as_bytes()).expect("the client knows the keys").server_final
});

fuzz_target!(|message: &[u8]| {
    let (opening, _) = Opening::new("client".to_owned());
    let (awaiting, _) = opening.respond(b"r=clientserver,s=c2FsdA==,i=1", &KEYS).expect("it is well-formed");
    if awaiting.verify(message).is_ok() {
        // Extensions may follow the signature; nothing may come before it.
        assert!(message.starts_with(RIGHT.as_bytes()) && message.get(RIGHT.len()).is_none_or(|next| *next == b','));
    }
});
