//! What a node of the data plane and the control plane say to each other: the node asks with a [`Hello`], and hears an
//! [`Answer`]. Both travel sealed, by [`bundle`](super::bundle).
//!
//! Promises: an answer belongs to the one question whose nonce it carries; a question says when it was asked, so that none counts
//! twice. Nothing that was sealed for a disk is taken for an answer, nor the other way round. Refuses clocks, sockets and
//! keys: moments come as arguments, bytes come opened.

use std::time::Duration;

use holm_core::id::NodeId;
use holm_core::route::{RouteTable, RouteVersion};
use holm_core::secret::Secret;
use uuid::Uuid;

use super::wire::{self, Changes};

const HELLO: [u8; 8] = *b"holmask2";
const ANSWER: [u8; 8] = *b"holmans1";

/// A clock that goes wrong by more says nothing of when something was asked.
pub const CLOCKS_DIFFER_MAX: Duration = Duration::from_secs(300);

/// A version of Holm is shorter; whatever is longer is none.
const VERSION_LENGTH_MAX: usize = 64;

/// The longest text that a node tells of itself: with it a question still fits into one request to the API.
pub const TOLD_LENGTH_MAX: usize = 48 * 1024;

/// The longest question.
pub const HELLO_LENGTH_MAX: usize = 256 + TOLD_LENGTH_MAX;

/// Random, and used once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Nonce(pub [u8; 16]);

/// What a node says, every second or two and whenever something changed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Hello {
    /// Which run of its process this is.
    pub run: NodeId,
    /// When it asks, since 1970 by its own clock, in microseconds; each time later than before.
    pub asked: Duration,
    /// The answer must carry it.
    pub nonce: Nonce,
    /// The version that all of its sessions use.
    pub uses: RouteVersion,
    /// The newest version that it was given.
    pub has: RouteVersion,
    /// Whether it has ended its sessions and is about to stop.
    pub leaves: bool,
    /// Which Holm it is.
    pub holm_version: String,
    /// What it was asked with the last answer, and says.
    pub told: Option<Told>,
}

/// What a node says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Told {
    /// The round of questions that it answers.
    pub round: Uuid,
    /// The answer, [`TOLD_LENGTH_MAX`] at most.
    pub text: String,
}

/// What it is told.
#[derive(Clone, Debug)]
pub enum Answer {
    /// Nothing is newer than what it has.
    Nothing,
    /// The newest routes.
    Table(RouteTable),
    /// What leads to them from what it has.
    Changes(Changes),
    /// It is not a node of this installation any more.
    Removed,
    /// Somebody wants to know something of it.
    Asked {
        /// To be said again with the answer.
        round: Uuid,
        /// The question.
        question: String,
    },
}

/// Why bytes are not taken for a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refused {
    /// They are something else, or of another version of Holm.
    #[error("read something as a message of the link that is none of this layout")]
    NotAMessage,
    /// It answers something else than what was asked.
    #[error("take an answer to another question")]
    OtherQuestion,
    /// The table in it is not readable.
    #[error(transparent)]
    Table(#[from] wire::Refused),
}

impl Hello {
    /// As bytes.
    pub fn encode(&self) -> Vec<u8> {
        let Self { run, asked, nonce, uses, has, leaves, holm_version, told } = self;
        let mut bytes = HELLO.to_vec();
        bytes.extend_from_slice(run.as_uuid().as_bytes());
        bytes.extend_from_slice(&micros(*asked).to_be_bytes());
        bytes.extend_from_slice(&nonce.0);
        bytes.extend_from_slice(&uses.0.to_be_bytes());
        bytes.extend_from_slice(&has.0.to_be_bytes());
        bytes.push(u8::from(*leaves));
        let version = holm_version.get(..holm_version.len().min(VERSION_LENGTH_MAX)).unwrap_or_default();
        bytes.push(u8::try_from(version.len()).unwrap_or_default());
        bytes.extend_from_slice(version.as_bytes());
        if let Some(Told { round, text }) = told {
            bytes.extend_from_slice(round.as_bytes());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes
    }

    /// Reads one.
    ///
    /// # Errors
    /// [`Refused::NotAMessage`], whatever the bytes are.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refused> {
        read_hello(bytes).ok_or(Refused::NotAMessage)
    }

    /// Whether it was asked within [`CLOCKS_DIFFER_MAX`] of `now`.
    pub const fn is_of_now(&self, now: Duration) -> bool {
        let between = match self.asked.checked_sub(now) {
            Some(ahead) => ahead,
            None => now.saturating_sub(self.asked),
        };
        between.as_micros() <= CLOCKS_DIFFER_MAX.as_micros()
    }
}

