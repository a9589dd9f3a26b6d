//! Text of any origin as a terminal may show it.

/// The text with everything that a terminal acts on spelled out: control characters (ESC, and the C1 set that some
/// terminals read as ESC), line breaks, and the marks that reverse the order of what is seen (CVE-2021-42574).
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_direction(c) {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    shown
}

fn is_direction(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
