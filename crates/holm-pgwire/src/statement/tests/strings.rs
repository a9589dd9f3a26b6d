//! Where strings end, which depends on their prefix, on settings and on the release.

use super::*;

#[test]
fn what_a_string_says_is_not_done() {
    check(&[
        ("select 'listen x'", ""),
        ("select '; listen x'", ""),
        ("select '''; listen x'", ""),
        ("select E'\\'; listen x'", ""),
        ("select E'\\\\'; listen x", "listen"),
        ("select e'a''\\'; listen x'", ""),
        ("select N'; listen x'", ""),
        ("select B'; listen x'", ""),
        ("select x'; listen x'", ""),
        ("select $$; listen x$$", ""),
        ("select $a$; $b$ $$ $ab$ ; listen x $a$", ""),
        ("select $a$ $b$a$ ; listen x; select $a$ $a$", "listen"),
        ("select $$ $x$$; listen x", "listen"),
        ("select $a; listen x", "listen"),
        ("select \"; listen x\", \"\"\"; listen x\"", ""),
        ("select date'x'; listen x", "listen"),
        ("select somee'\\'; listen x", "listen"),
        ("select 'a' 'b'; listen x", "listen"),
    ]);
}

#[test]
fn a_string_with_escapes_goes_on_with_escapes_on_the_next_line() {
    check(&[
        ("SELECT E'a'\n'\\'; LISTEN x --'", ""),
        ("SELECT E'a' -- c\n '\\'; LISTEN x --'", ""),
        ("SELECT E'a', '\\'; LISTEN x --'", "listen"),
        ("SELECT E'a'; SELECT '\\'; LISTEN x --'", "listen"),
    ]);
}

#[test]
fn a_backslash_before_a_quote_is_read_in_both_ways() {
    check(&[
        // On: a string with a backslash, then LISTEN. Off: one string and a comment.
        ("SELECT '\\'; LISTEN x --'", "listen"),
        // Off: a string with a quote, then LISTEN. On: two strings side by side, and a comment.
        ("SELECT '\\' '; LISTEN x --'", "listen"),
        ("SELECT 'a\\\\\\' '; LISTEN x --'", "listen"),
        ("SELECT '\\''; LISTEN x --'", "listen"),
        ("SELECT '\\'''; LISTEN x; --'", "listen"),
        // Neither: an even number of backslashes ends no string elsewhere.
        ("SELECT 'a\\\\'' ; LISTEN x --'", ""),
        // What most such texts are.
        ("SELECT 1 WHERE a LIKE 'b' ESCAPE '\\' AND c = 'x'; SELECT 1", ""),
        // Off, the text ends inside a string and is refused; but that comes out at its end only.
        ("SELECT 1 WHERE a LIKE 'b' ESCAPE '\\' AND c = '; listen x'; SELECT 1", "listen"),
        ("SELECT 1 WHERE a LIKE 'b' ESCAPE '\\'; SET x = 1", "setting x"),
    ]);
}

#[test]
fn what_clears_in_one_of_two_ways_is_not_cleared() {
    check(&[
        ("DISCARD ALL; SELECT '\\'", "discard all"),
        ("SELECT '\\'; DISCARD ALL --'", "unclear"),
        ("SELECT '\\' '; UNLISTEN * --'", "unclear"),
    ]);
}

#[test]
fn a_dollar_after_a_number_is_a_quote_where_every_release_agrees() {
    check(&[
        ("SELECT 1$a$ ; LISTEN x $a$", ""),
        ("SELECT $1$a$ ; LISTEN x $a$", ""),
        ("SELECT a$a$ ; LISTEN x --$a$", "listen"),
        ("SELECT 0x1$a$ ' $a$; LISTEN x --'", "unclear"),
        ("SELECT 1_0$a$ ' $a$; LISTEN x --'", "unclear"),
        ("SELECT 1e5$a$ ' $a$; LISTEN x --'", "unclear"),
    ]);
}
