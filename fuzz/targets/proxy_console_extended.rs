//! The extended protocol of the proxy's admin console: whatever is said, what is answered fits what was bound.

#![no_main]

#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/extended.rs"]
mod extended;
#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/grammar.rs"]
mod grammar;
#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/rights.rs"]
mod rights;
#[allow(dead_code)]
#[path = "../../crates/holm-proxy/src/postgres/console/tables.rs"]
mod tables;

use extended::{Extended, Next};
use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (mut session, mut rest) = (Extended::default(), bytes);
    while let Ok(Some(frame)) = scan(rest, MESSAGE_LENGTH_MAX) {
        rest = &rest[frame.whole.len()..];
        let (passed_over, mut out) = (session.passes_over(), Vec::new());
        let next = session.on(frame.tag, frame.body, &mut out);
        if let Ok(Next::Run(run)) = &next {
            let columns = tables::columns(&run.command).map_or(0, |columns| columns.len());
            assert_eq!(run.formats.len(), columns, "each column has a format");
            assert!(run.rows_max > 0);
        }
        assert!(!passed_over || frame.tag == b'S' || next == Ok(Next::PassedOver), "after an error nothing is done until Sync");
        assert_eq!(session.passes_over(), frame.tag != b'S' && (passed_over || next.is_err()));
        assert!(next.is_ok() || out.is_empty(), "an error stands alone");
        let mut said = &out[..];
        while let Ok(Some(answer)) = scan(said, MESSAGE_LENGTH_MAX) {
            said = &said[answer.whole.len()..];
        }
        assert!(said.is_empty(), "what is said is whole messages");
    }
});
