//! The extended protocol of the console: what is prepared and bound, what each message is answered with, what is to be run.
//!
//! Bytes in, bytes out: whoever holds the connection runs what is to be run. Promises: total; what is said of a command's columns
//! before it runs is what its rows have, since both come from one table. After an error everything is passed over until Sync.
//! What one session holds is bounded. Refuses: parameters, since a name to pause is not a value; going on with an answer that
//! was asked for in part, since the rest is another picture by then; two statements or two portals of one name.

use std::collections::HashMap;

use holm_pgwire::column::{Column, Format};
use holm_pgwire::extended::{self, Subject};
use holm_pgwire::frame::Malformed;
use holm_pgwire::message;

use super::grammar::{self, Command, Complaint};
use super::tables;

/// For what one session has prepared and bound: some thousand commands, where a driver's cache holds some hundred.
const HELD_BYTES_MAX: usize = 256 * 1024;
/// What a statement or a portal takes beside its name and what it is about.
const HELD_BYTES_EACH: usize = 128;

/// Why a message is answered with an error.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum Objection {
    #[error(transparent)]
    Complaint(#[from] Complaint),
    #[error("a command of the console has no parameters")]
    Parameters,
    #[error("there is no prepared statement `{0}`")]
    NoStatement(String),
    #[error("there is a prepared statement `{0}` already")]
    StatementTaken(String),
    #[error("there is no portal `{0}`")]
    NoPortal(String),
    #[error("there is a portal `{0}` already")]
    PortalTaken(String),
    #[error("the portal `{0}` has been run: an answer is not gone on with, nor given twice")]
    HasRun(String),
    #[error("there are {given} result formats and {columns} columns")]
    Formats { given: usize, columns: usize },
    #[error("there is no format {0}")]
    NoFormat(u16),
    #[error("more is prepared and bound than a session of the console holds")]
    TooMuch,
    /// The client's bytes are no message: nothing that follows can be believed.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// What comes after a message.
#[derive(PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing: what there is to say was said.
    Said,
    /// What was said is to be sent now.
    Flush,
    /// The client may go on: ReadyForQuery, and all of it is to be sent.
    Ready,
    /// To be run, and its rows, without a description, sent.
    Run(Run),
    /// Nothing, since an error came before.
    PassedOver,
    /// The message is none of the extended protocol.
    Other,
}

/// A command to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Run {
    pub(super) command: Command,
    /// One for each column.
    pub(super) formats: Vec<Format>,
    /// The most rows to send.
    pub(super) rows_max: usize,
}

struct Portal {
    command: Command,
    formats: Vec<Format>,
    has_run: bool,
}

/// What one session has prepared and bound.
#[derive(Default)]
pub(super) struct Extended {
    statements: HashMap<Vec<u8>, Command>,
    portals: HashMap<Vec<u8>, Portal>,
    passes_over: bool,
}

impl Extended {
    /// Whether an error came, and no Sync since.
    pub(super) const fn passes_over(&self) -> bool {
        self.passes_over
    }

    /// Something that ran has failed.
    pub(super) const fn failed(&mut self) {
        self.passes_over = true;
    }

    /// A simple query came: the unnamed statement and all portals end with it.
    pub(super) fn simple(&mut self) {
        self.statements.remove(&b""[..]);
        self.portals.clear();
    }

    /// Everything that is prepared and bound ends.
    pub(super) fn discard(&mut self) {
        self.statements.clear();
        self.portals.clear();
    }

    /// Takes a message; what it is answered with is appended to `out`.
    ///
    /// # Errors
    /// [`Objection`]; nothing is appended then.
    pub(super) fn on(&mut self, tag: u8, body: &[u8], out: &mut Vec<u8>) -> Result<Next, Objection> {
        let next = match tag {
            // Protocol, "Extended Query": the implicit transaction ends with Sync, and portals with it.
            b'S' => {
                self.passes_over = false;
                self.portals.clear();
                return Ok(Next::Ready);
            }
            _ if self.passes_over => return Ok(Next::PassedOver),
            b'H' => return Ok(Next::Flush),
            extended::PARSE => self.parse(body, out),
            extended::BIND => self.bind(body, out),
            extended::DESCRIBE => self.describe(body, out),
            extended::EXECUTE => self.execute(body),
            extended::CLOSE => self.close(body, out),
            _ => return Ok(Next::Other),
        };
        self.passes_over = next.is_err();
        next
    }

