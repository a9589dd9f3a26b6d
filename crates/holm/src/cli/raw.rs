//! The output format of a command line that clap did not accept, so that a program gets its envelope all the same.

use std::ffi::OsString;

use clap::ValueEnum;

use crate::output::Format;

/// The last `-o` or `--output` that reads as a format.
pub(super) fn format(arguments: &[OsString]) -> Format {
    let texts: Vec<&str> = arguments.iter().filter_map(|argument| argument.to_str()).take_while(|text| *text != "--").collect();
    let said = |(position, text): (usize, &&str)| match *text {
        "-o" | "--output" => texts.get(position + 1).copied().map(str::to_owned),
        text => text.strip_prefix("--output=").or_else(|| text.strip_prefix("-o")).map(|value| value.trim_start_matches('=').to_owned()),
    };
    let mut formats = texts.iter().enumerate().filter_map(said).filter_map(|value| Format::from_str(&value, true).ok());
    formats.next_back().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_gets_its_format_even_when_the_rest_makes_no_sense() {
        let format = |line: &str| format(&line.split(' ').map(OsString::from).collect::<Vec<_>>());
        for line in ["holm x -o json", "holm -ojson x", "holm x --output=json", "holm --output json --nonsense", "holm -o=json"] {
            assert_eq!(format(line), Format::Json, "{line}");
        }
        for line in ["holm x", "holm x -o", "holm x -o xml", "holm x -- -o json"] {
            assert_eq!(format(line), Format::Table, "{line}");
        }
    }
}
