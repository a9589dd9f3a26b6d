//! What a server still owes a client, message by message, so that a pooler can put messages of its own in between and knows
//! when nothing is owed any more.
//!
//! Promises: for each message of a server it is known whether it answers the client or something that the pooler asked, and
//! what the pooler has to say itself after it. An answer that does not fit the question at the head is told as
//! [`OutOfStep`]: whoever sees it closes both ends, since from there on nobody knows whose answers come. No I/O, no SQL.
//!
//! Source: the message flow of PostgreSQL's protocol documentation, and `postgres.c` for what is skipped after an error and
//! ignored during a copy.

use std::collections::VecDeque;

/// Who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The client, who gets the answer.
    Client,
    /// The pooler; the answer goes no further.
    Ours,
    /// The pooler, in a cycle that is its own; an error goes no further either: what the client asks next shows it.
    OursInVain,
}

/// What a server was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Query.
    Query,
    /// A Query of two statements, `PREPARE` and `DEALLOCATE`, of which the client asked the second: what completes the first
    /// goes no further, and an error of either is the client's.
    Deallocate,
    /// FunctionCall.
    Function,
    /// Parse, with the number of a statement that lasts, if it does.
    Parse(Option<u64>),
    /// Bind.
    Bind,
    /// Describe.
    Describe,
    /// Execute.
    Execute,
    /// Close.
    Close,
    /// Sync.
    Sync,
}

impl Ask {
    /// Answered with ReadyForQuery, which ends a cycle.
    const fn ends(self) -> bool {
        matches!(self, Self::Query | Self::Deallocate | Self::Function | Self::Sync)
    }
}

/// What the pooler says to the client in the server's place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Local {
    /// ParseComplete.
    Parsed,
    /// CloseComplete.
    Closed,
}

/// Where a message of the server goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goes {
    /// To the client.
    On,
    /// No further.
    Nowhere,
    /// No further, though it is an error: what the pooler asked for its client's sake was not done.
    Failed,
}

/// An answer to nothing that was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server's message of type {0:?} answers nothing that was asked")]
pub struct OutOfStep(pub char);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owed {
    Answer(Ask, Whose),
    Word(Local),
    /// CopyDone or CopyFail, sent before the server had said that it wants to be copied to.
    CopyEnd,
}

impl Owed {
    /// Whether the client has something carried out, and not only prepared.
    const fn is_act(&self) -> bool {
        matches!(self, Self::Answer(Ask::Query | Ask::Deallocate | Ask::Function | Ask::Execute, Whose::Client))
    }
}

/// A transaction's state, as ReadyForQuery tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transaction {
    /// `I`.
    #[default]
    None,
    /// `T`.
    Open,
    /// `E`.
    Failed,
}

/// What most clients send at once.
const ROOM: usize = 16;

/// One client's exchange with one server.
#[derive(Debug, Default)]
pub struct Exchange {
    owed: VecDeque<Owed>,
    /// How many of these the client has carried out.
    acts: usize,
    /// The server takes copy data and has not been told the end.
    copying_in: bool,
    /// After an error the server skips everything until a Sync that has not been sent.
    skipping: bool,
    /// Something was sent since the last message that ends a cycle.
    unsynced: bool,
    transaction: Transaction,
    /// How many messages that end a cycle were sent.
    ended: u64,
    /// Of how many of these the answer has come.
    answered: u64,
    /// How many were skipped or ignored since; they have no answer, and the next one is theirs too.
    unanswered: u64,
    /// A Sync came behind the copy that is under way. Only the server knows whether it ignored it.
    swallowed: bool,
    /// What comes next may answer something that is not owed.
    doubtful: bool,
}

impl Exchange {
    /// How many answers are owed, by the server and by the pooler. Whoever lets that grow without end runs out of memory.
    pub fn owed(&self) -> usize {
        self.owed.len()
    }

    /// Whether the server may yet send an answer that nobody is owed, so that nobody else is to have it.
    pub const fn is_doubtful(&self) -> bool {
        self.doubtful
    }

    /// Gives back the room that a long pipeline took.
    pub fn shrink(&mut self) {
        self.owed.shrink_to(ROOM);
    }

    /// Whether anything was sent behind what is being answered, besides the end of its cycle.
    pub fn has_more(&self) -> bool {
        self.owed.len() > 1
    }

