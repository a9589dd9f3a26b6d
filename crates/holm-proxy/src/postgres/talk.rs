//! Who owes whom an answer between a client and the server connection that it has as its own, by the messages that go by.
//!
//! Promises: it is over only when the server has answered everything that was sent, nothing waits for a Sync, and no transaction
//! is open. Counts too much rather than too little: what it is not sure of never is over. Looks at types and at the first byte
//! of bodies, and reads what the server reports of its settings; it sees no SQL.

use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};

use super::transaction::settings::Settings;

/// What is known of the talk so far.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// Messages that the server answers with ReadyForQuery and has not yet.
    owed: u32,
    /// Messages of the extended protocol were sent, and no Sync behind them.
    loose: bool,
    in_transaction: bool,
    /// The server said something that answers nothing, or its settings are not known.
    astray: bool,
    /// A command was completed that may have changed what new sessions begin with, or what the process is.
    lasting: bool,
}

/// One direction's listener.
pub(super) trait Heard {
    /// A message has begun: its type, and the first byte of its body.
    fn begun(&mut self, tag: u8, first: u8);

    /// So many bytes of whole messages, and of one that is not whole, went by since [`Heard::begun`] was told of the first.
    fn passed(&mut self, _: &[u8]) {}

    /// Whether a goodbye that comes now goes no further.
    fn keeps_goodbye(&self) -> bool {
        false
    }
}

/// Hears a client.
pub(super) struct FromClient<'t>(pub(super) &'t mut Talk);

/// Hears a server.
pub(super) struct FromServer<'t> {
    talk: &'t mut Talk,
    settings: &'t mut Settings,
    /// ParameterStatus messages that have begun and were not read.
    unread: usize,
}

impl<'t> FromServer<'t> {
    pub(super) const fn new(talk: &'t mut Talk, settings: &'t mut Settings) -> Self {
        Self { talk, settings, unread: 0 }
    }
}

impl Talk {
    /// Whether nobody owes an answer and no transaction is open.
    pub(super) const fn is_over(&self) -> bool {
        self.owed == 0 && !self.loose && !self.in_transaction
    }

    /// Whether the server connection had better serve nobody else.
    pub(super) const fn is_doubtful(&self) -> bool {
        self.astray || self.lasting
    }
}

impl Heard for FromClient<'_> {
    fn begun(&mut self, tag: u8, _: u8) {
        let talk = &mut *self.0;
        match tag {
            // Query, Sync, FunctionCall: Protocol, "ReadyForQuery is sent whenever the backend is ready for a new query cycle".
            b'Q' | b'S' | b'F' => (talk.owed, talk.loose) = (talk.owed.saturating_add(1), false),
            // CopyData, CopyDone, CopyFail, Flush, Terminate: nothing answers them, and outside a copy nothing comes of them.
            b'd' | b'c' | b'f' | b'H' | b'X' => {}
            _ => talk.loose = true,
        }
    }

    fn keeps_goodbye(&self) -> bool {
        self.0.is_over()
    }
}

