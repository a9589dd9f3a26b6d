//! Promises over any text.

use proptest::prelude::*;

use super::*;

/// Texts with their effects, none of which depends on what stands before or after the text.
const DOING: [&str; 16] = [
    "LISTEN x",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_catalog.\"pg_try_advisory_lock_shared\"($1)",
    "CREATE TEMP TABLE x (a text DEFAULT ';')",
    "SELECT 1 INTO TEMPORARY x",
    "DECLARE c CURSOR WITH HOLD FOR SELECT ';'",
    "PREPARE p AS SELECT ';'",
    "EXECUTE p",
    "SET work_mem = '1MB'",
    "SET SESSION AUTHORIZATION x",
    "SELECT set_config('a.b', $$;$$, false)",
    "RESET x",
    "LOAD 'x'",
    "DO $body$ ; $body$",
    "CALL p()",
    "EXPLAIN EXECUTE p",
];

/// What may stand around a statement and does nothing; every quote and comment in it is closed.
fn around() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        Just(" ".to_owned()),
        Just("\t\r\n\u{b}\u{c}".to_owned()),
        Just("/**/".to_owned()),
        Just("/* ' \" $$ ; /* -- */ é */".to_owned()),
        Just("-- ' \" $$ ; /*\n".to_owned()),
        Just("--\r".to_owned()),
    ];
    prop::collection::vec(part, 0..5).prop_map(|parts| parts.concat())
}

fn harmless() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "",
        "SELECT 1",
        "SELECT 'it''s ; LISTEN', E'\\'', $$'$$, $a$ $$ $a$, \"'\", U&'\\0061', b'0', x'1f'",
        "INSERT INTO temp VALUES (1, 'é'), (2, '; SET')",
        "BEGIN ISOLATION LEVEL SERIALIZABLE",
        "SELECT a FROM b WHERE c LIKE 'd' -- é'\n",
        "UPDATE t SET a = $1 /* ' */ WHERE b - -1 > 2",
        "SELECT '\\a', 'C:\\b'",
    ])
}

/// Texts of the pieces that a reader could trip over.
fn thorny() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        prop::sample::select(vec![
            "'", "''", "\\", "\\'", "\"", "$", "$$", "$a$", "--", "/*", "*/", "\n", ";", " ", "(", ")", ",", ".", "=", "e'", "E", "u&\"",
            "U&'", "b'", "1", "0x", "\u{e9}", "[", "\0",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::sample::select(DOING.to_vec()).prop_map(|text| text.as_bytes().to_vec()),
        prop::sample::select(vec![
            "SELECT",
            "SET",
            "LOCAL",
            "SESSION",
            "LISTEN",
            "pg_advisory_lock",
            "set_config",
            "currval",
            "lastval",
            "true",
            "TEMP",
            "INTO",
            "CREATE",
            "DISCARD ALL",
            "PREPARE",
            "TRANSACTION",
            "EXPLAIN",
            "EXECUTE",
            "pg_temp",
            "U",
        ])
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..3),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn read_whole(text: &[u8]) -> Vec<String> {
    told(|told| read_in_pieces(text, text.len().max(1), told))
}

proptest! {
    #[test]
    fn any_bytes_have_effects_which_do_not_depend_on_how_they_are_cut(text in thorny(), cuts in prop::collection::vec(1usize..9, 1..20)) {
        let whole = read_whole(&text);
        let pieces = told(|told| {
            let (mut reader, mut rest, mut cut) = (Reader::default(), &text[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at(rest.len().min(*cut.next().unwrap()));
                reader.feed(piece, &mut *told);
                rest = after;
            }
            reader.finish(told);
        });
        prop_assert_eq!(sorted(&pieces), sorted(&whole));
    }

    #[test]
    fn what_is_passed_over_has_no_effect(text in thorny()) {
        if glance::is_harmless(&text) {
            prop_assert!(read_whole(&text).iter().all(|effect| effect == "unclear"));
        }
    }

    #[test]
    fn nothing_around_a_statement_hides_it(
        doing in prop::sample::select(DOING.to_vec()),
        before in prop::collection::vec((around(), harmless()), 0..4),
        after in prop::collection::vec((harmless(), around()), 0..4),
        inner in around(),
    ) {
        let alone = look(doing.as_bytes());
        prop_assert!(!alone.is_empty() && !alone.intersects(Effects::UNCLEAR));
        let before: String = before.iter().map(|(around, text)| format!("{around}{text};")).collect();
        let after: String = after.iter().map(|(text, around)| format!(";{text}{around}")).collect();
        let text = format!("{before}{inner}{doing}{inner}{after}");
        prop_assert_eq!(look(text.as_bytes()), alone, "{}", text);
    }

    #[test]
    fn comments_for_its_spaces_and_another_case_change_nothing(doing in prop::sample::select(DOING.to_vec()), comment in around()) {
        prop_assume!(!comment.is_empty());
        let spaced = doing.replace(' ', &comment);
        prop_assert_eq!(look(spaced.as_bytes()), look(doing.as_bytes()), "{}", spaced);
        let lower = doing.to_lowercase();
        prop_assert_eq!(look(lower.as_bytes()), look(doing.as_bytes()), "{}", lower);
    }

    #[test]
    fn a_statement_in_a_string_has_no_effect(doing in prop::sample::select(DOING.to_vec()), prefix in prop::sample::select(vec!["", "E", "N", "U&"])) {
        let text = format!("SELECT 1; SELECT {prefix}'; {}'; SELECT 1", doing.replace('\'', "''"));
        prop_assert!(look(text.as_bytes()).is_empty(), "{}", text);
        let text = format!("SELECT 1; SELECT $q$; {doing}$q$; SELECT 1");
        prop_assert!(look(text.as_bytes()).is_empty(), "{}", text);
    }
}