    /// The cycle of the message that is sent next.
    pub const fn cycle(&self) -> u64 {
        self.ended
    }

    /// Whether the message that is sent next is the first of its cycle: nothing has it skipped.
    pub const fn is_at_start_of_cycle(&self) -> bool {
        !self.unsynced && !self.skipping && !self.copying_in
    }

    /// Whether something is owed that the client has carried out.
    pub const fn is_carrying_out(&self) -> bool {
        self.acts > 0
    }

    /// Whether what the server answers next is such a thing.
    pub fn carries_out_next(&self) -> bool {
        self.owed.front().is_some_and(|owed| owed.is_act())
    }

    /// Whether what was sent in a cycle, and not told as lost, is done before what is sent next is looked at, unless that is
    /// skipped too. A cycle whose end was sent and not answered may yet be skipped, while this one is not.
    pub const fn is_sure_of(&self, cycle: u64) -> bool {
        cycle == self.ended || cycle < self.answered
    }

    /// Whether the server owes nothing, nothing waits for a Sync, and no transaction is open.
    pub fn is_settled(&self) -> bool {
        self.owed.is_empty() && !self.copying_in && !self.skipping && !self.unsynced && self.transaction == Transaction::None
    }

    /// Whether the server skips what it is sent, until a Sync.
    pub const fn is_skipping(&self) -> bool {
        self.skipping
    }

    /// The transaction's state at the last ReadyForQuery.
    pub const fn transaction(&self) -> Transaction {
        self.transaction
    }

    fn owe(&mut self, owed: Owed) {
        self.acts += usize::from(owed.is_act());
        self.owed.push_back(owed);
    }

    /// The next answer is owed no more.
    fn settle(&mut self) {
        if let Some(owed) = self.owed.pop_front() {
            self.acts -= usize::from(owed.is_act());
        }
    }

    /// Notes a message that is sent to the server. `lost` is told of a statement that the server will not come to have.
    pub fn ask(&mut self, ask: Ask, whose: Whose, mut lost: impl FnMut(u64)) {
        match ask {
            // `CopyGetData`: "Ignore Flush/Sync for the convenience of client libraries".
            Ask::Sync if self.copying_in => {
                self.swallowed = true;
                return;
            }
            Ask::Sync => (self.skipping, self.unsynced) = (false, false),
            _ if self.skipping => {
                if let Ask::Parse(Some(statement)) = ask {
                    lost(statement);
                }
                return;
            }
            Ask::Query | Ask::Deallocate | Ask::Function => {}
            _ => self.unsynced = true,
        }
        self.ended += u64::from(ask.ends());
        self.owe(Owed::Answer(ask, whose));
    }

    /// Notes that the client ended a copy, with CopyDone or CopyFail.
    pub fn end_copy(&mut self) {
        if self.copying_in {
            self.copying_in = false;
        } else if !self.owed.is_empty() {
            self.owe(Owed::CopyEnd);
        }
    }

    /// Notes that the pooler answers a message itself, in its turn. See [`Exchange::word_due`].
    pub fn say(&mut self, word: Local) {
        self.unsynced = true;
        if !self.skipping {
            self.owe(Owed::Word(word));
        }
    }

    /// What is to be said to the client now, before anything else of the server.
    pub fn word_due(&mut self) -> Option<Local> {
        loop {
            match self.owed.front()? {
                Owed::Word(word) => {
                    let word = *word;
                    self.settle();
                    return Some(word);
                }
                Owed::CopyEnd => self.settle(),
                Owed::Answer(..) => return None,
            }
        }
    }