    fn parse(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Next, Objection> {
        let parse = extended::parse(body)?;
        let text = std::str::from_utf8(parse.query).map_err(|_| Complaint::Unknown("text that is not UTF-8".to_owned()))?;
        let command = grammar::read(text)?;
        // `KILL $1`: no tenant's name has the sign.
        if parse.types().len() > 0 || command.about.as_deref().is_some_and(|about| about.starts_with('$')) {
            return Err(Objection::Parameters);
        }
        if parse.statement.is_empty() {
            self.statements.remove(parse.statement);
        } else if self.statements.contains_key(parse.statement) {
            return Err(Objection::StatementTaken(shown(parse.statement)));
        }
        self.make_room(parse.statement, &command)?;
        self.statements.insert(parse.statement.to_vec(), command);
        message::parse_complete(out);
        Ok(Next::Said)
    }

    fn bind(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Next, Objection> {
        let head = extended::bind(body, body.len())?.ok_or(Malformed::Field("Bind"))?;
        let rest = extended::rest(body.get(head.length..).unwrap_or_default())?;
        let extended::Bind { portal, statement } = head.fields;
        let command = self.statement(statement)?.clone();
        if rest.parameters > 0 {
            return Err(Objection::Parameters);
        }
        let formats = formats(tables::columns(&command).as_deref().unwrap_or_default(), &rest)?;
        if portal.is_empty() {
            self.portals.remove(portal);
        } else if self.portals.contains_key(portal) {
            return Err(Objection::PortalTaken(shown(portal)));
        }
        self.make_room(portal, &command)?;
        self.portals.insert(portal.to_vec(), Portal { command, formats, has_run: false });
        message::bind_complete(out);
        Ok(Next::Said)
    }

    fn describe(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Next, Objection> {
        match extended::subject(body)? {
            Subject::Statement(name) => {
                let columns = tables::columns(self.statement(name)?);
                message::no_parameters(out);
                // How they will be sent is said by Bind.
                let formats = vec![Format::Text; columns.as_deref().map_or(0, <[Column]>::len)];
                describe(columns.as_deref(), &formats, out);
            }
            Subject::Portal(name) => {
                let portal = self.portals.get(name).ok_or_else(|| Objection::NoPortal(shown(name)))?;
                describe(tables::columns(&portal.command).as_deref(), &portal.formats, out);
            }
        }
        Ok(Next::Said)
    }

    fn execute(&mut self, body: &[u8]) -> Result<Next, Objection> {
        let (name, rows_max) = extended::execute(body)?;
        let portal = self.portals.get_mut(name).ok_or_else(|| Objection::NoPortal(shown(name)))?;
        if std::mem::replace(&mut portal.has_run, true) {
            return Err(Objection::HasRun(shown(name)));
        }
        // Zero is no limit.
        let rows_max = usize::try_from(rows_max).ok().filter(|rows| *rows > 0).unwrap_or(usize::MAX);
        Ok(Next::Run(Run { command: portal.command.clone(), formats: portal.formats.clone(), rows_max }))
    }

    fn close(&mut self, body: &[u8], out: &mut Vec<u8>) -> Result<Next, Objection> {
        match extended::subject(body)? {
            Subject::Statement(name) => drop(self.statements.remove(name)),
            Subject::Portal(name) => drop(self.portals.remove(name)),
        }
        // Protocol, "Extended Query": closing what is not there is no error.
        message::close_complete(out);
        Ok(Next::Said)
    }

    fn statement(&self, name: &[u8]) -> Result<&Command, Objection> {
        self.statements.get(name).ok_or_else(|| Objection::NoStatement(shown(name)))
    }

    fn make_room(&self, name: &[u8], command: &Command) -> Result<(), Objection> {
        let statements = self.statements.iter().map(|(name, command)| cost(name, command));
        let portals = self.portals.iter().map(|(name, portal)| cost(name, &portal.command));
        let held: usize = statements.chain(portals).sum();
        if held + cost(name, command) <= HELD_BYTES_MAX { Ok(()) } else { Err(Objection::TooMuch) }
    }
}

fn cost(name: &[u8], command: &Command) -> usize {
    HELD_BYTES_EACH + name.len() + command.about.as_deref().map_or(0, str::len)
}

/// The format of each column; a command without rows takes any, as in `PortalSetResultFormat`.
fn formats(columns: &[Column], rest: &extended::Rest<'_>) -> Result<Vec<Format>, Objection> {
    let given: Vec<Format> = rest.results().map(|code| Format::of_code(code).ok_or(Objection::NoFormat(code))).collect::<Result<_, _>>()?;
    match given[..] {
        _ if columns.is_empty() => Ok(Vec::new()),
        [] => Ok(vec![Format::Text; columns.len()]),
        [all] => Ok(vec![all; columns.len()]),
        _ if given.len() == columns.len() => Ok(given),
        _ => Err(Objection::Formats { given: given.len(), columns: columns.len() }),
    }
}

fn describe(columns: Option<&[Column]>, formats: &[Format], out: &mut Vec<u8>) {
    match columns {
        Some(columns) => message::row_description(out, columns, formats),
        None => message::no_data(out),
    }
}

fn shown(name: &[u8]) -> String {
    grammar::said_back(&String::from_utf8_lossy(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::console::rights::Verb;
    use holm_pgwire::backend::{self, Backend};
    use holm_pgwire::frame::{MESSAGE_LENGTH_MAX, scan};
    use proptest::prelude::*;

    fn parse(name: &str, text: &str) -> (u8, Vec<u8>) {
        (b'P', [name.as_bytes(), b"\0", text.as_bytes(), b"\0\0\0"].concat())
    }

    fn bind(portal: &str, statement: &str, formats: &[u8]) -> (u8, Vec<u8>) {
        let codes: Vec<u8> = formats.iter().flat_map(|code| [0, *code]).collect();
        let count = u8::try_from(formats.len()).unwrap();
        (b'B', [portal.as_bytes(), b"\0", statement.as_bytes(), b"\0\0\0\0\0\0", &[count], &codes].concat())
    }

    fn about(tag: u8, kind: u8, name: &str) -> (u8, Vec<u8>) {
        (tag, [&[kind], name.as_bytes(), b"\0"].concat())
    }

    fn execute(portal: &str, rows_max: u8) -> (u8, Vec<u8>) {
        (b'E', [portal.as_bytes(), &[0, 0, 0, 0, rows_max]].concat())
    }

    const SYNC: (u8, Vec<u8>) = (b'S', Vec::new());

    /// What comes of a message, and the types of what was said.
    fn on(extended: &mut Extended, (tag, body): &(u8, Vec<u8>)) -> (Result<Next, Objection>, String) {
        let mut out = Vec::new();
        let next = extended.on(*tag, body, &mut out);
        let (mut said, mut rest) = (String::new(), &out[..]);
        while let Some(frame) = scan(rest, MESSAGE_LENGTH_MAX).unwrap() {
            said.push(char::from(frame.tag));
            rest = &rest[frame.whole.len()..];
        }
        assert!(rest.is_empty());
        (next, said)
    }

    fn run(verb: Verb, formats: Vec<Format>, rows_max: usize) -> Next {
        Next::Run(Run { command: Command { verb, about: None }, formats, rows_max })
    }

    #[track_caller]
    fn says(extended: &mut Extended, message: &(u8, Vec<u8>), expected: &str) {
        let (next, said) = on(extended, message);
        assert_eq!((next, said.as_str()), (Ok(Next::Said), expected));
    }

    #[track_caller]
    fn objects(extended: &mut Extended, message: &(u8, Vec<u8>), expected: Objection) {
        assert_eq!(on(extended, message), (Err(expected), String::new()));
        assert_eq!(on(extended, &parse("", "SELECT 1")).0, Ok(Next::PassedOver), "until Sync");
        assert_eq!(on(extended, &SYNC).0, Ok(Next::Ready));
    }

    #[test]
    fn what_a_driver_says_is_answered_step_by_step() {
        let mut extended = Extended::default();
        says(&mut extended, &parse("s", "SHOW STATE"), "1");
        says(&mut extended, &about(b'D', b'S', "s"), "tT");
        assert_eq!(on(&mut extended, &(b'H', Vec::new())).0, Ok(Next::Flush));
        says(&mut extended, &bind("", "s", &[1]), "2");
        says(&mut extended, &about(b'D', b'P', ""), "T");
        assert_eq!(on(&mut extended, &execute("", 0)).0, Ok(run(Verb::ShowState, vec![Format::Binary; 2], usize::MAX)));
        says(&mut extended, &about(b'C', b'P', ""), "3");
        assert_eq!(on(&mut extended, &SYNC).0, Ok(Next::Ready));
        says(&mut extended, &bind("p", "s", &[0, 1]), "2");
        assert_eq!(on(&mut extended, &execute("p", 2)).0, Ok(run(Verb::ShowState, vec![Format::Text, Format::Binary], 2)));
        says(&mut extended, &about(b'C', b'S', "s"), "3");
        says(&mut extended, &about(b'C', b'S', "never there"), "3");
        says(&mut extended, &parse("", "RECONNECT"), "1");
        says(&mut extended, &about(b'D', b'S', ""), "tn");
        says(&mut extended, &bind("", "", &[1]), "2");
        assert_eq!(on(&mut extended, &execute("", 1)).0, Ok(run(Verb::Reconnect, vec![], 1)));
    }

    #[test]
    fn columns_are_described_in_the_formats_that_rows_will_have() {
        let mut extended = Extended::default();
        says(&mut extended, &parse("", "SHOW LISTS"), "1");
        says(&mut extended, &bind("", "", &[1]), "2");
        let mut out = Vec::new();
        extended.on(b'D', b"P\0", &mut out).unwrap();
        let mut expected = Vec::new();
        let command = grammar::read("SHOW LISTS").unwrap();
        message::row_description(&mut expected, &tables::columns(&command).unwrap(), &[Format::Binary; 2]);
        assert_eq!(out, expected);
        let frame = scan(&out, MESSAGE_LENGTH_MAX).unwrap().unwrap();
        assert!(!matches!(backend::parse(&frame), Ok(Backend::ErrorResponse(_))));
    }

    #[test]
    fn what_is_not_there_or_not_allowed_is_objected_to_and_passed_over_until_sync() {
        let mut extended = Extended::default();
        objects(&mut extended, &bind("", "", &[]), Objection::NoStatement(String::new()));
        objects(&mut extended, &about(b'D', b'P', "p"), Objection::NoPortal("p".to_owned()));
        objects(&mut extended, &execute("p", 0), Objection::NoPortal("p".to_owned()));
        objects(&mut extended, &parse("", "SHOW FDS"), Complaint::NotShown("FDS".to_owned()).into());
        objects(&mut extended, &parse("", "KILL $1"), Objection::Parameters);
        objects(&mut extended, &(b'P', b"\0SHOW STATE\0\0\x01\0\0\0\x17".to_vec()), Objection::Parameters);
        says(&mut extended, &parse("s", "SHOW STATE"), "1");
        objects(&mut extended, &parse("s", "SHOW LISTS"), Objection::StatementTaken("s".to_owned()));
        objects(&mut extended, &bind("", "s", &[0, 1, 1]), Objection::Formats { given: 3, columns: 2 });
        objects(&mut extended, &bind("", "s", &[2]), Objection::NoFormat(2));
        objects(&mut extended, &(b'B', b"\0s\0\0\0\0\x01\0\0\0\x01x\0\0".to_vec()), Objection::Parameters);
        says(&mut extended, &bind("p", "s", &[]), "2");
        objects(&mut extended, &bind("p", "s", &[]), Objection::PortalTaken("p".to_owned()));
        // Sync has ended it.
        objects(&mut extended, &execute("p", 0), Objection::NoPortal("p".to_owned()));
        says(&mut extended, &bind("", "s", &[]), "2");
        assert!(matches!(on(&mut extended, &execute("", 1)).0, Ok(Next::Run(_))));
        objects(&mut extended, &execute("", 1), Objection::HasRun(String::new()));
        assert!(matches!(on(&mut extended, &(b'P', b"no end".to_vec())).0, Err(Objection::Malformed(_))));
    }

    #[test]
    fn what_ran_and_failed_is_passed_over_from_too() {
        let mut extended = Extended::default();
        extended.failed();
        assert!(extended.passes_over());
        assert_eq!(on(&mut extended, &(b'H', Vec::new())).0, Ok(Next::PassedOver));
        assert_eq!(on(&mut extended, &SYNC).0, Ok(Next::Ready));
        assert_eq!(on(&mut extended, &(b'?', Vec::new())).0, Ok(Next::Other));
    }

    #[test]
    fn a_session_holds_so_much_and_forgets_what_is_closed_or_discarded() {
        let mut extended = Extended::default();
        let fill = |extended: &mut Extended| (0..).find(|at| on(extended, &parse(&format!("s{at}"), "SHOW POOLS")).0.is_err()).unwrap();
        let most = fill(&mut extended);
        assert!(most > 1000, "a driver's cache holds some hundred: {most}");
        assert_eq!(on(&mut extended, &SYNC).0, Ok(Next::Ready));
        objects(&mut extended, &parse("one more", "SHOW POOLS"), Objection::TooMuch);
        says(&mut extended, &about(b'C', b'S', "s0"), "3");
        says(&mut extended, &parse("o", "SHOW POOLS"), "1");
        extended.discard();
        assert_eq!(fill(&mut extended), most);
    }

    proptest! {
        #[test]
        fn any_messages_are_answered_or_objected_to(
            messages in prop::collection::vec(("[PBDECSHQX?]", prop::collection::vec(any::<u8>(), 0..40)), 0..40),
        ) {
            let mut extended = Extended::default();
            for (tag, body) in messages {
                let before = extended.passes_over();
                let (next, said) = on(&mut extended, &(tag.as_bytes()[0], body));
                prop_assert!(!before || tag == "S" || next == Ok(Next::PassedOver));
                prop_assert!(next.is_ok() || said.is_empty());
                prop_assert_eq!(extended.passes_over(), tag != "S" && (before || next.is_err()));
            }
        }
    }
}
