//! A migration's script: statements are cut where PostgreSQL would cut them, and each can be sent alone.

#![no_main]

use std::path::Path;

use holm_migrate::MigrationSet;
use holm_migrate::statements::{Position, split};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|script: &str| {
    let statements = match split(script) {
        Ok(statements) => statements,
        Err(problem) => {
            assert!(script.is_char_boundary(problem.at));
            Position::of_byte(script, problem.at);
            return;
        }
    };
    let mut end = 0;
    for statement in &statements {
        // Not `trim`: what Unicode calls a space is a letter to PostgreSQL.
        assert!(!statement.text.trim_ascii().is_empty() && statement.start >= end);
        end = statement.start + statement.text.len();
        assert_eq!(&script[statement.start..end], statement.text);
        let alone = split(statement.text).expect("a part of what could be split");
        assert_eq!(alone.len(), 1, "{:?}", statement.text);
        assert_eq!(alone[0].text, statement.text);
        statement.position(script, statement.text.len());
    }
    let joined = statements.iter().map(|statement| statement.text).collect::<Vec<_>>().join("\n;\n");
    let again = split(&joined).expect("it is made of statements");
    assert!(again.iter().map(|statement| statement.text).eq(statements.iter().map(|statement| statement.text)));

    let name = "20260301090000_init".parse().expect("it is a name");
    if let Ok(set) = MigrationSet::from_scripts(Path::new("migrations"), [(name, script.to_owned())]) {
        let [migration] = set.migrations() else { panic!("one script is one migration") };
        assert!(migration.is_recorded_as(migration.checksum.as_str()));
        assert_eq!(migration.statements().len(), statements.len());
    }
});
