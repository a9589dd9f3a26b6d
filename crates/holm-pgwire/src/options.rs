//! The startup parameter `options`: a command line in one string, as PostgreSQL's `pg_split_opts` and `getopt` read it.
//!
//! Promises: switches keep their order and meaning through [`parse`] and [`write()`]. Understands `-c name=value`,
//! `-cname=value` and `--name=value`; leaves every other switch to PostgreSQL.

/// One piece of the command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Switch {
    /// A setting, in any of its three spellings.
    Setting {
        /// The name, lower-case, `-` turned into `_` as PostgreSQL does.
        name: Vec<u8>,
        /// The value, unescaped.
        value: Vec<u8>,
    },
    /// Any other word.
    Other(Vec<u8>),
}

impl Switch {
    /// A setting of ours.
    pub fn setting(name: &str, value: &str) -> Self {
        Self::Setting { name: name.into(), value: value.into() }
    }
}

/// `isspace` in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Cuts at whitespace that no backslash precedes, and takes the backslashes away.
fn words(text: &[u8]) -> Vec<Vec<u8>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let (mut open, mut escaped) = (false, false);
    for &byte in text {
        if is_space(byte) && !escaped {
            open = false;
            continue;
        }
        if !open {
            words.push(Vec::new());
            open = true;
        }
        if byte == b'\\' && !escaped {
            escaped = true;
        } else {
            escaped = false;
            if let Some(word) = words.last_mut() {
                word.push(byte);
            }
        }
    }
    words
}

fn assignment(text: &[u8]) -> Option<Switch> {
    let equals = text.iter().position(|&byte| byte == b'=')?;
    let (name, value) = (text.get(..equals)?, text.get(equals.checked_add(1)?..)?);
    let name = name.iter().map(|&byte| if byte == b'-' { b'_' } else { byte.to_ascii_lowercase() }).collect();
    Some(Switch::Setting { name, value: value.to_vec() })
}

/// Reads a command line; every text is one.
pub fn parse(text: &[u8]) -> Vec<Switch> {
    let mut switches = Vec::new();
    let mut words = words(text).into_iter();
    while let Some(word) = words.next() {
        if word == b"-c" {
            let Some(argument) = words.next() else {
                switches.push(Switch::Other(word));
                break;
            };
            match assignment(&argument) {
                Some(setting) => switches.push(setting),
                None => switches.extend([Switch::Other(word), Switch::Other(argument)]),
            }
        } else {
            let setting = word.strip_prefix(b"--").or_else(|| word.strip_prefix(b"-c")).and_then(assignment);
            switches.push(setting.unwrap_or(Switch::Other(word)));
        }
    }
    switches
}

/// Writes a command line that PostgreSQL reads back as these switches.
pub fn write<'a>(switches: impl IntoIterator<Item = &'a Switch>) -> Vec<u8> {
    let mut line = Vec::new();
    for switch in switches {
        if !line.is_empty() {
            line.push(b' ');
        }
        match switch {
            Switch::Setting { name, value } => {
                line.extend_from_slice(b"-c ");
                escape(name, &mut line);
                line.push(b'=');
                escape(value, &mut line);
            }
            Switch::Other(word) => escape(word, &mut line),
        }
    }
    line
}

fn escape(word: &[u8], line: &mut Vec<u8>) {
    for &byte in word {
        if is_space(byte) || byte == b'\\' {
            line.push(b'\\');
        }
        line.push(byte);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn other(word: &str) -> Switch {
        Switch::Other(word.into())
    }

    #[test]
    fn the_three_spellings_of_a_setting_are_one() {
        for text in ["-c holm.tenant=malmo", "-cholm.tenant=malmo", "--holm.tenant=malmo", "  --HOLM.TENANT=malmo "] {
            assert_eq!(parse(text.as_bytes()), [Switch::setting("holm.tenant", "malmo")], "{text}");
        }
        assert_eq!(parse(b"--work-mem=8MB"), [Switch::setting("work_mem", "8MB")]);
    }

    #[test]
    fn escapes_are_read_as_pg_split_opts_reads_them() {
        assert_eq!(parse(br"-c search_path=a\ b\\c"), [Switch::setting("search_path", r"a b\c")]);
        assert_eq!(parse(br"-c a=b\"), [Switch::setting("a", "b")]);
        assert_eq!(parse(b"-B 16 -c"), [other("-B"), other("16"), other("-c")]);
        assert_eq!(parse(b"-c novalue -e"), [other("-c"), other("novalue"), other("-e")]);
        assert_eq!(parse(b" \t\n"), []);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(pairs in prop::collection::vec(("[a-z_.]{1,12}", "[^\0]{0,20}"), 0..6)) {
            let switches: Vec<_> = pairs.iter().map(|(name, value)| Switch::setting(name, value)).collect();
            prop_assert_eq!(parse(&write(&switches)), switches);
        }

        #[test]
        fn any_text_is_a_command_line_whose_meaning_survives(text in prop::collection::vec(1u8.., 0..120)) {
            let once = parse(&text);
            prop_assume!(!once.contains(&Switch::Other(Vec::new())));
            prop_assert_eq!(parse(&write(&once)), once);
        }
    }
}
