//! RFC 4180, as spreadsheets and scripts read it.
//!
//! Promises: a cell that a spreadsheet would run as a formula begins with `'` instead (OWASP, "CSV injection"); control
//! characters other than line breaks are spelled out; line breaks stay, quoted.

use super::{Cell, visible};

pub(super) fn render(columns: &[&str], rows: &[Vec<Cell>], chosen: &[usize]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let in_memory = "memory can be written";
    writer.write_record(chosen.iter().map(|&column| columns[column].to_lowercase())).expect(in_memory);
    for row in rows {
        writer.write_record(chosen.iter().map(|&column| text(&row[column]))).expect(in_memory);
    }
    String::from_utf8(writer.into_inner().expect(in_memory)).expect("made of texts and separators")
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Text(text) => harmless(text),
        Cell::Number(number) => number.to_string(),
        Cell::Empty => String::new(),
    }
}

fn harmless(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(visible).collect();
    let text = lines.join("\n");
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}
