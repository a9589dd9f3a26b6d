//! The heads of Parse, Bind, Describe, Close and Execute: what is read is written again as it was, whatever has come of it.

#![no_main]

use holm_pgwire::extended::{
    BIND, CLOSE, DESCRIBE, EXECUTE, PARSE, bind, execute, parse, parse_name, rest as behind_the_names, subject, write_bind, write_close, write_describe,
    write_execute, write_parse,
};
use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut rest = bytes;
    while let Ok(Some(frame)) = scan(rest, MESSAGE_LENGTH_MAX) {
        rest = &rest[frame.whole.len()..];
        let (body, mut again) = (frame.body, Vec::new());
        match frame.tag {
            PARSE => {
                let Ok(Some(head)) = parse_name(body, body.len()) else { continue };
                if let Ok(whole) = parse(body) {
                    assert_eq!(whole.statement, head.fields);
                    assert_eq!(whole.types().len() * 4 + whole.query.len() + 3 + head.length, body.len());
                }
                write_parse(&mut again, head.fields, body.len() - head.length).expect("it was as long before");
                again.extend_from_slice(&body[head.length..]);
            }
            BIND => {
                let Ok(Some(head)) = bind(body, body.len()) else { continue };
                for end in 0..=body.len().min(200) {
                    let early = bind(&body[..end], body.len());
                    assert_eq!(early, Ok((end >= head.length).then_some(head)), "a head is there once its bytes are");
                }
                if let Ok(behind) = behind_the_names(&body[head.length..]) {
                    let least = 6 + 4 * usize::from(behind.parameters) + 2 * behind.results().len();
                    assert!(head.length + least <= body.len(), "what is counted is there");
                }
                write_bind(&mut again, head.fields, body.len() - head.length).expect("it was as long before");
                again.extend_from_slice(&body[head.length..]);
            }
            DESCRIBE | CLOSE => {
                let Ok(subject) = subject(body) else { continue };
                let write = if frame.tag == CLOSE { write_close } else { write_describe };
                write(&mut again, subject).expect("it was as long before");
            }
            EXECUTE => {
                let Ok((portal, rows_max)) = execute(body) else { continue };
                write_execute(&mut again, portal, rows_max).expect("it was as long before");
            }
            _ => continue,
        }
        assert_eq!(again, frame.whole);
    }
});
