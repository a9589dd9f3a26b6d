//! What a few bytes of a client may ask for.

use super::*;

fn sent(tag: u8, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::new();
    header(&mut message, tag, body.len());
    message.extend_from_slice(body);
    message
}

/// The last text is used in a cycle of its own each time, before anything is answered.
fn carried(parse: &[u8], uses: &[u8], times: usize) -> (usize, usize) {
    let (mut up, mut exchange, mut names, mut statements, mut known) = Default::default();
    let (settings, mut pin, mut soiled, mut numbers) = (Settings::default(), None, false, Numbers::default());
    let asks_for_numbers = AtomicBool::default();
    let input = [parse, &sent(b'S', b""), &uses.repeat(times)].concat();
    let (mut most, mut syncs, mut first) = (0, 0, true);
    while std::mem::take(&mut first) || Up::is_cut(&up) {
        let mut table = Table {
            exchange: &mut exchange,
            names: &mut names,
            statements: &mut statements,
            known: &mut known,
            settings: &settings,
            pin: &mut pin,
            soiled: &mut soiled,
            numbers: &mut numbers,
            asks_for_numbers: &asks_for_numbers,
            has_acted: false,
        };
        let mut out = Vec::new();
        up.carry(if syncs == 0 { &input } else { &[] }, &mut table, &mut out).unwrap();
        most = most.max(out.len());
        syncs += out.windows(5).filter(|bytes| *bytes == b"S\0\0\0\x04").count();
    }
    (most, syncs)
}

#[test]
fn a_text_that_is_used_again_and_again_is_written_a_part_at_a_time_and_as_often_as_it_must() {
    let (long, tail) = ("x".repeat(60_000), "\0\0\0");
    let bind = |name: &str| sent(b'B', &[b"\0", name.as_bytes(), b"\0\0\0\0\0\0\0"].concat());
    for (name, before) in [("s", Vec::new()), ("", sent(b'C', b"P\0"))] {
        let parse = sent(b'P', format!("{name}\0{long}{tail}").as_bytes());
        let (most, syncs) = carried(&parse, &[before, bind(name), sent(b'S', b"")].concat(), 1000);
        assert_eq!(syncs, 1001);
        assert!(most < OUT_LENGTH_MAX + 2 * long.len(), "{most} bytes at once");
    }
}
