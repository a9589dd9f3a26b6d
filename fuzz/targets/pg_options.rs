//! The startup parameter `options`, a command line of a stranger's.

#![no_main]

use holm_pgwire::options::{Switch, parse, write};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &[u8]| {
    let switches = parse(text);
    // A lone backslash at the end makes an empty word, which no command line can spell otherwise.
    if !switches.contains(&Switch::Other(Vec::new())) {
        assert_eq!(parse(&write(&switches)), switches, "a command line means the same after it was read and written");
    }
});
