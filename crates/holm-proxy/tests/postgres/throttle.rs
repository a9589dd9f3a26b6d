//! Who guesses passwords is slowed down, and who knows theirs is not.

use holm_pgwire::scram::client::Opening;
use holm_pgwire::scram::keys::LoginKeys;
use holm_pgwire::{fields, message};
use holm_proxy::postgres::throttle::Rule;

use crate::raw::{NONCE, Raw, startup};
use crate::support::World;

/// Goes as far as the challenge, if it gets there.
async fn begin(world: &World, user: &str) -> Result<(Raw, Opening, Vec<u8>), Told> {
    let mut raw = Raw::connect(world).await;
    raw.send(&startup(0, &[("user", user), ("database", "malmo")])).await;
    let (tag, body) = raw.next().await.unwrap();
    if tag == b'E' {
        return Err(Told::of(&body));
    }
    let (opening, first) = Opening::new(NONCE.to_owned());
    let mut out = Vec::new();
    message::sasl_initial_response(&mut out, "SCRAM-SHA-256", first.as_bytes());
    raw.send(&out).await;
    let (_, challenge) = raw.next().await.unwrap();
    Ok((raw, opening, challenge))
}

/// A proof by keys that are nobody's, without the time that a password takes.
async fn finish((mut raw, opening, challenge): (Raw, Opening, Vec<u8>)) -> Told {
    let keys = LoginKeys { client_key: [1; 32], server_key: [2; 32] };
    let (_, proof) = opening.respond(&challenge[4..], &keys).unwrap();
    let mut out = Vec::new();
    message::sasl_response(&mut out, proof.as_bytes());
    raw.send(&out).await;
    let (tag, body) = raw.next().await.unwrap();
    assert_eq!(tag, b'E');
    Told::of(&body)
}

async fn guess(world: &World, user: &str) -> Told {
    match begin(world, user).await {
        Ok(begun) => finish(begun).await,
        Err(told) => told,
    }
}

/// All of what a client hears.
#[derive(Debug, PartialEq, Eq)]
struct Told {
    code: String,
    words: String,
}

impl Told {
    fn of(body: &[u8]) -> Self {
        let fields = fields::parse(body);
        let text = |field: Option<&[u8]>| String::from_utf8_lossy(field.unwrap()).into_owned();
        let words = [fields.message, fields.detail, fields.hint].map(text).join("\n");
        // How long depends on how fast the test is.
        let words = (1..=5).fold(words, |words, seconds| words.replace(&format!("in {seconds} s,"), "in [1 to 5] s,"));
        Self { code: text(fields.code), words }
    }
}

/// Guesses until it is refused unseen; gives how many guesses were looked at, and what was said then.
async fn guess_until_refused(world: &World, mut name: impl FnMut(usize) -> String) -> (usize, Told) {
    for guesses in 0..1000 {
        let told = guess(world, &name(guesses)).await;
        if told.code != "28P01" {
            return (guesses, told);
        }
    }
    panic!("a thousand guesses were looked at");
}

fn throttled(world: &World, rule: Rule) -> u64 {
    world.proxy.counters().throttled().find(|(known, _)| *known == rule).unwrap().1
}

#[tokio::test]
async fn after_ten_wrong_passwords_a_name_is_refused_in_the_same_words_whether_it_exists_or_not() {
    let world = World::new().await;
    world.tenant("malmo").await;
    let mut heard = Vec::new();
    for name in ["app", "nobody"] {
        let (guesses, told) = guess_until_refused(&world, |_| name.to_owned()).await;
        // One more for each 5 s that they take.
        assert!((10..=12).contains(&guesses), "{guesses}");
        heard.push(told);
    }
    assert_eq!(heard[0], heard[1]);
    assert_eq!(heard[0].code, "53300", "what pools come back for");
    insta::assert_snapshot!(heard[0].words, @r"
    HOLM-5022: too many logins failed
    logins with this name, or from this address, failed so often of late that this one was not looked at
    try again in [1 to 5] s, with the right name and password; an app that was given a wrong one should be stopped
    ");
    assert_eq!(throttled(&world, Rule::NameFromAddress), 2);
    let error = world.try_connect("app", "malmo").await.err().unwrap();
    assert_eq!(error.code().unwrap().code(), "53300", "the right password too: nobody looks at it");
    world.connect("churn", "malmo").await;
}

#[tokio::test]
async fn a_success_forgives_and_an_app_in_use_is_let_in_while_others_at_its_address_guess() {
    let world = World::new().await;
    world.tenant("malmo").await;
    for _ in 0..9 {
        assert_eq!(guess(&world, "churn").await.code, "28P01");
    }
    world.connect("churn", "malmo").await;
    for _ in 0..20 {
        assert_eq!(guess(&world, "churn").await.code, "28P01", "forgiven, and with more room than a stranger");
    }
    let (guesses, told) = guess_until_refused(&world, |number| format!("guess{number}")).await;
    assert!(guesses < 60 && told.code == "53300", "{guesses} {told:?}");
    assert!(throttled(&world, Rule::Address) >= 1);
    world.connect("churn", "malmo").await;
}

#[tokio::test]
async fn logins_that_began_at_once_get_no_more_guesses_than_one_after_the_other() {
    let world = World::new().await;
    let mut begun = Vec::new();
    for _ in 0..30 {
        begun.push(begin(&world, "churn").await.expect("nobody has failed yet"));
    }
    let mut codes = Vec::new();
    for begun in begun {
        codes.push(finish(begun).await.code);
    }
    let guesses = codes.iter().filter(|code| *code == "28P01").count();
    assert!((10..=12).contains(&guesses) && codes.iter().all(|code| code == "28P01" || code == "53300"), "{codes:?}");
}
