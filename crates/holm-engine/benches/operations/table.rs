//! The figures beside their bars.

use std::fmt;
use std::time::Duration;

/// One figure: the middle, the smallest and the largest of what was measured.
struct Line {
    what: &'static str,
    median: String,
    range: String,
    bar: &'static str,
}

/// All of them, in the order in which they were measured.
#[derive(Default)]
pub(crate) struct Table(Vec<Line>);

impl Table {
    /// Adds figures, which are written with a unit.
    pub(crate) fn add(&mut self, what: &'static str, mut figures: Vec<f64>, unit: &str, bar: &'static str) {
        figures.sort_by(f64::total_cmp);
        let (median, least, most) = (figures[figures.len() / 2], figures[0], figures[figures.len() - 1]);
        let range = match figures.len() {
            1 => String::new(),
            n => format!("{least:.2} to {most:.2} of {n}{}", percentile(&figures)),
        };
        self.0.push(Line { what, median: format!("{median:.2} {unit}"), range, bar });
    }

    /// Adds times, in milliseconds.
    pub(crate) fn add_times(&mut self, what: &'static str, times: &[Duration], bar: &'static str) {
        self.add(what, times.iter().map(|time| time.as_secs_f64() * 1e3).collect(), "ms", bar);
    }
}

/// Only where it is a value and not the largest.
fn percentile(sorted: &[f64]) -> String {
    if sorted.len() < 100 { String::new() } else { format!(", p99 {:.2}", sorted[(sorted.len() * 99).div_ceil(100) - 1]) }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<58} {:>12}  {:<38} bar", "", "median", "range")?;
        for Line { what, median, range, bar } in &self.0 {
            writeln!(f, "{what:<58} {median:>12}  {range:<38} {bar}")?;
        }
        Ok(())
    }
}
