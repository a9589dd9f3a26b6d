//! Conversations as PostgreSQL has them, and what must not be taken for one.

use proptest::prelude::*;

use super::*;

/// Sends `asked` (client messages by type, those of ours in capitals after `!`) and takes `answers`; gives what reaches the
/// client: types that go on, and `[1]`, `[3]` for what the pooler says itself.
struct Talk {
    exchange: Exchange,
    heard: String,
    lost: Vec<u64>,
}

impl Talk {
    fn new() -> Self {
        Self { exchange: Exchange::default(), heard: String::new(), lost: Vec::new() }
    }

    fn ask(&mut self, asks: &[(Ask, Whose)]) -> &mut Self {
        for (ask, whose) in asks {
            self.exchange.ask(*ask, *whose, |statement| self.lost.push(statement));
        }
        self.say_due();
        self
    }

    fn client(&mut self, asks: &[Ask]) -> &mut Self {
        let asks: Vec<_> = asks.iter().map(|ask| (*ask, Whose::Client)).collect();
        self.ask(&asks)
    }

    fn say(&mut self, word: Local) -> &mut Self {
        self.exchange.say(word);
        self.say_due();
        self
    }

    fn say_due(&mut self) {
        while let Some(word) = self.exchange.word_due() {
            self.heard.push_str(match word {
                Local::Parsed => "[1]",
                Local::Closed => "[3]",
            });
        }
    }

    /// Types; a `Z` is followed by its state.
    fn answer(&mut self, answers: &str) -> &mut Self {
        self.try_answer(answers).unwrap();
        self
    }

    fn try_answer(&mut self, answers: &str) -> Result<(), OutOfStep> {
        let mut bytes = answers.bytes();
        while let Some(tag) = bytes.next() {
            let first = if tag == b'Z' { bytes.next().unwrap() } else { 0 };
            if self.exchange.answer(tag, first, |statement| self.lost.push(statement))? == Goes::On {
                self.heard.push(char::from(tag));
            }
            self.say_due();
        }
        Ok(())
    }

    fn hears(&mut self, expected: &str) -> &mut Self {
        assert_eq!(std::mem::take(&mut self.heard), expected);
        self
    }

    fn settled(&mut self, expected: bool) -> &mut Self {
        assert_eq!(self.exchange.is_settled(), expected, "{:?}", self.exchange);
        self
    }
}

const CYCLE: [Ask; 5] = [Ask::Parse(None), Ask::Bind, Ask::Describe, Ask::Execute, Ask::Sync];

#[test]
fn a_query_is_over_with_its_ready_for_query_and_not_before() {
    Talk::new().settled(true).client(&[Ask::Query]).settled(false).answer("TDDC").settled(false).answer("ZI").hears("TDDCZ").settled(true);
}

#[test]
fn nothing_is_settled_inside_a_transaction_whether_it_failed_or_not() {
    Talk::new()
        .client(&[Ask::Query])
        .answer("CZT")
        .settled(false)
        .client(&[Ask::Query])
        .answer("EZE")
        .settled(false)
        .client(&[Ask::Query])
        .answer("CZI")
        .settled(true);
}

#[test]
fn a_pipeline_is_settled_after_the_last_of_its_cycles() {
    let asks = [CYCLE, CYCLE].concat();
    Talk::new().client(&asks).answer("12TDCZI").settled(false).answer("12nCZI").settled(true).hears("12TDCZ12nCZ");
}

#[test]
fn what_was_flushed_and_not_synced_is_not_settled() {
    Talk::new().client(&CYCLE[..4]).answer("12TDC").settled(false).client(&[Ask::Sync]).answer("ZI").settled(true);
}

#[test]
fn what_the_pooler_asked_reaches_nobody_and_what_it_says_comes_in_its_turn() {
    let mut talk = Talk::new();
    talk.ask(&[(Ask::Query, Whose::Ours)]).client(&[Ask::Bind]).say(Local::Parsed).client(&[Ask::Sync]);
    talk.answer("SCZI").hears("").answer("2").hears("2[1]").answer("ZI").hears("Z").settled(true);
}

#[test]
fn a_word_that_nothing_waits_before_is_said_at_once() {
    Talk::new().say(Local::Parsed).hears("[1]").settled(false).client(&[Ask::Sync]).answer("ZI").hears("Z").settled(true);
}

