//! Each statement that matters, in its spellings, beside those that only look like it.

use super::*;

#[test]
fn what_nearly_every_text_is_does_nothing() {
    for text in [
        "",
        ";",
        " ; ; ",
        "SELECT 1",
        "select abalance from pgbench_accounts where aid = 12345;",
        "INSERT INTO t (a, b) VALUES ($1, 'x'), (2, E'\\'') RETURNING id",
        "UPDATE t SET role = 'x', local = 1, listen = 2 WHERE id = $1",
        "DELETE FROM t USING u WHERE t.id = u.id",
        "WITH hold AS (SELECT 1) SELECT * FROM hold",
        "BEGIN; SELECT 1; COMMIT",
        "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
        "SAVEPOINT a; ROLLBACK TO a; RELEASE a",
        "COPY t (a, b) FROM STDIN",
        "(SELECT 1) UNION (SELECT 2)",
        "VALUES (1)",
        "TABLE t",
        "NOTIFY x, 'y'",
        "SHOW search_path",
        "FETCH 10 FROM c; CLOSE c",
        "ALTER ROLE x SET search_path = a; ALTER DATABASE d SET work_mem = '1MB'",
        "GRANT EXECUTE ON FUNCTION f TO x",
        "CREATE TABLE template (attempt int, temperature int, temp int)",
        "CREATE TRIGGER t AFTER INSERT ON x EXECUTE FUNCTION f()",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS $$ SELECT 1; LISTEN x; SET a = 1 $$",
        "EXPLAIN ANALYZE SELECT 1",
    ] {
        assert_eq!(seen(text), "", "{text}");
    }
}

#[test]
fn listening_is_seen_and_notifying_is_not() {
    check(&[
        ("LISTEN x", "listen"),
        ("listen \"x\";", "listen"),
        ("LiStEn x", "listen"),
        ("listen\"x\"", "listen"),
        ("UNLISTEN x", "unlisten"),
        ("UNLISTEN *", "unlisten"),
        ("SELECT listen FROM x", ""),
        ("listens", ""),
        ("listen_x", ""),
    ]);
}

#[test]
fn advisory_locks_of_the_session_are_seen_in_any_spelling_and_those_of_the_transaction_are_not() {
    check(&[
        ("SELECT pg_advisory_lock(1)", "advisory lock"),
        ("SELECT pg_advisory_lock(1, 2)", "advisory lock"),
        ("select PG_ADVISORY_LOCK (1)", "advisory lock"),
        ("SELECT pg_catalog . \"pg_advisory_lock\"(1)", "advisory lock"),
        ("SELECT pg_catalog.pg_advisory_lock/**/(1)", "advisory lock"),
        ("SELECT pg_advisory_lock_shared(1)", "advisory lock"),
        ("SELECT pg_try_advisory_lock($1)", "advisory lock"),
        ("WITH x AS (SELECT pg_try_advisory_lock_shared(1, 2)) SELECT 1", "advisory lock"),
        ("UPDATE t SET a = 1 WHERE pg_try_advisory_lock(id)", "advisory lock"),
        ("COPY (SELECT pg_advisory_lock(1)) TO STDOUT", "advisory lock"),
        ("EXPLAIN ANALYZE SELECT pg_advisory_lock(1)", "advisory lock"),
        ("PREPARE p AS SELECT pg_advisory_lock(1)", "prepare p, advisory lock"),
        ("SELECT pg_advisory_xact_lock(1), pg_try_advisory_xact_lock(1), pg_advisory_xact_lock_shared(1)", ""),
        ("SELECT pg_advisory_unlock(1), pg_advisory_unlock_shared(1), pg_advisory_unlock_all()", ""),
        ("SELECT 'pg_advisory_lock(1)'", ""),
        ("SELECT my_pg_advisory_lock(1), pg_advisory_locks(1)", ""),
    ]);
}

