//! The machine over all pairs, its decisions as a table, and journals that were tampered with.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::event::{Because, Event};
use super::journal::{Broken, Digest, Row, digest_input, replay};
use super::plan::{Plan, StepShape};
use super::standing::{Next, Phase, Standing};
use crate::error::{ErrorCode, Problem};

const RETRY_FOR: Duration = Duration::from_secs(60);

fn plan() -> Plan {
    let step = |name, no_return| StepShape { name, retry_for: RETRY_FOR, no_return };
    Plan::new([step("suspend", false), step("drop", true), step("forget", false)])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + seconds).unwrap()
}

fn problem() -> Problem {
    Problem::new(ErrorCode::ClusterUnreachable, "cluster `a` does not answer")
}

fn requested() -> Event {
    Event::Requested { steps: plan().names(), state: json!({"n": 0}) }
}

fn done(step: usize) -> Event {
    Event::Done { step, state: json!({ "n": step + 1 }) }
}

fn failed(step: usize, fatal: bool, retry_at: i64) -> Event {
    Event::Failed { step, problem: problem(), fatal, retry_at: self::at(retry_at) }
}

fn undo_failed(step: usize) -> Event {
    Event::UndoFailed { step, problem: problem(), retry_at: at(9) }
}

fn by() -> Value {
    json!("anna")
}

/// One of each kind, and where a step matters one of each step.
fn events() -> Vec<Event> {
    let mut events = vec![
        requested(),
        Event::Claimed { runner: "a".into() },
        Event::UndoBegun { because: Because::Cancelled },
        Event::Paused { by: by() },
        Event::Resumed { by: by() },
        Event::CancelAsked { by: by(), reason: None },
        Event::Proceeded { by: by() },
        Event::Retried { by: by() },
        Event::Abandoned { by: by(), reason: "gone".into() },
    ];
    for step in 0..3 {
        let waits = Event::Waits { step, until: Some(at(5)) };
        events.extend([done(step), waits, failed(step, false, 5), Event::Passed { step }, Event::Undone { step }, undo_failed(step)]);
    }
    events
}

fn begun(then: &[Event]) -> Standing {
    then.iter().fold(Standing::begin(&requested()).unwrap(), |standing, event| standing.after(event, at(0)).unwrap())
}

#[test]
fn every_pair_of_standing_and_event_is_either_listed_or_refused_with_both_parts() {
    let undo = Event::UndoBegun { because: Because::Cancelled };
    let standings = [
        ("forward 0", begun(&[])),
        ("forward 1", begun(&[done(0)])),
        ("passed 1", begun(&[done(0), Event::Passed { step: 1 }])),
        ("undoing 1", begun(&[done(0), undo.clone()])),
        ("succeeded", begun(&[done(0), Event::Passed { step: 1 }, done(1), done(2)])),
        ("undone", begun(&[undo, Event::Undone { step: 0 }])),
        ("abandoned", begun(&[Event::Abandoned { by: by(), reason: "gone".into() }])),
    ];
    let mut table = String::new();
    for (name, standing) in &standings {
        for event in events() {
            if let Ok(after) = standing.clone().after(&event, at(0)) {
                let step = serde_json::to_value(&event).unwrap().get("step").map(ToString::to_string).unwrap_or_default();
                table += &format!("{name:10} {:12} {step:1} -> {after}\n", event.word());
            }
        }
    }
    insta::assert_snapshot!(table);
    let refused = begun(&[]).after(&done(2), at(0)).unwrap_err();
    assert_eq!(refused.to_string(), "an operation that is at `suspend` cannot take `done of step 2`");
}

#[test]
fn only_a_request_can_be_first() {
    for event in events() {
        assert_eq!(Standing::begin(&event).is_ok(), matches!(event, Event::Requested { .. }), "{event:?}");
    }
}

/// What follows, as `next` says it.
fn next(then: &[Event], now: i64, deadline: Option<i64>) -> Next {
    begun(then).next(&plan(), at(now), deadline.map(at))
}

