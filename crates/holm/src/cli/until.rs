//! The end that somebody gives to something: a time, or the day that begins with it.

use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A time, written as one or as the day that begins with it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Until(pub(super) Timestamp);

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser of days reads one from a time without a zone as well, and leaves the rest out.
        let day = || text.parse::<Date>().ok().filter(|day| day.to_string() == text)?.to_zoned(TimeZone::UTC).ok();
        let time = text.parse().ok().or_else(|| day().map(|midnight| midnight.timestamp()));
        time.map(Self).ok_or_else(|| "it is not a day such as 2027-03-01, or a time such as 2027-03-01T12:00:00Z".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_a_time_or_the_midnight_at_which_a_day_begins_and_nothing_in_between() {
        let read = |text: &str| text.parse::<Until>().map(|until| until.0.to_string());
        assert_eq!(read("2027-03-01").unwrap(), "2027-03-01T00:00:00Z");
        assert_eq!(read("2027-03-01T12:30:00+02:00").unwrap(), "2027-03-01T10:30:00Z");
        // Of which zone, it does not say.
        for text in ["2027-03-01T12:30:00", "2027-03-01 noon", "2027-13-01", "1 March", ""] {
            assert!(read(text).is_err(), "{text}: {:?}", read(text));
        }
    }
}
