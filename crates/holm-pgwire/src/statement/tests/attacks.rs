//! Texts that try to hide a statement.

use super::*;

#[test]
fn comments_and_white_space_hide_nothing() {
    check(&[
        ("/**/LISTEN/**/x", "listen"),
        ("-- \n LISTEN x", "listen"),
        ("--\rLISTEN x", "listen"),
        ("--\r\nLISTEN x", "listen"),
        ("-- ; \n\t\u{b}\u{c} LISTEN x", "listen"),
        ("/* /* */ */LISTEN x", "listen"),
        ("/*/**/*/LISTEN x", "listen"),
        ("/***/LISTEN x", "listen"),
        ("/* -- */LISTEN x", "listen"),
        ("/* ' */LISTEN x --'", "listen"),
        ("-- /*\nLISTEN x", "listen"),
        ("SELECT 1 /* ; */; /* ; */ LISTEN x", "listen"),
        ("SELECT 1 -- ;\n; LISTEN x", "listen"),
        ("SELECT 1 *-- '\n2; LISTEN x", "listen"),
        ("SELECT 2 */* ' */3; LISTEN x", "listen"),
        ("SELECT 2 //* ' */3; LISTEN x", "listen"),
        ("SELECT 3 - -1; LISTEN x", "listen"),
        ("SET/*\n*/LOCAL/* */x = 1", ""),
        ("DECLARE c CURSOR WITH -- x\n HOLD FOR SELECT 1", "hold cursor"),
        ("-- LISTEN x", ""),
        ("/* LISTEN x */ SELECT 1", ""),
        ("/* /* */ LISTEN x */ SELECT 1", ""),
    ]);
}

#[test]
fn a_comment_inside_of_a_word_makes_two_words_of_it() {
    check(&[("LIS/**/TEN x", ""), ("SE--\nT x = 1", ""), ("SELECT pg_advisory/**/_lock(1)", "")]);
}

#[test]
fn a_zero_byte_is_white_space() {
    assert_eq!(seen("SELECT 1\0"), "");
    assert_eq!(seen("LISTEN x\0"), "listen");
    assert_eq!(seen("SELECT 1;\0LISTEN x"), "listen");
    assert_eq!(seen("\0LISTEN\0x\0"), "listen");
}

#[test]
fn a_word_ends_where_postgresql_ends_it() {
    check(&[
        ("listen\u{e9} x", ""),
        ("\u{feff}LISTEN x", ""),
        ("LISTEN1 x", ""),
        ("listen$ x", ""),
        ("SELECT 1LISTEN x", ""),
        ("SELECT 1 WHERE id=1OR pg_try_advisory_lock(1)", "advisory lock"),
        ("SELECT $1OR pg_try_advisory_lock(1)", "advisory lock"),
        ("SELECT \u{e9}.pg_advisory_lock(1)", "advisory lock"),
        ("SELECT -pg_advisory_lock(1)", "advisory lock"),
        ("SELECT@pg_advisory_lock(1)", "advisory lock"),
        ("SELECT\"pg_advisory_lock\"(1)", "advisory lock"),
        ("SELECT x$pg_advisory_lock(1)", ""),
        ("SET x=-1; SET LOCAL y=-1", "setting x"),
    ]);
}

#[test]
fn a_turkish_capital_i_is_an_i_where_the_server_folds_it() {
    assert_eq!(seen(b"SELECT PG_ADV\xddSORY_LOCK(1)"), "advisory lock");
    assert_eq!(seen("SELECT PG_ADV\u{130}SORY_LOCK(1)"), "advisory lock");
    assert_eq!(seen("SELECT SET_CONF\u{130}G('x', 'y', false)"), "setting x");
}

