//! What the text of a Query or a Parse does to the session: read whole, read in pieces, passed over.
//!
//! The first byte says how the text is cut.

#![no_main]

use holm_pgwire::statement::{Effects, Reader, look};
use libfuzzer_sys::fuzz_target;

fn in_pieces(text: &[u8], length: usize) -> Effects {
    let (mut reader, mut effects) = (Reader::default(), Effects::default());
    text.chunks(length).for_each(|piece| reader.feed(piece, |effect| effects = effects.union(effect.into())));
    reader.finish(|effect| effects = effects.union(effect.into()));
    effects
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, text)) = bytes.split_first() else { return };
    let whole = in_pieces(text, text.len().max(1));
    assert_eq!(in_pieces(text, usize::from(cut) + 1), whole, "what is seen does not depend on how the text is cut");
    let seen = look(text);
    assert!(seen == whole || seen.is_empty() && whole == Effects::UNCLEAR, "a text with an effect is never passed over");
    // A statement after another, and before one, keeps its effects, if the first is a text that could end.
    if !whole.intersects(Effects::UNCLEAR) {
        let after = look(&[text, b"\n;LISTEN x"].concat());
        assert!(after.intersects(Effects::LISTEN), "nothing hides the next statement");
        let before = look(&[b"LISTEN x;", text].concat());
        assert!(before == seen.union(Effects::LISTEN), "nothing hides behind another statement");
    }
});
