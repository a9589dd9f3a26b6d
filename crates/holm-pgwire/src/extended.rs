//! The heads of Parse, Bind, Describe, Close and Execute: the fields before the bulk, which name a statement or a portal.
//!
//! A pooler gives prepared statements names of its own. Promises: reads a head from as much of the body as has come (`None`
//! until its fields are there), so that a Bind of megabytes is rewritten at its head and streamed from there; writes it with
//! another name and a length word that is computed anew and checked. (A length that wraps lets the rest of a message be
//! read as messages: CVE-2024-27304.) What follows the names of a Bind is read by who answers it and not by who hands it on. Refuses to
//! look at parameters' values, and to say how long a name may be: that is for whoever keeps the bytes until a head is whole;
//! PostgreSQL has no limit.

use crate::cursor::Cursor;
use crate::frame::{MESSAGE_LENGTH_MAX, Malformed};

/// The type byte of Parse.
pub const PARSE: u8 = b'P';
/// The type byte of Bind.
pub const BIND: u8 = b'B';
/// The type byte of Describe.
pub const DESCRIBE: u8 = b'D';
/// The type byte of Close.
pub const CLOSE: u8 = b'C';
/// The type byte of Execute.
pub const EXECUTE: u8 = b'E';

/// Parse, whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parse<'a> {
    /// The statement's name; empty for the unnamed one.
    pub statement: &'a [u8],
    /// The text.
    pub query: &'a [u8],
    /// The types of the parameters, four bytes each, zero for one that the server finds out.
    types: &'a [u8],
}

impl<'a> Parse<'a> {
    /// The object identifiers of the parameters' types.
    pub fn types(&self) -> impl ExactSizeIterator<Item = u32> + use<'a> {
        self.types.as_chunks().0.iter().map(|word| u32::from_be_bytes(*word))
    }

    /// What tells one statement from another, whatever its name: the text, a zero byte and the types.
    pub fn identity(&self) -> impl Iterator<Item = &'a [u8]> {
        [self.query, b"\0", self.types].into_iter()
    }
}

/// The head of a Bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bind<'a> {
    /// The portal's name; empty for the unnamed one.
    pub portal: &'a [u8],
    /// The statement's name; empty for the unnamed one.
    pub statement: &'a [u8],
}

/// What follows the names in a Bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rest<'a> {
    /// How many parameters are given.
    pub parameters: u16,
    /// The format codes of the results, two bytes each.
    results: &'a [u8],
}

impl<'a> Rest<'a> {
    /// The format codes of the results: none for text, one for all columns, or one for each.
    pub fn results(&self) -> impl ExactSizeIterator<Item = u16> + use<'a> {
        self.results.as_chunks().0.iter().map(|code| u16::from_be_bytes(*code))
    }
}

/// What Describe and Close name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject<'a> {
    /// A prepared statement.
    Statement(&'a [u8]),
    /// A portal.
    Portal(&'a [u8]),
}

/// A head, and how many bytes of the body it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head<T> {
    /// Its fields.
    pub fields: T,
    /// Its length: the body goes on from here.
    pub length: usize,
}

/// Reads the name at the front of the body of a Parse, of which `body` has come and which is `whole` long.
///
/// # Errors
/// If the whole has come, or the length that it is to have, without the name's end.
pub fn parse_name(body: &[u8], whole: usize) -> Result<Option<Head<&[u8]>>, Malformed> {
    head(body, whole, |cursor| cursor.text("the name of a prepared statement"))
}

/// Reads the whole body of a Parse.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn parse(body: &[u8]) -> Result<Parse<'_>, Malformed> {
    let mut cursor = Cursor::new(body);
    let statement = cursor.text("the name of a prepared statement")?;
    let query = cursor.text("the text of a Parse")?;
    let types = cursor.count("the number of parameter types")?;
    let types = cursor.take(usize::from(types) * 4, "the parameter types")?;
    cursor.end("Parse")?;
    Ok(Parse { statement, query, types })
}

/// Reads the head of a Bind whose body is `whole` long.
///
/// # Errors
/// As [`parse_name`].
pub fn bind(body: &[u8], whole: usize) -> Result<Option<Head<Bind<'_>>>, Malformed> {
    head(body, whole, |cursor| {
        Ok(Bind { portal: cursor.text("the name of a portal")?, statement: cursor.text("the name of a prepared statement")? })
    })
}