#[test]
fn after_an_error_everything_up_to_the_sync_is_skipped_ours_included() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Parse(Some(1))]).ask(&[(Ask::Parse(Some(2)), Whose::Ours)]).client(&[Ask::Bind]).say(Local::Parsed);
    talk.client(&[Ask::Execute, Ask::Sync, Ask::Bind, Ask::Sync]);
    talk.answer("EZI").hears("EZ").answer("2ZI").hears("2Z").settled(true);
    assert_eq!(talk.lost, [1, 2]);
}

#[test]
fn an_error_to_what_was_asked_for_a_clients_sake_is_that_clients() {
    let mut talk = Talk::new();
    talk.ask(&[(Ask::Close, Whose::Ours), (Ask::Parse(Some(3)), Whose::Ours)]).client(&[Ask::Bind, Ask::Execute, Ask::Sync]);
    talk.answer("3EZI").hears("EZ").settled(true);
    assert_eq!(talk.lost, [3]);
}

#[test]
fn a_query_of_the_poolers_that_fails_is_told_to_the_pooler_alone() {
    let mut exchange = Exchange::default();
    exchange.ask(Ask::Query, Whose::Ours, |_| {});
    exchange.ask(Ask::Query, Whose::Client, |_| {});
    assert_eq!(exchange.answer(b'E', b'S', |_| {}), Ok(Goes::Failed));
    assert_eq!(exchange.answer(b'Z', b'I', |_| {}), Ok(Goes::Nowhere));
    assert_eq!(exchange.answer(b'E', b'S', |_| {}), Ok(Goes::On));
}

#[test]
fn what_the_pooler_asks_in_vain_in_a_cycle_of_its_own_is_told_to_nobody_and_what_follows_is_answered() {
    let mut talk = Talk::new();
    talk.ask(&[(Ask::Close, Whose::OursInVain), (Ask::Parse(None), Whose::OursInVain), (Ask::Sync, Whose::OursInVain)])
        .client(&[Ask::Query]);
    talk.answer("3EZI").hears("").answer("CZI").hears("CZ").settled(true);
}

#[test]
fn what_the_client_has_carried_out_is_known_while_it_is_owed() {
    let mut exchange = Exchange::default();
    exchange.ask(Ask::Query, Whose::Ours, |_| {});
    exchange.ask(Ask::Bind, Whose::Client, |_| {});
    assert!(!exchange.is_carrying_out());
    exchange.ask(Ask::Execute, Whose::Client, |_| {});
    assert!(exchange.is_carrying_out() && !exchange.carries_out_next());
    for (tag, first) in [(b'Z', b'I'), (b'2', 0)] {
        exchange.answer(tag, first, |_| {}).unwrap();
    }
    assert!(exchange.carries_out_next());
}

#[test]
fn of_what_is_deallocated_in_a_statements_place_its_preparation_is_not_told() {
    let mut exchange = Exchange::default();
    exchange.ask(Ask::Deallocate, Whose::Client, |_| {});
    assert_eq!(exchange.answer(b'C', b'P', |_| {}), Ok(Goes::Nowhere));
    assert_eq!(exchange.answer(b'C', b'D', |_| {}), Ok(Goes::On));
    assert_eq!(exchange.answer(b'Z', b'I', |_| {}), Ok(Goes::On));
    exchange.ask(Ask::Deallocate, Whose::Client, |_| {});
    assert_eq!(exchange.answer(b'E', b'S', |_| {}), Ok(Goes::On));
    assert_eq!(exchange.answer(b'Z', b'E', |_| {}), Ok(Goes::On));
    assert!(!exchange.is_settled() && exchange.transaction() == Transaction::Failed);
}

#[test]
fn what_is_sent_after_an_error_and_before_the_sync_is_never_answered() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Parse(None)]).answer("E").client(&[Ask::Bind, Ask::Parse(Some(7)), Ask::Query]).say(Local::Closed).settled(false);
    talk.client(&[Ask::Sync]).answer("ZI").hears("EZ").settled(true);
    assert_eq!(talk.lost, [7]);
}

