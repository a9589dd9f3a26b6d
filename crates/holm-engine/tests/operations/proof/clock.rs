//! Nothing that an operation does depends on the wall clock of the machine it runs on.
//!
//! Times come from the catalog, and what has passed since by the steady clock; here the sources are held to it, and the
//! simulation of `holm-core` lets clocks jump. Two processes cannot disagree about a clock that neither looks at.

use std::fs;
use std::path::{Path, PathBuf};

/// What would read the wall clock.
const FORBIDDEN: [&str; 6] = ["Timestamp::now", "SystemTime", "Zoned::now", "UNIX_EPOCH", "CLOCK_REALTIME", "time::OffsetDateTime"];

fn sources(directory: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(path);
        }
    }
}

#[test]
fn no_operation_and_nothing_that_runs_them_reads_the_wall_clock() {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    for directory in ["holm-engine/src/operation", "holm-store/src/operation", "holm-core/src/operation"] {
        sources(&crates.join(directory), &mut files);
    }
    // An operation is where its steps are.
    let mut everything = Vec::new();
    sources(&crates.join("holm-engine/src"), &mut everything);
    files.extend(everything.into_iter().filter(|path| fs::read_to_string(path).unwrap().contains("const STEPS: &'static [Step<")));
    assert!(files.iter().any(|path| path.ends_with("operation/runner.rs")), "the sources moved");
    assert!(files.iter().any(|path| path.ends_with("tenant/delete.rs")), "the operations moved");
    let reads_it = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let found = FORBIDDEN.into_iter().find(|word| text.contains(word))?;
        Some(format!("{} reads the wall clock: {found}", path.display()))
    };
    assert_eq!(files.iter().filter_map(reads_it).collect::<Vec<_>>(), Vec::<String>::new());
}
