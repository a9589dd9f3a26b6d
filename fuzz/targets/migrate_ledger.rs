//! A ledger that Prisma, a person or another tool has written, against a set of migrations.
//!
//! The input has a line for each: `set <name>`, or `<state> <checksum> <name>` for a row, where the checksum is `right` or
//! text of its own.

#![no_main]

use std::collections::BTreeSet;
use std::path::Path;

use holm_migrate::ledger::{LedgerRefusal, Row, compare, pending};
use holm_migrate::{Checksum, MigrationName, MigrationSet};
use jiff::Timestamp;
use libfuzzer_sys::fuzz_target;

/// The script of each migration: different for each, so that checksums are.
fn script(name: &str) -> String {
    format!("SELECT 1; /* {} */", name.len())
}

fn row(line: &str) -> Option<Row> {
    let (state, rest) = line.split_once(' ')?;
    let (checksum, name) = rest.split_once(' ')?;
    let at = |happened: bool| happened.then_some(Timestamp::UNIX_EPOCH);
    Some(Row {
        id: String::new(),
        checksum: if checksum == "right" { Checksum::of(&script(name)).to_string() } else { checksum.to_owned() },
        finished_at: at(matches!(state, "applied" | "undone")),
        migration_name: name.to_owned(),
        logs: (state == "failed").then(|| rest.to_owned()),
        rolled_back_at: at(matches!(state, "undone" | "back")),
        started_at: Timestamp::UNIX_EPOCH,
        applied_steps_count: 1,
    })
}

fuzz_target!(|text: &str| {
    let (mut names, mut rows) = (BTreeSet::<MigrationName>::new(), Vec::new());
    for line in text.lines().take(64) {
        match line.strip_prefix("set ") {
            Some(name) => names.extend(name.parse().ok()),
            None => rows.extend(row(line)),
        }
    }
    let scripts = names.into_iter().map(|name| {
        let sql = script(name.as_str());
        (name, sql)
    });
    let Ok(set) = MigrationSet::from_scripts(Path::new("migrations"), scripts) else { return };
    let comparison = compare(&set, &rows);
    let is_applied =
        |name: &str| rows.iter().any(|row| row.migration_name == name && row.finished_at.is_some() && row.rolled_back_at.is_none());
    // Each migration is pending or applied, never both, and the order is the set's.
    let left: Vec<_> = set.migrations().iter().filter(|migration| !is_applied(migration.name.as_str())).collect();
    assert_eq!(comparison.pending, left);
    assert!(comparison.edited.iter().all(|name| is_applied(name.as_str())));
    assert!(comparison.out_of_order.iter().all(|name| left.iter().any(|migration| &&migration.name == name)));
    assert!(comparison.unknown.iter().all(|name| set.migrations().iter().all(|migration| migration.name.as_str() != *name)));
    match pending(&set, &rows) {
        Ok(pending) => assert!(comparison.unfinished.is_empty() && comparison.edited.is_empty() && pending == left),
        Err(LedgerRefusal::Unfinished { .. }) => assert!(!comparison.unfinished.is_empty()),
        Err(LedgerRefusal::Edited(edited)) => assert!(comparison.unfinished.is_empty() && edited.iter().eq(comparison.edited)),
    }
});
