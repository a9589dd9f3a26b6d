//! What is seen in a text; what is hidden and must be seen all the same; what cannot be seen.

mod attacks;
mod limits;
mod statements;
mod strings;
mod texts;
mod timing;

use super::*;

/// The effects of `text` in order, each once: in one piece, and the same in pieces however they are cut.
fn seen(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let whole = told(|told| read(text, told));
    for length in [1, 2, 3, 7] {
        let pieces = told(|told| read_in_pieces(text, length, told));
        // A text that is passed over may still be unclear to one who reads it.
        if !(whole.is_empty() && pieces == ["unclear"]) {
            // Two readings take turns piece by piece, so that the order of what they tell depends on the pieces.
            assert_eq!(sorted(&pieces), sorted(&whole), "{} in pieces of {length}", text.escape_ascii());
        }
    }
    whole.join(", ")
}

fn sorted(effects: &[String]) -> Vec<String> {
    let mut sorted = effects.to_vec();
    sorted.sort();
    sorted
}

fn read_in_pieces(text: &[u8], length: usize, told: &mut dyn FnMut(Effect<'_>)) {
    let mut reader = Reader::default();
    text.chunks(length).for_each(|piece| reader.feed(piece, &mut *told));
    reader.finish(told);
}

fn told(read: impl FnOnce(&mut dyn FnMut(Effect<'_>))) -> Vec<String> {
    let mut all = Vec::new();
    read(&mut |effect| {
        let shown = shown(effect);
        if !all.contains(&shown) {
            all.push(shown);
        }
    });
    all
}

fn shown(effect: Effect<'_>) -> String {
    let (kind, name) = match effect {
        Effect::Listen => return "listen".into(),
        Effect::AdvisoryLock => return "advisory lock".into(),
        Effect::Temporary => return "temporary".into(),
        Effect::HoldCursor => return "hold cursor".into(),
        Effect::Load => return "load".into(),
        Effect::Opaque => return "opaque".into(),
        Effect::Unclear => return "unclear".into(),
        Effect::Unlisten => return "unlisten".into(),
        Effect::DeallocateAll => return "deallocate all".into(),
        Effect::ResetAll => return "reset all".into(),
        Effect::DiscardAll => return "discard all".into(),
        Effect::DiscardTemporary => return "discard temporary".into(),
        Effect::DiscardOther => return "discard other".into(),
        Effect::AskDrawn => return "ask drawn".into(),
        Effect::AskDrawnLater => return "ask drawn later".into(),
        Effect::Prepare(name) => ("prepare", name),
        Effect::Execute(name) => ("execute", name),
        Effect::Deallocate(name) => ("deallocate", name),
        Effect::Setting(name) => ("setting", name),
    };
    if name == Name::UNKNOWN { kind.into() } else { format!("{kind} {}", name.as_bytes().escape_ascii()) }
}

/// Each text with what it does; one table tells all of its rows that are wrong.
fn check(rows: &[(&str, &str)]) {
    let wrong: Vec<_> = rows.iter().filter(|(text, expected)| seen(text) != *expected).collect();
    assert!(wrong.is_empty(), "{:#?}", wrong.iter().map(|(text, expected)| (text, seen(text), expected)).collect::<Vec<_>>());
}
