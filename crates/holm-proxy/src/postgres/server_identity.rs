//! Whether a server is the one that a placement certificate is for: it is asked for what `initdb` gave it.
//!
//! Promises: nothing but exactly the expected answer counts, so that a server that was put behind an unchanged address, or a
//! copy made from a dump, serves nobody. The question goes with the end of the login, so that it costs no round trip. A
//! physical standby has its primary's identifier: that it is one is for the control plane to see.

use std::str::FromStr as _;

use holm_core::placement::SystemIdentifier;
use holm_pgwire::fields;
use holm_pgwire::frame::Frame;

/// By its full name, so that no search path of the database's can put another function in its place.
const QUESTION: &[u8] = b"SELECT system_identifier FROM pg_catalog.pg_control_system()\0";

/// Appends the question, as a Query message.
pub(super) fn ask(out: &mut Vec<u8>) {
    let length = u32::try_from(4 + QUESTION.len()).expect("it is short");
    out.push(b'Q');
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(QUESTION);
}

/// How much of the answer has come.
#[derive(Debug)]
pub(super) enum Answer {
    /// Nothing.
    Asked,
    /// The names of its columns.
    Described,
    /// The row.
    Told,
    /// The end of the statement.
    Complete,
}

/// Why a server is not taken for the one that it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unproven {
    /// It is another.
    #[error("the server has the system identifier {found}, and the placement certificate is for {expected}")]
    Other {
        /// What the certificate says.
        expected: SystemIdentifier,
        /// What the server says, cut short.
        found: String,
    },
    /// It does not say.
    #[error("the server does not tell its system identifier: {0}")]
    Untold(String),
    /// It could not answer; it says why, in its own words.
    #[error("the server failed when it was asked for its system identifier")]
    Failed,
    /// It says something else.
    #[error("the server broke the protocol when it was asked for its system identifier")]
    Violation,
}

impl Answer {
    /// Takes a message of the answer; gives what is still to come, or nothing when that was its end.
    ///
    /// # Errors
    /// [`Unproven`].
    pub(super) fn on_message(self, frame: &Frame<'_>, expected: SystemIdentifier) -> Result<Option<Self>, Unproven> {
        match (self, frame.tag) {
            (_, b'E') => {
                let fields = fields::parse(frame.body);
                // insufficient_privilege, undefined_function: it does not tell. Anything else is about its health, or the session's settings.
                match fields.code {
                    Some(b"42501" | b"42883") => {
                        Err(Unproven::Untold(fields.message.map(String::from_utf8_lossy).unwrap_or_default().into_owned()))
                    }
                    _ => Err(Unproven::Failed),
                }
            }
            (Self::Asked, b'T') => Ok(Some(Self::Described)),
            (Self::Described, b'D') => {
                let told = value(frame.body).ok_or(Unproven::Violation)?;
                let same = i64::from_str(told).is_ok_and(|told| told == expected.0);
                if same { Ok(Some(Self::Told)) } else { Err(Unproven::Other { expected, found: told.chars().take(24).collect() }) }
            }
            (Self::Told, b'C') => Ok(Some(Self::Complete)),
            // Outside any transaction: a new session has begun none.
            (Self::Complete, b'Z') if frame.body == b"I" => Ok(None),
            _ => Err(Unproven::Violation),
        }
    }
}

/// The one value of a row of one.
fn value(body: &[u8]) -> Option<&str> {
    let (count, rest) = body.split_first_chunk::<2>()?;
    let (length, value) = rest.split_first_chunk::<4>()?;
    let whole = usize::try_from(u32::from_be_bytes(*length)).is_ok_and(|length| length == value.len());
    if u16::from_be_bytes(*count) != 1 || !whole {
        return None;
    }
    str::from_utf8(value).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const EXPECTED: SystemIdentifier = SystemIdentifier(7_384_912_345_678_901_234);

    fn row(value: &str) -> Vec<u8> {
        let length = u32::try_from(value.len()).unwrap();
        [1_u16.to_be_bytes().as_slice(), &length.to_be_bytes(), value.as_bytes()].concat()
    }

    /// Through a whole answer, until it is over or refused.
    fn heard(messages: &[(u8, Vec<u8>)]) -> Result<Option<Answer>, Unproven> {
        let mut answer = Some(Answer::Asked);
        for (tag, body) in messages {
            let Some(now) = answer else { panic!("a message after the end") };
            answer = now.on_message(&Frame { tag: *tag, body, whole: &[] }, EXPECTED)?;
        }
        Ok(answer)
    }

    fn answer(value: &str) -> Vec<(u8, Vec<u8>)> {
        vec![(b'T', vec![]), (b'D', row(value)), (b'C', b"SELECT 1\0".to_vec()), (b'Z', b"I".to_vec())]
    }

    #[test]
    fn the_server_that_the_certificate_is_for_is_taken_and_no_other() {
        assert!(matches!(heard(&answer("7384912345678901234")), Ok(None)));
        for other in ["7384912345678901235", "-1", "0", "", "7384912345678901234 ", "+7384912345678901234x"] {
            assert!(matches!(heard(&answer(other)), Err(Unproven::Other { .. })), "{other:?}");
        }
    }

    #[test]
    fn a_server_that_may_not_be_asked_or_says_something_else_is_refused() {
        let mut refused = Vec::new();
        refused.extend_from_slice(b"SERROR\0C42501\0Mpermission denied for function pg_control_system\0\0");
        let told = heard(&[(b'E', refused)]).unwrap_err();
        assert_eq!(told, Unproven::Untold("permission denied for function pg_control_system".to_owned()));
        let timed_out = b"SERROR\0C57014\0Mcanceling statement due to statement timeout\0\0".to_vec();
        assert_eq!(heard(&[(b'E', timed_out)]).unwrap_err(), Unproven::Failed, "the session's own settings are no other server");
        let right = "7384912345678901234";
        let mut cases: Vec<Vec<(u8, Vec<u8>)>> = Vec::new();
        for left_out in 0..3 {
            let mut messages = answer(right);
            messages.remove(left_out);
            cases.push(messages);
        }
        cases.push(vec![(b'T', vec![]), (b'D', row(right)), (b'D', row(right))]);
        cases.push(vec![(b'T', vec![]), (b'D', [row(right), vec![0]].concat())]);
        cases.push(vec![(b'T', vec![]), (b'D', vec![])]);
        let mut in_transaction = answer(right);
        in_transaction[3].1 = b"T".to_vec();
        cases.push(in_transaction);
        for messages in cases {
            assert_eq!(heard(&messages).unwrap_err(), Unproven::Violation, "{messages:?}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_server_says_is_the_answer_or_refused(
            messages in prop::collection::vec((prop::sample::select(b"TDCZENS".to_vec()), prop::collection::vec(any::<u8>(), 0..40)), 0..6)
        ) {
            let mut answer = Answer::Asked;
            for (tag, body) in &messages {
                match answer.on_message(&Frame { tag: *tag, body, whole: &[] }, EXPECTED) {
                    Ok(Some(next)) => answer = next,
                    Ok(None) => panic!("nobody guesses an identifier"),
                    Err(_) => break,
                }
            }
        }
    }
}