#[test]
fn a_copy_to_the_server_ends_with_what_the_client_says_and_what_the_server_says() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Query]).answer("G").settled(false);
    talk.exchange.end_copy();
    talk.answer("CZI").hears("GCZ").settled(true);
}

#[test]
fn syncs_within_a_copy_are_ignored_as_the_server_ignores_them() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Execute, Ask::Sync]).answer("G").settled(false).client(&[Ask::Sync]);
    talk.exchange.end_copy();
    talk.client(&[Ask::Sync]).answer("CZI").hears("GCZ").settled(true);
}

#[test]
fn a_copy_that_was_sent_whole_before_the_server_asked_for_it_is_followed() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Bind, Ask::Execute]);
    talk.exchange.end_copy();
    talk.client(&[Ask::Sync]).answer("2GCZI").hears("2GCZ").settled(true);
}

#[test]
fn a_copy_that_fails_leaves_nothing_behind() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Query]).answer("GE");
    talk.exchange.end_copy();
    talk.answer("ZI").settled(true);
}

#[test]
fn an_answer_to_another_question_is_told() {
    for (asks, answers) in [
        (&[][..], "C"),
        (&[], "ZI"),
        (&[Ask::Query], "1"),
        (&[Ask::Query], "K"),
        (&[Ask::Query], "Zx"),
        (&[Ask::Bind], "1"),
        (&[Ask::Execute], "ZI"),
        (&[Ask::Sync], "D"),
        (&[Ask::Describe], "C"),
        (&[Ask::Query], "CZIZI"),
        (&[Ask::Query], "W"),
    ] {
        assert!(Talk::new().client(asks).try_answer(answers).is_err(), "{asks:?} {answers}");
    }
}

#[test]
fn notices_settings_and_notifications_come_at_any_time() {
    Talk::new().answer("NSA").client(&[Ask::Bind]).answer("NSA2").hears("NSANSA2");
}

/// A server that does what PostgreSQL does, so far as the order of messages goes.
fn served(asks: &[(Ask, bool)]) -> Vec<(u8, u8)> {
    let (mut answers, mut skipping) = (Vec::new(), false);
    for (ask, fails) in asks {
        if skipping && *ask != Ask::Sync {
            continue;
        }
        skipping = false;
        if *fails && *ask != Ask::Sync {
            answers.push((b'E', 0));
            skipping = !matches!(ask, Ask::Query | Ask::Deallocate | Ask::Function);
        } else {
            let plain: &[u8] = match ask {
                Ask::Query => b"TDDC",
                Ask::Deallocate => b"CC",
                Ask::Function => b"V",
                Ask::Parse(_) => b"1",
                Ask::Bind => b"2",
                Ask::Describe => b"tT",
                Ask::Execute => b"DDC",
                Ask::Close => b"3",
                Ask::Sync => b"",
            };
            answers.extend(plain.iter().map(|tag| (*tag, 0)));
        }
        if matches!(ask, Ask::Query | Ask::Deallocate | Ask::Function | Ask::Sync) {
            answers.push((b'Z', b'I'));
        }
    }
    answers
}

fn asks() -> impl Strategy<Value = Vec<(Ask, bool)>> {
    let ask = prop_oneof![
        Just(Ask::Query),
        Just(Ask::Deallocate),
        Just(Ask::Function),
        Just(Ask::Parse(None)),
        Just(Ask::Bind),
        Just(Ask::Describe),
        Just(Ask::Execute),
        Just(Ask::Close),
        Just(Ask::Sync)
    ];
    prop::collection::vec((ask, prop::bool::weighted(0.1)), 0..30)
}

