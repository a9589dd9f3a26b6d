//! A table of scripts and the mode each is run in.

use super::*;
use crate::statements::split;

fn of(script: &str) -> String {
    match decide(script, &split(script).unwrap()) {
        Ok(TransactionMode::Atomic) => "atomic".to_owned(),
        Ok(TransactionMode::Split { because }) => format!("split: {because}"),
        Err((at, refusal)) => format!("refused at {at}: {refusal}"),
    }
}

#[test]
fn a_script_is_atomic_unless_something_in_it_forbids_that() {
    for script in [
        "",
        "-- This is an empty migration.",
        "CREATE TABLE a (b int); CREATE INDEX i ON a (b);",
        "ALTER TYPE mood ADD VALUE 'calm';",
        "REFRESH MATERIALIZED VIEW CONCURRENTLY v;",
        "SAVEPOINT a; SELECT 1; ROLLBACK TO SAVEPOINT a; ROLLBACK WORK TO a; RELEASE a;",
        "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT 1; END;",
        "DO $$ BEGIN PERFORM 1; END $$;",
        "SELECT 'BEGIN; COMMIT; VACUUM;'; -- VACUUM",
        "INSERT INTO a VALUES ('CREATE INDEX CONCURRENTLY')",
        "CREATE INDEX \"concurrently\" ON a (b)",
        "CREATE TABLE vacuum_log (\"begin\" int)",
        "REINDEX TABLE a",
        "CLUSTER a USING i",
    ] {
        assert_eq!(of(script), "atomic", "{script}");
    }
}

#[test]
fn a_statement_that_postgresql_refuses_in_a_transaction_splits_the_script_and_is_named() {
    for (script, what) in [
        ("SELECT 1; CREATE INDEX CONCURRENTLY i ON a (b);", "CREATE INDEX CONCURRENTLY"),
        ("create /* x */ unique -- y\n index concurrently if not exists i on a (b)", "CREATE INDEX CONCURRENTLY"),
        ("DROP INDEX CONCURRENTLY i", "DROP INDEX CONCURRENTLY"),
        ("REINDEX INDEX CONCURRENTLY i", "REINDEX CONCURRENTLY"),
        ("REINDEX (VERBOSE, CONCURRENTLY) TABLE a", "REINDEX CONCURRENTLY"),
        ("REINDEX SCHEMA public", "REINDEX"),
        ("ALTER TABLE a DETACH PARTITION b CONCURRENTLY", "DETACH PARTITION CONCURRENTLY"),
        ("VACUUM (ANALYZE) a", "VACUUM"),
        ("ALTER SYSTEM SET work_mem = '1GB'", "ALTER SYSTEM"),
        ("CREATE DATABASE d", "CREATE DATABASE"),
        ("DROP DATABASE d", "DROP DATABASE"),
        ("ALTER DATABASE d SET TABLESPACE t", "ALTER DATABASE SET TABLESPACE"),
        ("CREATE TABLESPACE t LOCATION '/t'", "CREATE TABLESPACE"),
        ("DROP TABLESPACE t", "DROP TABLESPACE"),
        ("CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p", "CREATE SUBSCRIPTION"),
        ("CLUSTER", "CLUSTER"),
    ] {
        assert_eq!(of(script), format!("split: `{what}` cannot run in a transaction"), "{script}");
    }
}

#[test]
fn a_directive_before_the_first_statement_splits_and_a_misspelt_one_is_refused() {
    let asked = "split: it asks for it with `-- holm:no-transaction`";
    assert_eq!(of("-- holm:no-transaction\nSELECT 1;"), asked);
    assert_eq!(of("-- CreateIndex\n--holm:no-transaction \r\nSELECT 1;"), asked);
    assert_eq!(of("-- holm:no-transaction\nVACUUM;"), asked);
    assert_eq!(of("SELECT 1;\n-- holm:no-transaction\n"), "refused at 10: `-- holm:no-transaction` has no effect here");
    assert_eq!(of("-- holm:no-transactions\n"), "refused at 0: `-- holm:no-transactions` has no effect here");
    assert_eq!(of("SELECT '-- holm:no-transaction' /* -- holm:x */;"), "atomic");
}

#[test]
fn transactions_of_a_script_s_own_are_kept_when_they_are_whole() {
    let own = "split: it has transactions of its own";
    // What Prisma writes when a value is taken out of an enum.
    let prisma = "-- AlterEnum\nBEGIN;\nCREATE TYPE \"Mood_new\" AS ENUM ('CALM');\nALTER TYPE \"Mood\" RENAME TO \"Mood_old\";\n\
                  ALTER TYPE \"Mood_new\" RENAME TO \"Mood\";\nDROP TYPE \"Mood_old\";\nCOMMIT;\nCREATE TABLE a (b int);\n";
    assert_eq!(of(prisma), own);
    assert_eq!(of("START TRANSACTION; SELECT 1; END"), own);
    assert_eq!(of("BEGIN; SELECT 1; COMMIT; VACUUM"), own);
}

#[test]
fn transactions_that_would_break_the_ledger_are_refused() {
    insta::assert_snapshot!(of("SELECT 1; COMMIT;"), @"refused at 10: `COMMIT` without a `BEGIN` would end the transaction that records the migration");
    insta::assert_snapshot!(of("BEGIN; SELECT 1;"), @"refused at 0: `BEGIN` without a `COMMIT` would leave a transaction open");
    insta::assert_snapshot!(of("BEGIN; BEGIN; COMMIT;"), @"refused at 7: `BEGIN` inside a transaction that the script has begun already");
    insta::assert_snapshot!(of("BEGIN; SELECT 1; ROLLBACK;"), @"refused at 17: `ROLLBACK` would undo what the ledger then calls applied");
    insta::assert_snapshot!(of("BEGIN; VACUUM; COMMIT;"), @"refused at 7: `VACUUM` stands between `BEGIN` and `COMMIT`, where PostgreSQL refuses it");
    insta::assert_snapshot!(of("-- holm:no-transaction\nABORT;"), @"refused at 23: `ROLLBACK` would undo what the ledger then calls applied");
    insta::assert_snapshot!(of("BEGIN; SELECT 1; PREPARE TRANSACTION 'x'"), @"refused at 17: `PREPARE TRANSACTION` would leave its locks behind");
    insta::assert_snapshot!(of("BEGIN; COMMIT AND CHAIN;"), @"refused at 7: `AND CHAIN` would leave a transaction open");
}

#[test]
fn what_postgresql_says_about_transactions_is_answered_with_the_directive() {
    for code in ["25001", "55P04", "2D000"] {
        assert!(advice(code).unwrap().contains(NO_TRANSACTION), "{code}");
    }
    assert_eq!(advice("42601"), None);
}