    /// Takes note of a message of the server, by its type and the first byte of its body. `lost` is told of statements that
    /// the server was asked to parse and has not. An error to something of the pooler's inside the client's own cycle is the
    /// client's, who waits for the answers to what the server skips now.
    ///
    /// # Errors
    /// [`OutOfStep`].
    pub fn answer(&mut self, tag: u8, first: u8, lost: impl FnMut(u64)) -> Result<Goes, OutOfStep> {
        let head = match self.owed.front() {
            Some(Owed::Answer(ask, whose)) => Some((*ask, *whose)),
            Some(Owed::Word(_) | Owed::CopyEnd) => return Err(OutOfStep(char::from(tag))),
            None => None,
        };
        let goes = match head {
            Some((_, Whose::Ours | Whose::OursInVain)) => Goes::Nowhere,
            Some((_, Whose::Client)) | None => Goes::On,
        };
        match (tag, head.map(|(ask, _)| ask)) {
            // At any time, to whoever is there.
            (b'A', _) => return Ok(Goes::On),
            (b'N' | b'S', _) => {}
            (b'E', asked) => {
                // Nobody asked: the session's end, or an answer to what has none. And an error may come before the server has
                // read the Sync behind a copy, which counts then.
                self.doubtful |= asked.is_none() || self.swallowed;
                self.fail(asked, lost);
                return Ok(match head {
                    Some((ask, Whose::Ours)) if ask.ends() => Goes::Failed,
                    Some((_, Whose::OursInVain)) => Goes::Nowhere,
                    // What the client asked behind it is skipped, so that this is the answer to that.
                    _ => Goes::On,
                });
            }
            (b'Z', Some(ask)) if ask.ends() => {
                self.settle();
                self.ready(first)?;
            }
            (b'Z', None) if self.skipping && self.swallowed => {
                (self.skipping, self.unsynced) = (false, false);
                self.ready(first)?;
                self.answered = self.ended;
            }
            (b'1', Some(Ask::Parse(_))) | (b'2', Some(Ask::Bind)) | (b'3', Some(Ask::Close)) | (b'T' | b'n', Some(Ask::Describe)) => {
                self.settle();
            }
            (b'C' | b's' | b'I', Some(Ask::Execute)) => {
                self.settle();
                (self.copying_in, self.swallowed) = (false, false);
            }
            (b'C', Some(Ask::Deallocate)) => return Ok(if first == b'P' { Goes::Nowhere } else { goes }),
            (b'G', Some(Ask::Query | Ask::Execute)) => self.begin_copy(),
            (b't', Some(Ask::Describe)) | (b'T' | b'C' | b'I' | b'D' | b'H' | b'd' | b'c', Some(Ask::Query)) => {}
            (b'D' | b'H' | b'd' | b'c', Some(Ask::Execute)) | (b'V', Some(Ask::Function)) => {}
            _ => return Err(OutOfStep(char::from(tag))),
        }
        Ok(goes)
    }

    /// A cycle is over.
    fn ready(&mut self, state: u8) -> Result<(), OutOfStep> {
        (self.copying_in, self.swallowed) = (false, false);
        self.answered += 1 + std::mem::take(&mut self.unanswered);
        self.transaction = match state {
            b'I' => Transaction::None,
            b'T' => Transaction::Open,
            b'E' => Transaction::Failed,
            _ => return Err(OutOfStep('Z')),
        };
        Ok(())
    }

    /// The server wants to be copied to; what was sent already is part of the copy.
    fn begin_copy(&mut self) {
        let (mut at_head, mut is_over, mut ignored) = (true, false, 0);
        self.owed.retain(|owed| {
            if std::mem::take(&mut at_head) || is_over {
                return true;
            }
            match owed {
                Owed::CopyEnd => is_over = true,
                Owed::Answer(Ask::Sync, _) => ignored += 1,
                // Nothing else belongs into a copy: the server will say so.
                Owed::Answer(..) | Owed::Word(_) => return true,
            }
            false
        });
        self.copying_in = !is_over;
        self.swallowed |= ignored > 0;
        self.unanswered += ignored;
        // A Sync that was ignored does not end the cycle; one behind the copy does.
        let is_synced = self.owed.iter().any(|owed| matches!(owed, Owed::Answer(Ask::Sync, _)));
        self.unsynced |= !is_synced && matches!(self.owed.front(), Some(Owed::Answer(Ask::Execute, _)));
    }

    /// An error: in a cycle of the extended protocol, everything up to the next Sync is skipped.
    fn fail(&mut self, head: Option<Ask>, mut lost: impl FnMut(u64)) {
        self.copying_in = false;
        // Without a question it is the end of the connection, as of one that an administrator ends.
        let Some(head) = head else { return };
        if head.ends() {
            return;
        }
        while let Some(owed) = self.owed.front() {
            match owed {
                Owed::Answer(Ask::Sync, _) => return,
                Owed::Answer(Ask::Parse(Some(statement)), _) => lost(*statement),
                Owed::Answer(ask, _) => self.unanswered += u64::from(ask.ends()),
                Owed::Word(_) | Owed::CopyEnd => {}
            }
            self.settle();
        }
        self.skipping = true;
    }
}

#[cfg(test)]
mod tests;