impl Heard for FromServer<'_> {
    fn begun(&mut self, tag: u8, first: u8) {
        let talk = &mut *self.talk;
        // What may come at any time.
        if !matches!(tag, b'N' | b'A' | b'S') {
            talk.astray |= talk.owed == 0 && !talk.loose;
        }
        match tag {
            b'Z' => (talk.owed, talk.in_transaction) = (talk.owed.saturating_sub(1), first != b'I'),
            b'S' => self.unread += 1,
            // `ALTER ROLE … SET`, `ALTER DATABASE … SET`, `LOAD`, and whatever else begins so.
            b'C' => talk.lasting |= matches!(first, b'A' | b'L'),
            _ => {}
        }
    }

    fn passed(&mut self, mut bytes: &[u8]) {
        if self.unread == 0 {
            return;
        }
        while let Ok(Some(frame)) = scan(bytes, MESSAGE_LENGTH_MAX) {
            if frame.tag == b'S' {
                self.settings.note(frame.body);
                self.unread = self.unread.saturating_sub(1);
            }
            bytes = &bytes[frame.whole.len()..];
        }
        // One that came in pieces.
        self.talk.astray |= std::mem::take(&mut self.unread) > 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(talk: &mut Talk, tags: &[u8]) {
        tags.iter().for_each(|tag| FromClient(talk).begun(*tag, 0));
    }

    fn down(talk: &mut Talk, messages: &[(u8, u8)]) {
        let mut settings = Settings::default();
        messages.iter().for_each(|(tag, first)| FromServer::new(talk, &mut settings).begun(*tag, *first));
    }

    #[test]
    fn a_session_is_idle_only_when_every_answer_has_come_and_no_transaction_is_open() {
        let mut talk = Talk::default();
        assert!(talk.is_over());
        up(&mut talk, b"P");
        assert!(!talk.is_over());
        up(&mut talk, b"S");
        down(&mut talk, &[(b'1', 0), (b'Z', b'I')]);
        assert!(talk.is_over());
        up(&mut talk, b"QQ");
        down(&mut talk, &[(b'Z', b'I')]);
        assert!(!talk.is_over());
        down(&mut talk, &[(b'Z', b'T')]);
        assert!(!talk.is_over());
        up(&mut talk, b"Q");
        down(&mut talk, &[(b'Z', b'I')]);
        assert!(talk.is_over() && !talk.is_doubtful());
    }

    #[test]
    fn what_waits_for_a_sync_is_not_over_when_something_before_it_is_answered() {
        let mut talk = Talk::default();
        up(&mut talk, b"SPBE");
        down(&mut talk, &[(b'Z', b'I')]);
        assert!(!talk.is_over());
        up(&mut talk, b"S");
        down(&mut talk, &[(b'1', 0), (b'2', 0), (b'C', b'S'), (b'Z', b'I')]);
        assert!(talk.is_over() && !talk.is_doubtful());
    }

    #[test]
    fn a_copy_is_over_with_the_query_that_began_it() {
        let mut talk = Talk::default();
        up(&mut talk, b"Q");
        down(&mut talk, &[(b'G', 0)]);
        up(&mut talk, b"ddc");
        assert!(!talk.is_over());
        down(&mut talk, &[(b'C', b'C'), (b'Z', b'I')]);
        assert!(talk.is_over() && !talk.is_doubtful());
    }

    #[test]
    fn a_server_that_says_what_nobody_asked_is_doubtful_and_a_notice_is_not() {
        for (message, doubtful) in
            [((b'N', b'S'), false), ((b'A', 0), false), ((b'Z', b'I'), true), ((b'D', 0), true), ((b'E', b'S'), true)]
        {
            let mut talk = Talk::default();
            up(&mut talk, b"Q");
            down(&mut talk, &[(b'C', b'S'), (b'Z', b'I'), message]);
            assert_eq!(talk.is_doubtful(), doubtful, "{}", char::from(message.0));
        }
    }

    #[test]
    fn what_alters_or_loads_is_not_for_the_next() {
        for (first, doubtful) in [(b'A', true), (b'L', true), (b'S', false), (b'U', false)] {
            let mut talk = Talk::default();
            up(&mut talk, b"Q");
            down(&mut talk, &[(b'C', first), (b'Z', b'I')]);
            assert_eq!(talk.is_doubtful(), doubtful, "{}", char::from(first));
        }
    }

    #[test]
    fn settings_are_read_whole_or_not_trusted() {
        let report = b"S\0\0\0\x11TimeZone\0UTC\0";
        for (pieces, doubtful) in
            [(vec![&b"Z\0\0\0\x05I"[..], report], false), (vec![&report[..], report], false), (vec![&report[..9], &report[9..]], true)]
        {
            let (mut talk, mut settings, mut tracker) = (Talk::default(), Settings::default(), holm_pgwire::track::Tracker::default());
            up(&mut talk, b"Q");
            for piece in pieces {
                let mut heard = FromServer::new(&mut talk, &mut settings);
                let fresh = tracker.next_boundary();
                tracker.advance(piece, |tag, first| heard.begun(tag, first)).unwrap();
                heard.passed(fresh.and_then(|fresh| piece.get(fresh..)).unwrap_or_default());
            }
            assert_eq!((talk.is_doubtful(), settings.reports(b"TimeZone")), (doubtful, !doubtful));
        }
    }
}
