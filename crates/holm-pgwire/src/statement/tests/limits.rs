//! What cannot be seen: each test shows one limit that the head of `statement.rs` names. A test that begins to fail here is
//! good news, and its line there goes.

use super::*;

#[test]
fn limit_what_a_function_does_is_not_seen_where_it_is_called() {
    // CREATE FUNCTION f() … AS $$ SELECT set_config('work_mem', '1MB', false) $$
    assert_eq!(seen("SELECT f()"), "");
    // CREATE FUNCTION lock(bigint) RETURNS void LANGUAGE internal AS 'pg_advisory_lock_int8'
    assert_eq!(seen("SELECT lock(1)"), "");
    // PERFORM set_config(…), or CREATE TEMP TABLE, in its body.
    assert_eq!(seen("CREATE FUNCTION f() RETURNS void LANGUAGE plpgsql AS $$ BEGIN CREATE TEMP TABLE x (); END $$"), "");
}

#[test]
fn limit_what_a_view_a_trigger_or_an_operator_does_is_not_seen() {
    assert_eq!(seen("SELECT * FROM a_view_over_a_function"), "");
    assert_eq!(seen("INSERT INTO a_table_with_a_trigger VALUES (1)"), "");
    assert_eq!(seen("SELECT 1 @# 2"), "");
}

#[test]
fn limit_what_a_block_or_a_procedure_leaves_is_not_told_apart() {
    assert_eq!(seen("DO $$ BEGIN PERFORM pg_advisory_lock(1); END $$"), "opaque");
    assert_eq!(seen("DO $$ BEGIN NULL; END $$"), "opaque");
    assert_eq!(seen("CALL p()"), "opaque");
}

#[test]
fn limit_a_temporary_table_by_search_path_is_not_seen() {
    assert_eq!(seen("SET search_path = pg_temp, public"), "setting search_path");
    assert_eq!(seen("CREATE TABLE x (a int)"), "");
}

#[test]
fn limit_what_random_numbers_and_extensions_remember_and_that_a_function_asks_for_a_number_is_not_seen() {
    // … AS $$ SELECT lastval() $$
    assert_eq!(seen("SELECT a_function_that_asks()"), "");
    assert_eq!(seen("SELECT setseed(0.5)"), "");
    assert_eq!(seen("SELECT dblink_connect('a', 'dbname=x')"), "");
}

#[test]
fn limit_a_parameter_names_nothing() {
    assert_eq!(seen("SELECT set_config($1, $2, false)"), "setting");
}

#[test]
fn limit_what_is_prepared_is_seen_when_it_is_prepared_and_not_when_it_is_executed() {
    assert_eq!(seen("PREPARE p AS SELECT pg_advisory_lock(1)"), "prepare p, advisory lock");
    assert_eq!(seen("EXECUTE p"), "execute p");
}

#[test]
fn limit_what_fails_or_is_rolled_back_counts_as_done() {
    assert_eq!(seen("BEGIN; SET x = 1; ROLLBACK"), "setting x");
    assert_eq!(seen("LISTEN"), "listen");
}

#[test]
fn limit_names_of_functions_count_where_they_are_not_called() {
    assert_eq!(seen("GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO x"), "advisory lock");
    assert_eq!(seen("CREATE FUNCTION f() RETURNS void BEGIN ATOMIC SELECT pg_advisory_lock(1); END"), "advisory lock");
}