#[test]
fn what_is_next_follows_from_the_standing_and_the_time() {
    let cancel = Event::CancelAsked { by: by(), reason: None };
    let pause = Event::Paused { by: by() };
    let passed = [done(0), Event::Passed { step: 1 }];
    let back = |because| Next::TurnBack { because };
    let given_up = || back(Because::Failed { problem: problem() });
    assert_eq!(next(&[], 0, None), Next::Run { step: 0 });
    assert_eq!(next(&[failed(0, false, 5)], 0, None), Next::WaitUntil(at(5)));
    assert_eq!(next(&[failed(0, false, 5)], 5, None), Next::Run { step: 0 });
    assert_eq!(next(&[failed(0, false, 5)], 60, None), given_up(), "retries are bounded by time");
    assert_eq!(next(&[failed(0, true, 5)], 0, None), given_up(), "no use in trying again");
    assert_eq!(next(&[failed(0, true, 5), Event::Retried { by: by() }], 0, None), Next::Run { step: 0 });
    assert_eq!(next(&[Event::Waits { step: 0, until: Some(at(30)) }], 0, None), Next::WaitUntil(at(30)));
    assert_eq!(next(&[Event::Waits { step: 0, until: Some(at(30)) }], 0, Some(10)), Next::WaitUntil(at(10)));
    assert_eq!(next(&[Event::Waits { step: 0, until: Some(at(30)) }, Event::Proceeded { by: by() }], 0, None), Next::Run { step: 0 });
    assert_eq!(next(&[Event::Waits { step: 0, until: None }], 0, None), Next::Run { step: 0 }, "looks at its children again");
    assert_eq!(next(&[], 10, Some(10)), back(Because::Deadline));
    assert_eq!(next(std::slice::from_ref(&pause), 0, None), Next::Rest);
    assert_eq!(next(&[pause.clone(), cancel.clone()], 0, None), back(Because::Cancelled), "who cancels does not have to resume");
    assert_eq!(next(&[done(0)], 0, None), Next::Pass { step: 1 });
    assert_eq!(next(&passed, 99, Some(10)), Next::Run { step: 1 }, "past the point of no return there is only forward");
    assert_eq!(next(&[&passed[..], &[failed(1, true, 5)]].concat(), 99, None), Next::Run { step: 1 });
    let undoing = [done(0), Event::UndoBegun { because: Because::Cancelled }];
    assert_eq!(next(&undoing, 0, None), Next::Undo { step: 1 }, "the step under way may be half done");
    assert_eq!(next(&[&undoing[..], &[undo_failed(1)]].concat(), 0, None), Next::WaitUntil(at(9)));
    assert_eq!(next(&[&undoing[..], &[undo_failed(1)]].concat(), 9_999, None), Next::Undo { step: 1 }, "undoing is never given up");
    assert_eq!(next(&[&undoing[..], &[pause]].concat(), 0, None), Next::Rest);
    assert!(begun(&passed).after(&cancel, at(0)).is_err(), "cancelling is refused when it is too late");
}

/// Not a hash, but it depends on every byte; cryptography is the engine's.
fn hash(bytes: &[u8]) -> Digest {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut digest = Digest::default();
    for (n, part) in digest.chunks_mut(8).enumerate() {
        let mut hasher = DefaultHasher::new();
        (n, bytes).hash(&mut hasher);
        part.copy_from_slice(&hasher.finish().to_be_bytes());
    }
    digest
}

fn rows(events: &[Event]) -> (Vec<Row>, Digest) {
    let mut head = Digest::default();
    let rows = events.iter().zip(1..).map(|(event, seq)| {
        let text = serde_json::to_string(event).unwrap();
        head = hash(&digest_input(&head, seq, 1, at(0), &text));
        Row { seq, epoch: 1, at: at(0), text, digest: head }
    });
    let rows = rows.collect();
    (rows, head)
}