#[test]
fn what_is_temporary_is_seen_and_what_is_only_named_so_is_not() {
    check(&[
        ("CREATE TEMP TABLE x (a int)", "temporary"),
        ("create temporary table x as select 1", "temporary"),
        ("CREATE GLOBAL TEMPORARY TABLE x ()", "temporary"),
        ("CREATE LOCAL TEMP TABLE x ()", "temporary"),
        ("CREATE TEMP SEQUENCE s", "temporary"),
        ("CREATE OR REPLACE TEMP VIEW v AS SELECT 1", "temporary"),
        ("CREATE/* */TEMP/* */TABLE x ()", "temporary"),
        ("SELECT 1 INTO TEMP x", "temporary"),
        ("SELECT 1 INTO TEMPORARY TABLE x FROM y", "temporary"),
        ("WITH a AS (SELECT 1) SELECT * INTO LOCAL TEMP b FROM a", "temporary"),
        ("EXPLAIN ANALYZE CREATE TEMP TABLE x AS SELECT 1", "temporary"),
        ("CREATE TABLE pg_temp.x ()", "temporary"),
        ("CREATE TABLE \"pg_temp\" . x ()", "temporary"),
        ("CREATE TABLE pg_temp_3.x ()", "temporary"),
        ("CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "temporary"),
        ("SELECT 1 INTO pg_temp.x", "temporary"),
        ("INSERT INTO temp VALUES (1)", ""),
        ("MERGE INTO temp USING x ON true WHEN MATCHED THEN DO NOTHING", ""),
        ("SELECT temp, temporary FROM temp", ""),
        ("CREATE TABLE \"temp\" ()", ""),
        ("SELECT pg_temperature.x, pg_temps.y FROM pg_temperature, pg_temps", ""),
        ("DROP TABLE temp", ""),
        ("CREATE FUNCTION f() RETURNS int SET search_path = a, pg_temp LANGUAGE sql AS 'SELECT 1'", ""),
    ]);
}

#[test]
fn a_cursor_with_hold_is_seen_and_one_without_is_not() {
    check(&[
        ("DECLARE c CURSOR WITH HOLD FOR SELECT 1", "hold cursor"),
        ("declare \"for\" no scroll cursor with/**/hold for select 1", "hold cursor"),
        ("DECLARE c BINARY INSENSITIVE SCROLL CURSOR\nWITH\nHOLD\nFOR SELECT 1", "hold cursor"),
        ("DECLARE c CURSOR FOR SELECT 1", ""),
        ("DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1", ""),
        ("DECLARE c CURSOR FOR WITH hold AS (SELECT 1) SELECT * FROM hold", ""),
    ]);
}

#[test]
fn prepared_statements_of_sql_are_told_by_name_and_a_prepared_transaction_is_none() {
    check(&[
        ("PREPARE p AS SELECT 1", "prepare p"),
        ("PREPARE P(int) AS SELECT $1", "prepare p"),
        ("PREPARE \"P\"\"q\" AS SELECT 1", "prepare P\\\"q"),
        ("EXECUTE p(1)", "execute p"),
        ("CREATE TABLE x AS EXECUTE p", "execute p"),
        ("CREATE TABLE x AS/**/EXECUTE \"P\" (1) WITH NO DATA", "execute P"),
        ("EXPLAIN (ANALYZE) EXECUTE p(1)", "execute p"),
        ("DEALLOCATE p", "deallocate p"),
        ("DEALLOCATE PREPARE pdo_stmt_00000001", "deallocate pdo_stmt_00000001"),
        ("DEALLOCATE \"all\"", "deallocate all"),
        ("PREPARE TRANSACTION 'x'", ""),
        ("PREPARE TRANSACTION $$x$$", ""),
        ("COMMIT PREPARED 'x'", ""),
        ("PREPARE transaction AS SELECT 1", "prepare transaction"),
        ("PREPARE transaction (int) AS SELECT 1", "prepare transaction"),
        ("DEALLOCATE prepare", "deallocate prepare"),
        ("DEALLOCATE prepare; SELECT 1", "deallocate prepare"),
    ]);
    assert_eq!(look(b"DEALLOCATE ALL"), Effects::DEALLOCATE_ALL);
    assert_eq!(look(b"DEALLOCATE PREPARE ALL"), Effects::DEALLOCATE_ALL);
    assert_eq!(look(b"DEALLOCATE \"all\""), Effects::DEALLOCATE);
}

#[test]
fn a_setting_of_the_session_is_told_by_name() {
    check(&[
        ("SET work_mem = '1MB'", "setting work_mem"),
        ("SET SESSION Work_Mem TO 1", "setting work_mem"),
        ("SET \"Work_Mem\" = 1", "setting Work_Mem"),
        ("set/**/search_path/**/to x", "setting search_path"),
        ("SET app.tenant = 'x'", "setting app.tenant"),
        ("SET \"app\" . tenant.\"Id\" = 'x'", "setting app.tenant.Id"),
        ("SET x FROM CURRENT", "setting x"),
        ("SET x TO DEFAULT", "setting x"),
        ("SET TIME ZONE 'UTC'", "setting timezone"),
        ("SET SESSION TIME ZONE LOCAL", "setting timezone"),
        ("SET TimeZone = 'UTC'", "setting timezone"),
        ("SET NAMES 'utf8'", "setting client_encoding"),
        ("SET NAMES", "setting client_encoding"),
        ("SET SCHEMA 'x'", "setting search_path"),
        ("SET XML OPTION DOCUMENT", "setting xmloption"),
        ("SET ROLE x", "setting role"),
        ("SET SESSION ROLE NONE", "setting role"),
        ("SET role = 'x'", "setting role"),
        ("SET SESSION AUTHORIZATION x", "setting session_authorization"),
        ("SET SESSION SESSION AUTHORIZATION DEFAULT", "setting session_authorization"),
        ("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY", "setting session characteristics"),
        ("RESET work_mem", "setting work_mem"),
        ("RESET app.x", "setting app.x"),
        ("RESET TIME ZONE", "setting timezone"),
        ("RESET ROLE", "setting role"),
        ("RESET SESSION AUTHORIZATION", "setting session_authorization"),
        ("RESET TRANSACTION ISOLATION LEVEL", "setting transaction_isolation"),
    ]);
}

#[test]
fn a_setting_of_the_transaction_is_none_and_a_name_that_looks_like_the_keyword_is_one() {
    check(&[
        ("SET LOCAL work_mem = 1", ""),
        ("SET LOCAL \"work_mem\" = 1", ""),
        ("SET LOCAL ROLE x", ""),
        ("SET LOCAL TIME ZONE 'UTC'", ""),
        ("SET LOCAL SESSION AUTHORIZATION x", ""),
        ("SET TRANSACTION ISOLATION LEVEL SERIALIZABLE", ""),
        ("SET TRANSACTION SNAPSHOT 'x'", ""),
        ("SET SESSION TRANSACTION READ ONLY", ""),
        ("SET CONSTRAINTS ALL DEFERRED", ""),
        ("SET CONSTRAINTS \"a\".b IMMEDIATE", ""),
        ("SET local.x = 1", "setting local.x"),
        ("SET local = 1", "setting local"),
        ("SET \"local\".x = 1", "setting local.x"),
        ("SET session.x = 1", "setting session.x"),
        ("SET transaction.x TO 1", "setting transaction.x"),
        ("SET transaction_isolation = 'serializable'", "setting transaction_isolation"),
        ("SET constraints.x = 1", "setting constraints.x"),
        ("SET time.zone = 1", "setting time.zone"),
        ("SET names.x = 1", "setting names.x"),
        ("SET \"all\" = 1", "setting all"),
    ]);
}

#[test]
fn set_config_is_a_setting_unless_its_last_argument_is_true() {
    check(&[
        ("SELECT set_config('app.tenant', 'x', false)", "setting app.tenant"),
        ("SELECT pg_catalog.set_config('search_path', '', false);", "setting search_path"),
        ("SELECT \"set_config\" ( 'a' , f(1, 2) || ',)', FALSE )", "setting a"),
        ("SELECT set_config('app.tenant', $1, true)", ""),
        ("SELECT SET_CONFIG('app.tenant', current_setting('x', true), TRUE), 1", ""),
        ("SELECT set_config('a', $1, true), set_config('b', $2, false)", "setting b"),
        ("SELECT set_config('a', (ARRAY['x'])[1], true)", ""),
        ("SELECT set_config($1, $2, true)", ""),
        ("SELECT set_config($1, $2, $3)", "setting"),
        ("SELECT set_config('a', 'x', 't')", "setting a"),
        ("SELECT set_config('a', 'x', true AND false)", "setting a"),
        ("SELECT set_config('a', 'x', (true))", "setting a"),
        ("SELECT set_config('a', 'x', \"true\")", "setting a"),
        ("SELECT set_config('a', set_config('b', 'x', false), true)", "setting"),
        ("SELECT set_config('a' || 'b', 'x', false)", "setting"),
        ("SELECT set_config('a'\n'b', 'x', false)", "setting"),
        ("SELECT set_config(E'a', 'x', false)", "setting"),
        ("SELECT set_config(is_local => false, new_value => 'x', setting_name => 'y')", "setting"),
        ("SELECT set_config('a', 'x'", "setting"),
        ("UPDATE t SET a = set_config('a', 'x', false)", "setting a"),
        ("SELECT set_config FROM x", ""),
        ("SELECT set_config_x('a', 'b', false)", ""),
    ]);
}

#[test]
fn what_clears_is_told_as_what_it_clears() {
    check(&[
        ("DISCARD ALL", "discard all"),
        ("DISCARD PLANS", "discard other"),
        ("DISCARD SEQUENCES", "discard other"),
        ("DISCARD TEMP", "discard temporary"),
        ("DISCARD TEMPORARY", "discard temporary"),
        ("RESET ALL", "reset all"),
        ("RESET \"all\"", "setting all"),
    ]);
    for text in [&b"UNLISTEN *"[..], b"DEALLOCATE x", b"DEALLOCATE ALL", b"RESET ALL", b"DISCARD ALL", b"DISCARD TEMP", b"DISCARD PLANS"] {
        let effects = look(text);
        assert!(!effects.is_empty() && effects.without(Effects::CLEARS).is_empty(), "{}", text.escape_ascii());
    }
    for text in ["LISTEN x", "SET x = 1", "RESET x", "DO ''", "EXECUTE x", "LOAD 'x'"] {
        assert!(!look(text.as_bytes()).intersects(Effects::CLEARS), "{text}");
    }
}

#[test]
fn what_may_do_anything_is_said_to_be_opaque() {
    check(&[
        ("DO $$ BEGIN PERFORM 1; END $$", "opaque"),
        ("DO LANGUAGE plpgsql 'BEGIN END'", "opaque"),
        ("CALL p(1)", "opaque"),
        ("CALL pg_catalog.p()", "opaque"),
        ("LOAD 'auto_explain'", "load"),
        ("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", ""),
        ("CREATE RULE r AS ON INSERT TO t DO ALSO SELECT 1", ""),
    ]);
}

#[test]
fn every_statement_of_a_text_counts() {
    check(&[
        ("BEGIN; SET x = 1; LISTEN y; COMMIT", "setting x, listen"),
        ("SELECT 1;LISTEN x", "listen"),
        (";;LISTEN x", "listen"),
        ("SELECT ';'; LISTEN x", "listen"),
        ("SELECT $$;$$; LISTEN x", "listen"),
        ("SELECT \";\"; LISTEN x", "listen"),
        ("SET a = 1; SET LOCAL b = 2; RESET c", "setting a, setting c"),
        ("LISTEN x; DISCARD ALL", "listen, discard all"),
        ("SELECT set_config('a', 'b', true; LISTEN x", "setting, listen"),
        ("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; SELECT 2; END; LISTEN x", "listen"),
    ]);
}

#[test]
fn who_asks_for_a_number_that_was_drawn_is_seen_and_whether_the_text_may_have_drawn_it_itself() {
    check(&[
        ("SELECT currval('s')", "ask drawn"),
        ("select LastVal ()", "ask drawn"),
        ("SELECT pg_catalog.\"currval\"/* */('s')", "ask drawn"),
        (" ; /* */ SELECT lastval()", "ask drawn"),
        ("INSERT INTO t VALUES (currval('s'), nextval('t'))", "ask drawn"),
        ("INSERT INTO t DEFAULT VALUES; SELECT currval('s')", "ask drawn later"),
        ("BEGIN; SELECT lastval()", "ask drawn later"),
        ("SELECT nextval('s'), setval('s', 1)", ""),
        ("EXPLAIN ANALYZE SELECT lastval()", "ask drawn"),
        ("SELECT currval, lastval, nextval, setval FROM t", ""),
        ("INSERT INTO t (lastval) VALUES (1)", ""),
        ("SELECT \"CURRVAL\"('s'), my_currval('s'), currvals('s'), interval('1')", ""),
        ("SELECT 'currval(1)'", ""),
    ]);
    assert_eq!(look(b"SELECT U&\"\\006curr\"('s')"), Effects::UNCLEAR);
}
