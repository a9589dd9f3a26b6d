//! The files that `holm import pgbouncer` reads, from whoever wrote them: all four parsers on the same text.

#![no_main]

#[allow(dead_code)]
#[path = "../../crates/holm/src/pgbouncer/conninfo.rs"]
mod conninfo;
#[allow(dead_code)]
#[path = "../../crates/holm/src/pgbouncer/ini.rs"]
mod ini;
#[allow(dead_code)]
#[path = "../../crates/holm/src/pgbouncer/owners.rs"]
mod owners;
#[allow(dead_code)]
#[path = "../../crates/holm/src/pgbouncer/userlist.rs"]
mod userlist;

use ini::Item;
use libfuzzer_sys::fuzz_target;

/// What was read, written as PgBouncer reads it.
fn written(name: &str, value: &str) -> String {
    format!("{name}='{}'", value.replace('\'', "''"))
}

fuzz_target!(|text: &str| {
    let lines = u32::try_from(text.matches('\n').count()).expect("it is short") + 1;
    if let Ok(read) = ini::read(text) {
        assert!(read.is_sorted_by_key(|line| line.number) && read.iter().all(|line| (1..=lines).contains(&line.number)));
        for line in read {
            let Item::Setting { name, value } = line.item else { continue };
            assert!(!name.is_empty() && !name.contains('\n') && !value.expose().contains('\n'));
            let Ok(pairs) = conninfo::pairs(value.expose()) else { continue };
            // Read, written and read again, it is the same.
            let again: Vec<String> = pairs.iter().map(|(name, value)| written(name, value.expose())).collect();
            let again = conninfo::pairs(&again.join(" ")).expect("what was written can be read");
            assert!(pairs.iter().zip(&again).all(|(one, other)| one.0 == other.0 && one.1 == other.1) && pairs.len() == again.len());
        }
    }
    if let Ok(listed) = userlist::read(text) {
        assert!(listed.iter().all(|listed| !listed.name.contains('\n')));
    }
    if let Ok(owners) = owners::Owners::read(text) {
        let _ = owners.of("localhost", 5432, "malmo");
    }
});
