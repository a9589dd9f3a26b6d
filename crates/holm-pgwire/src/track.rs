//! Follows message boundaries over a stream that goes by in pieces, without keeping any of it.
//!
//! Promises: knows at every byte whether a message of our own could be put in here, and names each message that begins.
//! Refuses a length word no message may have; after that the stream has no boundaries any more.

use crate::frame::{HEADER_LENGTH, MESSAGE_LENGTH_MAX, Malformed, body_length};

/// Where a stream is between two boundaries.
#[derive(Debug, Clone, Default)]
pub struct Tracker {
    /// A header that came in pieces.
    header: [u8; HEADER_LENGTH],
    /// How much of it has come.
    header_length: usize,
    /// How much of the body is still to come.
    body_left: usize,
    /// The type of a message whose first body byte is still to come.
    unnamed: Option<u8>,
}

impl Tracker {
    /// Whether the next byte begins a message.
    pub const fn at_boundary(&self) -> bool {
        self.header_length == 0 && self.body_left == 0
    }

    /// How many more bytes certainly belong to the message that has begun; zero at a boundary.
    pub const fn certain(&self) -> usize {
        if self.header_length > 0 { HEADER_LENGTH - self.header_length } else { self.body_left }
    }

    /// How far away the next message begins; `None` in the middle of a header, which alone says that.
    pub const fn next_boundary(&self) -> Option<usize> {
        if self.header_length > 0 { None } else { Some(self.body_left) }
    }

    /// Moves on over the next piece. `begun` is told each message's type and the first byte of its body (zero if empty).
    ///
    /// # Errors
    /// [`Malformed`] at a length word that no message may have.
    pub fn advance(&mut self, mut bytes: &[u8], mut begun: impl FnMut(u8, u8)) -> Result<(), Malformed> {
        while let Some(&first) = bytes.first() {
            if self.body_left > 0 {
                if let Some(tag) = self.unnamed.take() {
                    begun(tag, first);
                }
                let step = self.body_left.min(bytes.len());
                self.body_left -= step;
                bytes = &bytes[step..];
            } else if let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LENGTH>().filter(|_| self.header_length == 0) {
                self.begin(*header, &mut begun)?;
                bytes = rest;
            } else {
                self.header[self.header_length] = first;
                self.header_length += 1;
                bytes = &bytes[1..];
                if self.header_length == HEADER_LENGTH {
                    self.header_length = 0;
                    self.begin(self.header, &mut begun)?;
                }
            }
        }
        Ok(())
    }

    fn begin(&mut self, [tag, a, b, c, d]: [u8; HEADER_LENGTH], begun: &mut impl FnMut(u8, u8)) -> Result<(), Malformed> {
        self.body_left = body_length([a, b, c, d], MESSAGE_LENGTH_MAX)?;
        if self.body_left == 0 {
            begun(tag, 0);
        } else {
            self.unnamed = Some(tag);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len() + 4).unwrap();
        [&[tag][..], &length.to_be_bytes(), body].concat()
    }

    proptest! {
        #[test]
        fn boundaries_do_not_depend_on_how_the_stream_is_cut(
            messages in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..40)), 0..12),
            cuts in prop::collection::vec(1usize..17, 1..60),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
            let mut boundaries = vec![0];
            for (_, body) in &messages {
                boundaries.push(boundaries.last().unwrap() + body.len() + HEADER_LENGTH);
            }
            let (mut tracker, mut named, mut at, mut cut) = (Tracker::default(), Vec::new(), 0, cuts.iter().cycle());
            while at < stream.len() {
                let end = (at + cut.next().unwrap()).min(stream.len());
                tracker.advance(&stream[at..end], |tag, first| named.push((tag, first))).unwrap();
                at = end;
                prop_assert_eq!(tracker.at_boundary(), boundaries.contains(&at));
                prop_assert_eq!(tracker.certain() == 0, tracker.at_boundary());
                prop_assert!(tracker.next_boundary().is_none_or(|more| boundaries.contains(&(at + more))));
                prop_assert!(at + tracker.certain() <= stream.len());
            }
            let expected: Vec<_> = messages.iter().map(|(tag, body)| (*tag, body.first().copied().unwrap_or(0))).collect();
            prop_assert_eq!(named, expected);
        }

        #[test]
        fn any_bytes_are_followed_or_refused(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..30), 0..20)) {
            let mut tracker = Tracker::default();
            for piece in pieces {
                if tracker.advance(&piece, |_, _| {}).is_err() {
                    break;
                }
            }
        }
    }

    #[test]
    fn a_length_word_that_lies_ends_the_tracking() {
        assert!(Tracker::default().advance(b"D\0\0\0\x03", |_, _| {}).is_err());
        assert!(Tracker::default().advance(b"D\x40\0\0\x04", |_, _| {}).is_err());
        assert!(Tracker::default().advance(b"D\x40\0\0\x03", |_, _| {}).is_ok());
    }
}