#[test]
fn a_name_spelled_in_digits_is_unclear() {
    check(&[
        ("SELECT U&\"pg\\005fadvisory_lock\"(1)", "unclear"),
        ("SELECT u&\"pg!005fadvisory_lock\" UESCAPE '!' (1)", "unclear"),
        ("SET U&\"work_mem\" = 1", "unclear"),
        ("SELECT u & \"x\"", ""),
        ("SELECT u&1; LISTEN x", "listen"),
        ("SELECT U&'\\0061'; LISTEN x", "listen"),
    ]);
}

#[test]
fn half_of_a_letter_in_another_encoding_makes_a_text_unclear() {
    // Shift JIS: 0x95 0x5c is one letter, whose second byte is a backslash in ASCII.
    assert_eq!(seen(b"SELECT \x95\x5c$x$, ' ', y$x$; LISTEN x; --'"), "unclear");
    assert_eq!(seen(b"SELECT \x95\x5ce'\\'; LISTEN x --'"), "unclear");
    assert_eq!(seen(b"SELECT E'\x95\x5c'; LISTEN x --'"), "unclear");
    assert_eq!(seen(b"SELECT $\x95\x5c$ ' $\x95\x5c$; LISTEN x --'"), "unclear");
    assert_eq!(seen(b"SELECT $\x95$ ' $\x95$; LISTEN x --'"), "unclear");
    // In a plain string nothing depends on it, with `standard_conforming_strings` on.
    assert_eq!(seen("SELECT 'José'; LISTEN x"), "listen");
    assert_eq!(seen("SELECT '{\"é\"}', 'é|', 'é\\n'; LISTEN x"), "listen");
    assert_eq!(seen(b"SELECT '\x95\x5c'; LISTEN x"), "listen, unclear");
}

#[test]
fn a_text_that_ends_too_soon_is_unclear_if_something_in_it_matters() {
    check(&[
        ("SELECT 'x; LISTEN y", "unclear"),
        ("SELECT \"x; LISTEN y", "unclear"),
        ("SELECT $x$; LISTEN y", "unclear"),
        ("/* SELECT 1; LISTEN y", "unclear"),
        ("SELECT E'\\'; LISTEN y", "unclear"),
        ("LISTEN x; SELECT '", "listen, unclear"),
        ("DISCARD ALL; SELECT '", "discard all, unclear"),
        ("SELECT 'x", ""),
        ("SELECT 1 -- LISTEN x", ""),
        ("SET", "setting"),
        ("SET x", "setting x"),
        ("SET x.", "setting"),
        ("SET SESSION", "setting"),
        ("LISTEN", "listen"),
        ("PREPARE", ""),
        ("DISCARD", ""),
        ("DEALLOCATE", ""),
    ]);
}

#[test]
fn a_name_longer_than_any_is_unknown() {
    let long = "x".repeat(64);
    assert_eq!(seen(format!("SET {long} = 1")), "setting");
    assert_eq!(seen(format!("SET \"{long}\" = 1")), "setting");
    assert_eq!(seen(format!("SET a.{long} = 1; LISTEN x")), "setting, listen");
    assert_eq!(seen(format!("SELECT set_config('{long}', 'x', false)")), "setting");
    assert_eq!(seen(format!("PREPARE {long} AS SELECT 1")), "prepare");
    assert_eq!(seen(format!("SET {} = 1", "x".repeat(63))), format!("setting {}", "x".repeat(63)));
    assert_eq!(seen(format!("SELECT ${long}$ ' ${long}$; LISTEN x --'")), "unclear");
}

#[test]
fn a_setting_is_compared_as_the_server_does() {
    read(b"SET \"DateStyle\" = 'ISO'", |effect| assert!(matches!(effect, Effect::Setting(name) if name.is_setting("datestyle"))));
    read(b"SET datestyle = 'ISO'", |effect| assert!(matches!(effect, Effect::Setting(name) if name.is_setting("DateStyle"))));
    read(b"SET date_style = 'ISO'", |effect| assert!(matches!(effect, Effect::Setting(name) if !name.is_setting("DateStyle"))));
}
