//! Text of people's inside Markdown.
//!
//! Promises: what somebody wrote stays text wherever the Markdown is rendered: no markup, no link, no image that is fetched.

/// On one line, with everything escaped that Markdown or HTML would take for its own.
pub fn line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (i, word) in text.split_whitespace().enumerate() {
        if i > 0 {
            line.push(' ');
        }
        for c in word.chars() {
            match c {
                '<' => line.push_str("&lt;"),
                '&' => line.push_str("&amp;"),
                '\\' | '`' | '*' | '_' | '[' | ']' | '!' | '|' | '#' | '~' => line.extend(['\\', c]),
                c => line.push(c),
            }
        }
    }
    line
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_image_a_link_and_a_tag_are_words() {
        let line = super::line("see ![x](https://example.com/a.png)\n<b>`now`</b>");
        assert_eq!(line, "see \\!\\[x\\](https://example.com/a.png) &lt;b>\\`now\\`&lt;/b>");
    }
}