fn read_hello(bytes: &[u8]) -> Option<Hello> {
    let rest = bytes.strip_prefix(&HELLO)?;
    let (run, rest) = rest.split_first_chunk()?;
    let (asked, rest) = rest.split_first_chunk()?;
    let (nonce, rest) = rest.split_first_chunk()?;
    let (uses, rest) = rest.split_first_chunk()?;
    let (has, rest) = rest.split_first_chunk()?;
    let (uses, has) = (u64::from_be_bytes(*uses), u64::from_be_bytes(*has));
    // Nobody uses what it was not given.
    if uses > has {
        return None;
    }
    let (leaves, rest) = rest.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (holm_version, rest) = rest.split_at_checked(usize::from(*length))?;
    let holm_version = str::from_utf8(holm_version).ok()?;
    let told = if rest.is_empty() { None } else { Some(read_told(rest)?) };
    if holm_version.len() > VERSION_LENGTH_MAX || holm_version.chars().any(char::is_control) {
        return None;
    }
    Some(Hello {
        run: NodeId::from_uuid(Uuid::from_bytes(*run)),
        asked: Duration::from_micros(u64::from_be_bytes(*asked)),
        nonce: Nonce(*nonce),
        uses: RouteVersion(uses),
        has: RouteVersion(has),
        leaves: match leaves {
            0 => false,
            1 => true,
            _ => return None,
        },
        holm_version: holm_version.to_owned(),
        told,
    })
}

fn read_told(bytes: &[u8]) -> Option<Told> {
    let (round, text) = bytes.split_first_chunk()?;
    let text = str::from_utf8(text).ok().filter(|text| text.len() <= TOLD_LENGTH_MAX)?;
    Some(Told { round: Uuid::from_bytes(*round), text: text.to_owned() })
}

impl Answer {
    /// As bytes, for the question of that nonce.
    pub fn encode(&self, to: Nonce) -> Secret<Vec<u8>> {
        let tag = match self {
            Self::Nothing => 0,
            Self::Table(_) => 1,
            Self::Removed => 2,
            Self::Changes(_) => 3,
            Self::Asked { .. } => 4,
        };
        let prefix = [ANSWER.as_slice(), &to.0, &[tag]].concat();
        match self {
            Self::Table(table) => wire::encode_after(&prefix, table),
            Self::Changes(changes) => changes.encode_after(&prefix),
            Self::Nothing | Self::Removed => Secret::new(prefix),
            Self::Asked { round, question } => Secret::new([&prefix, round.as_bytes().as_slice(), question.as_bytes()].concat()),
        }
    }

    /// Reads the answer to the question of that nonce.
    ///
    /// # Errors
    /// [`Refused`], whatever the bytes are.
    pub fn decode(to: Nonce, bytes: &[u8]) -> Result<Self, Refused> {
        let rest = bytes.strip_prefix(&ANSWER).ok_or(Refused::NotAMessage)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(Refused::NotAMessage)?;
        let (tag, content) = rest.split_first().ok_or(Refused::NotAMessage)?;
        if Nonce(*nonce) != to {
            return Err(Refused::OtherQuestion);
        }
        match (tag, content.is_empty()) {
            (0, true) => Ok(Self::Nothing),
            (1, _) => Ok(Self::Table(wire::decode(content)?)),
            (2, true) => Ok(Self::Removed),
            (3, _) => Ok(Self::Changes(Changes::decode(content)?)),
            (4, _) => {
                let (round, question) = content.split_first_chunk().ok_or(Refused::NotAMessage)?;
                let question = str::from_utf8(question).map_err(|_| Refused::NotAMessage)?.to_owned();
                Ok(Self::Asked { round: Uuid::from_bytes(*round), question })
            }
            _ => Err(Refused::NotAMessage),
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hello() -> impl Strategy<Value = Hello> {
        let told = prop::option::of((any::<u128>(), "\\PC{0,100}"));
        let numbers = (any::<u128>(), 0..u64::MAX, any::<[u8; 16]>(), any::<u64>(), any::<u64>(), any::<bool>(), "[ -~]{0,64}", told);
        numbers.prop_map(|(run, asked, nonce, uses, has, leaves, holm_version, told)| Hello {
            told: told.map(|(round, text)| Told { round: Uuid::from_u128(round), text }),
            run: NodeId::from_uuid(Uuid::from_u128(run)),
            asked: Duration::from_micros(asked),
            nonce: Nonce(nonce),
            uses: RouteVersion(uses.min(has)),
            has: RouteVersion(has),
            leaves,
            holm_version,
        })
    }

    proptest! {
        #[test]
        fn a_question_reads_back_as_it_was_asked(hello in hello()) {
            prop_assert_eq!(Hello::decode(&hello.encode()), Ok(hello));
        }

        #[test]
        fn whatever_comes_is_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200), begun in any::<bool>()) {
            let bytes = if begun { [HELLO.as_slice(), &bytes].concat() } else { bytes };
            let _ = Hello::decode(&bytes);
            let _ = Answer::decode(Nonce([0; 16]), &bytes);
        }
    }

