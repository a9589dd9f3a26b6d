//! Scripts and their statements, as `psql` splits them.

use proptest::prelude::*;

use super::*;

fn check(script: &str, expected: &[&str]) {
    let found: Vec<&str> = split(script).unwrap().iter().map(|statement| statement.text).collect();
    assert_eq!(found, expected, "{script}");
}

fn refused(script: &str, at: usize, fault: SyntaxFault) {
    assert_eq!(split(script), Err(SyntaxProblem { at, fault }), "{script:?}");
}

#[test]
fn statements_end_at_semicolons_and_nothing_is_no_statement() {
    check("", &[]);
    check(" ;; -- a\n ; /* b */ ", &[]);
    check("SELECT 1", &["SELECT 1"]);
    check("-- CreateTable\nCREATE TABLE a ();\n\n-- x\nDROP TABLE a;\n", &["CREATE TABLE a ()", "DROP TABLE a"]);
    check("SELECT 1 /* in */ + 1 -- after\n;", &["SELECT 1 /* in */ + 1"]);
}

#[test]
fn a_semicolon_in_quotes_or_comments_ends_nothing() {
    for script in [
        "SELECT 'a;''b;'",
        "SELECT 'a\\', 'b;'",
        "SELECT E'a\\';b', e'\\\\'",
        "SELECT E'a'\n 'b\\';c'",
        "SELECT E'a' -- x\n'b\\';c'",
        "SELECT U&'\\0041;', U&\"d;\" UESCAPE '!', B'1;', X'F;', N'n;'",
        "SELECT \"a;\"\"b;\"",
        "SELECT $$a;b$$, $t$;$$;$x$;$t$, $å$;$å$",
        "SELECT 1 /* a; /* b; */ c; */ + 1",
        "SELECT 1 -- a; '\n + 1",
        "SELECT a$b$c, $1, $2",
        "CREATE RULE r AS ON INSERT TO a DO ALSO (SELECT 1; SELECT 2)",
    ] {
        check(&format!("{script};SELECT 9"), &[script, "SELECT 9"]);
    }
}

#[test]
fn bodies_of_standard_functions_are_one_statement() {
    let plain = "CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a > 1 THEN 2 ELSE 3 END; END";
    check(&format!("{plain}; SELECT 1"), &[plain, "SELECT 1"]);
    let classic = "CREATE FUNCTION f() RETURNS trigger AS $$ BEGIN NEW.a := 1; RETURN NEW; END; $$ LANGUAGE plpgsql";
    check(&format!("{classic}; SELECT 1"), &[classic, "SELECT 1"]);
    check("BEGIN; SELECT CASE WHEN true THEN 1 END; END;", &["BEGIN", "SELECT CASE WHEN true THEN 1 END", "END"]);
}

#[test]
fn what_has_no_end_is_reported_where_it_begins() {
    refused("SELECT 1; SELECT 'a", 17, SyntaxFault::OpenString);
    refused("SELECT E'a\\'", 7, SyntaxFault::OpenString);
    refused("SELECT E'a' 'b\\';c'", 18, SyntaxFault::OpenString);
    refused("SELECT \"a", 7, SyntaxFault::OpenIdentifier);
    refused("DO $x$ BEGIN $y$ $x $$", 3, SyntaxFault::OpenDollar);
    refused("SELECT 1 /* a /* b */", 9, SyntaxFault::OpenComment);
    refused("SELECT 0;CREATE FUNCTION f() BEGIN ATOMIC SELECT 1;", 9, SyntaxFault::OpenBody);
}

#[test]
fn what_only_psql_understands_is_refused() {
    refused("\\i other.sql", 0, SyntaxFault::PsqlCommand);
    refused("SELECT 1 \\gx", 9, SyntaxFault::PsqlCommand);
    refused("COPY a FROM stdin;\nO'Brien\t1\n\\.\n", 0, SyntaxFault::CopyFromStdin);
    refused("SELECT\0", 6, SyntaxFault::Nul);
    check("COPY a TO STDOUT; COPY b FROM '/f'", &["COPY a TO STDOUT", "COPY b FROM '/f'"]);
}

#[test]
fn an_error_in_a_statement_is_found_in_the_script() {
    let script = "SELECT 'å';\n\n  SELEC 1;";
    let second = split(script).unwrap()[1];
    assert_eq!(second.position(script, 1).to_string(), "line 3, column 3");
    assert_eq!(second.position(script, 7).to_string(), "line 3, column 9");
}

/// Pieces that are whole by themselves, whatever stands beside them behind a space.
fn piece() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z]{1,6}",
        "[0-9]{1,3}",
        "'[a-z;\"$/*-]{0,8}'",
        "E'[a-z;\"$/*-]{0,4}\\\\';'",
        "\"[a-z;'$/*-]{1,8}\"",
        "\\$\\$[a-z;'\"/*-]{0,8}\\$\\$",
        "\\$t\\$[a-s;'\"\\$/*-]{0,8} \\$t\\$",
        "/\\*[a-z;'\" ]{0,8}/\\*;\\*/[a-z;'\" ]{0,8}\\*/",
        "--[a-z;'\"$ ]{0,8}\n",
        "[+=<>,.:åß]",
    ]
    .prop_filter("words with a meaning", |text| !matches!(text.as_str(), "begin" | "atomic" | "copy" | "from" | "stdin"))
}

proptest! {
    #[test]
    fn statements_come_back_as_they_were_written(written in prop::collection::vec(prop::collection::vec(piece(), 0..6), 0..5)) {
        let bodies: Vec<String> = written.iter().map(|pieces| format!("x {} y", pieces.join(" "))).collect();
        let script = bodies.join(" ;\n");
        let found: Vec<&str> = split(&script).unwrap().into_iter().map(|statement| statement.text).collect();
        prop_assert_eq!(found, bodies.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn any_text_is_split_or_refused_inside_its_bounds(text in "(\\PC|[\\x00-\\x7f'\"$;*/eEuU&\\\\-]){0,60}") {
        match split(&text) {
            Ok(statements) => {
                let mut behind = 0;
                for statement in statements {
                    prop_assert!(statement.start >= behind && !statement.text.is_empty());
                    behind = statement.start + statement.text.len();
                    prop_assert_eq!(&text[statement.start..behind], statement.text);
                }
            }
            Err(problem) => prop_assert!(text.is_char_boundary(problem.at) && problem.at < text.len()),
        }
    }

    #[test]
    fn tokens_leave_no_gap(text in "(\\PC|[\\x01-\\x7f'\"$;*/eEuU&-]){0,60}") {
        let mut at = 0;
        for token in tokens(&text).map_while(Result::ok) {
            prop_assert_eq!(token.start, at);
            prop_assert!(token.end > at && text.is_char_boundary(token.end));
            at = token.end;
        }
    }
}
