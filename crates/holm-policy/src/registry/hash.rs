//! Hashes of content: the same in whatever order its keys and files are written.

use std::fmt;

use sha2::{Digest, Sha256};
use toml::{Table, Value};

/// SHA-256 in hexadecimal.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(into = "String")]
pub struct Hash(Box<str>);

impl Hash {
    /// The 64 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<Hash> for String {
    fn from(hash: Hash) -> String {
        hash.0.into()
    }
}

/// The hash of texts, by their names.
pub(crate) fn hash_of(documents: &[(String, Table)]) -> Hash {
    let mut named: Vec<&(String, Table)> = documents.iter().collect();
    named.sort_by(|a, b| a.0.cmp(&b.0));
    let mut digest = Sha256::new();
    for (name, table) in named {
        text(&mut digest, b'f', name);
        entries(&mut digest, table);
    }
    let digits: String = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Hash(digits.into())
}

/// A tag and a length before each text, so that no two contents write the same bytes.
fn text(digest: &mut Sha256, tag: u8, text: &str) {
    digest.update([tag]);
    digest.update(text.len().to_be_bytes());
    digest.update(text.as_bytes());
}

fn entries(digest: &mut Sha256, table: &Table) {
    let mut sorted: Vec<(&String, &Value)> = table.iter().collect();
    sorted.sort_by_key(|(key, _)| *key);
    digest.update([b'{']);
    digest.update(sorted.len().to_be_bytes());
    for (key, value) in sorted {
        text(digest, b'k', key);
        write(digest, value);
    }
}

fn write(digest: &mut Sha256, value: &Value) {
    match value {
        Value::String(string) => text(digest, b's', string),
        Value::Integer(number) => text(digest, b'i', &number.to_string()),
        Value::Float(number) => text(digest, b'd', &number.to_string()),
        Value::Boolean(truth) => text(digest, b'b', &truth.to_string()),
        Value::Datetime(moment) => text(digest, b't', &moment.to_string()),
        Value::Array(items) => {
            digest.update([b'[']);
            digest.update(items.len().to_be_bytes());
            for item in items {
                write(digest, item);
            }
        }
        Value::Table(table) => entries(digest, table),
    }
}
