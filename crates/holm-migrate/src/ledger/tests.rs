//! Sets and ledgers, and what is pending.

use std::path::Path;

use proptest::prelude::*;

use super::*;

fn set(names: &[&str]) -> MigrationSet {
    let scripts = names.iter().map(|name| (name.parse().unwrap(), format!("SELECT '{name}';\n")));
    MigrationSet::from_scripts(Path::new("migrations"), scripts).unwrap()
}

fn row(set: &MigrationSet, name: &str) -> Row {
    let checksum = set.migrations().iter().find(|m| m.name.as_str() == name).map_or_else(String::new, |m| m.checksum.to_string());
    Row {
        id: name.to_owned(),
        checksum,
        finished_at: Some(Timestamp::UNIX_EPOCH),
        migration_name: name.to_owned(),
        logs: None,
        rolled_back_at: None,
        started_at: Timestamp::UNIX_EPOCH,
        applied_steps_count: 1,
    }
}

fn names<'a>(pending: &[&'a Migration]) -> Vec<&'a str> {
    pending.iter().map(|m| m.name.as_str()).collect()
}

#[test]
fn what_has_no_finished_row_is_pending() {
    let set = set(&["1", "2", "3"]);
    assert_eq!(names(&pending(&set, &[]).unwrap()), ["1", "2", "3"]);
    assert_eq!(names(&pending(&set, &[row(&set, "1"), row(&set, "2")]).unwrap()), ["3"]);
    assert!(pending(&MigrationSet::empty(), &[]).unwrap().is_empty());
}

#[test]
fn a_migration_older_than_the_last_applied_one_is_applied_as_prisma_does() {
    let set = set(&["1", "2", "3"]);
    let rows = [row(&set, "1"), row(&set, "3")];
    assert_eq!(names(&pending(&set, &rows).unwrap()), ["2"]);
    assert_eq!(compare(&set, &rows).out_of_order, ["2".parse::<MigrationName>().as_ref().unwrap()]);
    assert!(compare(&set, &rows[..1]).out_of_order.is_empty());
}

#[test]
fn an_unfinished_attempt_stops_everything_until_it_is_resolved() {
    let set = set(&["1", "2"]);
    let unfinished = Row { finished_at: None, logs: Some("division by zero".to_owned()), ..row(&set, "1") };
    let refusal = pending(&set, std::slice::from_ref(&unfinished)).unwrap_err();
    insta::assert_snapshot!(refusal, @"migration `1` was started at 1970-01-01T00:00:00Z and has not finished");
    let rolled_back = Row { rolled_back_at: Some(Timestamp::UNIX_EPOCH), ..unfinished };
    assert_eq!(names(&pending(&set, std::slice::from_ref(&rolled_back)).unwrap()), ["1", "2"]);
    assert_eq!(names(&pending(&set, &[rolled_back, row(&set, "1")]).unwrap()), ["2"], "tried again, and it worked");
}

#[test]
fn an_edited_script_is_reported_and_other_line_ends_are_none() {
    let set = set(&["1", "2"]);
    let edited = Row { checksum: "0".repeat(64), ..row(&set, "1") };
    let refusal = pending(&set, &[edited, row(&set, "2")]).unwrap_err();
    let problem = Problem::from(refusal);
    assert_eq!(problem.code, ErrorCode::LedgerRefuses);
    insta::assert_snapshot!(problem.why.unwrap(), @"`1` changed since it was applied");
    let windows = Row { checksum: crate::Checksum::of("SELECT '1';\r\n").to_string(), ..row(&set, "1") };
    assert_eq!(names(&pending(&set, &[windows]).unwrap()), ["2"]);
}

#[test]
fn a_row_without_a_script_is_known_about_and_changes_nothing() {
    let set = set(&["2"]);
    let rows = [row(&set, "1_from_another_branch")];
    assert_eq!(compare(&set, &rows).unknown, ["1_from_another_branch"]);
    assert_eq!(names(&pending(&set, &rows).unwrap()), ["2"]);
}

#[test]
fn a_refusal_says_how_to_go_on() {
    let set = set(&["1"]);
    let problem = Problem::from(pending(&set, &[Row { finished_at: None, ..row(&set, "1") }]).unwrap_err());
    insta::assert_snapshot!(problem.next.join("\n"), @r"
    find out what of `1` is in the database, and take it out or finish it by hand
    then `prisma migrate resolve --rolled-back 1`, or `--applied 1`
    ");
}

proptest! {
    #[test]
    fn pending_and_applied_are_the_set(applied in prop::collection::vec(any::<bool>(), 5)) {
        let all = ["1", "2", "3", "4", "5"];
        let set = set(&all);
        let rows: Vec<Row> = all.iter().zip(&applied).filter(|(_, applied)| **applied).map(|(name, _)| row(&set, name)).collect();
        let pending = names(&pending(&set, &rows).unwrap());
        let expected: Vec<&str> = all.iter().zip(&applied).filter(|(_, applied)| !**applied).map(|(name, _)| *name).collect();
        prop_assert_eq!(pending, expected);
    }
}
