//! `holm residency exception grant`: from one rule, for one copy, until a day.

use std::str::FromStr;

use holm_api::view::residency::record::{ExceptionView, GrantException};
use holm_core::error::Problem;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::cli::context::{Context, Environment};
use crate::output::Answer;

/// For whom, from what, until when.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  holm residency exception grant goteborg --env production --copy primary --rule control.affiliates \\
    --owner 'data protection officer' --reason 'until the contract of 2025 ends' --measure 'no names in free text' --until 2027-03-01

It ends at that time, at midnight UTC where a day begins if you give a day. What a profile says of a running database has no
exception: whoever runs it can read it, and no measure changes that.")]
pub(in crate::cli) struct Args {
    /// The tenant's name
    #[arg(value_name = "TENANT")]
    slug: String,
    #[command(flatten)]
    environment: Environment,
    /// Which copy: primary, backup
    #[arg(long, value_name = "COPY")]
    copy: String,
    /// Which rule, as a refusal or a verdict names it: control.affiliates
    #[arg(long, value_name = "RULE")]
    rule: String,
    /// Who answers for it: a name or an office
    #[arg(long, value_name = "WHO")]
    owner: String,
    /// Why it is needed
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// What is done instead
    #[arg(long, value_name = "TEXT")]
    measure: String,
    /// When it ends: 2027-03-01, or 2027-03-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Until,
}

/// A time, written as one or as the day that begins with it.
#[derive(Debug, Clone, Copy)]
struct Until(Timestamp);

impl FromStr for Until {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // The parser of days reads one from a time without a zone as well, and leaves the rest out.
        let day = || text.parse::<Date>().ok().filter(|day| day.to_string() == text)?.to_zoned(TimeZone::UTC).ok();
        let time = text.parse().ok().or_else(|| day().map(|midnight| midnight.timestamp()));
        time.map(Self).ok_or_else(|| "it is not a day such as 2027-03-01, or a time such as 2027-03-01T12:00:00Z".to_owned())
    }
}

pub(super) async fn run(context: &Context, args: Args) -> Result<Answer, Problem> {
    let Args { slug, environment, copy, rule, owner, reason, measure, until } = args;
    let wanted = GrantException { copy, rule, owner, reason, measure, until: until.0 };
    let path = ["environments", &environment.name, "tenants", &slug, "exceptions"];
    let granted: ExceptionView = context.client()?.post(&path, &[], &wanted).await?;
    context.say(&format!("✓ {} does not count for the {} of {} until {}", granted.rule, granted.copy, granted.tenant, granted.until));
    Ok(Answer::one(&granted))
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
