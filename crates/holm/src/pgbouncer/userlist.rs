//! PgBouncer's `auth_file`: users, and what they prove themselves with.
//!
//! Promises: total; a password is kept only if it is one, and never printed: a hash or a SCRAM secret cannot log in where Holm
//! does. No refusal repeats text of the file. Refuses a file that PgBouncer would read the first half of.

use holm_core::secret::Secret;

/// One user.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) proof: Proof,
}

/// What stands beside the name.
#[derive(Debug)]
pub(crate) enum Proof {
    Password(Secret<String>),
    /// PostgreSQL's `md5…`
    Md5,
    /// PostgreSQL's `SCRAM-SHA-256$…`
    Scram,
    Nothing,
}

/// Why a file cannot be read, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub(crate) struct Broken {
    pub(crate) line: usize,
    pub(crate) why: &'static str,
}

/// `md5` and 32 hexadecimal digits.
const MD5_LENGTH: usize = 35;

/// Reads a whole file, in its order; a user who stands in it twice has what stands last.
///
/// # Errors
/// [`Broken`], of the first line that is.
pub(crate) fn read(text: &str) -> Result<Vec<Listed>, Broken> {
    let mut listed: Vec<Listed> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n', '\r', '\u{b}', '\u{c}']);
        if rest.is_empty() {
            return Ok(listed);
        }
        if !rest.starts_with(';') {
            let broken = |why| Broken { line: line_of(text, rest), why };
            let name = rest.strip_prefix('"').ok_or_else(|| broken("it does not begin with a name in double quotes"))?;
            let (name, after) = quoted(name).ok_or_else(|| broken("a double quote is not closed"))?;
            let begin = after.find(['"', '\n']).filter(|&begin| after[begin..].starts_with('"'));
            let begin = begin.ok_or_else(|| broken("there is no second field in double quotes"))?;
            let (proof, after) = quoted(&after[begin + 1..]).ok_or_else(|| broken("a double quote is not closed"))?;
            listed.push(Listed { name: name.expose().clone(), proof: proof_of(proof) });
            rest = after;
        }
        rest = rest.find('\n').map_or("", |end| &rest[end..]);
    }
}

/// What stands before the closing quote, which is on the same line, and what follows it.
fn quoted(mut text: &str) -> Option<(Secret<String>, &str)> {
    let mut value = String::new();
    loop {
        let end = text.find(['"', '\n']).filter(|&end| text[end..].starts_with('"'))?;
        value.push_str(&text[..end]);
        text = &text[end + 1..];
        match text.strip_prefix('"') {
            Some(doubled) => {
                value.push('"');
                text = doubled;
            }
            None => return Some((Secret::new(value), text)),
        }
    }
}

fn proof_of(text: Secret<String>) -> Proof {
    let said = text.expose();
    if said.is_empty() {
        Proof::Nothing
    } else if said.starts_with("SCRAM-SHA-256$") {
        Proof::Scram
    } else if said.len() == MD5_LENGTH && said.strip_prefix("md5").is_some_and(|hash| hash.bytes().all(|byte| byte.is_ascii_hexdigit())) {
        Proof::Md5
    } else {
        Proof::Password(text)
    }
}

fn line_of(text: &str, rest: &str) -> usize {
    text[..text.len() - rest.len()].matches('\n').count() + 1
}
