//! How an answer or a problem leaves the program: six formats, one envelope, data on stdout and talk on stderr.
//!
//! Promises: the same answer in every format; a cell can neither move the cursor of a terminal nor become a formula in a
//! spreadsheet; a reader that closes the pipe is no error.

mod csv;
mod layout;
mod machine;
mod problem;
mod talk;
#[cfg(test)]
mod tests;
mod visible;

use holm_core::error::Problem;
use serde::Serialize;

use crate::exit::Exit;

pub(crate) use problem::render as render_problem;
pub(crate) use talk::say;
pub(crate) use visible::visible;

/// What stdout is to look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// Columns for people
    #[default]
    Table,
    /// One object: ok, data, error, operation
    Json,
    /// The same object for every item, a line each
    Jsonl,
    /// The same object as YAML
    Yaml,
    /// RFC 4180 with a heading
    Csv,
    /// Names only, a line each
    Name,
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell {
    /// Text, of whatever origin.
    Text(String),
    /// A number, which a spreadsheet may add up.
    Number(i64),
    /// Nothing known.
    Empty,
}

impl<T: Into<String>> From<Option<T>> for Cell {
    fn from(text: Option<T>) -> Self {
        text.map_or(Self::Empty, |text| Self::Text(text.into()))
    }
}

impl Cell {
    /// Anything that has a text.
    pub(crate) fn of(value: impl std::fmt::Display) -> Self {
        Self::Text(value.to_string())
    }

    /// A time as people compare it: to the second, in UTC. Programs get it whole.
    pub(crate) fn time(at: jiff::Timestamp) -> Self {
        Self::of(at.round(jiff::Unit::Second).unwrap_or(at))
    }
}

/// A thing that can stand in a row, in every format.
pub(crate) trait Row: Serialize {
    /// Headings, most important first.
    const COLUMNS: &'static [&'static str];
    /// How many of them a list shows when nobody chose.
    const BRIEF: usize;

    /// One cell for each heading.
    fn cells(&self) -> Vec<Cell>;

    /// What `-o name` prints.
    fn name(&self) -> String;
}

/// What a command has to say on stdout.
#[derive(Debug)]
pub(crate) struct Answer {
    data: Data,
    columns: &'static [&'static str],
    brief: usize,
    rows: Vec<Vec<Cell>>,
    names: Vec<String>,
    look: Look,
    exit: Exit,
    operation: Option<String>,
    problem: Option<Problem>,
}

/// For programs: a list, whose items are lines of JSON Lines, or one thing.
#[derive(Debug)]
enum Data {
    Many(Vec<serde_json::Value>),
    One(serde_json::Value),
}

/// For people.
#[derive(Debug)]
enum Look {
    /// A line for each row.
    List,
    /// A line for each column of the only row.
    Record,
    /// As it is.
    Text(String),
}

impl Answer {
    /// A list of things.
    pub(crate) fn list<T: Row>(items: &[T]) -> Self {
        Self {
            data: Data::Many(items.iter().map(json).collect()),
            columns: T::COLUMNS,
            brief: T::BRIEF,
            rows: items.iter().map(Row::cells).collect(),
            names: items.iter().map(Row::name).collect(),
            look: Look::List,
            exit: Exit::Done,
            operation: None,
            problem: None,
        }
    }

    /// One thing, with all that is known of it.
    pub(crate) fn one<T: Row>(item: &T) -> Self {
        Self { data: Data::One(json(item)), look: Look::Record, ..Self::list(std::slice::from_ref(item)) }
    }

    /// Text that people paste somewhere, and the thing that it was made from.
    pub(crate) fn text<T: Row>(text: String, item: &T) -> Self {
        Self { look: Look::Text(text), ..Self::one(item) }
    }

    /// Text made from several things.
    pub(crate) fn texts<T: Row>(text: String, items: &[T]) -> Self {
        Self { look: Look::Text(text), ..Self::list(items) }
    }

