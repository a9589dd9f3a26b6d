//! Columns of rows that we make ourselves, and their values in the two formats that a client may ask for.
//!
//! Promises: a value is written as PostgreSQL writes one of its column's type, as text or in binary. What its type cannot hold
//! is NULL in binary, and never another value. Refuses every type that nothing of ours is of.

use std::borrow::Cow;

/// A column: its name, and the type that its values are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What its values are.
    pub kind: ColumnType,
}

/// The type of a column, as `pg_type` numbers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// `text`.
    Text,
    /// `int4`.
    Int4,
    /// `int8`.
    Int8,
    /// `numeric`; of ours are whole numbers that are not negative.
    Numeric,
}

/// How values of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// As text: format code 0.
    #[default]
    Text,
    /// As the type's `send` function writes it: format code 1.
    Binary,
}

impl Format {
    /// The format of a code; `None` for one that the protocol does not have.
    pub const fn of_code(code: u16) -> Option<Self> {
        match code {
            0 => Some(Self::Text),
            1 => Some(Self::Binary),
            _ => None,
        }
    }

    /// Its code.
    pub const fn code(self) -> u16 {
        match self {
            Self::Text => 0,
            Self::Binary => 1,
        }
    }
}

impl ColumnType {
    /// Its OID and its size; -1 is a size that varies.
    pub const fn oid_and_size(self) -> (u32, i16) {
        match self {
            Self::Text => (25, -1),
            Self::Int4 => (23, 4),
            Self::Int8 => (20, 8),
            Self::Numeric => (1700, -1),
        }
    }

    /// A value that is given as its text, as a format has it. `None`, for NULL, if the type has no such value.
    pub fn written(self, text: &str, format: Format) -> Option<Cow<'_, [u8]>> {
        Some(match (format, self) {
            (Format::Text, _) | (Format::Binary, Self::Text) => Cow::Borrowed(text.as_bytes()),
            (Format::Binary, Self::Int4) => Cow::Owned(text.parse::<i32>().ok()?.to_be_bytes().to_vec()),
            (Format::Binary, Self::Int8) => Cow::Owned(text.parse::<i64>().ok()?.to_be_bytes().to_vec()),
            (Format::Binary, Self::Numeric) => Cow::Owned(numeric(text.parse().ok()?)),
        })
    }
}

/// `numeric_send`: how many digits to the base 10,000, the weight of the first, sign, scale, and the digits; those that are zero
/// at the end are left out.
fn numeric(number: u64) -> Vec<u8> {
    let powers = std::iter::successors(Some(number), |rest| Some(rest / 10_000)).take_while(|rest| *rest > 0);
    let mut digits: Vec<u16> = powers.map(|rest| u16::try_from(rest % 10_000).expect("it is below 10,000")).collect();
    let weight = u16::try_from(digits.len().saturating_sub(1)).expect("20 decimal digits make 5");
    digits.reverse();
    digits.truncate(digits.iter().rposition(|digit| *digit > 0).map_or(0, |last| last + 1));
    let count = u16::try_from(digits.len()).expect("20 decimal digits make 5");
    [count, weight, 0, 0].iter().chain(&digits).flat_map(|word| word.to_be_bytes()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(kind: ColumnType, text: &str, expected: Option<&[u8]>) {
        assert_eq!(kind.written(text, Format::Binary).as_deref(), expected, "{kind:?} {text}");
        assert_eq!(kind.written(text, Format::Text).as_deref(), Some(text.as_bytes()));
    }

    #[test]
    fn values_are_written_as_postgresql_sends_them() {
        check(ColumnType::Text, "malmö", Some("malmö".as_bytes()));
        check(ColumnType::Int4, "6432", Some(&[0, 0, 0x19, 0x20]));
        check(ColumnType::Int8, "4294967296", Some(&[0, 0, 0, 1, 0, 0, 0, 0]));
        // As `SELECT encode(numeric_send(n), 'hex')` shows them.
        check(ColumnType::Numeric, "0", Some(&[0; 8]));
        check(ColumnType::Numeric, "7", Some(&[0, 1, 0, 0, 0, 0, 0, 0, 0, 7]));
        check(ColumnType::Numeric, "10000", Some(&[0, 1, 0, 1, 0, 0, 0, 0, 0, 1]));
        check(ColumnType::Numeric, "100000001", Some(&[0, 3, 0, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]));
        check(
            ColumnType::Numeric,
            "18446744073709551615",
            Some(&[0, 5, 0, 4, 0, 0, 0, 0, 0x07, 0x34, 0x1a, 0x58, 0x02, 0xe1, 0x03, 0xbb, 0x06, 0x4f]),
        );
    }

    #[test]
    fn what_a_type_cannot_hold_is_null_and_not_another_value() {
        check(ColumnType::Int4, "4294967295", None);
        check(ColumnType::Int8, "18446744073709551615", None);
        check(ColumnType::Numeric, "-1", None);
        check(ColumnType::Int4, "", None);
    }

    #[test]
    fn a_format_has_one_of_two_codes() {
        for format in [Format::Text, Format::Binary] {
            assert_eq!(Format::of_code(format.code()), Some(format));
        }
        assert_eq!(Format::of_code(2), None);
    }
}