    #[test]
    fn a_question_counts_for_five_minutes_by_either_clock_and_no_longer() {
        let now = Duration::from_secs(1_000_000);
        let asked = |asked| Hello {
            run: NodeId::from_uuid(Uuid::nil()),
            asked,
            nonce: Nonce([0; 16]),
            uses: RouteVersion(0),
            has: RouteVersion(0),
            leaves: false,
            holm_version: String::new(),
            told: None,
        };
        let (max, bit) = (CLOCKS_DIFFER_MAX, Duration::from_micros(1));
        for (at, counts) in [(now, true), (now - max, true), (now + max, true), (now - max - bit, false), (now + max + bit, false)] {
            assert_eq!(asked(at).is_of_now(now), counts, "{at:?}");
        }
    }

    #[test]
    fn what_a_node_tells_of_itself_is_bounded() {
        let hello = |length: usize| {
            let told = Some(Told { round: Uuid::nil(), text: "x".repeat(length) });
            let (run, version, nonce) = (NodeId::from_uuid(Uuid::nil()), RouteVersion(0), Nonce([0; 16]));
            let (asked, holm_version) = (Duration::ZERO, "1".repeat(VERSION_LENGTH_MAX));
            Hello { run, asked, nonce, uses: version, has: version, leaves: false, holm_version, told }.encode()
        };
        assert!(hello(TOLD_LENGTH_MAX).len() <= HELLO_LENGTH_MAX);
        assert!(Hello::decode(&hello(TOLD_LENGTH_MAX)).is_ok());
        assert!(Hello::decode(&hello(TOLD_LENGTH_MAX + 1)).is_err());
    }

    #[test]
    fn an_answer_is_taken_for_its_own_question_only_and_never_for_kept_routes() {
        let (mine, other) = (Nonce([1; 16]), Nonce([2; 16]));
        let table = RouteTable::default().with(RouteVersion(7), []);
        let changes = Changes::between(&RouteTable::default(), &table);
        let asked = Answer::Asked { round: Uuid::from_u128(5), question: "who?".to_owned() };
        for answer in [Answer::Nothing, Answer::Table(table), Answer::Removed, Answer::Changes(changes), asked] {
            let bytes = answer.encode(mine);
            let read = Answer::decode(mine, bytes.expose()).unwrap();
            assert_eq!(std::mem::discriminant(&read), std::mem::discriminant(&answer));
            match &read {
                Answer::Table(table) => assert_eq!(table.version(), RouteVersion(7)),
                Answer::Asked { round, question } => assert_eq!((*round, question.as_str()), (Uuid::from_u128(5), "who?")),
                _ => {}
            }
            assert_eq!(Answer::decode(other, bytes.expose()).unwrap_err(), Refused::OtherQuestion);
            // A question is a text, and so goes on as far as there is any.
            assert!(matches!(read, Answer::Asked { .. }) || Answer::decode(mine, &[bytes.expose().as_slice(), b"x"].concat()).is_err());
            assert!(Hello::decode(bytes.expose()).is_err());
            assert!(crate::kept::decode(bytes.expose()).is_err());
        }
    }

    /// As those of tables, whose layout is in them. `UPDATE_SEEDS=1` writes them.
    #[test]
    fn the_fuzzers_seeds_have_tables_of_this_layout() {
        let corpus = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/link_message");
        let nonce = Nonce(std::array::from_fn(|at| u8::try_from(at).unwrap()));
        let table = RouteTable::default().with(RouteVersion(7), []);
        let changes = Changes::between(&RouteTable::default(), &table);
        for (name, answer) in [("table", Answer::Table(table)), ("changes", Answer::Changes(changes))] {
            let (file, seed) = (corpus.join(name), answer.encode(nonce));
            if std::env::var_os("UPDATE_SEEDS").is_some() {
                std::fs::write(&file, seed.expose()).unwrap();
            }
            assert_eq!(std::fs::read(&file).unwrap(), *seed.expose(), "{name}: see `UPDATE_SEEDS`");
        }
    }
}
