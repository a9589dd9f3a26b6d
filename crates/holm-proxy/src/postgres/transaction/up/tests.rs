//! What a few bytes of a client may ask for.

use std::time::Instant;

use super::*;

fn sent(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    header(&mut message, tag, body.len());
    message.extend_from_slice(body);
    message
}

/// A client's way up to a server that has answered nothing yet.
#[derive(Default)]
struct Way {
    up: Up,
    exchange: Exchange,
    names: Names,
    statements: Statements,
    known: Known,
    settings: Settings,
    pin: Option<Pin>,
    soiled: bool,
    numbers: Numbers,
    asks_for_numbers: AtomicBool,
}

impl Way {
    /// What goes to the server at once.
    fn carry(&mut self, input: &[u8]) -> Vec<u8> {
        let Self { up, exchange, names, statements, known, settings, pin, soiled, numbers, asks_for_numbers } = self;
        let mut table = Table { exchange, names, statements, known, settings, pin, soiled, numbers, asks_for_numbers, has_acted: false };
        let mut out = Vec::new();
        up.carry(input, &mut table, &mut out).unwrap();
        out
    }

    /// What goes to the server in all.
    fn carry_all(&mut self, input: &[u8]) -> Vec<u8> {
        let mut out = self.carry(input);
        while self.up.is_cut() {
            out.extend(self.carry(b""));
        }
        out
    }
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    sent(b'P', format!("{name}\0{text}\0\0\0").as_bytes())
}

fn bind(name: &str) -> Vec<u8> {
    sent(b'B', &[b"\0", name.as_bytes(), b"\0\0\0\0\0\0\0"].concat())
}

fn sync() -> Vec<u8> {
    sent(b'S', b"")
}

fn count(out: &[u8], part: &[u8]) -> usize {
    out.windows(part.len()).filter(|bytes| *bytes == part).count()
}

#[test]
fn a_text_that_is_used_again_and_again_is_written_a_part_at_a_time_and_as_often_as_it_must() {
    let long = "x".repeat(60_000);
    for (name, before) in [("s", Vec::new()), ("", sent(b'C', b"P\0"))] {
        // In a cycle of its own each time, before anything is answered.
        let input = [parse(name, &long), sync(), [before, bind(name), sync()].concat().repeat(1000)].concat();
        let mut way = Way::default();
        let mut out = way.carry(&input);
        let (mut most, mut syncs) = (out.len(), count(&out, &sync()));
        while way.up.is_cut() {
            out = way.carry(b"");
            (most, syncs) = (most.max(out.len()), syncs + count(&out, &sync()));
        }
        assert_eq!(syncs, 1001);
        assert!(most < OUT_LENGTH_MAX + 2 * long.len(), "{most} bytes at once");
    }
}

#[test]
fn a_long_text_that_executes_a_statement_is_read_when_it_is_parsed_and_not_when_it_is_used() {
    let uses = 1000;
    for (name, length) in [("s", NAMED_LENGTH_MAX - 100), ("", TEXT_LENGTH_MAX - 100)] {
        let mut way = Way::default();
        way.carry_all(&[parse("a", "SELECT 1"), sync()].concat());
        let begun = Instant::now();
        // Quotes, so that it cannot be passed over.
        way.carry_all(&parse(name, &format!("EXECUTE a('{}')", "''".repeat(length / 2))));
        let read_once = begun.elapsed();
        let input = [bind(name), sent(b'D', &[b"S", name.as_bytes(), b"\0"].concat())].concat().repeat(uses);
        let begun = Instant::now();
        let out = way.carry_all(&input);
        assert!(out.len() < 100 * uses, "the text is not written again");
        let used = begun.elapsed();
        assert!(used < read_once * 200, "{name:?}: {used:?} for {uses} uses, and {read_once:?} to read it once");
    }
}

#[test]
fn a_client_that_sends_no_sync_gives_a_server_no_more_names_than_it_may() {
    let mut way = Way::default();
    for n in 0..1000 {
        way.carry_all(&[parse(&format!("a{n}"), &format!("SELECT {n}")), parse("", &format!("EXECUTE a{n}"))].concat());
        way.carry_all(&[parse("again", &format!("SELECT {n}")), parse("", "EXECUTE again")].concat());
    }
    // All are taken back in front of what comes next.
    let out = way.carry_all(&[sync(), parse("", "SELECT")].concat());
    assert_eq!((count(&out, b"Sa"), count(&out, b"Sagain\0")), (64, 1));
}

#[test]
fn a_text_that_goes_on_before_it_has_come_takes_no_name_back_that_it_may_not_mean() {
    let mut way = Way::default();
    way.carry_all(&[parse("abc", "SELECT 1"), parse("abc_12", "SELECT 2"), parse("done", "SELECT 3"), sync()].concat());
    let text = format!("DEALLOCATE done; SELECT '{}'; DEALLOCATE abc_12", "x".repeat(TEXT_LENGTH_MAX));
    let message = sent(b'Q', &[text.as_bytes(), b"\0"].concat());
    let cut = message.len() - b"_12\0".len();
    way.carry(&message[..cut]);
    way.carry(&message[cut..]);
    let has = |name: &[u8]| way.names.get(name).is_some();
    assert!(has(b"abc") && !has(b"done"));
}