#[test]
fn a_journal_row_that_was_edited_removed_inserted_or_moved_is_noticed() {
    let events = [requested(), done(0), Event::Passed { step: 1 }, done(1), done(2)];
    let (good, head) = rows(&events);
    assert_eq!(replay(&good, 5, &head, hash).unwrap().phase, Phase::Succeeded);
    let with = |change: fn(&mut Vec<Row>)| {
        let mut rows = good.clone();
        change(&mut rows);
        replay(&rows, 5, &head, hash).unwrap_err()
    };
    assert_eq!(with(|rows| rows[1].text = rows[1].text.replace('1', "7")), Broken::Edited { seq: 2 });
    assert_eq!(with(|rows| rows[1].epoch = 2), Broken::Edited { seq: 2 });
    assert_eq!(with(|rows| rows[1].at = at(1)), Broken::Edited { seq: 2 });
    assert_eq!(with(|rows| drop(rows.remove(2))), Broken::Gap { expected: 3 });
    assert_eq!(with(|rows| drop(rows.pop())), Broken::Cut { found: 4, expected: 5 });
    assert_eq!(with(|rows| rows.clear()), Broken::Cut { found: 0, expected: 5 });
    assert_eq!(with(|rows| rows.swap(1, 2)), Broken::Gap { expected: 2 });
    assert_eq!(
        with(|rows| {
            rows.swap(1, 2);
            (rows[1].seq, rows[2].seq) = (2, 3);
        }),
        Broken::Edited { seq: 2 }
    );
    // Whoever can also make digests is still held by the operation's own row, and by what an event can mean.
    let (forged, forged_head) = super::tests::rows(&[requested(), done(0), Event::Passed { step: 1 }, done(1), failed(2, false, 1)]);
    assert_eq!(replay(&forged, 5, &head, hash), Err(Broken::Edited { seq: 5 }));
    let (nonsense, nonsense_head) = super::tests::rows(&[requested(), done(2)]);
    assert!(matches!(replay(&nonsense, 2, &nonsense_head, hash), Err(Broken::Illegal { seq: 2, .. })));
    assert!(replay(&forged, 5, &forged_head, hash).is_ok());
}

proptest! {
    /// Any sequence of events that the machine takes, replayed from its rows, gives the same standing.
    #[test]
    fn replaying_a_journal_gives_the_standing_that_the_runner_had(picks in prop::collection::vec(0usize..27, 0..40)) {
        let all = events();
        let mut standing = Standing::begin(&requested()).unwrap();
        let mut taken = vec![requested()];
        for pick in picks {
            let event = &all[pick % all.len()];
            if let Ok(next) = standing.clone().after(event, at(0)) {
                standing = next;
                taken.push(event.clone());
            }
        }
        let (rows, head) = rows(&taken);
        prop_assert_eq!(replay(&rows, taken.len() as u64, &head, hash).unwrap(), standing);
    }

    /// Whatever happens before, doing what `next` says leads to an end, and never back over the point of no return.
    #[test]
    fn doing_what_is_next_always_comes_to_an_end(picks in prop::collection::vec(0usize..27, 0..20)) {
        let all = events();
        let mut standing = Standing::begin(&requested()).unwrap();
        for pick in picks {
            if let Ok(next) = standing.clone().after(&all[pick % all.len()], at(0)) {
                standing = next;
            }
        }
        let mut now = at(0);
        for _ in 0..50 {
            let passed = standing.passed;
            let event = match standing.next(&plan(), now, None) {
                Next::Run { step } => done(step),
                Next::Pass { step } => Event::Passed { step },
                Next::TurnBack { because } => { prop_assert!(!passed); Event::UndoBegun { because } }
                Next::Undo { step } => { prop_assert!(!passed); Event::Undone { step } }
                Next::WaitUntil(time) => { prop_assert!(time > now); now = time; continue }
                Next::Rest => Event::Resumed { by: by() },
                Next::Over => return Ok(()),
            };
            standing = standing.after(&event, now).unwrap();
            now += SignedDuration::from_secs(1);
        }
        prop_assert!(false, "it goes on for ever: {standing:?}");
    }
}
