//! Message boundaries: found in a buffer by `scan`, and followed over a stream in pieces by `Tracker`. Both must agree.
//!
//! The first byte says how the stream is cut.

#![no_main]

use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
use holm_pgwire::track::Tracker;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&cut, stream)) = bytes.split_first() else { return };
    let (mut rest, mut expected) = (stream, Vec::new());
    let broken = loop {
        match scan(rest, MESSAGE_LENGTH_MAX) {
            Ok(Some(frame)) => {
                assert!(rest.starts_with(frame.whole) && frame.whole.ends_with(frame.body));
                expected.push((frame.tag, frame.body.first().copied().unwrap_or(0)));
                rest = &rest[frame.whole.len()..];
            }
            Ok(None) => break false,
            Err(_) => break true,
        }
    };
    let (whole, rest) = stream.split_at(stream.len() - rest.len());
    let (mut tracker, mut named) = (Tracker::default(), Vec::new());
    for piece in whole.chunks(usize::from(cut) + 1) {
        tracker.advance(piece, |tag, first| named.push((tag, first))).expect("scan found no fault here");
    }
    assert_eq!(named, expected);
    assert!(tracker.at_boundary() && tracker.certain() == 0);
    let followed = rest.chunks(usize::from(cut) + 1).try_for_each(|piece| tracker.advance(piece, |_, _| {}));
    assert_eq!(followed.is_err(), broken);
    assert!(broken || tracker.at_boundary() == rest.is_empty());
});