    /// Text about what is made of several parts: programs get it whole, an item a line of JSON Lines; tables get the parts.
    pub(crate) fn document<T: Row>(text: String, whole: &impl Serialize, parts: &[T]) -> Self {
        let data = match json(whole) {
            serde_json::Value::Array(items) => Data::Many(items),
            one => Data::One(one),
        };
        Self { data, ..Self::texts(text, parts) }
    }

    /// A list that is part of something: programs get that whole, tables the parts.
    pub(crate) fn parts<T: Row>(whole: &impl Serialize, parts: &[T]) -> Self {
        Self { data: Data::One(json(whole)), ..Self::list(parts) }
    }

    /// Ends the command otherwise than with success.
    #[must_use]
    pub(crate) fn exit(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Names the operation that goes on after the command, or that it was about.
    #[must_use]
    pub(crate) fn operation(mut self, id: impl ToString) -> Self {
        self.operation = Some(id.to_string());
        self
    }

    /// Ends the command with a problem instead of its data.
    #[must_use]
    pub(crate) fn problem(mut self, problem: Problem) -> Self {
        self.exit = Exit::from(&problem);
        self.problem = Some(problem);
        self
    }

    /// What it ends with instead of data.
    pub(crate) const fn why(&self) -> Option<&Problem> {
        self.problem.as_ref()
    }

    /// How the command ends.
    pub(crate) const fn exits(&self) -> Exit {
        self.exit
    }

    /// The answer as stdout shows it.
    ///
    /// # Errors
    /// A column was chosen that does not exist.
    pub(crate) fn render(&self, format: Format, chosen: Option<&[String]>) -> Result<String, Problem> {
        let chosen = chosen.map(|names| layout::choose(self.columns, names)).transpose()?;
        let operation = self.operation.as_deref();
        if let Some(problem) = &self.problem {
            return Ok(failure(problem, operation, format));
        }
        Ok(match (format, &self.data) {
            (Format::Json, data) => machine::json(&data.whole(), operation),
            (Format::Yaml, data) => machine::yaml(&data.whole(), operation),
            (Format::Jsonl, Data::Many(items)) => items.iter().map(|item| machine::line(item, operation)).collect(),
            (Format::Jsonl, Data::One(item)) => machine::line(item, operation),
            (Format::Csv, _) => csv::render(self.columns, &self.rows, &chosen.unwrap_or_else(|| (0..self.columns.len()).collect())),
            (Format::Name, _) => self.names.iter().map(|name| format!("{}\n", visible(name))).collect(),
            (Format::Table, _) => self.for_people(chosen),
        })
    }

    fn for_people(&self, chosen: Option<Vec<usize>>) -> String {
        let all = || (0..self.columns.len()).collect::<Vec<_>>();
        match &self.look {
            Look::Text(text) if chosen.is_none() => text.clone(),
            Look::Record => layout::record(self.columns, &self.rows[0], &chosen.unwrap_or_else(all)),
            Look::List | Look::Text(_) => layout::list(self.columns, &self.rows, &chosen.unwrap_or_else(|| (0..self.brief).collect())),
        }
    }
}

impl Data {
    fn whole(&self) -> serde_json::Value {
        match self {
            Self::Many(items) => serde_json::Value::Array(items.clone()),
            Self::One(item) => item.clone(),
        }
    }
}

fn json(item: &impl Serialize) -> serde_json::Value {
    serde_json::to_value(item).expect("the rows are structs of texts and numbers, with text keys")
}

/// A failure as stdout shows it: the envelope for programs, nothing for people, who read stderr.
pub(crate) fn render_failure(problem: &Problem, format: Format) -> String {
    failure(problem, None, format)
}

fn failure(problem: &Problem, operation: Option<&str>, format: Format) -> String {
    match format {
        Format::Json => machine::json_failure(problem, operation),
        Format::Jsonl => machine::line_failure(problem, operation),
        Format::Yaml => machine::yaml_failure(problem, operation),
        Format::Table | Format::Csv | Format::Name => String::new(),
    }
}

/// Writes to stdout. A pipe that was closed at the other end has heard enough.
///
/// # Errors
/// Stdout cannot be written for another reason: a full disk.
pub(crate) fn print(text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