proptest! {
    #[test]
    fn every_answer_of_a_server_is_expected_and_the_last_one_settles(asks in asks(), ours in prop::collection::vec(any::<bool>(), 30)) {
        let asks = [asks, vec![(Ask::Sync, false)]].concat();
        let mut exchange = Exchange::default();
        for ((ask, _), ours) in asks.iter().zip(ours.iter().cycle()) {
            exchange.ask(*ask, if *ours { Whose::Ours } else { Whose::Client }, |_| {});
        }
        let answers = served(&asks);
        for (n, (tag, first)) in answers.iter().enumerate() {
            prop_assert!(!exchange.is_settled(), "settled before answer {}", n);
            prop_assert!(exchange.answer(*tag, *first, |_| {}).is_ok(), "{} of {:?}", n, answers);
            prop_assert_eq!(exchange.is_carrying_out(), exchange.owed.iter().any(Owed::is_act), "after answer {}", n);
        }
        prop_assert!(exchange.is_settled() && !exchange.is_carrying_out());
    }

    #[test]
    fn any_answers_are_taken_or_told(asks in asks(), answers in prop::collection::vec((any::<u8>(), any::<u8>()), 0..40)) {
        let mut exchange = Exchange::default();
        asks.iter().for_each(|(ask, _)| exchange.ask(*ask, Whose::Client, |_| {}));
        for (tag, first) in answers {
            if exchange.answer(tag, first, |_| {}).is_err() {
                break;
            }
            prop_assert_eq!(exchange.is_carrying_out(), exchange.owed.iter().any(Owed::is_act));
        }
    }
}

/// R62: what a pipeline uses in a later cycle may have been skipped in an earlier one.
#[test]
fn what_was_sent_in_a_cycle_that_is_not_answered_is_not_sure_in_the_next_one() {
    let mut talk = Talk::new();
    let parsed = [Ask::Bind, Ask::Parse(Some(7)), Ask::Sync];
    talk.client(&parsed);
    assert!(!talk.exchange.is_sure_of(0));
    talk.client(&[Ask::Bind]);
    assert!(talk.exchange.is_sure_of(talk.exchange.cycle()));
    talk.answer("EZI");
    assert_eq!(talk.lost, [7]);
    assert!(talk.exchange.is_sure_of(0), "what was lost was told");
    talk.client(&[Ask::Sync]).answer("2ZI").settled(true);
}

#[test]
fn ends_of_cycles_that_are_skipped_or_ignored_count_with_the_next_answer() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Parse(Some(1)), Ask::Query, Ask::Parse(Some(2)), Ask::Sync, Ask::Bind]).answer("E");
    assert!(!talk.exchange.is_sure_of(0) && !talk.exchange.is_sure_of(1));
    talk.answer("ZI");
    assert_eq!(talk.lost, [1, 2]);
    assert!(talk.exchange.is_sure_of(1));
    talk.client(&[Ask::Execute, Ask::Sync]).answer("2");
    assert!(!talk.exchange.is_sure_of(2));
    // A copy, whose Sync is ignored.
    talk.answer("G").settled(false);
    talk.exchange.end_copy();
    talk.client(&[Ask::Sync]).answer("CZI").settled(true);
    assert!((0..talk.exchange.cycle()).all(|cycle| talk.exchange.is_sure_of(cycle)));
}

#[test]
fn a_copy_that_was_sent_at_once_is_not_over_before_the_sync_behind_it() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Parse(None), Ask::Bind, Ask::Execute, Ask::Sync]);
    talk.exchange.end_copy();
    // The server ignored the first Sync: its transaction is open.
    talk.answer("12GC").hears("12GC").settled(false);
    assert!(!talk.exchange.is_at_start_of_cycle());
    talk.client(&[Ask::Sync]).answer("ZI").settled(true);
    assert!((0..talk.exchange.cycle()).all(|cycle| talk.exchange.is_sure_of(cycle)));
    // With the last Sync sent as well, nothing is missing.
    talk.client(&[Ask::Bind, Ask::Execute, Ask::Sync]);
    talk.exchange.end_copy();
    talk.client(&[Ask::Sync]).answer("2GCZI").settled(true);
    assert!(!talk.exchange.is_doubtful());
}

#[test]
fn an_error_before_the_server_has_read_the_sync_behind_a_copy_is_followed_by_its_answer() {
    let mut talk = Talk::new();
    talk.client(&[Ask::Bind, Ask::Execute, Ask::Sync]).answer("2GE").settled(false);
    assert!(talk.exchange.is_doubtful(), "the Sync may have been read as part of the copy, and then nothing answers it");
    talk.answer("ZI").hears("2GEZ").settled(true);
    assert!((0..talk.exchange.cycle()).all(|cycle| talk.exchange.is_sure_of(cycle)));
}

#[test]
fn after_an_error_that_nobody_asked_for_the_connection_is_doubtful() {
    let mut talk = Talk::new();
    talk.answer("E");
    assert!(talk.exchange.is_doubtful());
}
