//! A query to the proxy's admin console.

#![no_main]

#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/grammar.rs"]
mod grammar;
#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/rights.rs"]
mod rights;
#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/tables.rs"]
mod tables;

use grammar::{Command, read};
use libfuzzer_sys::fuzz_target;
use rights::Verb;

fuzz_target!(|text: &str| {
    let command = read(text);
    if command.is_ok() {
        assert_eq!(read(&format!("/* */ {text}\n ; ")), command, "comments, blanks and a semicolon mean nothing");
        if !text.contains(['"', '\'']) {
            assert_eq!(read(&text.to_ascii_uppercase()), command, "either case means the same");
        }
    }
    let quoted = format!("KILL \"{}\"", text.replace('"', "\"\""));
    assert_eq!(read(&quoted), Ok(Command { verb: Verb::Kill, about: Some(text.to_owned()) }), "a name in quotes is read as it is");
});
