//! Who owns each database, and the password, in the format of PostgreSQL's password file: `host:port:database:role:password`.
//!
//! Promises: total; reads what libpq reads (`\` before `:` and `\`, `*` for any, the first line that fits counts), and no refusal
//! repeats text of the file. Refuses a line that has not five fields, which libpq would pass over in silence.

use holm_core::secret::Secret;

/// The lines of such a file.
#[derive(Debug, Default)]
pub(crate) struct Owners(Vec<Owner>);

#[derive(Debug)]
struct Owner {
    host: Field,
    port: Field,
    database: Field,
    role: Field,
    password: Secret<String>,
}

#[derive(Debug, PartialEq, Eq)]
enum Field {
    Any,
    This(String),
}

impl Field {
    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Any => true,
            Self::This(wanted) => wanted == text,
        }
    }
}

/// The number of a line that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0}: it is not `host:port:database:role:password`")]
pub(crate) struct NotAnOwner(pub(crate) usize);

/// What a file says of one database.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// Left out where it says that any role has this password.
    pub(crate) role: Option<&'a str>,
    pub(crate) password: &'a Secret<String>,
}

impl Owners {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`NotAnOwner`], of the first such line.
    pub(crate) fn read(text: &str) -> Result<Self, NotAnOwner> {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        lines.map(|(index, line)| owner(line).ok_or(NotAnOwner(index + 1))).collect::<Result<_, _>>().map(Self)
    }

    /// The first line that is about a database.
    pub(crate) fn of(&self, host: &str, port: u16, database: &str) -> Option<Said<'_>> {
        let port = port.to_string();
        let owner = self.0.iter().find(|owner| owner.host.fits(host) && owner.port.fits(&port) && owner.database.fits(database))?;
        let role = match &owner.role {
            Field::Any => None,
            Field::This(role) => Some(role.as_str()),
        };
        Some(Said { role, password: &owner.password })
    }
}

fn owner(line: &str) -> Option<Owner> {
    let (host, rest) = field(line)?;
    let (port, rest) = field(rest)?;
    let (database, rest) = field(rest)?;
    let (role, rest) = field(rest)?;
    // The last field ends at a colon as well.
    let password = field(rest).map_or_else(
        || unescaped(rest),
        |(password, _)| match password {
            Field::Any => "*".to_owned(),
            Field::This(password) => password,
        },
    );
    (!password.is_empty()).then(|| Owner { host, port, database, role, password: Secret::new(password) })
}

/// A field that a colon ends, and what follows it.
fn field(text: &str) -> Option<(Field, &str)> {
    let mut escaped = false;
    let end = text.bytes().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => byte == b':',
    })?;
    let said = &text[..end];
    let field = if said == "*" { Field::Any } else { Field::This(unescaped(said)) };
    Some((field, &text[end + 1..]))
}

fn unescaped(text: &str) -> String {
    let (mut plain, mut chars) = (String::with_capacity(text.len()), text.chars());
    while let Some(c) = chars.next() {
        plain.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    plain
}
