//! Both sides against the RFC and against each other, and what a liar gets.

use std::num::NonZeroU32;

use proptest::prelude::*;

use super::client::Opening;
use super::end_point::EndPoint;
use super::keys::{LoginKeys, Verifier, mock_verifier};
use super::server::{Challenge, Channel, start};
use super::syntax::decode;
use super::*;

const ROUNDS: NonZeroU32 = NonZeroU32::new(4096).unwrap();
const CLIENT_NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
const SERVER_NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SERVER_FIRST: &str = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096";
const CLIENT_FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
const SERVER_FINAL: &str = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";

fn rfc_keys() -> (LoginKeys, Verifier) {
    let salt = decode("W22ZaJ0SNY7soEsUEjb6gQ==", "salt").unwrap();
    let keys = LoginKeys::derive(b"pencil", &salt, ROUNDS);
    let verifier = keys.verifier(&salt, ROUNDS);
    (keys, verifier)
}

fn challenge(client_first: &str) -> Result<(Challenge, String), ScramError> {
    start(rfc_keys().1, Channel::Unbound, client_first.as_bytes(), SERVER_NONCE)
}

#[test]
fn the_example_of_rfc_7677_comes_out_on_both_sides() {
    let (keys, verifier) = rfc_keys();
    let (opening, client_first) = Opening::with_name(CLIENT_NONCE.to_owned(), "user");
    assert_eq!(client_first, "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
    let (challenge, server_first) = start(verifier, Channel::Unbound, client_first.as_bytes(), SERVER_NONCE).unwrap();
    assert_eq!(server_first, SERVER_FIRST);
    let (awaiting, client_final) = opening.respond(server_first.as_bytes(), &keys).unwrap();
    assert_eq!(client_final, CLIENT_FINAL);
    let server_final = challenge.finish(client_final.as_bytes()).unwrap();
    assert_eq!(server_final.server_final, SERVER_FINAL);
    assert!(!server_final.by_second);
    awaiting.verify(server_final.server_final.as_bytes()).unwrap();
}

#[test]
fn a_client_that_saw_no_plus_may_say_so_but_must_not_change_its_mind() {
    let (keys, verifier) = rfc_keys();
    let (challenge, server_first) = start(verifier, Channel::Unbound, b"y,,n=,r=abc", "def").unwrap();
    assert_eq!(&server_first[..8], "r=abcdef");
    let unproven = "c=eSws,r=abcdef";
    let said = format!("n=,r=abc,{server_first},{unproven}");
    let proof = keys::xor(keys.client_key, &keys::hmac(&keys::sha256(&keys.client_key), &[said.as_bytes()]));
    let client_final = format!("{unproven},p={}", syntax::encode(&proof));
    assert!(challenge.finish(client_final.as_bytes()).is_ok());
    let (challenge, _) = start(rfc_keys().1, Channel::Unbound, b"y,,n=,r=abc", "def").unwrap();
    let lie = client_final.replace("c=eSws", "c=biws");
    assert_eq!(challenge.finish(lie.as_bytes()), Err(ScramError::ChannelBinding));
}

#[test]
fn a_liar_is_refused_by_name() {
    let refused = |first: &str| challenge(first).err().unwrap();
    assert_eq!(refused("p=tls-unique,,n=,r=a"), ScramError::ChannelBinding);
    assert!(matches!(refused("n,a=root,n=,r=a"), ScramError::Malformed(_)));
    assert!(matches!(refused("n,,m=x,n=,r=a"), ScramError::Malformed(_)));
    assert_eq!(refused("n,,n=,r="), ScramError::Bounds("nonce"));
    assert_eq!(refused(&format!("n,,n=,r={}", "a".repeat(257))), ScramError::Bounds("nonce"));
    let final_of = |text: &str| challenge(&format!("n,,n=user,r={CLIENT_NONCE}")).unwrap().0.finish(text.as_bytes());
    assert!(final_of(CLIENT_FINAL).is_ok());
    assert_eq!(final_of(&CLIENT_FINAL.replace("p=dH", "p=eH")), Err(ScramError::Proof));
    assert_eq!(final_of(&CLIENT_FINAL.replace("r=rO", "r=rP")), Err(ScramError::Nonce));
    assert_eq!(final_of(&CLIENT_FINAL.replace("c=biws", "c=eSws")), Err(ScramError::ChannelBinding));
    assert!(matches!(final_of("c=biws,r=x"), Err(ScramError::Malformed(_))));
}

#[test]
fn a_server_that_does_not_know_the_keys_or_asks_too_much_is_refused() {
    let (keys, _) = rfc_keys();
    let opening = || Opening::new("abc".to_owned()).0;
    let refused = |first: &str| opening().respond(first.as_bytes(), &keys).err();
    assert_eq!(refused("r=abc,s=AAAA,i=4096"), Some(ScramError::Nonce));
    assert_eq!(refused("r=xbcdef,s=AAAA,i=4096"), Some(ScramError::Nonce));
    assert_eq!(refused("r=abcdef,s=AAAA,i=0"), Some(ScramError::Bounds("iteration count")));
    assert_eq!(refused("r=abcdef,s=AAAA,i=99999999999"), Some(ScramError::Bounds("iteration count")));
    assert_eq!(refused("r=abcdef,s=,i=4096"), Some(ScramError::Bounds("salt")));
    assert_eq!(refused(&format!("r=abc{},s=AAAA,i=4096", "d".repeat(70_000))), Some(ScramError::Bounds("nonce")));
    let (awaiting, _) = opening().respond(b"r=abcdef,s=AAAA,i=4096", &keys).unwrap();
    assert_eq!(awaiting.verify(SERVER_FINAL.as_bytes()), Err(ScramError::Proof));
}

#[test]
fn an_unknown_user_has_the_same_salt_each_time_and_no_password() {
    let mock = |name: &[u8]| mock_verifier(&[7; 32], name, 4096);
    assert_eq!(mock(b"a").salt, mock(b"a").salt);
    assert_ne!(mock(b"a").salt, mock(b"b").salt);
    assert_eq!(mock(b"a").salt.len(), 16);
    let (challenge, server_first) = start(mock(b"a"), Channel::Unbound, b"n,,n=,r=abc", "def").unwrap();
    let (opening, _) = Opening::new("abc".to_owned());
    let (_, client_final) = opening.respond(server_first.as_bytes(), &rfc_keys().0).unwrap();
    assert_eq!(challenge.finish(client_final.as_bytes()), Err(ScramError::Proof));
}

fn end_point() -> EndPoint {
    let certified = rcgen::generate_simple_self_signed(vec!["proxy.example".to_owned()]).unwrap();
    EndPoint::of_certificate(certified.cert.der()).unwrap()
}

#[test]
fn a_bound_exchange_holds_on_the_same_channel_and_on_no_other() {
    let (keys, verifier) = rfc_keys();
    let (ours, other) = (end_point(), end_point());
    for (shown, password, expected) in [
        (&ours, "pencil", Ok(())),
        (&other, "pencil", Err(ScramError::OtherChannel)),
        (&ours, "crayon", Err(ScramError::Proof)),
        // Whoever stands between learns nothing of the password.
        (&other, "crayon", Err(ScramError::OtherChannel)),
    ] {
        let keys = if password == "pencil" { keys.clone() } else { LoginKeys::derive(password.as_bytes(), b"salt", NonZeroU32::MIN) };
        let (opening, first) = Opening::bound("abc".to_owned(), shown);
        assert_eq!(first, "p=tls-server-end-point,,n=,r=abc");
        let (challenge, reply) = start(verifier.clone(), Channel::Bound(&ours), first.as_bytes(), "def").unwrap();
        let (awaiting, proof) = opening.respond(reply.as_bytes(), &keys).unwrap();
        let finished = challenge.finish(proof.as_bytes());
        assert_eq!(finished.as_ref().map(|_| ()).map_err(|error| *error), expected, "{password}");
        if let Ok(proven) = finished {
            awaiting.verify(proven.server_final.as_bytes()).unwrap();
        }
    }
}

#[test]
fn what_a_client_says_of_channel_binding_must_fit_what_it_was_offered_and_chose() {
    let ours = end_point();
    let flag = |flag: &str, channel| start(rfc_keys().1, channel, format!("{flag},,n=,r=abc").as_bytes(), "def").err();
    let (plus, mismatch) = ("p=tls-server-end-point", Some(ScramError::ChannelBinding));
    for (channel, n, y, p) in [
        (Channel::Unbound, None, None, mismatch),
        (Channel::Declined, None, Some(ScramError::Downgrade), mismatch),
        (Channel::Bound(&ours), mismatch, mismatch, None),
    ] {
        assert_eq!((flag("n", channel), flag("y", channel), flag(plus, channel)), (n, y, p), "{channel:?}");
        for other in ["p=tls-unique", "p=tls-exporter", "p=", "p=tls-server-end-point2"] {
            assert_eq!(flag(other, channel), mismatch, "{channel:?} {other}");
        }
        for none in ["", "N", "x", "p", "nn"] {
            assert!(matches!(flag(none, channel), Some(ScramError::Malformed(_))), "{channel:?} {none}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn both_sides_agree_exactly_when_the_passwords_do(
        right in prop::collection::vec(any::<u8>(), 0..30), wrong in prop::collection::vec(any::<u8>(), 0..30),
        salt in prop::collection::vec(any::<u8>(), 1..40), a: [u8; NONCE_LENGTH], b: [u8; NONCE_LENGTH],
    ) {
        let rounds = NonZeroU32::MIN;
        for password in [&right, &wrong] {
            let (keys, verifier) = (LoginKeys::derive(password, &salt, rounds), LoginKeys::derive(&right, &salt, rounds).verifier(&salt, rounds));
            let (opening, first) = Opening::new(nonce(a));
            let (challenge, reply) = start(verifier, Channel::Unbound, first.as_bytes(), &nonce(b)).unwrap();
            let (awaiting, proof) = opening.respond(reply.as_bytes(), &keys).unwrap();
            let verdict = challenge.finish(proof.as_bytes());
            prop_assert_eq!(verdict.is_ok(), *password == right);
            if let Ok(last) = verdict {
                prop_assert!(awaiting.verify(last.server_final.as_bytes()).is_ok());
            }
        }
    }

    #[test]
    fn r59_a_verifier_with_two_passwords_takes_both_says_which_and_takes_no_third(
        new in "[a-z]{1,20}", old in "[a-z]{1,20}", other in "[a-z]{1,20}", salt in prop::collection::vec(any::<u8>(), 1..40),
    ) {
        let rounds = NonZeroU32::MIN;
        let keys = |password: &str| LoginKeys::derive(password.as_bytes(), &salt, rounds);
        let old_verifier = keys(&old).verifier(&salt, rounds);
        let mut verifier = keys(&new).verifier(&salt, rounds);
        verifier.second = Some((old_verifier.stored_key, old_verifier.server_key));
        for password in [&new, &old, &other] {
            let (opening, first) = Opening::new("abc".to_owned());
            let (challenge, reply) = start(verifier.clone(), Channel::Unbound, first.as_bytes(), "def").unwrap();
            let (awaiting, proof) = opening.respond(reply.as_bytes(), &keys(password)).unwrap();
            match challenge.finish(proof.as_bytes()) {
                Ok(proven) => {
                    prop_assert!(*password == new || *password == old);
                    prop_assert_eq!(proven.by_second, *password != new);
                    prop_assert!(awaiting.verify(proven.server_final.as_bytes()).is_ok());
                }
                Err(error) => {
                    prop_assert_eq!(error, ScramError::Proof);
                    prop_assert!(*password != new && *password != old);
                }
            }
        }
    }

    #[test]
    fn any_message_is_read_or_refused(text in "\\PC{0,60}", bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let (keys, verifier) = rfc_keys_fast();
        for message in [text.as_bytes(), &bytes, format!("n,,{text}").as_bytes(), format!("c=biws,r=abcdef,{text},p=x").as_bytes()] {
            for channel in [Channel::Unbound, Channel::Declined, Channel::Bound(&END_POINT)] {
                let _ = start(verifier.clone(), channel, message, "n");
            }
            let _ = start(verifier.clone(), Channel::Unbound, b"n,,n=,r=abc", "def").unwrap().0.finish(message);
            let _ = Opening::new("abc".to_owned()).0.respond(message, &keys);
            let _ = Opening::new("abc".to_owned()).0.respond(b"r=abcd,s=AAAA,i=1", &keys).unwrap().0.verify(message);
        }
    }
}

static END_POINT: std::sync::LazyLock<EndPoint> = std::sync::LazyLock::new(end_point);

fn rfc_keys_fast() -> (LoginKeys, Verifier) {
    let keys = LoginKeys::derive(b"pencil", b"salt", NonZeroU32::MIN);
    let verifier = keys.verifier(b"salt", NonZeroU32::MIN);
    (keys, verifier)
}