/// Reads what is left of the whole body of a Bind behind its head.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn rest(body: &[u8]) -> Result<Rest<'_>, Malformed> {
    let mut cursor = Cursor::new(body);
    let formats = cursor.count("the number of parameter formats")?;
    cursor.take(usize::from(formats) * 2, "the parameter formats")?;
    let parameters = cursor.count("the number of parameters")?;
    for _ in 0..parameters {
        let length = cursor.number("the length of a parameter")?;
        // All ones are -1: NULL.
        if length != u32::MAX {
            let length = usize::try_from(length).map_err(|_| Malformed::Field("the length of a parameter"))?;
            cursor.take(length, "a parameter")?;
        }
    }
    let results = cursor.count("the number of result formats")?;
    let results = cursor.take(usize::from(results) * 2, "the result formats")?;
    cursor.end("Bind")?;
    Ok(Rest { parameters, results })
}

/// Reads the whole body of a Describe or a Close.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn subject(body: &[u8]) -> Result<Subject<'_>, Malformed> {
    let mut cursor = Cursor::new(body);
    let kind = cursor.byte("what a Describe or a Close names")?;
    let name = cursor.text("the name in a Describe or a Close")?;
    cursor.end("Describe or Close")?;
    match kind {
        b'S' => Ok(Subject::Statement(name)),
        b'P' => Ok(Subject::Portal(name)),
        _ => Err(Malformed::Field("what a Describe or a Close names")),
    }
}

/// Reads the name of the portal and the most rows to be sent, zero for all, from the whole body of an Execute.
///
/// # Errors
/// [`Malformed`] with the field.
pub fn execute(body: &[u8]) -> Result<(&[u8], u32), Malformed> {
    let mut cursor = Cursor::new(body);
    let portal = cursor.text("the name of a portal")?;
    let rows_max = cursor.number("the number of rows of an Execute")?;
    cursor.end("Execute")?;
    Ok((portal, rows_max))
}

fn head<'a, T>(
    body: &'a [u8],
    whole: usize,
    read: impl FnOnce(&mut Cursor<'a>) -> Result<T, Malformed>,
) -> Result<Option<Head<T>>, Malformed> {
    // What belongs to the next message is not read as if it were of this one.
    let body = body.get(..whole).unwrap_or(body);
    let mut cursor = Cursor::new(body);
    match read(&mut cursor) {
        Ok(fields) => Ok(Some(Head { fields, length: body.len() - cursor.rest().len() })),
        Err(_) if body.len() < whole => Ok(None),
        Err(malformed) => Err(malformed),
    }
}

/// Appends the header of a Parse and its name, for a body that goes on with `rest` bytes.
///
/// # Errors
/// As [`write_bind`].
pub fn write_parse(out: &mut Vec<u8>, statement: &[u8], rest: usize) -> Result<(), Malformed> {
    write(out, PARSE, &[], &[statement], rest)
}

/// Appends the header of a Bind and its head, for a body that goes on with `rest` bytes, which are to be sent after it.
///
/// # Errors
/// If the message would be longer than [`MESSAGE_LENGTH_MAX`], or a name holds a zero byte. Nothing is appended then.
pub fn write_bind(out: &mut Vec<u8>, names: Bind<'_>, rest: usize) -> Result<(), Malformed> {
    write(out, BIND, &[], &[names.portal, names.statement], rest)
}

/// Appends a whole Describe.
///
/// # Errors
/// As [`write_bind`].
pub fn write_describe(out: &mut Vec<u8>, subject: Subject<'_>) -> Result<(), Malformed> {
    let (kind, name) = subject.parts();
    write(out, DESCRIBE, kind, &[name], 0)
}

/// Appends a whole Close.
///
/// # Errors
/// As [`write_bind`].
pub fn write_close(out: &mut Vec<u8>, subject: Subject<'_>) -> Result<(), Malformed> {
    let (kind, name) = subject.parts();
    write(out, CLOSE, kind, &[name], 0)
}

/// Appends a whole Execute.
///
/// # Errors
/// As [`write_bind`].
pub fn write_execute(out: &mut Vec<u8>, portal: &[u8], rows_max: u32) -> Result<(), Malformed> {
    let rows_max = rows_max.to_be_bytes();
    write(out, EXECUTE, &[], &[portal], rows_max.len())?;
    out.extend_from_slice(&rows_max);
    Ok(())
}

