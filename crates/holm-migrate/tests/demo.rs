//! The demonstration's files are what a user's would be: a set in Prisma's layout, and a seed that can be sent.

use std::path::{Path, PathBuf};

use holm_migrate::statements::split;
use holm_migrate::{MigrationSet, TransactionMode};

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../demo")
}

#[test]
fn the_migrations_are_a_set_of_which_only_the_concurrent_index_is_split() {
    let set = MigrationSet::read(&demo().join("prisma/migrations")).unwrap();
    let found: Vec<String> =
        set.migrations().iter().map(|m| format!("{} {} statements, {}", m.name, m.statements().len(), mode(&m.mode))).collect();
    insta::assert_snapshot!(found.join("\n"), @r"
    20260302091500_init 17 statements, atomic
    20260316134000_invitations 8 statements, atomic
    20260407080500_fees 11 statements, atomic
    20260420101000_open_gigs 1 statements, atomic
    20260504073000_answers 4 statements, atomic
    20260601120000_gigs_by_status 1 statements, split: `CREATE INDEX CONCURRENTLY` cannot run in a transaction
    ");
}

#[test]
fn one_level_too_high_is_answered_with_the_right_directory() {
    let problem = holm_core::error::Problem::from(MigrationSet::read(&demo().join("prisma")).unwrap_err());
    assert!(problem.what.ends_with("demo/prisma/migrations` cannot be used"), "{}", problem.what);
    assert_eq!(problem.next, ["give that directory itself: it holds migrations"]);
}

#[test]
fn r97_seeds_can_be_sent_and_name_no_environment() {
    for file in ["seed.sql", "orchestras/goteborg.sql", "orchestras/malmo.sql", "orchestras/stockholm.sql"] {
        let script = std::fs::read_to_string(demo().join(file)).unwrap();
        assert!(split(&script).unwrap().len() > 3, "{file}");
        for environment in ["production", "staging", "development"] {
            assert!(!script.to_lowercase().contains(environment), "{file}: {environment}");
        }
    }
}

fn mode(mode: &TransactionMode) -> String {
    match mode {
        TransactionMode::Atomic => "atomic".to_owned(),
        TransactionMode::Split { because } => format!("split: {because}"),
    }
}
