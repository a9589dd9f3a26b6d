//! A page of HTML that prints well: headings, paragraphs, tables, and nothing that runs or is fetched.
//!
//! Promises: whatever text is given stands on the page as text. Refuses to be a template language.

use std::fmt::Write as _;

/// Black on white, rows that are not torn apart between sheets, headings again on each.
const STYLE: &str = "\
body{font:10pt/1.4 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem;color:#111;background:#fff}\
h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}\
table{border-collapse:collapse;width:100%}\
th,td{border:1px solid #999;padding:.25rem .5rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}\
th{background:#eee}\
@page{size:A4 landscape;margin:15mm}\
@media print{body{margin:0;max-width:none;padding:0}thead{display:table-header-group}tr,h2{break-inside:avoid}h2{break-after:avoid}}";

/// A page that is being written.
pub(super) struct Page(String);

impl Page {
    pub(super) fn new(title: &str) -> Self {
        let title = escaped(title);
        Self(format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
             <title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n"
        ))
    }

    pub(super) fn heading(mut self, text: &str) -> Self {
        let _ = writeln!(self.0, "<h2>{}</h2>", escaped(text));
        self
    }

    pub(super) fn paragraph(mut self, text: &str) -> Self {
        let _ = writeln!(self.0, "<p>{}</p>", escaped(text));
        self
    }

    pub(super) fn items(mut self, items: &[String]) -> Self {
        self.0 += "<ul>\n";
        for item in items {
            let _ = writeln!(self.0, "<li>{}</li>", escaped(item));
        }
        self.0 += "</ul>\n";
        self
    }

    pub(super) fn table(mut self, headings: &[&str], rows: &[Vec<String>]) -> Self {
        let cells = |tag: &str, cells: &mut dyn Iterator<Item = &str>| {
            cells.map(|cell| format!("<{tag}>{}</{tag}>", escaped(cell))).collect::<String>()
        };
        let _ = writeln!(self.0, "<table>\n<thead><tr>{}</tr></thead>\n<tbody>", cells("th", &mut headings.iter().copied()));
        for row in rows {
            let _ = writeln!(self.0, "<tr>{}</tr>", cells("td", &mut row.iter().map(String::as_str)));
        }
        self.0 += "</tbody>\n</table>\n";
        self
    }

    pub(super) fn end(mut self) -> String {
        self.0 += "</body>\n</html>\n";
        self.0
    }
}

/// Text as it may stand in an element or an attribute; what controls a terminal or reverses text is left out.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            '\n' => safe += " ",
            c if c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}') => {}
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_is_text_on_the_page_and_never_a_tag() {
        let hostile = "<script>alert(1)</script>\u{1b}[2J\u{202e}\" onload='x' &amp;";
        let rows = [vec![hostile.to_owned()]];
        let page = Page::new(hostile).heading(hostile).paragraph(hostile).items(&[hostile.to_owned()]).table(&[hostile], &rows).end();
        assert!(
            !page.contains("<script") && !page.contains('\u{1b}') && !page.contains('\u{202e}') && !page.contains("onload='"),
            "{page}"
        );
        assert_eq!(page.matches("&lt;script&gt;alert(1)&lt;/script&gt;[2J&quot; onload=&#39;x&#39; &amp;amp;").count(), 7);
    }
}