impl<'a> Subject<'a> {
    const fn parts(self) -> (&'static [u8], &'a [u8]) {
        match self {
            Self::Statement(name) => (b"S", name),
            Self::Portal(name) => (b"P", name),
        }
    }
}

fn write(out: &mut Vec<u8>, tag: u8, kind: &[u8], names: &[&[u8]], rest: usize) -> Result<(), Malformed> {
    // A name that ends early would begin another field.
    if names.iter().any(|name| name.contains(&0)) {
        return Err(Malformed::Field("the name of a prepared statement or a portal"));
    }
    let length = names.iter().try_fold(kind.len(), |length, name| length.checked_add(name.len())?.checked_add(1));
    let body = length.and_then(|length| length.checked_add(rest));
    let word = body.filter(|&body| body <= MESSAGE_LENGTH_MAX).and_then(|body| u32::try_from(body.checked_add(4)?).ok());
    let Some(word) = word else { return Err(Malformed::TooLong { length: u32::MAX, most: MESSAGE_LENGTH_MAX }) };
    out.push(tag);
    out.extend_from_slice(&word.to_be_bytes());
    out.extend_from_slice(kind);
    for name in names {
        out.extend_from_slice(name);
        out.push(0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::scan;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = Vec<u8>> {
        prop::collection::vec(1u8.., 0..70)
    }

    /// The body of the one message in `bytes`.
    fn body(bytes: &[u8], tag: u8) -> &[u8] {
        let frame = scan(bytes, MESSAGE_LENGTH_MAX).unwrap().unwrap();
        assert_eq!((frame.tag, frame.whole.len()), (tag, bytes.len()));
        frame.body
    }

    #[test]
    fn a_head_is_read_as_soon_as_its_fields_are_there_and_not_before() {
        let body = b"portal\0name\0\0\x01\0\0";
        for end in 0..12 {
            assert_eq!(bind(&body[..end], body.len()), Ok(None), "{end}");
        }
        let expected = Some(Head { fields: Bind { portal: b"portal", statement: b"name" }, length: 12 });
        for end in 12..=body.len() {
            assert_eq!(bind(&body[..end], body.len()), Ok(expected), "{end}");
        }
        assert_eq!(parse_name(b"name\0SEL", 100), Ok(Some(Head { fields: &b"name"[..], length: 5 })));
        assert_eq!(parse_name(b"nam", 100), Ok(None));
    }

    #[test]
    fn a_field_that_its_message_cannot_hold_is_malformed_even_if_the_next_message_goes_on() {
        assert!(bind(b"portal\0name", 11).is_err());
        assert!(bind(b"portal\0name\0\0", 11).is_err());
        assert!(parse_name(b"name\0", 4).is_err());
        assert!(parse_name(b"", 0).is_err());
        assert!(bind(b"\0\0", 2).is_ok_and(|head| head.is_some()));
    }

    #[test]
    fn a_parse_is_read_to_its_end() {
        let read = parse(b"s\0SELECT $1\0\0\x02\0\0\0\x17\0\0\0\0").unwrap();
        assert_eq!((read.statement, read.query), (&b"s"[..], &b"SELECT $1"[..]));
        assert_eq!(read.types().collect::<Vec<_>>(), [23, 0]);
        for bad in
            [&b"s\0SELECT 1\0\0\x01\0\0\0"[..], b"s\0SELECT 1\0\0\0x", b"s\0SELECT 1\0\0", b"s\0SELECT 1", b"s", b"", b"\0\0\xff\xff"]
        {
            assert!(parse(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_follows_the_names_of_a_bind_is_read_to_its_end() {
        let read = rest(b"\0\x01\0\x01\0\x02\0\0\0\x01x\xff\xff\xff\xff\0\x02\0\0\0\x01").unwrap();
        assert_eq!((read.parameters, read.results().collect::<Vec<_>>()), (2, vec![0, 1]));
        let none = rest(&[0; 6]).unwrap();
        assert_eq!((none.parameters, none.results().len()), (0, 0));
        for bad in [
            &b""[..],
            b"\0\0\0\0\0",
            b"\0\0\0\0\0\0x",
            b"\0\x01\0\0\0\0\0",
            b"\0\0\0\x01\0\0\0\x02x\0\0",
            b"\0\0\0\x01\xff\xff\xff\xfe\0\0",
            b"\0\0\0\0\xff\xff",
        ] {
            assert!(rest(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn what_describe_close_and_execute_say_is_read_to_its_end() {
        assert_eq!(subject(b"Sx\0"), Ok(Subject::Statement(b"x")));
        assert_eq!(subject(b"P\0"), Ok(Subject::Portal(b"")));
        assert_eq!(execute(b"p\0\0\0\0\x05"), Ok((&b"p"[..], 5)));
        for bad in [&b"X\0"[..], b"S", b"Sx", b"Sx\0y", b""] {
            assert!(subject(bad).is_err(), "{}", bad.escape_ascii());
        }
        for bad in [&b"p\0\0\0\0"[..], b"p\0\0\0\0\0\0", b"p", b""] {
            assert!(execute(bad).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn a_message_that_a_longer_name_makes_too_long_is_refused_and_leaves_nothing() {
        let mut out = vec![1];
        let names = Bind { portal: b"", statement: b"holm_1" };
        for rest in [MESSAGE_LENGTH_MAX, MESSAGE_LENGTH_MAX - 7, 0xffff_ffff, usize::MAX] {
            assert!(matches!(write_bind(&mut out, names, rest), Err(Malformed::TooLong { .. })), "{rest}");
            assert!(matches!(write_parse(&mut out, &[b'x'; 8], rest), Err(Malformed::TooLong { .. })), "{rest}");
        }
        assert_eq!(out, [1]);
        write_bind(&mut out, names, MESSAGE_LENGTH_MAX - 8).unwrap();
        assert_eq!(out[1..6], [b'B', 0x40, 0, 0, 3]);
    }

    #[test]
    fn a_name_with_a_zero_byte_is_refused() {
        let mut out = Vec::new();
        assert!(write_parse(&mut out, b"a\0SELECT 2", 3).is_err());
        assert!(write_bind(&mut out, Bind { portal: b"a\0b", statement: b"" }, 0).is_err());
        assert!(write_close(&mut out, Subject::Statement(b"\0")).is_err());
        assert!(out.is_empty());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_and_what_follows_stays(
            (portal, statement, other) in (name(), name(), name()),
            rest in prop::collection::vec(any::<u8>(), 0..200),
            rows in any::<u32>(),
        ) {
            let mut out = Vec::new();
            write_bind(&mut out, Bind { portal: &portal, statement: &statement }, rest.len()).unwrap();
            out.extend_from_slice(&rest);
            let read = body(&out, BIND);
            let head = bind(read, read.len()).unwrap().unwrap();
            prop_assert_eq!(head.fields, Bind { portal: &portal, statement: &statement });
            // Under another name it is the same message otherwise.
            let mut renamed = Vec::new();
            write_bind(&mut renamed, Bind { statement: &other, ..head.fields }, read.len() - head.length).unwrap();
            renamed.extend_from_slice(&read[head.length..]);
            let again = body(&renamed, BIND);
            let head = bind(again, again.len()).unwrap().unwrap();
            prop_assert_eq!((head.fields.portal, head.fields.statement, &again[head.length..]), (&portal[..], &other[..], &rest[..]));

            for subject_written in [Subject::Statement(&statement), Subject::Portal(&portal)] {
                let mut out = Vec::new();
                write_describe(&mut out, subject_written).unwrap();
                prop_assert_eq!(subject(body(&out, DESCRIBE)), Ok(subject_written));
                out.clear();
                write_close(&mut out, subject_written).unwrap();
                prop_assert_eq!(subject(body(&out, CLOSE)), Ok(subject_written));
            }
            let mut out = Vec::new();
            write_execute(&mut out, &portal, rows).unwrap();
            prop_assert_eq!(execute(body(&out, EXECUTE)), Ok((&portal[..], rows)));
        }

        #[test]
        fn any_body_has_a_head_or_needs_more_or_is_malformed(bytes in prop::collection::vec(any::<u8>(), 0..100), whole in 0usize..150) {
            if let Ok(Some(head)) = bind(&bytes, whole) {
                prop_assert!(head.length <= whole.min(bytes.len()));
                prop_assert_eq!(head.length, head.fields.portal.len() + head.fields.statement.len() + 2);
            }
            prop_assert!(bind(&bytes, whole) != Ok(None) || bytes.len() < whole);
            if let Ok(read) = parse(&bytes) {
                let name = parse_name(&bytes, bytes.len()).unwrap().unwrap();
                prop_assert_eq!((name.fields, name.length), (read.statement, read.statement.len() + 1));
            }
            let _ = (subject(&bytes), execute(&bytes));
        }
    }
}
