//! Columns for people: aligned, without lines, readable without colour, never wrapped, so that `grep` finds a row whole.

use comfy_table::presets::NOTHING;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use holm_core::error::{ErrorCode, Problem};

use super::{Cell, visible};

/// The indices of the columns that were asked for, in that order.
pub(super) fn choose(columns: &[&str], names: &[String]) -> Result<Vec<usize>, Problem> {
    let index = |name: &String| {
        columns.iter().position(|column| column.eq_ignore_ascii_case(name.trim())).ok_or_else(|| {
            Problem::new(ErrorCode::InvalidValue, format!("there is no column `{}` here", name.trim().escape_debug()))
                .next(format!("the columns are {}", columns.join(", ").to_lowercase()))
        })
    };
    names.iter().map(index).collect()
}

/// A heading and a line for each row.
pub(super) fn list(columns: &[&str], rows: &[Vec<Cell>], chosen: &[usize]) -> String {
    let mut table = bare();
    table.set_header(chosen.iter().map(|&column| columns[column]));
    for row in rows {
        table.add_row(chosen.iter().map(|&column| cell(&row[column])));
    }
    finish(&table)
}

/// A line for each column of one row.
pub(super) fn record(columns: &[&str], row: &[Cell], chosen: &[usize]) -> String {
    let mut table = bare();
    for &column in chosen {
        table.add_row([comfy_table::Cell::new(columns[column].to_lowercase()), left(cell(&row[column]))]);
    }
    finish(&table)
}

fn bare() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table
}

fn cell(cell: &Cell) -> comfy_table::Cell {
    match cell {
        Cell::Text(text) => comfy_table::Cell::new(visible(text)),
        Cell::Number(number) => comfy_table::Cell::new(number).set_alignment(CellAlignment::Right),
        Cell::Empty => comfy_table::Cell::new("-"),
    }
}

fn left(cell: comfy_table::Cell) -> comfy_table::Cell {
    cell.set_alignment(CellAlignment::Left)
}

/// The table's lines without the padding that `NOTHING` leaves around them.
fn finish(table: &Table) -> String {
    table.lines().map(|line| format!("{}\n", line.strip_prefix(' ').unwrap_or(&line).trim_end())).collect()
}
